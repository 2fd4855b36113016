//! A pattern of devices, with `*` and `?` alone, in the words of each database.

/// SQLite's: a bracket is a plain character.
pub(super) fn glob(pattern: &str) -> String {
    pattern.replace('[', "[[]")
}

/// PostgreSQL's `LIKE`.
#[cfg(feature = "fleet")]
pub(super) fn like(pattern: &str) -> String {
    let mut like = String::new();
    for letter in pattern.chars() {
        match letter {
            '*' => like.push('%'),
            '?' => like.push('_'),
            '%' | '_' | '\\' => like.extend(['\\', letter]),
            // Its text has none.
            '\0' => like.push('\u{fffd}'),
            other => like.push(other),
        }
    }
    like
}

/// Every name of the pattern is at least the first text, and less than the second where there is one: compared by bytes.
pub(super) fn range(pattern: &str) -> (String, Option<String>) {
    let start: String = pattern
        .chars()
        .take_while(|letter| !matches!(letter, '*' | '?' | '\0'))
        .collect();
    let mut end: Vec<char> = start.chars().collect();
    while let Some(last) = end.pop() {
        // There is no character in the gap of the surrogates.
        let next = if last == '\u{d7ff}' {
            Some('\u{e000}')
        } else {
            char::from_u32(u32::from(last) + 1)
        };
        if let Some(next) = next {
            end.push(next);
            return (start, Some(end.into_iter().collect()));
        }
    }
    (start, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stars_and_question_marks_mean_something() {
        assert_eq!(glob("shop-[1]*"), "shop-[[]1]*");
        #[cfg(feature = "fleet")]
        assert_eq!(like("a_b%c\\d*?"), "a\\_b\\%c\\\\d%_");
    }

    #[test]
    fn every_name_of_a_pattern_is_in_its_range() {
        for (pattern, start, end) in [
            ("shop-*", "shop-", Some("shop.")),
            ("shop-1", "shop-1", Some("shop-2")),
            ("é?", "é", Some("ê")),
            ("a\u{d7ff}*", "a\u{d7ff}", Some("a\u{e000}")),
            ("a\u{10ffff}*", "a\u{10ffff}", Some("b")),
            ("\u{10ffff}*", "\u{10ffff}", None),
            ("*", "", None),
            ("?-shop", "", None),
            ("", "", None),
        ] {
            assert_eq!(
                range(pattern),
                (start.to_string(), end.map(str::to_string)),
                "{pattern:?}"
            );
        }
    }
}

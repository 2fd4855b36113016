//! Text from outside, made fit to be shown: the one place that knows what a terminal must not get.

/// One line without control, bidirectional and invisible characters, words parted by single spaces.
#[must_use]
pub(crate) fn one_line(text: &str) -> String {
    let shown: String = text.chars().filter_map(|c| shown(c, ' ')).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The same over several lines, whose spaces stay: the last thing before a terminal.
#[must_use]
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .filter_map(|c| if c == '\n' { Some(c) } else { shown(c, '\u{fffd}') })
        .collect()
}

/// What is shown of a character: itself, `instead` of it, or nothing.
fn shown(c: char, instead: char) -> Option<char> {
    match c {
        // Escape sequences begin with one of these; lines and paragraphs end with the last two.
        _ if c.is_control() => Some(instead),
        '\u{2028}' | '\u{2029}' => Some(instead),
        // Marks, embeddings, overrides and isolates that turn the direction of what follows (UAX 9).
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
        // Invisible: what is read would not be what is there. Joiners stay, scripts and emoji need them.
        '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' => None,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => None,
        _ => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_pass() {
        assert_eq!(one_line("a\u{1b}[31m\r\nb\u{7}\tc  d\u{9b}"), "a [31m b c d");
        assert_eq!(
            harmless("  a\u{1b}[31m\n\u{9b}b\r\n"),
            "  a\u{fffd}[31m\n\u{fffd}b\u{fffd}\n"
        );
    }

    #[test]
    fn nothing_turns_the_direction_of_text_or_hides_in_it() {
        let bad = ['\u{61c}', '\u{200e}', '\u{200f}', '\u{feff}', '\u{ad}', '\u{e0041}'];
        for c in bad
            .into_iter()
            .chain('\u{202a}'..='\u{202e}')
            .chain('\u{2066}'..='\u{2069}')
        {
            assert_eq!(one_line(&format!("a{c}b")), "ab", "{c:?}");
            assert_eq!(harmless(&format!("a{c}b\n")), "ab\n", "{c:?}");
        }
        for c in ['\u{2028}', '\u{2029}'] {
            assert_eq!(one_line(&format!("a{c}b")), "a b", "{c:?}");
            assert_eq!(harmless(&format!("a{c}b")), "a\u{fffd}b", "{c:?}");
        }
    }

    #[test]
    fn what_people_write_stays() {
        for text in ["PIR Entrée", "📹 ⏱\u{fe0f} ❌ ╔══╗", "مطبخ", "👩\u{200d}🔧"] {
            assert_eq!(one_line(text), text);
            assert_eq!(harmless(text), text);
        }
    }
}

//! Text from outside, made fit to be shown.

/// One line without control characters (escape sequences among them), words parted by single spaces.
#[must_use]
pub fn one_line(text: &str) -> String {
    let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_pass() {
        assert_eq!(one_line("a\u{1b}[31m\r\nb\u{7}\tc  d\u{9b}"), "a [31m b c d");
    }
}

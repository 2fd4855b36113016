//! Text on a terminal, measured in columns.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns a text takes.
#[must_use]
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// Cuts a text to at most `most` columns, with `…` where it was cut.
#[must_use]
pub(crate) fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_string();
    }
    let mut kept = String::new();
    let mut width = 0;
    for c in text.chars() {
        width += c.width().unwrap_or(0);
        if width >= most {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

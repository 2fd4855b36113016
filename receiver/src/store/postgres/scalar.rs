//! A device's values as PostgreSQL keeps them: JSON, so that nothing of them is lost, and beside it text to sort and look up
//! by.

use crate::record::{Origin, Scalar};

/// Longest text that is sorted by, in characters: an entry of an index has its limit.
const SORTED_MOST: usize = 500;

/// Longest moment, in characters.
const MOMENT_MOST: usize = 40;

/// As JSON; null is none.
pub(in crate::store) fn to_json(value: &Scalar) -> Option<String> {
    match value {
        Scalar::Null => None,
        Scalar::Integer(number) => Some(number.to_string()),
        // Rust writes the shortest digits that give the number back; a point or an exponent makes it no integer.
        Scalar::Real(number) => Some(format!("{number:?}")),
        Scalar::Text(text) => Some(serde_json::Value::from(text.as_str()).to_string()),
    }
}

/// What [`to_json`] wrote.
pub(super) fn from_json(json: Option<&str>) -> Scalar {
    let Some(json) = json else { return Scalar::Null };
    if let Ok(number) = json.parse::<i64>() {
        return Scalar::Integer(number);
    }
    if let Ok(text) = serde_json::from_str::<String>(json) {
        return Scalar::Text(text);
    }
    // Not by serde_json: its last digit may be another one.
    json.parse::<f64>()
        .map_or_else(|_| Scalar::Text(json.to_string()), Scalar::Real)
}

/// Text that is sorted and looked up by: PostgreSQL's has no character U+0000, and not any length.
pub(in crate::store) fn sortable(text: &str) -> String {
    cut(text, SORTED_MOST)
}

fn cut(text: &str, most: usize) -> String {
    text.chars()
        .take(most)
        .map(|c| if c == '\0' { '\u{fffd}' } else { c })
        .collect()
}

/// The date as text that sorts; none where it is no date, and the moment is when the row came.
pub(super) fn moment(date: &Scalar) -> Option<String> {
    let Scalar::Text(text) = date else { return None };
    let pattern = b"0000-10-30T20:50";
    let fits = |(wanted, found): (&u8, &u8)| match wanted {
        b'T' => matches!(found, b'T' | b' '),
        most @ (b'1' | b'2' | b'3' | b'5') => (b'0'..=*most).contains(found),
        b'0' => found.is_ascii_digit(),
        same => same == found,
    };
    let is_date = text.len() >= pattern.len() && pattern.iter().zip(text.as_bytes()).all(fits);
    is_date.then(|| cut(&text.replace(' ', "T"), MOMENT_MOST))
}

/// What a sensor is called: its name, or its id where it has none.
pub(super) fn sensor(origin: &Origin) -> Option<String> {
    plain(&origin.sensor_name).or_else(|| plain(&origin.sensor_id))
}

/// A value as text to look up by.
pub(super) fn plain(value: &Scalar) -> Option<String> {
    match value {
        Scalar::Text(text) => Some(sortable(text)),
        other => to_json(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_as_it_went() {
        for value in [
            Scalar::Null,
            Scalar::Integer(i64::MIN),
            Scalar::Integer(9_007_199_254_740_993),
            Scalar::Real(1_734_542_345.25),
            Scalar::Real(1e300),
            Scalar::Real(3.0),
            Scalar::Real(-0.0),
            Scalar::Real(5e-324),
            Scalar::Real(0.1 + 0.2),
            Scalar::Real(1e22),
            Scalar::Text(String::new()),
            Scalar::Text("null".to_string()),
            Scalar::Text("123".to_string()),
            Scalar::Text("🎥 é\u{fffd}'\"\\\n\0".to_string()),
        ] {
            assert_eq!(from_json(to_json(&value).as_deref()), value);
        }
    }

    #[test]
    fn moments_are_dates_as_text_that_sorts() {
        let moment = |text: &str| moment(&Scalar::Text(text.to_string()));
        assert_eq!(moment("2025-12-18 17:30:00").as_deref(), Some("2025-12-18T17:30:00"));
        assert_eq!(moment("2025-12-18T17:30").as_deref(), Some("2025-12-18T17:30"));
        for none in ["", "2025", "2025-22-18T17:30", "2025-12-18_17:30", "é025-12-18T17:30"] {
            assert_eq!(moment(none), None, "{none}");
        }
        let long = format!("2025-12-18T17:30{}\0", "é".repeat(100));
        assert_eq!(moment(&long).map(|found| found.chars().count()), Some(40));
    }
}

//! What a list's address asks for, checked.

use axum::extract::Query;
use axum::http::Uri;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::visitor::Visitor;
use crate::answer::Refusal;
use crate::store::reading::{Filter, Place, Slice};

/// Rows of a page, unless asked otherwise and at most.
const LIMIT: u32 = 50;
const LIMIT_MOST: u32 = 1000;

/// The parameters of an address.
///
/// # Errors
/// 400 with the first one that is wrong.
pub(super) fn parameters<T: DeserializeOwned>(uri: &Uri) -> Result<T, Refusal> {
    let read = Query::<T>::try_from_uri(uri);
    read.map(|Query(parameters)| parameters)
        .map_err(|error| Refusal::bad(format!("adresse: {error}")))
}

/// Which rows: each parameter that is given narrows them. An empty one is none.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// The first moment by the device's clock: `2025-12-18` or `2025-12-18T17:30:00`.
    pub(super) from: Option<String>,
    /// The moment before which the last one lies, in the same form.
    pub(super) to: Option<String>,
    /// A `device_id`.
    pub(super) device: Option<String>,
    /// A sensor's name, or its id where it has none.
    pub(super) sensor: Option<String>,
    /// A `numero_camera`: of clips alone.
    pub(super) camera: Option<String>,
    /// `next` of the page before.
    pub(super) cursor: Option<String>,
    /// Rows at most: 1 to 1000, 50 unless given.
    #[param(minimum = 1, maximum = 1000)]
    pub(super) limit: Option<u32>,
    /// `desc` (newest first, unless given) or `asc`.
    #[param(pattern = "^(asc|desc)?$")]
    pub(super) order: Option<String>,
}

impl Which {
    /// The filter, within what the visitor may see.
    ///
    /// # Errors
    /// 400: a moment that is none.
    pub(super) fn filter(&self, visitor: &Visitor) -> Result<Filter, Refusal> {
        Ok(Filter {
            from: moment("from", self.from.as_deref())?,
            to: moment("to", self.to.as_deref())?,
            device: given(self.device.as_deref()),
            sensor: given(self.sensor.as_deref()),
            camera: given(self.camera.as_deref()),
            visible: visitor.person.devices.clone(),
        })
    }

    /// Which page of them.
    ///
    /// # Errors
    /// 400: a cursor or an order that is none.
    pub(super) fn slice(&self) -> Result<Slice, Refusal> {
        let after = match given(self.cursor.as_deref()) {
            None => None,
            Some(text) => Some(place(&text).ok_or_else(|| Refusal::bad("cursor: pas un curseur de cette liste"))?),
        };
        let ascending = match given(self.order.as_deref()).as_deref() {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(_) => return Err(Refusal::bad("order: asc ou desc est attendu")),
        };
        Ok(Slice {
            after,
            ascending,
            limit: limit(self.limit)?,
        })
    }
}

/// A number of rows.
///
/// # Errors
/// 400: none or too many.
pub(super) fn limit(given: Option<u32>) -> Result<u32, Refusal> {
    match given.unwrap_or(LIMIT) {
        limit @ 1..=LIMIT_MOST => Ok(limit),
        _ => Err(Refusal::bad(format!("limit: 1 à {LIMIT_MOST} est attendu"))),
    }
}

pub(super) fn given(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_string)
}

/// The cursor of the page after one that ends here.
pub(super) fn cursor(moment: &str, id: i64) -> String {
    format!("{moment}~{id}")
}

fn place(text: &str) -> Option<Place> {
    let (moment, id) = text.rsplit_once('~')?;
    Some(Place {
        moment: moment.to_string(),
        id: id.parse().ok()?,
    })
}

fn moment(name: &str, text: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(text) = given(text) else { return Ok(None) };
    if is_moment(&text) {
        Ok(Some(text))
    } else {
        Err(Refusal::bad(format!(
            "{name}: une date comme 2025-12-18 ou 2025-12-18T17:30:00 est attendue"
        )))
    }
}

/// A date, or a date with a time of any precision.
fn is_moment(text: &str) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00.000000";
    let fits = text.len() <= SHAPE.len()
        && text.bytes().zip(SHAPE).all(|(byte, shape)| {
            if *shape == b'0' {
                byte.is_ascii_digit()
            } else {
                byte == *shape
            }
        });
    fits && (matches!(text.len(), 10 | 16 | 19) || text.len() > 20)
}

/// Whether a text is a day.
pub(super) fn is_day(text: &str) -> bool {
    text.len() == 10 && is_moment(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_from_anything_else() {
        for good in [
            "2025-12-18",
            "2025-12-18T17:30",
            "2025-12-18T17:30:00",
            "2025-12-18T17:30:00.123456",
        ] {
            assert!(is_moment(good), "{good}");
        }
        for bad in [
            "2025-12",
            "2025-12-18T",
            "2025-12-18 17:30",
            "2025-12-18T17:30:00.",
            "' OR 1=1",
            "2025-12-18T17:30:00.1234567",
        ] {
            assert!(!is_moment(bad), "{bad}");
        }
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let text = cursor("2025-12-18T17:30:00~x", -3);
        assert_eq!(
            place(&text),
            Some(Place {
                moment: "2025-12-18T17:30:00~x".into(),
                id: -3
            })
        );
        assert_eq!(place("x"), None);
        assert_eq!(place("x~y"), None);
    }
}

//! A list of the few devices that a person may see, read device by device: however rare theirs are among all rows, no others
//! are read.

use std::collections::{BTreeMap, VecDeque};

use rusqlite::{Connection, params};

use super::reading_sql::THEIRS;
use crate::store::pattern;
use crate::store::reading::{FEW_ROWS, Filter, Place, Slice};

/// Rows of a device that are read at a time, once one of them was on the page.
const TOGETHER: u32 = 16;

/// What is left of a device.
struct Left<T> {
    device: String,
    rows: VecDeque<T>,
    /// Whether there may be more than these.
    is_more: bool,
}

impl<T> Left<T> {
    fn new(device: String) -> Self {
        let (rows, is_more) = (VecDeque::new(), true);
        Self { device, rows, is_more }
    }

    /// Its next row, of those that are here or, after a place, of those that `read` gives.
    fn next(
        &mut self,
        after: Option<Place>,
        limit: u32,
        read: impl Fn(&str, Option<Place>, u32) -> rusqlite::Result<Vec<T>>,
    ) -> rusqlite::Result<Option<T>> {
        if self.rows.is_empty() && self.is_more {
            self.rows = read(&self.device, after, limit)?.into();
            self.is_more = self.rows.len() == limit as usize;
        }
        Ok(self.rows.pop_front())
    }
}

/// A page, by `read` as it is or for each device, in the order of `place`.
pub(super) fn page<T>(
    conn: &Connection,
    filter: &Filter,
    slice: &Slice,
    place: impl Fn(&T) -> (String, i64),
    read: impl Fn(Filter, &Slice) -> rusqlite::Result<Vec<T>>,
) -> rusqlite::Result<Vec<T>> {
    let visible = filter.visible.as_deref().filter(|_| filter.device.is_none());
    let Some(devices) = devices(conn, visible, slice.limit)? else {
        return read(filter.clone(), slice);
    };
    let of_one = |device: &str, after, limit| {
        let own = Filter {
            device: Some(device.to_string()),
            visible: None,
            ..filter.clone()
        };
        read(
            own,
            &Slice {
                after,
                limit,
                ..slice.clone()
            },
        )
    };
    let mut firsts = BTreeMap::new();
    for device in devices {
        let mut left = Left::new(device);
        if let Some(row) = left.next(slice.after.clone(), 1, of_one)? {
            firsts.insert(place(&row), (row, left));
        }
    }
    let mut found = Vec::new();
    while found.len() < slice.limit as usize {
        let first = if slice.ascending {
            firsts.pop_first()
        } else {
            firsts.pop_last()
        };
        let Some(((moment, id), (row, mut left))) = first else {
            break;
        };
        found.push(row);
        if let Some(row) = left.next(Some(Place { moment, id }), TOGETHER, of_one)? {
            firsts.insert(place(&row), (row, left));
        }
    }
    Ok(found)
}

/// The devices of a pattern, where they are few.
pub(super) fn devices(conn: &Connection, visible: Option<&str>, limit: u32) -> rusqlite::Result<Option<Vec<String>>> {
    let Some(visible) = visible else {
        return Ok(None);
    };
    let most = FEW_ROWS / i64::from(limit.max(1));
    let (start, end) = pattern::range(visible);
    let mut statement = conn.prepare_cached(THEIRS)?;
    let devices = statement.query_map(params![pattern::glob(visible), start, end, most + 1], |row| row.get(0))?;
    let devices: Vec<String> = devices.collect::<rusqlite::Result<_>>()?;
    let is_few = i64::try_from(devices.len()).is_ok_and(|count| count <= most);
    Ok(is_few.then_some(devices))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::store::sqlite::migrations::migrate;

    #[test]
    fn only_rows_of_the_few_are_asked_for_whatever_else_is() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn).unwrap();
        conn.execute_batch("INSERT INTO device_row VALUES ('shop-1', 1), ('shop-2', 1), ('home', 1)")
            .unwrap();
        let (sensor, camera) = (Some("door".to_string()), Some("1".to_string()));
        for (sensor, camera) in [
            (None, None),
            (sensor.clone(), None),
            (None, camera.clone()),
            (sensor, camera),
        ] {
            let filter = Filter {
                sensor,
                camera,
                visible: Some("shop-*".to_string()),
                ..Filter::default()
            };
            let slice = Slice {
                after: None,
                ascending: false,
                limit: 50,
            };
            let asked = RefCell::new(Vec::new());
            let none = page(
                &conn,
                &filter,
                &slice,
                |(): &()| (String::new(), 0),
                |filter, _| {
                    asked.borrow_mut().push(filter);
                    Ok(Vec::new())
                },
            );
            assert_eq!(none.unwrap(), []);
            let of_one = ["shop-1", "shop-2"].map(|device| Filter {
                device: Some(device.to_string()),
                visible: None,
                ..filter.clone()
            });
            assert_eq!(asked.into_inner(), of_one);
        }
    }
}

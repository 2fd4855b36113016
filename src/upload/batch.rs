//! Many events in one request ([`sync_protocol::batch`]): the body, and what the answer says of each.

use sync_protocol::batch::{self, Entry, MAX_BYTES, MAX_EVENTS};

use super::answer::Answer;
use super::payload;
use super::verdict::{Verdict, judge};
use crate::row::Event;

/// What became of events that were sent together.
#[derive(Debug)]
pub(crate) enum BatchVerdict {
    /// One verdict for each that was sent, in order: the first so many of those that were given.
    Each(Vec<Verdict>),
    /// Of none is it known that the server has it.
    Whole(Verdict),
    /// The server takes no batches any more; nothing was stored.
    NotTaken,
}

/// A body and how many of the events are in it.
pub(super) struct Body {
    pub bytes: Vec<u8>,
    pub events: usize,
}

/// The body for as many of the first events as a server takes at once.
///
/// # Errors
/// None in practice: these values always have a JSON form.
pub(super) fn body(events: &[(Event, String)], device_id: &str) -> serde_json::Result<Body> {
    let mut bytes = vec![b'['];
    let mut taken = 0;
    for (event, key) in events.iter().take(MAX_EVENTS) {
        let before = bytes.len();
        if taken > 0 {
            bytes.push(b',');
        }
        serde_json::to_writer(
            &mut bytes,
            &Entry {
                key: key.into(),
                evenement: payload::event_object(event, device_id),
            },
        )?;
        if bytes.len() >= MAX_BYTES {
            bytes.truncate(before);
            break;
        }
        taken += 1;
    }
    bytes.push(b']');
    Ok(Body { bytes, events: taken })
}

/// What an answer says of each of `sent` events.
///
/// # Errors
/// It does not say it of each.
pub(super) fn verdicts(answer: &Answer, sent: usize) -> Result<Vec<Verdict>, String> {
    let of_rows: batch::Answer =
        serde_json::from_slice(&answer.body).map_err(|error| format!("réponse illisible: {error}"))?;
    if of_rows.results.len() != sent {
        return Err(format!("{} résultats pour {sent} événements", of_rows.results.len()));
    }
    let of_row = |row: batch::Outcome| {
        let body = match row.id {
            Some(id) => format!("{{\"id\":{id}}}"),
            None => row.error.unwrap_or_default(),
        };
        judge(&answer.of_row(row.status, body), false)
    };
    Ok(of_rows.results.into_iter().map(of_row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Scalar;

    fn event(id: i64, name: &str) -> (Event, String) {
        let event = Event {
            id,
            date: Scalar::Text("2025-12-18T17:30:00".into()),
            sensor_id: Scalar::Integer(1),
            sensor_name: Scalar::Text(name.into()),
            sensor_state: Scalar::Integer(1),
        };
        (event, format!("key-{id}"))
    }

    #[test]
    fn a_body_is_a_list_of_keys_and_of_the_contracts_objects() {
        let body = body(&[event(1, "a"), event(2, "b")], "pi").unwrap();
        assert_eq!(body.events, 2);
        assert_eq!(
            String::from_utf8(body.bytes).unwrap(),
            r#"[{"key":"key-1","evenement":{"date":"2025-12-18T17:30:00","capteur":{"id":1,"nom":"a","etat":1},"device_id":"pi","source":"sync_service"}},{"key":"key-2","evenement":{"date":"2025-12-18T17:30:00","capteur":{"id":1,"nom":"b","etat":1},"device_id":"pi","source":"sync_service"}}]"#
        );
    }

    #[test]
    fn a_body_is_as_long_as_a_server_takes_and_no_longer() {
        let long = "x".repeat(300_000);
        let events: Vec<_> = (0..5).map(|id| event(id, &long)).collect();
        let full = body(&events, "pi").unwrap();
        assert_eq!(full.events, 3);
        assert!(full.bytes.len() <= MAX_BYTES && full.bytes.ends_with(b"}}]"));
        let many: Vec<_> = (0..1_500).map(|id| event(id, "a")).collect();
        assert_eq!(body(&many, "pi").unwrap().events, MAX_EVENTS);
        let larger = event(1, &"x".repeat(MAX_BYTES));
        assert_eq!(body(&[larger], "pi").unwrap().events, 0);
    }
}

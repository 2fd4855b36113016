//! Many events in one request, stored in one commit, each with its own result.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Where a batch is posted, below the backend's address.
pub const PATH: &str = "/api/evenements/batch";

/// Most events in one.
pub const MAX_EVENTS: usize = 1_000;

/// Longest body a sender makes, before packing.
pub const MAX_BYTES: usize = 1_000_000;

/// An event of a batch. The body is a JSON list of these; `E` is the contract's object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<'a, E> {
    /// What `Idempotency-Key` is for a single event.
    pub key: Cow<'a, str>,
    /// The event as it would be posted alone.
    pub evenement: E,
}

/// The answer to a batch that was taken (200): as many results as there were entries, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What became of each entry.
    pub results: Vec<Outcome>,
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The status that the event would have had alone.
    pub status: u16,
    /// The server's id, of an event that is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Why it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Outcome {
    /// Stored, now or before.
    #[must_use]
    pub const fn stored(id: i64) -> Self {
        Self {
            status: 201,
            id: Some(id),
            error: None,
        }
    }

    /// Not stored.
    #[must_use]
    pub const fn refused(status: u16, error: String) -> Self {
        Self {
            status,
            id: None,
            error: Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_are_those_of_the_wire() {
        let body = vec![Entry {
            key: "k".into(),
            evenement: 7,
        }];
        assert_eq!(serde_json::to_string(&body).unwrap(), r#"[{"key":"k","evenement":7}]"#);
        let answer = Answer {
            results: vec![Outcome::stored(7), Outcome::refused(400, "date: …".to_string())],
        };
        let text = r#"{"results":[{"status":201,"id":7},{"status":400,"error":"date: …"}]}"#;
        assert_eq!(serde_json::to_string(&answer).unwrap(), text);
        assert_eq!(serde_json::from_str::<Answer>(text).unwrap(), answer);
    }

    #[test]
    fn what_a_later_server_adds_is_passed_over() {
        let answer: Answer = serde_json::from_str(r#"{"results":[{"status":201,"id":7,"more":{}}],"took":1}"#).unwrap();
        assert_eq!(answer.results, [Outcome::stored(7)]);
    }
}

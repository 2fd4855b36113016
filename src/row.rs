//! The rows that travel: plain values that come out of `device` and go into `upload`, and what a clip's video can do.

use std::io::{self, Read};

use serde::Serialize;

/// The two tables that are uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Table {
    /// `evenement`.
    Event,
    /// `media`.
    Media,
}

impl Table {
    /// Both, in the order of a pass.
    pub(crate) const ALL: [Table; 2] = [Table::Event, Table::Media];

    /// The table's name in SQL and in `sync_tracking.table_name`.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Table::Event => "evenement",
            Table::Media => "media",
        }
    }

    /// The column of its ids.
    #[must_use]
    pub(crate) fn id_column(self) -> &'static str {
        match self {
            Table::Event => "id_evenement",
            Table::Media => "id_media",
        }
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A value as SQLite holds it. Any type may appear in any column, so it is carried as it is:
/// `NULL` becomes JSON `null`, numbers stay numbers, text stays text.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Scalar {
    /// SQL `NULL`, or the value of a row that is gone.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A finite floating point number.
    Real(f64),
    /// Text; bytes that are not UTF-8 were replaced by U+FFFD when it was read.
    Text(String),
}

/// One row of `evenement`, joined with its sensor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    /// `id_evenement`.
    pub id: i64,
    /// When it happened, local ISO 8601 as the recorder wrote it.
    pub date: Scalar,
    /// `id_capteur` of the row.
    pub sensor_id: Scalar,
    /// `nom_capteur`, [`Scalar::Null`] when the sensor is gone.
    pub sensor_name: Scalar,
    /// `etat_capteur`, of the sensor or (older layout) of the row itself.
    pub sensor_state: Scalar,
}

/// One row of `media` without its video, joined with its sensor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Clip {
    /// `id_media`.
    pub id: i64,
    /// When it was filmed, local ISO 8601 as the recorder wrote it.
    pub date: Scalar,
    /// `id_capteur` of the row.
    pub sensor_id: Scalar,
    /// `nom_capteur`, [`Scalar::Null`] when the sensor is gone.
    pub sensor_name: Scalar,
    /// `numero_camera`.
    pub camera: Scalar,
    /// Length of the video in bytes.
    pub video_len: u64,
}

/// A clip's video: read once from its start, or tried several times, each time from where it broke off.
pub(crate) trait Video: Read {
    /// Goes to the last place up to `most` that was read before in this process and is the same as far as a glance tells, else
    /// to the start; returns how many bytes are before it. From here on places are remembered.
    ///
    /// # Errors
    /// The row can't be read.
    fn go_back(&mut self, most: u64) -> io::Result<u64>;

    /// SHA-256 of all bytes before the place, as they were read. Only after [`Video::go_back`].
    fn sha256(&self) -> [u8; SHA256_BYTES];

    /// Reads what is left, holds it, and does what is to be done before the last byte may leave: where something was written
    /// meanwhile, the whole row is read once more for that, which may take minutes. `pulse` is called between two short steps
    /// and tells whether to stop; `false`, and nothing more can be read, when it did.
    ///
    /// # Errors
    /// The row can't be read, or is another now.
    fn hold_rest(&mut self, pulse: &mut dyn FnMut() -> bool) -> io::Result<bool>;
}

/// Bytes of a SHA-256.
pub(crate) const SHA256_BYTES: usize = 32;

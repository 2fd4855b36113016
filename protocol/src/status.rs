//! A device tells how it is: what `sync-service status --json` prints, and what only the device knows beside it.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// Longest body.
pub const MAX_BYTES: usize = 4_096;

/// A device's disk is low where a smaller part of it than this is free.
pub const DISK_LOW_PERCENT: u8 = 10;

/// Where a device's status is put, below the backend's address.
#[must_use]
pub fn path(device_id: &str) -> String {
    let mut path = String::from("/api/devices/");
    for byte in device_id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path.push_str("/status");
    path
}

/// How a device is. Keys are only ever added; each may be missing, and what is not known is passed over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Version of this shape, as in `status --json`: 1.
    pub version: u32,
    /// The service that runs, if one does.
    pub service: Option<Service>,
    /// Rows by table.
    pub tables: Tables,
    /// Version of the program.
    pub program_version: String,
    /// Seconds since the service started.
    pub uptime_s: u64,
    /// The disk that holds the recorder's database.
    pub disk: Option<Disk>,
    /// The device's clock as it sends this: milliseconds since 1970, UTC.
    pub clock_unix_ms: i64,
    /// Seconds that the device's local time is ahead of UTC: in its dates there is no zone.
    pub utc_offset_s: Option<i32>,
    /// The backend this is told, and of which it tells.
    pub backend: String,
}

/// The running service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// `once`, `periodic`, `continuous` or `realtime`.
    pub mode: String,
    /// Seconds between two passes, where there is more than one.
    pub interval_s: Option<f64>,
    /// When the last pass began, in Unix seconds.
    pub last_pass: Option<i64>,
    /// When the next one begins.
    pub next_pass: Option<i64>,
    /// What ended the last pass.
    pub trouble: Option<String>,
}

/// Rows by table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tables {
    /// Events.
    pub evenement: Rows,
    /// Clips.
    pub media: Rows,
}

/// Rows of a table, by what became of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rows {
    /// Not tried yet.
    pub waiting: u64,
    /// At the server.
    pub done: u64,
    /// To be tried again.
    pub failed: u64,
    /// Deleted by the recorder before they were sent.
    pub vanished: u64,
    /// The oldest one that is not at the server.
    pub oldest_waiting: Option<Oldest>,
    /// When the last one was stored, as `sync_tracking` has it.
    pub last_success: Option<String>,
}

impl Rows {
    /// Rows that are not at the server.
    #[must_use]
    pub const fn backlog(&self) -> u64 {
        self.waiting.saturating_add(self.failed)
    }
}

/// The oldest row that is not at the server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Oldest {
    /// Its id in the recorder's table.
    pub id: i64,
    /// Its date, as the recorder wrote it.
    pub date: Option<String>,
    /// How old that is.
    pub age_seconds: Option<i64>,
}

/// Room on a disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Disk {
    /// Bytes that may still be written.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_id_of_any_letters_is_one_segment_of_the_path() {
        assert_eq!(path("raspberry-1"), "/api/devices/raspberry-1/status");
        assert_eq!(path("a/b ?é"), "/api/devices/a%2Fb%20%3F%C3%A9/status");
    }

    #[test]
    fn missing_keys_and_unknown_ones_are_fine() {
        assert_eq!(serde_json::from_str::<Status>("{}").unwrap(), Status::default());
        let text = r#"{"version":1,"running":true,"tables":{"evenement":{"waiting":3,"failed":2,"oldest_waiting":null}},"new":[1]}"#;
        let status: Status = serde_json::from_str(text).unwrap();
        assert_eq!(status.tables.evenement.backlog(), 5);
        assert_eq!(status.tables.media, Rows::default());
    }

    #[test]
    fn the_longest_that_is_usual_is_short_enough() {
        let rows = Rows {
            waiting: u64::MAX,
            done: u64::MAX,
            failed: u64::MAX,
            vanished: u64::MAX,
            oldest_waiting: Some(Oldest {
                id: i64::MIN,
                date: Some("2025-12-18T17:30:00.123456".to_string()),
                age_seconds: Some(i64::MIN),
            }),
            last_success: Some("2025-12-18T17:30:00.123456".to_string()),
        };
        let status = Status {
            version: 1,
            service: Some(Service {
                mode: "continuous".to_string(),
                interval_s: Some(1e9),
                last_pass: Some(i64::MIN),
                next_pass: Some(i64::MIN),
                trouble: Some("x".repeat(1_000)),
            }),
            tables: Tables {
                evenement: rows.clone(),
                media: rows,
            },
            program_version: "10.20.30".to_string(),
            uptime_s: u64::MAX,
            disk: Some(Disk {
                free_bytes: u64::MAX,
                total_bytes: u64::MAX,
            }),
            clock_unix_ms: i64::MIN,
            utc_offset_s: Some(i32::MIN),
            backend: "https://".to_string() + &"x".repeat(500),
        };
        let text = serde_json::to_string(&status).unwrap();
        assert!(text.len() <= MAX_BYTES, "{}", text.len());
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status);
    }
}

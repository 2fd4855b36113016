//! `SYNC_METRICS_FILE`: the state for the textfile collector of Prometheus' node exporter.
//!
//! Names and units follow <https://prometheus.io/docs/practices/naming/>. Counters count since the process started,
//! as Prometheus expects of them. The file is replaced as a whole, so that a scrape never reads half of it.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::exposition::Page;
use crate::notice::{Notice, PassReport, Reporter, TableState, WireStats};
use crate::row::Table;

/// Keeps the numbers and writes the file after each pass.
pub(crate) struct Metrics {
    path: PathBuf,
    /// Tries by table and verdict.
    attempts: BTreeMap<(&'static str, &'static str), u64>,
    passes: BTreeMap<&'static str, u64>,
    last_pass: Option<PassReport>,
    last_complete: Option<i64>,
    /// Clips deleted from the device, and their bytes.
    pruned: (u64, u64),
    said: bool,
}

impl Metrics {
    /// Metrics in the file at `path`.
    #[must_use]
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            attempts: BTreeMap::new(),
            passes: BTreeMap::from([("complete", 0), ("incomplete", 0)]),
            last_pass: None,
            last_complete: None,
            pruned: (0, 0),
            said: false,
        }
    }

    fn count(&mut self, table: Table, verdict: &'static str) {
        *self.attempts.entry((table.name(), verdict)).or_default() += 1;
    }

    fn write(&mut self, now: i64, events: &TableState, media: &TableState) {
        let text = self.text(now, events, media);
        match replace(&self.path, &text) {
            Ok(()) => self.said = false,
            Err(error) => {
                // Said once, not at every pass.
                if !self.said {
                    log::warn!("SYNC_METRICS_FILE {}: {error}", self.path.display());
                }
                self.said = true;
            }
        }
    }

    fn text(&self, now: i64, events: &TableState, media: &TableState) -> String {
        let mut page = Page::default();
        page.head(
            "sync_service_build_info",
            "gauge",
            "The version of sync-service, always 1.",
        );
        page.value("sync_service_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        rows(&mut page, [(Table::Event.name(), events), (Table::Media.name(), media)]);
        page.head(
            "sync_service_attempts_total",
            "counter",
            "Tries of rows by table and verdict.",
        );
        for ((table, verdict), count) in &self.attempts {
            page.value(
                "sync_service_attempts_total",
                &[("table", table), ("verdict", verdict)],
                count,
            );
        }
        page.head("sync_service_passes_total", "counter", "Passes by result.");
        for (result, count) in &self.passes {
            page.value("sync_service_passes_total", &[("result", result)], count);
        }
        pruned(&mut page, self.pruned);
        if let Some(report) = &self.last_pass {
            wire(&mut page, report.wire);
            last_pass(&mut page, now, report);
        }
        if let Some(at) = self.last_complete {
            page.single(
                "sync_service_last_complete_pass_timestamp_seconds",
                "gauge",
                "When a pass last left nothing behind.",
                at,
            );
        }
        page.text()
    }
}

/// Where the rows of each table stand.
fn rows(page: &mut Page, tables: [(&str, &TableState); 2]) {
    page.head("sync_service_rows", "gauge", "Rows by table and state.");
    for (table, state) in tables {
        for (name, count) in [
            ("waiting", state.waiting),
            ("done", state.done),
            ("failed", state.failed),
        ] {
            page.value("sync_service_rows", &[("table", table), ("state", name)], count);
        }
    }
    page.head(
        "sync_service_oldest_waiting_age_seconds",
        "gauge",
        "Age of the oldest row that waits or failed, by its date; 0 when none does.",
    );
    for (table, state) in tables {
        let age_s = state
            .oldest_waiting
            .as_ref()
            .and_then(|row| row.age_seconds)
            .unwrap_or(0);
        page.value("sync_service_oldest_waiting_age_seconds", &[("table", table)], age_s);
    }
    page.head(
        "sync_service_rows_vanished",
        "gauge",
        "Rows the recorder deleted before they were sent.",
    );
    for (table, state) in tables {
        page.value("sync_service_rows_vanished", &[("table", table)], state.vanished);
    }
}

/// What was deleted from the device.
fn pruned(page: &mut Page, (clips, bytes): (u64, u64)) {
    page.single(
        "sync_service_pruned_clips_total",
        "counter",
        "Clips deleted from the device, being at the server.",
        clips,
    );
    page.single(
        "sync_service_pruned_bytes_total",
        "counter",
        "Bytes of video deleted from the device.",
        bytes,
    );
}

/// What went over the wire.
fn wire(page: &mut Page, wire: WireStats) {
    page.single(
        "sync_service_body_bytes_total",
        "counter",
        "Bytes of request bodies before compression.",
        wire.raw_bytes,
    );
    page.single(
        "sync_service_wire_bytes_total",
        "counter",
        "Bytes of request bodies as sent.",
        wire.wire_bytes,
    );
    page.head(
        "sync_service_request_duration_seconds",
        "summary",
        "Time from a request's start to its answer.",
    );
    page.value(
        "sync_service_request_duration_seconds_sum",
        &[],
        seconds(wire.duration_ms),
    );
    page.value("sync_service_request_duration_seconds_count", &[], wire.requests);
}

fn last_pass(page: &mut Page, now: i64, report: &PassReport) {
    page.single(
        "sync_service_last_pass_duration_seconds",
        "gauge",
        "How long the last pass took.",
        seconds(report.duration_ms),
    );
    page.single(
        "sync_service_last_pass_timestamp_seconds",
        "gauge",
        "When the last pass ended.",
        now,
    );
    page.single(
        "sync_service_backend_up",
        "gauge",
        "1 when the last pass ran to its end, 0 when the backend ended it.",
        u8::from(report.ended_by.is_none()),
    );
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

impl Reporter for Metrics {
    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Sent { table, .. } => self.count(*table, "done"),
            Notice::Failed { table, verdict, .. } => self.count(*table, verdict),
            Notice::Pruned { bytes, .. } => {
                let (clips, sum) = self.pruned;
                self.pruned = (clips + 1, sum.saturating_add(*bytes));
            }
            Notice::Retrying { table, .. } => self.count(*table, "unavailable"),
            Notice::PassEnded(report) => {
                let result = if report.is_complete() { "complete" } else { "incomplete" };
                *self.passes.entry(result).or_default() += 1;
                self.last_pass = Some((*report).clone());
            }
            Notice::State { now, events, media } => {
                if self.last_pass.as_ref().is_some_and(PassReport::is_complete) {
                    self.last_complete = Some(*now);
                }
                self.write(*now, events, media);
            }
            _ => {}
        }
    }
}

/// Writes a file beside `path` and puts it in its place.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    // The collector reads *.prom only.
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = write_new(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Writes a file that was not there, readable by everybody: the collector is another user, and the units' umask
/// keeps others out. In a folder that others can write, a link at its name leads nowhere (`O_EXCL` follows none).
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let create = || std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = match create() {
        // Left by a process of the same number that was killed.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(path)?;
            create()?
        }
        other => other?,
    };
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.write_all(text.as_bytes())
}

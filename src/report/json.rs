//! `SYNC_OUTPUT=json`: one JSON object per line, one line per row and per pass.

use std::io::Write;

use serde_json::{Value, json};

use crate::local_time;
use crate::notice::{Counts, Notice, PassReport, Reporter, TableReport};

/// Writes the lines to `out`.
pub(crate) struct JsonLines<W: Write> {
    out: W,
}

impl<W: Write> JsonLines<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> Reporter for JsonLines<W> {
    fn notice(&mut self, notice: &Notice) {
        let Some(line) = line(notice) else { return };
        if let Err(error) = writeln!(self.out, "{line}").and_then(|()| self.out.flush()) {
            log::debug!("standard output: {error}");
        }
    }
}

fn line(notice: &Notice) -> Option<Value> {
    Some(match notice {
        Notice::PassStarted { at } => json!({
            "type": "pass_started",
            "at": at.format(local_time::ISO).to_string(),
        }),
        Notice::Sent {
            table,
            id,
            remote_id,
            bytes,
        } => json!({
            "type": "sent", "table": table.name(), "id": id, "remote_id": remote_id, "bytes": bytes,
        }),
        Notice::Failed {
            table,
            id,
            message,
            verdict,
            attempts,
            due_at,
            ..
        } => json!({
            "type": "failed", "table": table.name(), "id": id, "verdict": verdict, "message": message,
            "attempts": attempts, "due_at": due_at,
        }),
        Notice::PassEnded(report) => pass(report),
        Notice::Statistics { events, media } => json!({
            "type": "statistics", "evenement": counts(events), "media": counts(media),
        }),
        Notice::Trouble(message) => json!({ "type": "trouble", "message": message }),
        Notice::Pruned { id, remote_id, bytes } => json!({
            "type": "pruned", "table": "media", "id": id, "remote_id": remote_id, "bytes": bytes,
        }),
        Notice::NotPruned(message) => json!({ "type": "not_pruned", "message": message }),
        Notice::TroubleOver => json!({ "type": "trouble_over" }),
        _ => return None,
    })
}

fn pass(report: &PassReport) -> Value {
    json!({
        "type": "pass", "evenement": table(report.events), "media": table(report.media),
        "backend": report.backend, "ended_by": report.ended_by, "duration_ms": report.duration_ms,
        "clips_wait_until": report.clips_wait_until.map(|until| until.format(local_time::ISO).to_string()),
    })
}

fn table(report: TableReport) -> Value {
    json!({
        "sent": report.sent, "failed": report.failed, "waiting": report.waiting, "vanished": report.vanished,
    })
}

fn counts(counts: &Counts) -> Value {
    json!({ "success": counts.success, "failed": counts.failed, "pending": counts.pending })
}

//! `failures`: which rows failed, since when, how often, when next, and why.

use std::path::Path;

use super::exit;
use super::output::{duration, local, print};
use crate::clock;
use crate::device::StatusReader;
use crate::report::width::cut;
use crate::text::one_line;

/// Columns of the message; the whole of it is in `sync_tracking`.
const MESSAGE: usize = 100;

/// Prints the failed rows, newest try first.
pub(super) fn failures(path: &Path) -> Result<u8, String> {
    let reader = StatusReader::open(path).map_err(|error| error.to_string())?;
    let mut count = 0_u64;
    let now = clock::unix_seconds();
    reader
        .failed_rows(|row| {
            if count == 0 {
                print("TABLE       ID          DEPUIS               ESSAIS  PROCHAIN ESSAI     MESSAGE\n");
            }
            count += 1;
            let since = row
                .since
                .map_or_else(|| cut(&row.last_try.replace('T', " "), 19), local);
            let attempts = row
                .attempts
                .map_or_else(|| "-".to_string(), |attempts| attempts.to_string());
            let next = match row.due_at {
                Some(due_at) if due_at > now => format!("dans {}", duration(due_at - now)),
                _ => "prochaine passe".to_string(),
            };
            print(&format!(
                "{:<11} {:<11} {since:<20} {attempts:<7} {next:<18} {}\n",
                one_line(&row.table),
                cut(&one_line(&row.id), 11),
                cut(&one_line(&row.message), MESSAGE)
            ));
        })
        .map_err(|error| error.to_string())?;
    if count == 0 {
        print("✅ Aucune ligne en échec\n");
    }
    Ok(exit::OK)
}

//! What became of the rows, read back over the API as a person reads: each is there once, under the id that was told,
//! and each clip is whole.

mod ask_again;
mod clips;
mod reader;
mod rows;

use std::sync::Arc;

use sync_protocol::Extensions;

use crate::device::Ledger;
use crate::run::{Run, Table};
use reader::Reader;
pub(crate) use rows::Tally;

/// How many of what is wrong are named.
const EXAMPLES_MOST: usize = 5;

/// What the check found.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) events: Tally,
    pub(crate) clips: Tally,
    /// Keys that were sent once more.
    pub(crate) asked_again: u64,
    /// Of them, those that had another id then.
    pub(crate) other_answers: u64,
    /// Those of them that made a second row.
    pub(crate) second_rows: u64,
    pub(crate) whole_clips: u64,
    pub(crate) whole_bytes: u64,
    pub(crate) broken_clips: u64,
    /// Left out, since so many were broken before them.
    pub(crate) unread_clips: u64,
    /// Some of what is wrong, in words.
    pub(crate) examples: Vec<String>,
}

impl Findings {
    /// Each row is there once and each clip is whole.
    pub(crate) fn is_good(&self) -> bool {
        let again = self.other_answers + self.second_rows;
        let clips = self.broken_clips + self.unread_clips;
        self.events.is_good() && self.clips.is_good() && again == 0 && clips == 0
    }

    /// Whether there was anything to find.
    pub(crate) fn is_of_rows(&self) -> bool {
        self.events.rows + self.clips.rows > 0
    }

    fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES_MOST {
            self.examples.push(text());
        }
    }
}

/// Reads back what the devices sent.
///
/// # Errors
/// It can't be read.
pub(crate) async fn read_back(
    run: &Arc<Run>,
    ledgers: &[Ledger],
    extensions: &[Extensions],
) -> Result<Findings, String> {
    let mut findings = Findings::default();
    let mut reader = Reader::new(run).await?;
    let mut stored = Vec::new();
    for table in [Table::Events, Table::Clips] {
        let found = rows::compare(run, ledgers, table, &mut reader, &mut findings).await?;
        match table {
            Table::Events => findings.events = found.tally,
            Table::Clips => {
                findings.clips = found.tally;
                stored = found.stored;
            }
        }
    }
    clips::read(run, &reader, stored, &mut findings).await?;
    // Not before: a row that was lost with its key would be there again.
    ask_again::ask_again(run, ledgers, extensions, &mut reader, &mut findings).await?;
    Ok(findings)
}

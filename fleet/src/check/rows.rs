//! The lists of the API against what the devices know.

use std::collections::HashMap;

use serde::Deserialize;

use super::Findings;
use super::reader::{Reader, encoded};
use crate::device::{Entry, Ledger};
use crate::run::{Run, Table, date, number_of};

/// Rows of a page.
const PAGE_ROWS: u32 = 1_000;

/// How the rows of a table are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Rows that the devices had.
    pub(crate) rows: u64,
    /// With a receipt, and not there.
    pub(crate) missing: u64,
    /// There more than once, counted for each time too many.
    pub(crate) doubled: u64,
    /// There under another id than the receipt's.
    pub(crate) other_id: u64,
    /// There, and never sent like this.
    pub(crate) unknown: u64,
    /// Not through in time: without a receipt, there or not.
    pub(crate) unanswered: u64,
}

impl Tally {
    pub(crate) fn is_good(&self) -> bool {
        let Self { rows, .. } = *self;
        *self
            == Self {
                rows,
                ..Self::default()
            }
    }
}

/// A clip that is there: device, number and id.
pub(super) type Stored = (u32, u32, i64);

pub(super) struct Found {
    pub(super) tally: Tally,
    pub(super) stored: Vec<Stored>,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    id: i64,
    date: String,
    device_id: String,
}

/// Reads a table to its end.
pub(super) async fn compare(
    run: &Run,
    ledgers: &[Ledger],
    table: Table,
    reader: &mut Reader,
    findings: &mut Findings,
) -> Result<Found, String> {
    let mut comparison = Comparison::new(run, ledgers, table);
    let list = format!(
        "{}?sensor={}&order=asc&limit={PAGE_ROWS}",
        table.path(),
        encoded(&run.sensor(table))
    );
    let mut cursor: Option<String> = None;
    loop {
        let path = match &cursor {
            None => list.clone(),
            Some(cursor) => format!("{list}&cursor={}", encoded(cursor)),
        };
        let page: Page = reader.json(&path).await?;
        for item in &page.items {
            comparison.see(item, findings);
        }
        match page.next {
            // The same place again would be for ever.
            Some(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
            _ => break,
        }
    }
    Ok(comparison.end(findings))
}

struct Comparison<'a> {
    devices: HashMap<&'a str, u32>,
    names: Vec<&'a str>,
    rows: Vec<&'a [Entry]>,
    seen: Vec<Vec<bool>>,
    found: Found,
}

impl<'a> Comparison<'a> {
    fn new(run: &'a Run, ledgers: &'a [Ledger], table: Table) -> Self {
        let names: Vec<&str> = run.plan.devices.iter().map(|name| name.id.as_str()).collect();
        let rows = ledgers.iter().map(|ledger| match table {
            Table::Events => ledger.events.as_slice(),
            Table::Clips => ledger.clips.as_slice(),
        });
        let rows: Vec<&[Entry]> = rows.collect();
        Self {
            devices: names.iter().copied().zip(0..).collect(),
            names,
            seen: rows.iter().map(|rows| vec![false; rows.len()]).collect(),
            rows,
            found: Found {
                tally: Tally::default(),
                stored: Vec::new(),
            },
        }
    }

    fn see(&mut self, item: &Item, findings: &mut Findings) {
        let tally = &mut self.found.tally;
        let place = || {
            let device = *self.devices.get(item.device_id.as_str())?;
            let number = number_of(&item.date)?;
            let entry = self.rows.get(device as usize)?.get(number as usize)?;
            (date(entry.unix_s, number) == item.date).then_some((device, number, entry))
        };
        let named = || format!("{} of {} (id {})", item.date, item.device_id, item.id);
        let Some((device, number, entry)) = place() else {
            tally.unknown += 1;
            findings.example(|| format!("never sent: {}", named()));
            return;
        };
        let seen = &mut self.seen[device as usize][number as usize];
        if std::mem::replace(seen, true) {
            tally.doubled += 1;
            findings.example(|| format!("doubled: {}", named()));
            return;
        }
        if let Some(id) = entry.id.filter(|id| *id != item.id) {
            tally.other_id += 1;
            findings.example(|| format!("another id than {id}: {}", named()));
        }
        self.found.stored.push((device, number, item.id));
    }

    fn end(mut self, findings: &mut Findings) -> Found {
        let tally = &mut self.found.tally;
        for ((entries, seen), name) in self.rows.iter().zip(&self.seen).zip(&self.names) {
            tally.rows += entries.len() as u64;
            for ((entry, seen), number) in entries.iter().zip(seen).zip(0..) {
                let what = match (entry.id, seen) {
                    (Some(_), true) => continue,
                    (Some(_), false) => {
                        tally.missing += 1;
                        "missing"
                    }
                    (None, _) => {
                        tally.unanswered += 1;
                        "not through"
                    }
                };
                findings.example(|| format!("{what}: {} of {name}", date(entry.unix_s, number)));
            }
        }
        self.found
    }
}

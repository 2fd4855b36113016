//! The lists of the API against what the devices know.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Findings;
use super::reader::{Reader, encoded};
use crate::device::{Entry, Ledger};
use crate::run::{Run, Table, date, number_of};
use crate::wire;

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

/// A row as it is listed: of whatever type its values have become.
#[derive(Deserialize)]
struct Item {
    id: i64,
    date: Value,
    capteur: Value,
    #[serde(default)]
    numero_camera: Value,
    device_id: Value,
}

impl Item {
    fn date(&self) -> &str {
        self.date.as_str().unwrap_or_default()
    }

    fn device_id(&self) -> &str {
        self.device_id.as_str().unwrap_or_default()
    }
}

/// The ids under which a row is there.
pub(super) async fn ids_of(
    run: &Run,
    table: Table,
    device: u32,
    number: u32,
    entry: Entry,
    reader: &mut Reader,
) -> Result<Vec<i64>, String> {
    let name = &run.plan.devices[device as usize].id;
    let date = date(entry.unix_s, number);
    let path = format!(
        "{}?device={}&sensor={}&from={}&order=asc&limit={PAGE_ROWS}",
        table.path(),
        encoded(name),
        encoded(&run.sensor(table)),
        encoded(&date)
    );
    // Rows of later dates may come along.
    let page: Page = reader.json(&path).await?;
    let same = page
        .items
        .iter()
        .filter(|item| item.date() == date && item.device_id() == name);
    Ok(same.map(|item| item.id).collect())
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
    table: Table,
    sensor: String,
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
            table,
            sensor: run.sensor(table),
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
        let place = self.place(item);
        let tally = &mut self.found.tally;
        let named = || format!("{} of {} (id {})", item.date(), item.device_id(), item.id);
        let Some((device, number, entry)) = place else {
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

    /// Whose row it is, and which, if it is one as it was sent.
    fn place(&self, item: &Item) -> Option<(u32, u32, Entry)> {
        let device = *self.devices.get(item.device_id())?;
        let number = number_of(item.date())?;
        let entry = *self.rows.get(device as usize)?.get(number as usize)?;
        let is_same = date(entry.unix_s, number) == item.date()
            && json!(wire::sensor(self.table, &self.sensor, number)) == item.capteur
            && json!(wire::camera(self.table, number)) == item.numero_camera;
        is_same.then_some((device, number, entry))
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

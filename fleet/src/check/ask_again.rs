//! Some keys once more: the same key has the same id for ever, from every receiver, and makes no second row.

use std::sync::Arc;

use sync_protocol::{Extension, Extensions};

use super::Findings;
use super::reader::{Reader, ask_until_answered};
use super::rows::ids_of;
use crate::device::clip::creation;
use crate::device::events::event_ask;
use crate::device::{Entry, Ledger};
use crate::network::Line;
use crate::run::{Run, Table};
use crate::wire;

/// Most rows of a table that are asked for again.
const MOST: usize = 500;

pub(super) async fn ask_again(
    run: &Arc<Run>,
    ledgers: &[Ledger],
    extensions: &[Extensions],
    reader: &mut Reader,
    findings: &mut Findings,
) -> Result<(), String> {
    let takes_uploads = extensions.iter().all(|extensions| extensions.has(Extension::Uploads));
    for table in [Table::Events, Table::Clips] {
        if table == Table::Clips && !takes_uploads {
            continue;
        }
        for (index, (device, number, entry)) in sample(ledgers, table).into_iter().enumerate() {
            let name = &run.plan.devices[device as usize];
            // At another receiver than the one that stored it, as often as not.
            let mut line = Line::new(&run.network, u32::try_from(index).unwrap_or_default(), extensions);
            line.pass = name.token.as_deref().and_then(wire::bearer);
            let ask = || match table {
                Table::Events => event_ask(run, device, &name.id, number, entry.unix_s),
                Table::Clips => {
                    let clip = run.films.clip(&run.id, device, number);
                    creation(run, device, &name.id, number, entry.unix_s, &clip, None)
                }
            };
            let answer = ask_until_answered(&mut line, ask).await?;
            findings.asked_again += 1;
            if answer.id() != entry.id {
                findings.other_answers += 1;
                let id = entry.id.unwrap_or_default();
                let said = answer.id().map_or("no id".to_string(), |said| said.to_string());
                findings.example(|| format!("key {}: {said} instead of {id}", run.key(table, device, number)));
            }
            let ids = ids_of(run, table, device, number, entry, reader).await?;
            if ids.len() > 1 {
                findings.second_rows += 1;
                findings.example(|| format!("key {}: {ids:?} since it came again", run.key(table, device, number)));
            }
        }
    }
    Ok(())
}

/// Rows with a receipt, from all over the fleet.
fn sample(ledgers: &[Ledger], table: Table) -> Vec<(u32, u32, Entry)> {
    let of = |ledger: &Ledger| match table {
        Table::Events => ledger.events.clone(),
        Table::Clips => ledger.clips.clone(),
    };
    let rows = ledgers.iter().zip(0_u32..).flat_map(|(ledger, device)| {
        let entries = of(ledger).into_iter().zip(0_u32..);
        let stored = entries.filter(|(entry, _)| entry.id.is_some());
        stored.map(move |(entry, number)| (device, number, entry))
    });
    let rows: Vec<_> = rows.collect();
    let every = rows.len().div_ceil(MOST).max(1);
    rows.into_iter().step_by(every).collect()
}

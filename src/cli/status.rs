//! `status`: where the work stands, as text, as JSON, as an exit status.

use std::path::Path;

use serde::Serialize;

use super::exit;
use super::output::{bytes, duration, local, print};
use crate::clock;
use crate::device::{StatusReader, Tally};
use crate::instance::{self, InstanceInfo};
use crate::local_time;
use crate::notice::TableState;
use crate::row::Table;
use crate::text::one_line;
use crate::upload::{Rate, Timetable};

/// A service that has shown no sign of life for so long hangs. A body may make no progress for 30 s, three times.
const HANGS_AFTER_S: i64 = 300;

/// The JSON shape: keys are only ever added; a change of meaning raises `version`.
#[derive(Serialize)]
struct Shape<'a> {
    version: u32,
    database: String,
    running: bool,
    service: Option<&'a InstanceInfo>,
    /// What holds of `SYNC_MAX_RATE_KBPS` now.
    rate: Option<RateShape>,
    tables: Tables,
    prune: PruneShape,
}

/// What is deleted on the device once it is at the server: by the running service's settings, and so far.
#[derive(Serialize)]
struct PruneShape {
    after_days: Option<u64>,
    keep_free_mb: Option<u64>,
    clips: u64,
    bytes: u64,
    /// Unix seconds of the last one.
    last: Option<i64>,
}

#[derive(Serialize)]
struct RateShape {
    /// `null`: as fast as it goes, or clips wait.
    kbps: Option<u64>,
    clips_wait: bool,
    /// Local time at which another rate holds.
    until: Option<String>,
}

#[derive(Serialize)]
struct Tables {
    evenement: TableState,
    media: TableState,
}

pub(super) fn status(path: &Path, json: bool) -> Result<u8, String> {
    let service = instance::running(path);
    let (tables, pruned) = read(path)?;
    let shape = Shape {
        version: 1,
        database: path.display().to_string(),
        running: service.is_some(),
        service: service.as_ref(),
        rate: service.as_ref().and_then(rate),
        tables,
        prune: PruneShape {
            after_days: service.as_ref().and_then(|service| service.prune_after_days),
            keep_free_mb: service.as_ref().and_then(|service| service.prune_keep_free_mb),
            clips: pruned.clips,
            bytes: pruned.bytes,
            last: (pruned.clips > 0).then_some(pruned.last),
        },
    };
    if json {
        let text = serde_json::to_string_pretty(&shape).map_err(|error| error.to_string())?;
        print(&format!("{text}\n"));
    } else {
        print(&text(&shape));
    }
    Ok(exit::OK)
}

fn read(path: &Path) -> Result<(Tables, Tally), String> {
    let now = clock::local_now();
    let reader = StatusReader::open(path).map_err(|error| error.to_string())?;
    let table = |table| reader.table(table, now).map_err(|error| error.to_string());
    let tables = Tables {
        evenement: table(Table::Event)?,
        media: table(Table::Media)?,
    };
    Ok((tables, reader.pruned().map_err(|error| error.to_string())?))
}

fn text(shape: &Shape) -> String {
    let mut text = format!("💾 Base de données : {}\n", one_line(&shape.database));
    text += &match shape.service {
        None => "⏹️  Service : arrêté\n".to_string(),
        Some(notice) => running(notice) + &shape.rate.as_ref().map(rate_line).unwrap_or_default(),
    };
    text += &prune_lines(&shape.prune);
    text += "\n                    en attente    échoués    envoyés  supprimés avant envoi\n";
    for (name, table) in [("evenement", &shape.tables.evenement), ("media", &shape.tables.media)] {
        text += &format!(
            "   {name:<12}   {:>12} {:>10} {:>10} {:>22}\n",
            table.waiting, table.failed, table.done, table.vanished
        );
    }
    text += "\n";
    for (name, table) in [("evenement", &shape.tables.evenement), ("media", &shape.tables.media)] {
        let oldest = match &table.oldest_waiting {
            None => "rien en attente".to_string(),
            Some(row) => match row.age_seconds {
                Some(age) => format!("plus ancienne ligne en attente : {} (depuis {})", row.id, duration(age)),
                None => format!("plus ancienne ligne en attente : {}", row.id),
            },
        };
        let success = table.last_success.as_deref().unwrap_or("jamais");
        text += &format!("   {name:<12} {oldest}; dernier succès : {}\n", one_line(success));
    }
    text
}

/// What holds now of the running service's setting. Nothing, if it can't be read: anybody may have written it.
fn rate(info: &InstanceInfo) -> Option<RateShape> {
    let timetable: Timetable = info.max_rate.as_ref()?.parse().ok()?;
    let in_force = timetable.in_force(clock::local_now());
    Some(RateShape {
        kbps: match in_force.rate {
            Rate::Kbps(kbps) => Some(kbps),
            Rate::Unlimited | Rate::EventsOnly => None,
        },
        clips_wait: in_force.rate == Rate::EventsOnly,
        until: in_force.until.map(|until| until.format(local_time::ISO).to_string()),
    })
}

fn prune_lines(prune: &PruneShape) -> String {
    let age = prune
        .after_days
        .map(|days| format!("médias envoyés, après {days} jour(s)"));
    let space = prune.keep_free_mb.map(|mb| format!("{mb} Mo gardés libres"));
    let settings: Vec<String> = age.into_iter().chain(space).collect();
    let mut text = String::new();
    if !settings.is_empty() {
        text += &format!("🧹 Élagage : {}\n", settings.join(", "));
    }
    if let Some(last) = prune.last {
        text += &format!(
            "🗑️  Supprimés après envoi : {} média(s), {}, le dernier le {}\n",
            prune.clips,
            bytes(prune.bytes),
            local(last)
        );
    }
    text
}

fn rate_line(rate: &RateShape) -> String {
    let holds = match rate.kbps {
        Some(kbps) => format!("{kbps} ko/s"),
        None if rate.clips_wait => "les vidéos attendent".to_string(),
        None => "sans limite".to_string(),
    };
    let until = rate
        .until
        .as_ref()
        .map(|until| format!(" jusqu'au {}", until.replace('T', " ")));
    format!("🚦 Débit : {holds}{}\n", until.unwrap_or_default())
}

fn running(notice: &InstanceInfo) -> String {
    let mut text = format!(
        "▶️  Service : en marche (processus {} sur {}, mode {})\n🌐 Serveur : {}\n",
        notice.pid,
        one_line(&notice.host),
        one_line(&notice.mode),
        one_line(&notice.backend)
    );
    if let Some(trouble) = &notice.trouble {
        text += &format!("⚠️  {}\n", one_line(trouble));
    }
    text += &match notice.next_pass {
        Some(next) => format!(
            "⏭️  Prochaine passe : {} (dans {})\n",
            local(next),
            duration(next - clock::unix_seconds())
        ),
        None => "🔄 Passe en cours\n".to_string(),
    };
    text
}

/// For `HEALTHCHECK` and the like: one line, and whether all is well.
pub(super) fn health(path: &Path) -> u8 {
    match health_trouble(path) {
        None => {
            print("✅ en bonne santé\n");
            exit::OK
        }
        Some(trouble) => {
            print(&format!("❌ {trouble}\n"));
            exit::INCOMPLETE
        }
    }
}

fn health_trouble(path: &Path) -> Option<String> {
    let Some(notice) = instance::running(path) else {
        // The lock file lies beside the database: tell a missing database from a stopped service.
        return Some(match StatusReader::open(path) {
            Err(error) => error.to_string(),
            Ok(_) => "le service ne tourne pas".to_string(),
        });
    };
    if let Err(error) = StatusReader::open(path) {
        return Some(error.to_string());
    }
    // A clock that was set back makes the sign of life lie in the future: that is no hang.
    let silence = clock::unix_seconds() - notice.alive;
    (silence > HANGS_AFTER_S).then(|| format!("aucun progrès depuis {}", duration(silence)))
}

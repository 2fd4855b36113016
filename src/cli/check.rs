//! `check`: one line per fact, with what to do when it is not as it must be.

use std::path::{Path, PathBuf};

use sync_protocol::status::DISK_LOW_PERCENT;

use super::output::{bytes, print};
use super::{configured, exit};
use crate::clock::zoned_now;
use crate::device;

/// Less free space than this beside the database is trouble.
const FREE_BYTES: u64 = 100_000_000;

/// No clock of a running device shows an earlier year.
const EARLIEST_YEAR: i32 = 2024;

/// Prints one line per fact; tells by the exit status whether all are well.
pub(super) fn check(database: Option<PathBuf>) -> u8 {
    let mut lines = Lines { well: true };
    match configured(database) {
        Err(error) => {
            lines.say(Err(error));
        }
        Ok(config) => {
            lines.say(Ok(format!(
                "Configuration valide (appareil {}, mode {})",
                config.upload.device_id,
                config.mode.name()
            )));
            let path = config.local_db_path.as_path();
            for fact in device::inspect(path) {
                lines.say(fact.map_err(|error| error.to_string()));
            }
            if !config.prune.is_off() {
                lines.say(pruning(path));
            }
            lines.say(instance(path));
            for fact in super::run::probe(&config) {
                lines.say(fact);
            }
            match disk(path) {
                Ok(Room::Little(text)) => print(&format!("⚠️  {text}\n")),
                Ok(Room::Enough(text)) => lines.say(Ok(text)),
                Err(error) => lines.say(Err(error)),
            }
        }
    }
    lines.say(clock());
    if lines.well { exit::OK } else { exit::INCOMPLETE }
}

struct Lines {
    well: bool,
}

impl Lines {
    fn say(&mut self, fact: Result<String, String>) {
        match fact {
            Ok(text) => print(&format!("✅ {text}\n")),
            Err(text) => {
                self.well = false;
                print(&format!("❌ {text}\n"));
            }
        }
    }
}

fn instance(path: &Path) -> Result<String, String> {
    Ok(match crate::instance::running(path) {
        None => "Aucune instance ne tourne sur cette base".to_string(),
        Some(notice) => format!("Une instance tourne (processus {} sur {})", notice.pid, notice.host),
    })
}

/// Whether anything stands against what SYNC_PRUNE_AFTER_DAYS and SYNC_PRUNE_KEEP_FREE_MB ask for.
fn pruning(path: &Path) -> Result<String, String> {
    let said = |error: device::DeviceError| error.to_string();
    let obstacle = match device::Device::open_known(path).map_err(said)? {
        Some(device) => device.prune_obstacle().map_err(said)?,
        None => None,
    };
    match obstacle {
        None => Ok("Élagage possible: les médias envoyés peuvent être supprimés".to_string()),
        Some(obstacle) => Err(format!("Élagage impossible: {obstacle}")),
    }
}

/// What `check` finds on a disk that is not full.
enum Room {
    Enough(String),
    /// Nothing fails yet, so that a script which checks first goes on.
    Little(String),
}

fn disk(path: &Path) -> Result<Room, String> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let space = rustix::fs::statvfs(folder)
        .map_err(|error| format!("Espace disque inconnu ({}: {error})", folder.display()))?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    if free < FREE_BYTES {
        return Err(format!(
            "Espace disque presque épuisé: {} libres dans {}; libérez de l'espace",
            bytes(free),
            folder.display()
        ));
    }
    let total = space.f_blocks.saturating_mul(space.f_frsize);
    let found = format!("Espace disque: {} libres dans {}", bytes(free), folder.display());
    if free < total / 100 * u64::from(DISK_LOW_PERCENT) {
        return Ok(Room::Little(format!(
            "{found}, moins de {DISK_LOW_PERCENT} %: le récepteur signale un disque presque plein; libérez de l'espace"
        )));
    }
    Ok(Room::Enough(found))
}

fn clock() -> Result<String, String> {
    use chrono::Datelike;
    let now = zoned_now();
    let shown = now.format("%Y-%m-%d %H:%M:%S %:z");
    if now.year() < EARLIEST_YEAR {
        return Err(format!(
            "Horloge non réglée: {shown}; vérifiez le réseau et NTP (timedatectl)"
        ));
    }
    Ok(format!("Horloge plausible: {shown}"))
}

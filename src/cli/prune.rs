//! `prune`: deletes now what the settings let go, or says what that would be.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::exit;
use super::output::{bytes, print};
use crate::clock::{Clock, SystemClock};
use crate::config::PruneConfig;
use crate::device::{Device, Prunable};
use crate::local_time;
use crate::notice::{Notice, Reporter};
use crate::shutdown::Shutdown;
use crate::sync::prune::{Sweep, Why};
use crate::sync::too_long::TooLong;

/// Deletes what may go, or only lists it.
pub(super) fn prune(path: &Path, config: PruneConfig, dry_run: bool) -> Result<u8, String> {
    if config.is_off() {
        return Err(
            "Rien n'est réglé: donnez SYNC_PRUNE_AFTER_DAYS ou SYNC_PRUNE_KEEP_FREE_MB, ou --after-days ou --keep-free-mb"
                .to_string(),
        );
    }
    let Some(mut device) = Device::open_known(path).map_err(|error| error.to_string())? else {
        print("✅ Rien à supprimer: aucun service n'a encore envoyé de ligne de cette base\n");
        return Ok(exit::OK);
    };
    if let Some(obstacle) = device.prune_obstacle().map_err(|error| error.to_string())? {
        return Err(format!("Rien n'est supprimé: {obstacle}"));
    }
    let clock = SystemClock::new(Arc::new(Shutdown::default()));
    if dry_run {
        list(&device, &config, &clock)
    } else {
        delete(&mut device, &config, &clock)
    }
}

/// Lists what would be deleted.
fn list(device: &Device, config: &PruneConfig, clock: &SystemClock) -> Result<u8, String> {
    let (mut clips, mut total) = (0_u64, 0_u64);
    let reasons = Why::of(config, clock.local());
    let free = device.free_bytes().map_err(|error| error.to_string())?;
    for (nth, why) in reasons.iter().enumerate() {
        let mut after = Some(i64::MIN);
        'search: while let Some(from) = after {
            let window = device
                .prunable(from, why.sent_before())
                .map_err(|error| error.to_string())?;
            for clip in &window.clips {
                if matches!(why, Why::Space(keep) if free.saturating_add(total) >= *keep) {
                    break 'search;
                }
                let listed = reasons[..nth].iter().any(|earlier| earlier.takes(clip));
                if listed || !why.takes(clip) {
                    continue;
                }
                if clips == 0 {
                    print("MÉDIA       ENREGISTRÉ           ENVOYÉ               TAILLE\n");
                }
                print(&line(clip));
                clips += 1;
                total = total.saturating_add(clip.bytes);
            }
            after = window.reached;
        }
    }
    print(&format!(
        "🧹 {clips} média(s) seraient supprimés de l'appareil, {}; rien n'a été changé\n",
        bytes(total)
    ));
    Ok(exit::OK)
}

fn line(clip: &Prunable) -> String {
    let shown = |at: Option<chrono::NaiveDateTime>| {
        at.map_or_else(|| "?".to_string(), |at| at.format(local_time::SECONDS).to_string())
    };
    format!(
        "{:<11} {:<20} {:<20} {}\n",
        clip.id,
        shown(clip.recorded),
        shown(clip.sent),
        bytes(clip.bytes)
    )
}

/// Prints what goes, as it goes.
struct Lines;

impl Reporter for Lines {
    fn notice(&mut self, notice: &Notice) {
        if let Notice::Pruned { id, bytes: length, .. } = notice {
            print(&format!("🧹 Média {id} supprimé ({})\n", bytes(*length)));
        }
    }
}

/// Deletes all that may go, however long that takes.
fn delete(device: &mut Device, config: &PruneConfig, clock: &SystemClock) -> Result<u8, String> {
    let mut too_long = TooLong::recall(device).map_err(|error| error.to_string())?;
    let mut sweep = Sweep {
        device: &mut *device,
        reporter: &mut Lines,
        clock,
        too_long: &mut too_long,
        until: Duration::MAX,
        most: u64::MAX,
        version: None,
        deleted: (0, 0),
    };
    let reasons = Why::of(config, clock.local());
    for why in &reasons {
        sweep.run(*why, i64::MIN, true).map_err(|error| error.to_string())?;
    }
    let (clips, total) = sweep.deleted;
    print(&format!(
        "✅ {clips} média(s) supprimés de l'appareil, {}\n",
        bytes(total)
    ));
    let mut status = exit::OK;
    if let Some(left) = too_long.told() {
        print(&format!("⚠️  {left}\n"));
        status = exit::INCOMPLETE;
    }
    let free = device.free_bytes().map_err(|error| error.to_string())?;
    if reasons
        .iter()
        .any(|why| matches!(why, Why::Space(keep) if free < *keep))
    {
        print(&format!(
            "⚠️  {} libres, et plus aucun média à supprimer qui soit sûrement sur le serveur\n",
            bytes(free)
        ));
        status = exit::INCOMPLETE;
    }
    Ok(status)
}

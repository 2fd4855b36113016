//! `reset`: everything is sent again. Says what that costs, and asks.

use std::io::{BufRead, IsTerminal};
use std::path::Path;

use super::exit;
use super::output::{bytes, print};
use crate::clock;
use crate::device::{self, StatusReader};
use crate::row::Table;

/// Forgets what was sent, after a yes.
pub(super) fn reset(path: &Path, yes: bool) -> Result<u8, String> {
    let say = |error: device::DeviceError| error.to_string();
    let reader = StatusReader::open(path).map_err(say)?;
    let now = clock::local_now();
    let events = reader.table(Table::Event, now).map_err(say)?.done;
    let media = reader.table(Table::Media, now).map_err(say)?.done;
    let volume = bytes(reader.sent_bytes().map_err(say)?);
    drop(reader);
    print(&format!(
        "⚠️  Tout sera renvoyé: {events} événement(s) et {media} média(s) déjà envoyés, {volume} de vidéo.\n   \
         Un serveur qui reconnaît Idempotency-Key ne les enregistre pas deux fois; un autre, si.\n"
    ));
    if !yes && !agreed()? {
        print("Rien n'a été changé\n");
        return Ok(exit::INCOMPLETE);
    }
    let count = device::reset(path).map_err(say)?;
    print(&format!(
        "✅ {count} ligne(s) oubliée(s): tout part à la prochaine passe\n"
    ));
    Ok(exit::OK)
}

fn agreed() -> Result<bool, String> {
    if !std::io::stdin().is_terminal() {
        return Err("Pas de terminal pour confirmer: ajoutez --yes pour tout renvoyer".to_string());
    }
    print("   Tapez « oui » pour continuer: ");
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| error.to_string())?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "oui" | "o"))
}

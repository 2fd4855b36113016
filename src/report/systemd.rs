//! What systemd is told (sd_notify(3)): readiness, a sentence for `systemctl status`, and signs of life.
//!
//! The watchdog is fed by notices alone: rows done, bytes sent, a wait that is meant. A pass that truly hangs sends
//! none, and systemd restarts the service.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use crate::local_time;
use crate::notice::{Notice, PassReport, Reporter};

/// Signs of life closer together than this say nothing new.
const PING_EVERY: Duration = Duration::from_secs(1);

/// Talks to systemd when the service was started by it; otherwise does nothing.
#[derive(Debug, Default)]
pub(crate) struct Systemd {
    ready: bool,
    pinged: Option<Instant>,
    last_pass: String,
}

impl Systemd {
    fn tell(states: &[NotifyState]) {
        if let Err(error) = sd_notify::notify(states) {
            log::debug!("sd_notify: {error}");
        }
    }

    /// Ready also while the database is waited for: that is the service at work.
    fn ready(&mut self, status: &str) {
        if self.ready {
            Self::tell(&[NotifyState::Status(status)]);
        } else {
            self.ready = true;
            Self::tell(&[NotifyState::Ready, NotifyState::Status(status)]);
        }
    }

    fn ping(&mut self) {
        if self.pinged.is_none_or(|at| at.elapsed() >= PING_EVERY) {
            self.pinged = Some(Instant::now());
            Self::tell(&[NotifyState::Watchdog]);
        }
    }
}

impl Reporter for Systemd {
    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Ready => self.ready("Base de données ouverte"),
            Notice::Trouble(message) => self.ready(message),
            Notice::TroubleOver => Self::tell(&[NotifyState::Status("Base de données de nouveau accessible")]),
            Notice::Section { table, due } if *due > 0 => {
                Self::tell(&[NotifyState::Status(&format!(
                    "Envoi en cours: {due} ligne(s) de {table}"
                ))]);
            }
            Notice::PassEnded(report) => self.last_pass = sentence(report),
            Notice::Idle { next_pass } => {
                let at = local_time::text(*next_pass, "%H:%M");
                Self::tell(&[NotifyState::Status(&format!(
                    "{}; prochaine passe à {at}",
                    self.last_pass
                ))]);
            }
            Notice::Stopping => Self::tell(&[NotifyState::Stopping]),
            _ => {}
        }
        self.ping();
    }
}

/// A pass in a sentence a person wants to read.
fn sentence(report: &PassReport) -> String {
    let (events, media) = (report.events, report.media);
    let (sent, failed, waiting) = (
        events.sent + media.sent,
        events.failed + media.failed,
        events.waiting + media.waiting,
    );
    if let (None, 0, Some(until)) = (&report.ended_by, failed, report.clips_wait_until) {
        let until = until.format(local_time::MINUTES);
        return format!("{sent} ligne(s) envoyée(s), {waiting} vidéo(s) en attente jusqu'au {until}");
    }
    match (&report.ended_by, failed) {
        (Some(reason), _) => format!("{reason}; {} ligne(s) en attente", waiting + failed),
        (None, 0) if sent == 0 => "À jour, rien à envoyer".to_string(),
        (None, 0) => format!("À jour, {sent} ligne(s) envoyée(s)"),
        (None, _) => format!("{sent} ligne(s) envoyée(s), {failed} en échec"),
    }
}

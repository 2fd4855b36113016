//! The French report on standard output, to the character as the contract draws it.

use std::io::Write;

use super::width::{columns, cut};
use crate::local_time;
use crate::notice::{Counts, Notice, PassReport, Reporter};
use crate::row::Table;
use crate::text::{harmless, one_line};

/// Columns between the borders of every box.
const INNER: usize = 60;

/// Columns left of the title in the start box, as long as the title leaves that much.
const TITLE_INDENT: usize = 9;

/// What the report says of the service itself, as it is shown.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    /// `DEVICE_ID`.
    pub device_id: String,
    /// `LOCAL_DB_PATH`.
    pub database: String,
    /// The servers, in the order in which they are tried.
    pub backends: String,
    /// Minutes between passes, as they were given.
    pub interval_min: String,
    /// When passes happen, in a phrase.
    pub mode: String,
}

/// Writes the report to `out`.
pub(crate) struct Console<W: Write> {
    out: W,
    header: Header,
}

impl<W: Write> Console<W> {
    /// A report that begins with `header`.
    pub(crate) fn new(out: W, header: Header) -> Self {
        Self { out, header }
    }

    fn text(&self, notice: &Notice) -> Option<String> {
        Some(match notice {
            Notice::Started => self.started(),
            Notice::Ready => format!(
                "✅ Table de suivi des synchronisations initialisée\n🔄 Mode: {}\n\n",
                self.header.mode
            ),
            Notice::PassStarted { at } => {
                format!("🔄 Début de synchronisation - {}\n\n", at.format(local_time::SECONDS))
            }
            Notice::Section { table, due } => section(*table, *due),
            Notice::Sent {
                table,
                id,
                remote_id,
                bytes,
            } => match table {
                Table::Event => format!("✅ Événement {id} → Serveur (ID: {remote_id})\n"),
                Table::Media => format!("✅ Média {id} → Serveur (ID: {remote_id}, {} KB)\n", kilobytes(*bytes)),
            },
            Notice::Failed {
                table,
                id,
                message,
                unreachable,
                ..
            } => failed(*table, *id, message, *unreachable),
            Notice::PassEnded(report) => pass_box(report),
            Notice::Statistics { events, media } => statistics(events, media),
            Notice::Trouble(message) => format!("⚠️  {}\n", one_line(message)),
            Notice::Pruned { id, remote_id, bytes } => format!(
                "🧹 Média {id} supprimé de l'appareil (Serveur ID: {remote_id}, {} KB)\n",
                kilobytes(*bytes)
            ),
            Notice::NotPruned(message) => format!("⚠️  Élagage : {}\n", one_line(message)),
            Notice::TroubleOver
            | Notice::ClipStarted { .. }
            | Notice::ClipProgress { .. }
            | Notice::Retrying { .. }
            | Notice::State { .. }
            | Notice::Waiting
            | Notice::Idle { .. }
            | Notice::Stopping => return None,
        })
    }

    fn started(&self) -> String {
        format!(
            "{}\n💾 Base de données locale: {}\n🌐 Serveur distant: {}\n⏱️  Intervalle de sync: {} minutes\n\n",
            start_box(&one_line(&self.header.device_id)),
            one_line(&self.header.database),
            one_line(&self.header.backends),
            self.header.interval_min
        )
    }
}

impl<W: Write> Reporter for Console<W> {
    fn notice(&mut self, notice: &Notice) {
        if let Some(text) = self.text(notice) {
            // A reader that went away (a closed pipe) is no reason to stop uploading.
            let written = self
                .out
                .write_all(harmless(&text).as_bytes())
                .and_then(|()| self.out.flush());
            if let Err(error) = written {
                log::debug!("standard output: {error}");
            }
        }
    }
}

fn start_box(device_id: &str) -> String {
    let title = cut(&format!("Service de Synchronisation - {device_id}"), INNER);
    let indent = TITLE_INDENT.min(INNER - columns(&title));
    boxed(&[&format!("{}{title}", " ".repeat(indent))], &[])
}

fn pass_box(report: &PassReport) -> String {
    let rows = [
        ("Événements synchronisés", report.events.sent),
        ("Événements échoués     ", report.events.failed),
        ("Médias synchronisés    ", report.media.sent),
        ("Médias échoués         ", report.media.failed),
    ]
    .map(|(label, count)| format!("  {label} : {count:>3}"));
    let title = format!("{}Rapport de Synchronisation", " ".repeat(18));
    let mut text = format!("\n{}", boxed(&[&title], &rows));
    let (events, media) = (report.events, report.media);
    if events.waiting + media.waiting > 0 {
        text += &format!(
            "⏳ En attente : {} événement(s), {} média(s)\n",
            events.waiting, media.waiting
        );
    }
    if let Some(until) = report.clips_wait_until {
        text += &format!(
            "⏸️  Les vidéos attendent jusqu'au {} (SYNC_MAX_RATE_KBPS)\n",
            until.format(local_time::MINUTES)
        );
    }
    if events.vanished + media.vanished > 0 {
        text += &format!(
            "🗑️  Supprimés avant envoi : {} événement(s), {} média(s)\n",
            events.vanished, media.vanished
        );
    }
    if report.several_backends {
        text += &format!("🌐 Serveur utilisé : {}\n", one_line(&report.backend));
    }
    text + "\n"
}

/// A box with a heading and, below a rule, rows. A row that is too long is cut, so that the box stays closed.
fn boxed(heading: &[&str], rows: &[String]) -> String {
    let rule = "═".repeat(INNER);
    let line = |text: &str| {
        let text = cut(text, INNER);
        format!("║{text}{}║\n", " ".repeat(INNER - columns(&text)))
    };
    let mut drawn = format!("╔{rule}╗\n");
    for text in heading {
        drawn += &line(text);
    }
    if !rows.is_empty() {
        drawn += &format!("╠{rule}╣\n");
    }
    for text in rows {
        drawn += &line(text);
    }
    drawn + &format!("╚{rule}╝\n")
}

fn section(table: Table, due: u64) -> String {
    let (heading, none, unit) = match table {
        Table::Event => (
            "📋 Synchronisation des événements...",
            "Tous les événements",
            "événement(s)",
        ),
        // A blank line parts it from the events above.
        Table::Media => ("\n📹 Synchronisation des médias...", "Tous les médias", "média(s)"),
    };
    if due == 0 {
        format!("{heading}\n   ✅ {none} sont déjà synchronisés\n")
    } else {
        format!("{heading}\n   {due} {unit} à synchroniser\n")
    }
}

fn failed(table: Table, id: i64, message: &str, unreachable: bool) -> String {
    let warning = if unreachable {
        "⚠️  Serveur inaccessible\n"
    } else {
        ""
    };
    let row = match table {
        Table::Event => "événement",
        Table::Media => "média",
    };
    format!("{warning}❌ Erreur sync {row} {id}: {}\n", one_line(message))
}

/// Kilobytes of 1024 bytes with two decimals.
fn kilobytes(bytes: u64) -> String {
    let hundredths = (u128::from(bytes) * 100 + 512) / 1024;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn statistics(events: &Counts, media: &Counts) -> String {
    let mut text = String::from("📊 Statistiques de synchronisation:\n");
    for (table, counts) in [("evenement", events), ("media", media)] {
        for (status, count) in [("success", counts.success), ("failed", counts.failed)] {
            text += &format!("   {table:<12} - {status:<7} :  {count:>3}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::TableReport;

    const PASS: &str = "
╔════════════════════════════════════════════════════════════╗
║                  Rapport de Synchronisation                ║
╠════════════════════════════════════════════════════════════╣
║  Événements synchronisés :   3                             ║
║  Événements échoués      :   0                             ║
║  Médias synchronisés     :   2                             ║
║  Médias échoués          :   0                             ║
╚════════════════════════════════════════════════════════════╝

";

    #[test]
    fn the_report_is_the_contracts() {
        let mut report = PassReport::default();
        report.events.sent = 3;
        report.media.sent = 2;
        assert_eq!(pass_box(&report), PASS);
    }

    #[test]
    fn the_start_box_is_the_contracts_and_stays_closed() {
        assert_eq!(
            start_box("raspberry-1").lines().nth(1),
            Some("║         Service de Synchronisation - raspberry-1           ║")
        );
        for device_id in [
            "x",
            "twenty-seven-columns-wide-id",
            "日本語のカメラ",
            &"long".repeat(60),
            &"日".repeat(40),
        ] {
            for line in start_box(device_id).lines() {
                assert_eq!(columns(line), INNER + 2, "{line}");
            }
        }
    }

    #[test]
    fn boxes_stay_closed_with_any_number() {
        for count in [0, 999, 1_000, 1_000_000, u64::MAX] {
            let table = TableReport {
                sent: count,
                failed: count,
                ..TableReport::default()
            };
            let report = PassReport {
                events: table,
                media: table,
                ..PassReport::default()
            };
            for line in pass_box(&report).lines().filter(|line| !line.is_empty()) {
                assert_eq!(columns(line), INNER + 2, "{line}");
            }
        }
    }

    #[test]
    fn statistics_are_the_contracts() {
        let events = Counts {
            success: 85,
            failed: 2,
            pending: 0,
        };
        let media = Counts {
            success: 60,
            ..Counts::default()
        };
        assert_eq!(
            statistics(&events, &media),
            "📊 Statistiques de synchronisation:
   evenement    - success :   85
   evenement    - failed  :    2
   media        - success :   60
   media        - failed  :    0
"
        );
    }

    #[test]
    fn sizes_have_two_decimals() {
        for (bytes, text) in [
            (0, "0.00"),
            (512 * 1024, "512.00"),
            (1, "0.00"),
            (1_000_000, "976.56"),
            (1 << 30, "1048576.00"),
        ] {
            assert_eq!(kilobytes(bytes), text);
        }
    }
}

//! The one table at the end.

use std::fmt::Write;
use std::time::Duration;

use crate::check::{Findings, Tally};
use crate::processes::Usage;
use crate::stats::{Counts, Kind};
use crate::times::Times;

/// Everything that is told.
pub(crate) struct Report<'a> {
    pub(crate) devices: usize,
    pub(crate) receivers: usize,
    pub(crate) work: Duration,
    /// From the beginning until the last row was through.
    pub(crate) all_through: Duration,
    /// The same from the end of the work, or from the last return of a line.
    pub(crate) after_work: Duration,
    /// Of each return: what returned, and how long each device took until nothing waited.
    pub(crate) returns: Vec<(String, Times)>,
    pub(crate) counts: &'a Counts,
    pub(crate) most_open: u64,
    pub(crate) usage: &'a [Usage],
    /// `None` where nothing could be read back.
    pub(crate) findings: Option<&'a Findings>,
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

impl Report<'_> {
    /// The table, as lines.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "{} devices on {} receiver(s); new work for {:.0} s, all through {:.1} s after that",
            self.devices,
            self.receivers,
            self.work.as_secs_f64(),
            self.after_work.as_secs_f64()
        )?;
        self.times(text)?;
        self.totals(text)?;
        for (name, times) in &self.returns {
            let (median, last) = (times.at(0.5).as_secs_f64(), times.longest().as_secs_f64());
            writeln!(
                text,
                "{name}: {} devices, nothing waiting any more after {median:.1} s (median), {:.1} s (99 %), {last:.1} s (the last)",
                times.count(),
                times.at(0.99).as_secs_f64()
            )?;
        }
        self.processes(text)?;
        self.findings.map_or(Ok(()), |findings| found(findings, text))
    }

    fn times(&self, text: &mut String) -> std::fmt::Result {
        let (name, count) = ("milliseconds", "count");
        writeln!(
            text,
            "\n{name:<24}{count:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "a second", "p50", "p99", "p99.9", "longest"
        )?;
        let seconds = self.all_through.as_secs_f64().max(0.001);
        let counts = self.counts;
        let mut line = |name: String, times: &Times| {
            let at = |share| ms(times.at(share));
            writeln!(
                text,
                "{name:<24}{:>10}{:>10.1}{:>10.1}{:>10.1}{:>10.1}{:>10.1}",
                times.count(),
                times.count() as f64 / seconds,
                at(0.5),
                at(0.99),
                at(0.999),
                ms(times.longest())
            )
        };
        for kind in Kind::OF_DEVICES {
            if let Some(times) = counts.through.get(&kind) {
                let of = if kind == Kind::Batch {
                    "row of a batch"
                } else {
                    kind.name()
                };
                line(format!("{of}, from due"), times)?;
            }
            if let Some(times) = counts.answered.get(&kind) {
                line(format!("{} request", kind.name()), times)?;
            }
        }
        line("connection".to_string(), &counts.connected)
    }

    fn totals(&self, text: &mut String) -> std::fmt::Result {
        let counts = self.counts;
        let seconds = self.all_through.as_secs_f64().max(0.001);
        writeln!(
            text,
            "\n{} events and {} clips of {:.1} MB through in {seconds:.1} s: {:.1} rows and {:.1} MB a second; at most {} connections at a time",
            counts.events,
            counts.clips,
            counts.clip_bytes as f64 / 1e6,
            (counts.events + counts.clips) as f64 / seconds,
            counts.clip_bytes as f64 / 1e6 / seconds,
            self.most_open
        )?;
        let refusals: Vec<String> = counts
            .refusals
            .iter()
            .map(|(what, count)| format!("{what} × {count}"))
            .collect();
        let refusals = if refusals.is_empty() {
            "none".to_string()
        } else {
            refusals.join(", ")
        };
        writeln!(text, "refused or broken: {refusals}")
    }

    fn processes(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\n{:<34}{:>10}{:>12}{:>12}",
            "process", "peak MB", "CPU s", "of a core"
        )?;
        let seconds = self.all_through.as_secs_f64().max(0.001);
        for usage in self.usage {
            let processor = usage.processor.as_secs_f64();
            let name = match usage.processes {
                0 => format!("{} (not found)", usage.name),
                1 => usage.name.clone(),
                several => format!("{} ({several} one after another)", usage.name),
            };
            writeln!(
                text,
                "{name:<34}{:>10.1}{processor:>12.1}{:>11.0}%",
                usage.peak_bytes as f64 / 1e6,
                100.0 * processor / seconds
            )?;
        }
        Ok(())
    }
}

fn found(findings: &Findings, text: &mut String) -> std::fmt::Result {
    writeln!(text)?;
    for (name, tally) in [("events", &findings.events), ("clips", &findings.clips)] {
        let Tally {
            rows,
            missing,
            doubled,
            other_id,
            unknown,
            unanswered,
        } = tally;
        writeln!(
            text,
            "{name}: {rows}; missing {missing}, doubled {doubled}, under another id {other_id}, never sent {unknown}, not through {unanswered}"
        )?;
    }
    writeln!(
        text,
        "clips read back: {} whole ({:.1} MB), {} not, {} not any more; keys sent again: {}, with another id {}, with a second row {}",
        findings.whole_clips,
        findings.whole_bytes as f64 / 1e6,
        findings.broken_clips,
        findings.unread_clips,
        findings.asked_again,
        findings.other_answers,
        findings.second_rows
    )?;
    for example in &findings.examples {
        writeln!(text, "  {example}")?;
    }
    let verdict = if !findings.is_of_rows() {
        "no row was sent: nothing was checked"
    } else if findings.is_good() {
        "each row is there once, each clip is whole"
    } else {
        "NOT ALL IS THERE ONCE AND WHOLE"
    };
    writeln!(text, "{verdict}")
}

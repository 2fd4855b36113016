//! Progress bars on a terminal, and only there: one for the backlog, one for the clip on its way.

use std::io::Write;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::notice::{Notice, Reporter};

/// The two bars. Drawn on standard error; without colours, so that `NO_COLOR` has nothing to forbid.
pub(crate) struct ProgressBars {
    bars: MultiProgress,
    backlog: Option<ProgressBar>,
    clip: Option<ProgressBar>,
}

impl ProgressBars {
    /// Bars drawn by `bars`, which also writes what is printed between them.
    #[must_use]
    pub(crate) fn new(bars: MultiProgress) -> Self {
        Self {
            bars,
            backlog: None,
            clip: None,
        }
    }

    fn add(&self, length: u64, template: &str) -> ProgressBar {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.bars.add(ProgressBar::new(length).with_style(style));
        bar.tick();
        bar
    }

    fn clear(bar: &mut Option<ProgressBar>) {
        if let Some(bar) = bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Reporter for ProgressBars {
    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Section { due, .. } => {
                Self::clear(&mut self.backlog);
                if *due > 0 {
                    self.backlog = Some(self.add(*due, "   {bar:30} {pos}/{len} ligne(s), reste {eta}"));
                }
            }
            Notice::ClipStarted { id, bytes } => {
                Self::clear(&mut self.clip);
                let template =
                    format!("   média {id}: {{bar:30}} {{bytes}}/{{total_bytes}}, {{bytes_per_sec}}, reste {{eta}}");
                self.clip = Some(self.add(*bytes, &template));
            }
            Notice::ClipProgress { bytes } => {
                if let Some(clip) = &self.clip {
                    clip.set_position(*bytes);
                }
            }
            Notice::Sent { .. } | Notice::Failed { .. } => {
                Self::clear(&mut self.clip);
                if let Some(backlog) = &self.backlog {
                    backlog.inc(1);
                }
            }
            Notice::PassEnded(_) | Notice::Stopping => {
                Self::clear(&mut self.clip);
                Self::clear(&mut self.backlog);
            }
            _ => {}
        }
    }
}

/// Standard output beneath progress bars: they step aside while something is printed.
pub(crate) struct AsideOf<W: Write> {
    bars: MultiProgress,
    out: W,
}

impl<W: Write> AsideOf<W> {
    /// Writes to `out` between the drawings of `bars`.
    pub(crate) fn new(bars: MultiProgress, out: W) -> Self {
        Self { bars, out }
    }
}

impl<W: Write> Write for AsideOf<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let Self { bars, out } = self;
        bars.suspend(|| out.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

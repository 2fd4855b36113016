//! Memory and processor time of receivers and databases, as /proc tells them.

mod proc;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often they are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// A process that is watched, with its children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Root {
    Pid(u32),
    /// Whoever listens there, also after a restart.
    Listener(SocketAddr),
}

/// What a process used.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usage {
    pub(crate) name: String,
    pub(crate) peak_bytes: u64,
    pub(crate) processor: Duration,
    /// How many there were, one after another.
    pub(crate) processes: usize,
}

/// Looks at processes until it is asked what it saw.
pub(crate) struct Watcher {
    stop: Sender<()>,
    thread: JoinHandle<Vec<Usage>>,
}

struct Watched {
    root: Root,
    usage: Usage,
    current: Option<u32>,
    /// Of each process: its ticks when it was seen first, and last.
    ticks: HashMap<u32, (u64, u64)>,
    is_first_look: bool,
}

impl Watcher {
    pub(crate) fn start(roots: Vec<(String, Root)>) -> Self {
        let (stop, stopped) = mpsc::channel();
        let mut watched: Vec<Watched> = roots.into_iter().map(Watched::new).collect();
        let thread = std::thread::spawn(move || {
            loop {
                let children = proc::children();
                watched.iter_mut().for_each(|watched| watched.look(&children));
                if stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                    let children = proc::children();
                    watched.iter_mut().for_each(|watched| watched.look(&children));
                    return watched.into_iter().map(Watched::usage).collect();
                }
            }
        });
        Self { stop, thread }
    }

    /// Looks once more, and says what was used.
    pub(crate) fn end(self) -> Vec<Usage> {
        drop(self.stop);
        self.thread.join().unwrap_or_default()
    }
}

impl Watched {
    fn new((name, root): (String, Root)) -> Self {
        Self {
            root,
            usage: Usage {
                name,
                ..Usage::default()
            },
            current: None,
            ticks: HashMap::new(),
            is_first_look: true,
        }
    }

    fn look(&mut self, children: &HashMap<u32, Vec<u32>>) {
        let is_first = std::mem::replace(&mut self.is_first_look, false);
        let pid = match self.root {
            Root::Pid(pid) => Some(pid),
            Root::Listener(address) => self
                .current
                .filter(|pid| proc::exists(*pid))
                .or_else(|| proc::listener(address)),
        };
        self.current = pid;
        let Some(pid) = pid else { return };
        let tree = proc::tree(pid, children);
        let Some(ticks) = proc::ticks(&tree) else { return };
        // What it used before we looked first is not the run's; one that came later is the run's from its beginning.
        let seen = self
            .ticks
            .entry(pid)
            .or_insert((if is_first { ticks } else { 0 }, ticks));
        // A child that ended takes its time along for a moment, until its parent is told.
        seen.1 = seen.1.max(ticks);
        let bytes = if tree.len() == 1 {
            proc::peak_bytes(pid)
        } else {
            proc::shared_out_bytes(&tree)
        };
        self.usage.peak_bytes = self.usage.peak_bytes.max(bytes);
    }

    fn usage(self) -> Usage {
        let ticks: u64 = self.ticks.values().map(|(first, last)| last - first).sum();
        Usage {
            processor: Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64),
            processes: self.ticks.len(),
            ..self.usage
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn our_own_work_and_memory_are_seen() {
        let watcher = Watcher::start(vec![("us".to_string(), Root::Pid(std::process::id()))]);
        let begun = std::time::Instant::now();
        let mut kept = Vec::new();
        while begun.elapsed() < Duration::from_millis(1_200) {
            kept.push(std::hint::black_box(vec![1_u8; 1 << 16]));
            kept.truncate(256);
        }
        let usage = watcher.end().remove(0);
        assert!(usage.processor > Duration::from_millis(50), "{usage:?}");
        assert!(usage.peak_bytes > 1 << 20, "{usage:?}");
        assert_eq!((usage.name.as_str(), usage.processes), ("us", 1));
    }

    #[test]
    fn who_listens_is_found_by_the_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(proc::listener(address), Some(std::process::id()));
        drop(listener);
        assert_eq!(proc::listener(address), None);
    }
}

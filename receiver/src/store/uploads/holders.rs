//! Who writes an upload here, so that the next one need not wait for the end of a lease.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::Hold;

/// Why a holder is to save and stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Another request wants the upload.
    Wanted,
    /// The receiver ends.
    Ending,
}

#[derive(Default)]
struct Known {
    holders: HashMap<Hold, (String, watch::Sender<Option<Why>>)>,
    ending: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Holders(Arc<Mutex<Known>>);

/// What a holder listens to.
pub(crate) struct Stop {
    hold: Hold,
    asked: watch::Receiver<Option<Why>>,
    holders: Holders,
}

impl Holders {
    fn known<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn add(&self, hold: &Hold, id: &str) -> Stop {
        let asked = self.known(|known| {
            let (sender, asked) = watch::channel(known.ending.then_some(Why::Ending));
            known.holders.insert(hold.clone(), (id.to_string(), sender));
            asked
        });
        Stop {
            hold: hold.clone(),
            asked,
            holders: self.clone(),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.known(|known| known.holders.len())
    }

    /// `false` when nobody here holds it.
    pub(super) fn ask_to_stop(&self, id: &str) -> bool {
        self.known(|known| {
            let mut found = false;
            for (_, stop) in known.holders.values().filter(|(held, _)| held == id) {
                stop.send_replace(Some(Why::Wanted));
                found = true;
            }
            found
        })
    }

    pub(super) fn end(&self) {
        self.known(|known| {
            known.ending = true;
            for (_, stop) in known.holders.values() {
                stop.send_replace(Some(Why::Ending));
            }
        });
    }
}

impl Stop {
    /// Returns when its holder is to save and stop.
    pub(crate) async fn asked(&mut self) -> Why {
        match self.asked.wait_for(Option::is_some).await {
            Ok(why) => why.unwrap_or(Why::Wanted),
            Err(_) => Why::Wanted,
        }
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.holders.known(|known| known.holders.remove(&self.hold));
    }
}

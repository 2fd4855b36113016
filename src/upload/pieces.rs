//! How a clip is cut on its way to a backend, when something between does not let it through whole: a limit on bodies,
//! or a buffer that keeps what it got of a broken one.

/// Most bytes of a request, from the whole rest to the least that is tried.
const SIZES: [u64; 4] = [u64::MAX, 8 << 20, 1 << 20, 256 << 10];

/// Requests of full length that went well before longer ones are tried.
const GROW_AFTER: u32 = 4;

/// What is known of a backend's way.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// Place in [`SIZES`].
    step: usize,
    /// A length that was refused.
    refused: Option<u64>,
    /// Requests of full length in a row that went well.
    went_well: u32,
}

impl Pieces {
    /// Most bytes of the next request.
    pub(super) fn most(&self) -> u64 {
        SIZES[self.step]
    }

    /// A request of `bytes` arrived.
    pub(super) fn went_well(&mut self, bytes: u64) {
        if bytes < self.most() || self.step == 0 {
            return;
        }
        self.went_well += 1;
        let longer = SIZES[self.step - 1];
        if self.went_well >= GROW_AFTER && self.refused.is_none_or(|refused| longer < refused) {
            self.step -= 1;
            self.went_well = 0;
        }
    }

    /// A body of `bytes` is too long for good; `false` when there are no shorter ones.
    pub(super) fn refuse(&mut self, bytes: u64) -> bool {
        self.refused = Some(self.refused.map_or(bytes, |refused| refused.min(bytes)));
        self.shorten(bytes)
    }

    /// Of `bytes` that were sent, too few arrived; `false` when there are no shorter requests.
    pub(super) fn shorten(&mut self, bytes: u64) -> bool {
        self.went_well = 0;
        let from = self.step + 1;
        match SIZES.iter().skip(from).position(|size| *size < bytes) {
            Some(further) => {
                self.step = from + further;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_halved_until_it_passes_and_never_sent_again() {
        let mut pieces = Pieces::default();
        assert_eq!(pieces.most(), u64::MAX);
        assert!(pieces.refuse(20 << 20));
        assert_eq!(pieces.most(), 8 << 20);
        assert!(pieces.refuse(8 << 20));
        assert_eq!(pieces.most(), 1 << 20);
        for _ in 0..100 {
            pieces.went_well(1 << 20);
        }
        assert_eq!(pieces.most(), 1 << 20);
        assert!(pieces.refuse(1 << 20) && !pieces.refuse(256 << 10));
    }

    #[test]
    fn what_broke_off_grows_again_while_all_goes_well() {
        let mut pieces = Pieces::default();
        assert!(pieces.shorten(700 << 10));
        assert_eq!(pieces.most(), 256 << 10);
        assert!(!pieces.shorten(100 << 10));
        for expected in [1 << 20, 8 << 20, u64::MAX] {
            for _ in 0..GROW_AFTER {
                let most = pieces.most();
                pieces.went_well(most - 1);
                pieces.went_well(most);
            }
            assert_eq!(pieces.most(), expected);
        }
    }
}

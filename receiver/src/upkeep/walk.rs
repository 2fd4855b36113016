//! The way along all events, from the oldest to the first that are too young to go: a page at a time.

use std::time::{Duration, Instant};

use crate::store::upkeep::EventPage;
use crate::store::{Desk, StoreError};

/// How long it is believed that none of the events that were passed is to go: they came by a clock that was ahead.
const BELIEVED: Duration = Duration::from_secs(3_600);

/// How far the way has been gone.
pub(super) struct Walk {
    begun: Instant,
    /// The last event of the last page.
    pub(super) after: i64,
    /// Of the events up to this one those alone are left that came by a clock that was ahead: not to be looked at each time.
    passed: i64,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            after: 0,
            passed: 0,
        }
    }
}

impl Walk {
    /// Removes what is too old of the next page; says how many went, and whether there may be more.
    pub(super) async fn remove(
        &mut self,
        desk: &dyn Desk,
        before_s: Option<i64>,
        most: u32,
    ) -> Result<(usize, bool), StoreError> {
        let Some(before_s) = before_s else {
            // What was ahead of a clock that is not believed may not be.
            *self = Self::default();
            return Ok((0, false));
        };
        let page = desk.remove_events(self.after, before_s, most).await?;
        self.go_on(&page);
        Ok((page.old.len(), !page.old.is_empty() || page.next.is_some()))
    }

    /// Goes on after a page; back to what was not passed where that was the last.
    fn go_on(&mut self, page: &EventPage) {
        match page.next {
            Some(next) => {
                if self.passed == self.after && !page.has_young {
                    self.passed = next;
                }
                self.after = next;
            }
            None if self.begun.elapsed() < BELIEVED => self.after = self.passed,
            None => *self = Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_passed_is_passed_for_an_hour_and_nothing_behind_a_young_event() {
        let page = |next, has_young| EventPage {
            old: Vec::new(),
            next,
            has_young,
        };
        let mut walk = Walk::default();
        for (next, has_young, after) in [
            (Some(200), false, 200),
            (Some(400), false, 400),
            (Some(600), true, 600),
            (Some(800), false, 800),
            (None, true, 400),
            (None, true, 400),
            (Some(650), false, 650),
            (None, true, 650),
        ] {
            walk.go_on(&page(next, has_young));
            assert_eq!(walk.after, after);
        }
        walk.begun = Instant::now().checked_sub(BELIEVED).unwrap();
        walk.go_on(&page(None, true));
        assert_eq!(walk.after, 0);
        walk.go_on(&page(Some(100), false));
        walk.go_on(&page(None, true));
        assert_eq!(walk.after, 100);
    }
}

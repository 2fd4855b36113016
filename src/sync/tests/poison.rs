//! A row that brings the server down each time: it must not keep the others waiting for ever.

use super::harness::*;
use crate::config::Mode;
use crate::row::Table;
use std::time::Duration;

#[test]
fn three_events_that_break_the_server_do_not_stop_the_others() {
    let mut harness = Harness::new();
    harness.recorder.events(50);
    harness.recorder.clip(b"video");
    harness.script(|call| {
        if call.table == Table::Event && call.id <= 3 {
            broken()
        } else {
            done(call)
        }
    });
    harness.clock.stop_at(Duration::from_secs(86_400));
    harness.serve(Mode::Continuous);
    assert_eq!(harness.count("success"), 48);
}

#[test]
fn a_clip_that_makes_the_server_hang_up_does_not_stop_the_others() {
    let mut harness = Harness::new();
    for _ in 0..20 {
        harness.recorder.clip(b"video");
    }
    harness.script(|call| if call.id == 1 { unavailable() } else { done(call) });
    harness.clock.stop_at(Duration::from_secs(86_400));
    harness.serve(Mode::Continuous);
    assert_eq!(harness.count("success"), 19);
}

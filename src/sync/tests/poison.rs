//! A row that brings the server down each time: it must not keep the others waiting for ever.

use super::stage::*;
use crate::config::Mode;
use crate::row::Table;
use std::time::Duration;

#[test]
fn three_events_that_break_the_server_do_not_stop_the_others() {
    let mut stage = Stage::new();
    stage.recorder.events(50);
    stage.recorder.clip(b"video");
    stage.script(|call| {
        if call.table == Table::Event && call.id <= 3 {
            broken()
        } else {
            done(call)
        }
    });
    stage.clock.stop_at(Duration::from_secs(86_400));
    stage.serve(Mode::Continuous);
    assert_eq!(stage.count("success"), 48);
}

#[test]
fn a_clip_that_makes_the_server_hang_up_does_not_stop_the_others() {
    let mut stage = Stage::new();
    for _ in 0..20 {
        stage.recorder.clip(b"video");
    }
    stage.script(|call| if call.id == 1 { unwell() } else { done(call) });
    stage.clock.stop_at(Duration::from_secs(86_400));
    stage.serve(Mode::Continuous);
    assert_eq!(stage.count("success"), 19);
}

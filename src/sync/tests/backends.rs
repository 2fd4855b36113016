//! Several backends: the first that works is used, and the first of all is gone back to.

use std::sync::Arc;
use std::time::Duration;

use super::stage::*;
use crate::sync::Wire;
use crate::upload::{Uplink, UploadConfig};

const NAMES: [&str; 3] = ["http://one", "http://two", "http://three"];

fn uplink(backends: &[&str]) -> Uplink {
    let config = UploadConfig {
        backends: backends.iter().map(|name| (*name).to_string()).collect(),
        ..UploadConfig::default()
    };
    Uplink::new(config, Arc::default()).unwrap()
}

/// The scripted wire's way between backends is the real one's: both tell the same story.
#[test]
fn a_failure_moves_on_and_after_a_minute_the_first_is_preferred_again() {
    let stage = Stage::new();
    let seconds = Duration::from_secs;
    let mut real = uplink(&NAMES);
    let mut scripted = ScriptedWire::new(&stage.clock, &NAMES);
    let wires: [&mut dyn Wire; 2] = [&mut real, &mut scripted];
    for wire in wires {
        assert_eq!((wire.backend(), wire.backend_count()), (NAMES[0], 3));
        wire.prefer_first(seconds(500));
        assert!(wire.fail_over(seconds(1_000)));
        assert_eq!(wire.backend(), NAMES[1]);
        assert!(wire.fail_over(seconds(1_010)));
        assert_eq!(wire.backend(), NAMES[2]);
        wire.prefer_first(seconds(1_059));
        assert_eq!(wire.backend(), NAMES[2], "not before the minute is over");
        wire.prefer_first(seconds(1_060));
        assert_eq!(wire.backend(), NAMES[0]);
        // A first that is still away is left again for another minute.
        assert!(wire.fail_over(seconds(1_061)));
        wire.prefer_first(seconds(1_120));
        assert_eq!(wire.backend(), NAMES[1]);
        wire.prefer_first(seconds(1_121));
        assert_eq!(wire.backend(), NAMES[0]);
        // Round and round.
        for next in [1, 2, 0, 1] {
            assert!(wire.fail_over(seconds(2_000)));
            assert_eq!(wire.backend(), NAMES[next]);
        }
    }
}

#[test]
fn a_single_backend_has_no_other_to_move_on_to() {
    let mut wire = uplink(&NAMES[..1]);
    assert!(!wire.fail_over(Duration::ZERO));
    assert_eq!((wire.backend(), wire.backend_count()), (NAMES[0], 1));
}

#[test]
fn the_next_backend_is_tried_at_once_within_the_rows_tries() {
    let mut stage = Stage::with_backends(&NAMES[..2]);
    stage.recorder.events(3);
    stage.script(|call| if call.backend == NAMES[0] { unwell() } else { done(call) });
    let report = stage.pass();
    assert!(report.is_complete());
    let used: Vec<_> = stage
        .wire
        .calls
        .iter()
        .map(|call| (call.id, call.backend.as_str()))
        .collect();
    assert_eq!(used, [(1, NAMES[0]), (1, NAMES[1]), (2, NAMES[1]), (3, NAMES[1])]);
    assert_eq!(stage.gaps()[0], Duration::ZERO);
    assert_eq!(
        stage.wire.calls[0].key, stage.wire.calls[1].key,
        "the servers may share their storage"
    );
    assert_eq!((report.backend.as_str(), report.several_backends), (NAMES[1], true));
}

#[test]
fn the_first_is_used_again_in_the_first_pass_after_a_minute() {
    let mut stage = Stage::with_backends(&NAMES[..2]);
    stage.script(|call| {
        if call.at.is_zero() && call.backend == NAMES[0] {
            unwell()
        } else {
            done(call)
        }
    });
    for (wait, used) in [(0, NAMES[1]), (59, NAMES[1]), (1, NAMES[0]), (1, NAMES[0])] {
        stage.pass_time(Duration::from_secs(wait));
        stage.event("2025-12-18T17:30:00");
        assert_eq!(stage.pass().backend, used);
        assert_eq!(stage.wire.calls.last().unwrap().backend, used);
    }
}

#[test]
fn every_backend_gets_its_try_before_the_pass_ends() {
    let five = ["http://one", "http://two", "http://three", "http://four", "http://five"];
    for count in 1..=5 {
        let mut stage = Stage::with_backends(&five[..count]);
        stage.recorder.events(3);
        stage.script(|_| unwell());
        let report = stage.pass();
        assert_eq!((report.events.failed, report.events.waiting), (1, 2));
        assert_eq!(stage.wire.calls.len(), count.max(3));
        for backend in &five[..count] {
            assert!(stage.wire.calls.iter().any(|call| call.backend == *backend));
        }
    }
}

#[test]
fn two_backends_that_are_both_away_are_not_hammered() {
    let mut stage = Stage::with_backends(&NAMES[..2]);
    stage.recorder.events(1);
    stage.script(|_| unwell());
    stage.clock.stop_at(Duration::from_secs(86_400));
    stage.serve(crate::config::Mode::Continuous);
    assert!(stage.wire.calls.len() <= 3 * 325, "{}", stage.wire.calls.len());
}

//! Several backends: the first that works is used, and the first of all is gone back to.

use std::sync::Arc;
use std::time::Duration;

use super::harness::*;

use crate::upload::{RetryAfter, UploadConfig, Uploader, WebUrl, Wire};

/// Another one may be asked now.
const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

const NAMES: [&str; 3] = ["http://one", "http://two", "http://three"];

fn uploader(backends: &[&str]) -> Uploader {
    let config = UploadConfig {
        backends: backends.iter().map(|name| WebUrl::base(name).unwrap()).collect(),
        ..UploadConfig::default()
    };
    Uploader::new(config, Arc::default(), Box::new(crate::clock::local_now)).unwrap()
}

/// The scripted wire's way between backends is the real one's: both tell the same story.
#[test]
fn a_failure_moves_on_and_after_a_minute_the_first_is_preferred_again() {
    let harness = Harness::new();
    let seconds = Duration::from_secs;
    let mut real = uploader(&NAMES);
    let mut scripted = ScriptedWire::new(&harness.clock, &NAMES);
    let wires: [&mut dyn Wire; 2] = [&mut real, &mut scripted];
    for wire in wires {
        assert_eq!((wire.backend(), wire.backend_count()), (NAMES[0], 3));
        wire.prefer_first(seconds(500));
        assert_eq!(wire.fail_over(seconds(1_000), None), AT_ONCE);
        assert_eq!(wire.backend(), NAMES[1]);
        assert_eq!(wire.fail_over(seconds(1_010), None), AT_ONCE);
        assert_eq!(wire.backend(), NAMES[2]);
        wire.prefer_first(seconds(1_059));
        assert_eq!(wire.backend(), NAMES[2], "not before the minute is over");
        wire.prefer_first(seconds(1_060));
        assert_eq!(wire.backend(), NAMES[0]);
        // A first that is still away is left again for another minute.
        assert_eq!(wire.fail_over(seconds(1_061), None), AT_ONCE);
        wire.prefer_first(seconds(1_120));
        assert_eq!(wire.backend(), NAMES[1]);
        wire.prefer_first(seconds(1_121));
        assert_eq!(wire.backend(), NAMES[0]);
        // Round and round.
        for next in [1, 2, 0, 1] {
            assert_eq!(wire.fail_over(seconds(2_000), None), AT_ONCE);
            assert_eq!(wire.backend(), NAMES[next]);
        }
    }
}

#[test]
fn what_backends_named_is_told_to_whoever_plans_the_next_pass() {
    let harness = Harness::new();
    let seconds = Duration::from_secs;
    let mut real = uploader(&NAMES[..2]);
    let mut scripted = ScriptedWire::new(&harness.clock, &NAMES[..2]);
    let wires: [&mut dyn Wire; 2] = [&mut real, &mut scripted];
    for wire in wires {
        assert_eq!(wire.named_wait(seconds(1_000)), None);
        assert_eq!(wire.fail_over(seconds(1_000), Some(seconds(15))), AT_ONCE);
        assert_eq!(wire.named_wait(seconds(1_000)), Some(seconds(15)));
        assert_eq!(wire.fail_over(seconds(1_001), Some(seconds(5))), Some(seconds(5)));
        assert_eq!(
            (wire.backend(), wire.named_wait(seconds(1_002))),
            (NAMES[1], Some(seconds(4)))
        );
    }
}

#[test]
fn a_single_backend_has_no_other_to_move_on_to() {
    let mut wire = uploader(&NAMES[..1]);
    assert_eq!(wire.fail_over(Duration::ZERO, None), None);
    assert_eq!((wire.backend(), wire.backend_count()), (NAMES[0], 1));
}

#[test]
fn the_next_backend_is_tried_at_once_within_the_rows_tries() {
    let mut harness = Harness::with_backends(&NAMES[..2]);
    harness.recorder.events(3);
    harness.script(|call| {
        if call.backend == NAMES[0] {
            unavailable()
        } else {
            done(call)
        }
    });
    let report = harness.pass();
    assert!(report.is_complete());
    let used: Vec<_> = harness
        .wire
        .calls
        .iter()
        .map(|call| (call.id, call.backend.as_str()))
        .collect();
    assert_eq!(used, [(1, NAMES[0]), (1, NAMES[1]), (2, NAMES[1]), (3, NAMES[1])]);
    assert_eq!(harness.gaps()[0], Duration::ZERO);
    assert_eq!(
        harness.wire.calls[0].key, harness.wire.calls[1].key,
        "the servers may share their storage"
    );
    assert_eq!((report.backend.as_str(), report.several_backends), (NAMES[1], true));
}

#[test]
fn the_first_is_used_again_in_the_first_pass_after_a_minute() {
    let mut harness = Harness::with_backends(&NAMES[..2]);
    harness.script(|call| {
        if call.at.is_zero() && call.backend == NAMES[0] {
            unavailable()
        } else {
            done(call)
        }
    });
    for (wait, used) in [(0, NAMES[1]), (59, NAMES[1]), (1, NAMES[0]), (1, NAMES[0])] {
        harness.pass_time(Duration::from_secs(wait));
        harness.event("2025-12-18T17:30:00");
        assert_eq!(harness.pass().backend, used);
        assert_eq!(harness.wire.calls.last().unwrap().backend, used);
    }
}

#[test]
fn every_backend_gets_its_try_before_the_pass_ends() {
    let five = ["http://one", "http://two", "http://three", "http://four", "http://five"];
    for count in 1..=5 {
        let mut harness = Harness::with_backends(&five[..count]);
        harness.recorder.events(3);
        harness.script(|_| unavailable());
        let report = harness.pass();
        assert_eq!((report.events.failed, report.events.waiting), (1, 2));
        assert_eq!(harness.wire.calls.len(), count.max(3));
        for backend in &five[..count] {
            assert!(harness.wire.calls.iter().any(|call| call.backend == *backend));
        }
    }
}

#[test]
fn none_of_two_busy_backends_is_asked_before_the_time_it_named() {
    let named = |backend: &str| Duration::from_secs(if backend == NAMES[0] { 15 } else { 7 });
    let mut harness = Harness::with_backends(&NAMES[..2]);
    harness.recorder.events(2);
    let hour = Duration::from_secs(3_600);
    harness.script(move |call| {
        if call.at < hour {
            busy(RetryAfter::Delay(named(&call.backend)))
        } else {
            done(call)
        }
    });
    harness.clock.stop_at(2 * hour);
    harness.serve(crate::config::Mode::Realtime);
    for backend in &NAMES[..2] {
        let calls = harness
            .wire
            .calls
            .iter()
            .filter(|call| call.backend == *backend && call.at < hour);
        let at: Vec<_> = calls.map(|call| call.at).collect();
        assert!(at.len() > 100, "{backend} was asked {} times", at.len());
        let early = at.windows(2).filter(|pair| pair[1] - pair[0] < named(backend)).count();
        assert_eq!(early, 0, "{backend}: {at:?}");
    }
    // And soon after it: one of the two is asked when its time has come.
    let last = harness.wire.calls.last().unwrap().at;
    assert!(last < hour + Duration::from_secs(17), "{last:?}");
    assert_eq!(harness.count("success"), 2);
}

#[test]
fn a_backend_that_is_away_does_not_hide_the_time_that_the_other_named() {
    let mut harness = Harness::with_backends(&NAMES[..2]);
    harness.recorder.events(1);
    let hour = Duration::from_secs(3_600);
    harness.script(move |call| match call.backend == NAMES[0] {
        true if call.at < hour => busy(RetryAfter::Delay(Duration::from_secs(10))),
        true => done(call),
        false => unavailable(),
    });
    harness.clock.stop_at(2 * hour);
    harness.serve(crate::config::Mode::Realtime);
    let last = harness.wire.calls.last().unwrap().at;
    assert!(last < hour + Duration::from_secs(12), "{last:?}");
    assert_eq!(harness.count("success"), 1);
}

#[test]
fn two_backends_that_are_both_away_are_not_hammered() {
    let mut harness = Harness::with_backends(&NAMES[..2]);
    harness.recorder.events(1);
    harness.script(|_| unavailable());
    harness.clock.stop_at(Duration::from_secs(86_400));
    harness.serve(crate::config::Mode::Continuous);
    assert!(harness.wire.calls.len() <= 3 * 325, "{}", harness.wire.calls.len());
}

//! One row, one key; another database, another key.

use std::collections::BTreeSet;
use std::time::Duration;

use super::harness::*;
use crate::config::Mode;
use crate::row::Table;

fn keys(calls: &[Call]) -> BTreeSet<(Table, i64, String)> {
    calls
        .iter()
        .map(|call| (call.table, call.id, call.key.clone()))
        .collect()
}

fn filled() -> Harness {
    let harness = Harness::new();
    harness.recorder.events(3);
    harness.recorder.clip(b"one");
    harness.recorder.clip(b"two");
    harness
}

#[test]
fn a_row_keeps_its_key_through_tries_passes_restarts_and_steering() {
    let mut harness = filled();
    harness.script(|call| match call.nth % 4 {
        0 => unavailable(),
        1 => invalid_response(),
        2 => broken(),
        _ => done(call),
    });
    for round in 0..20 {
        harness.pass();
        harness.pass_time(Duration::from_secs(90_000));
        harness.restart();
        if round == 10 {
            harness.sql("DELETE FROM sync_tracking");
        }
    }
    assert!(harness.wire.calls.len() > 15);
    let keys = keys(&harness.wire.calls);
    assert_eq!(keys.len(), 5, "one key a row");
    assert_eq!(
        keys.iter().map(|(.., key)| key).collect::<BTreeSet<_>>().len(),
        5,
        "no key for two rows"
    );
}

#[test]
fn the_same_rows_in_another_database_have_other_keys() {
    let (mut one, mut other) = (filled(), filled());
    one.pass();
    other.pass();
    let keys = [&one, &other].map(|harness| harness.wire.stored.keys().cloned().collect::<BTreeSet<_>>());
    assert_eq!(keys[0].len(), 5);
    assert!(keys[0].is_disjoint(&keys[1]));
}

#[test]
fn a_database_that_takes_the_place_of_another_under_the_running_service_is_sent_under_keys_of_its_own() {
    let mut harness = filled();
    let new = filled();
    new.sql("UPDATE evenement SET date = (SELECT date FROM evenement)");
    let (from, to) = (new.recorder.path(), harness.recorder.path());
    harness
        .clock
        .plan(Duration::from_secs(10), move |_| std::fs::rename(&from, &to).unwrap());
    harness.clock.stop_at(2 * INTERVAL);
    harness.serve(Mode::Continuous);
    let rows: Vec<_> = harness.wire.calls.iter().map(|call| (call.table, call.id)).collect();
    assert_eq!(rows[..5], rows[5..], "the same ids, twice");
    assert_eq!(harness.wire.stored.len(), 10, "and no key twice");
}

#[test]
fn a_row_that_gets_the_id_of_another_after_a_restore_gets_a_key_of_its_own() {
    let mut harness = Harness::new();
    harness.event("2025-12-18T17:30:00");
    harness.restart();
    let copy = harness.recorder.path().with_extension("copy");
    std::fs::copy(harness.recorder.path(), &copy).unwrap();
    harness.event("2025-12-18T17:31:00");
    harness.pass();
    std::fs::rename(&copy, harness.recorder.path()).unwrap();
    insert_event(&harness.connection(), "2025-12-19T08:00:00");
    harness.restart();
    harness.pass();
    let calls = &harness.wire.calls;
    assert_eq!(harness.wire.ids(Table::Event), [1, 2, 1, 2]);
    assert_eq!(calls[0].key, calls[2].key, "the same row");
    assert_ne!(calls[1].key, calls[3].key, "the same id of another row");
}

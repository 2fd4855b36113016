//! What passes take for settled is looked at when the service starts, and once a day while it runs.

use std::time::Duration;

use super::harness::*;
use crate::config::Mode;
use crate::row::Table;

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn a_running_service_finds_within_a_day_what_was_put_back_into_a_gap() {
    let mut harness = Harness::new();
    harness.recorder.events(1_000);
    harness.sql("DELETE FROM evenement WHERE id_evenement = 500");
    let conn = harness.connection();
    harness.clock.plan(DAY / 24, move |_| {
        conn.execute_batch("INSERT INTO evenement VALUES (500, '2025-12-18T12:00:00', 1)")
            .unwrap();
    });
    harness.clock.stop_at(DAY + 2 * INTERVAL);
    harness.serve(Mode::Continuous);
    assert_eq!(harness.status(Table::Event, 500).as_deref(), Some("success"));
    let sent: Vec<_> = harness.wire.calls.iter().filter(|call| call.id == 500).collect();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].at >= DAY, "passes are independent of history");
}

#[test]
fn a_start_finds_what_was_put_back_and_nothing_is_read_twice_for_it() {
    let mut harness = Harness::new();
    harness.recorder.events(1_000);
    harness.sql("DELETE FROM evenement WHERE id_evenement = 500");
    harness.serve(Mode::Once);
    harness.serve(Mode::Once);
    let looked = || -> String {
        harness
            .connection()
            .query_row("SELECT value FROM sync_meta WHERE key = 'last_look'", [], |row| {
                row.get(0)
            })
            .unwrap()
    };
    let before = looked();
    harness.serve(Mode::Once);
    assert_eq!(
        harness
            .connection()
            .query_row("SELECT value FROM sync_meta WHERE key = 'last_look'", [], |row| row
                .get::<_, String>(
                0
            ))
            .unwrap(),
        before,
        "a run with nothing to do writes nothing"
    );
    harness.sql("INSERT INTO evenement VALUES (500, '2025-12-18T12:00:00', 1)");
    harness.serve(Mode::Once);
    assert_eq!(harness.status(Table::Event, 500).as_deref(), Some("success"));
}

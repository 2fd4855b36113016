//! A search for clips to delete, over a long table in which none goes.

use std::time::Duration;

use super::clock::SimClock;
use crate::config::PruneConfig;
use crate::device::tests::Recorder;
use crate::notice::{Notice, Reporter};
use crate::sync::pruning::Pruning;

/// Clips whose search takes several statements.
const CLIPS: i64 = 2_500;

/// For more room than any disk has.
const FOR_ROOM: PruneConfig = PruneConfig {
    after_days: None,
    keep_free_mb: Some(100_000_000),
};

/// What is older than a month.
const BY_AGE: PruneConfig = PruneConfig {
    after_days: Some(30),
    keep_free_mb: None,
};

/// Does something after each statement of the search.
struct AfterEach<F>(F);

impl<F: FnMut()> Reporter for AfterEach<F> {
    fn notice(&mut self, notice: &Notice) {
        if matches!(notice, Notice::Waiting) {
            (self.0)();
        }
    }
}

/// Clips that are not sent.
fn recorder() -> Recorder {
    let recorder = Recorder::new();
    let insert = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO media (video, date, id_capteur, numero_camera) SELECT x'00', '2025-12-18T17:30:00', 4, 1 FROM n";
    recorder.conn.execute(insert, [CLIPS]).unwrap();
    recorder
}

fn clips(recorder: &Recorder) -> i64 {
    let count = recorder
        .conn
        .query_row("SELECT count(*) FROM media", [], |row| row.get(0));
    count.unwrap()
}

#[test]
fn a_stop_does_not_wait_for_the_end_of_the_search() {
    let recorder = recorder();
    let (mut device, clock) = (recorder.device(), SimClock::new());
    clock.stop_at(Duration::ZERO);
    let mut statements = 0;
    Pruning::new(FOR_ROOM, false).after_pass(&mut device, &mut AfterEach(|| statements += 1), &clock, 0);
    assert_eq!(statements, 1);
}

#[test]
fn new_rows_come_before_the_search_which_goes_on_where_it_was() {
    let recorder = recorder();
    let (mut device, clock) = (recorder.device(), SimClock::new());
    let mut pruning = Pruning::new(FOR_ROOM, true);
    let mut statements = 0;
    let mut disturb = AfterEach(|| {
        recorder.events(1);
        statements += 1;
    });
    pruning.after_pass(&mut device, &mut disturb, &clock, 0);
    assert_eq!(statements, 1);
    // The first one is behind the search by now.
    recorder.all_done("media");
    recorder
        .conn
        .execute_batch(
            "DELETE FROM sync_tracking WHERE local_id > 1; UPDATE sync_tracking SET sync_date = '2025-12-19T00:00:00'",
        )
        .unwrap();
    let mut quiet = AfterEach(|| ());
    pruning.after_pass(&mut device, &mut quiet, &clock, 0);
    assert_eq!(clips(&recorder), CLIPS);
    // A clip more at the server is a reason to begin anew.
    pruning.after_pass(&mut device, &mut quiet, &clock, 1);
    assert_eq!(clips(&recorder), CLIPS - 1);
}

#[test]
fn the_whole_table_is_gone_through_once_a_day_and_not_by_every_process() {
    let recorder = recorder();
    let (mut device, clock) = (recorder.device(), SimClock::new());
    let mut search = || {
        let mut statements = 0;
        // Each a process of its own, as cron starts them.
        Pruning::new(BY_AGE, false).after_pass(&mut device, &mut AfterEach(|| statements += 1), &clock, 0);
        statements
    };
    let whole = search();
    assert!(whole >= 4, "{whole}");
    assert!(search() < whole);
    clock.jump(86_401);
    assert!(search() >= 4);
    clock.jump(-1_000_000_000);
    assert!(search() >= 4, "the clock was wrong");
}

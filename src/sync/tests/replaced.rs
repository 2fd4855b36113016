//! Another file, or other tables, take the place of the database in the middle of a pass.

use super::harness::*;
use crate::config::Mode;
use crate::row::Table;
use crate::sync::service::End;

#[test]
fn a_database_that_is_replaced_in_the_middle_of_a_pass_is_sent_from_its_start() {
    for table in Table::ALL {
        for mode in [Mode::Continuous, Mode::Once] {
            let [mut harness, new] = [(); 2].map(|()| {
                let harness = Harness::new();
                harness.recorder.events(3);
                harness.recorder.clip(b"video");
                harness
            });
            let mut paths = Some((new.recorder.path(), harness.recorder.path()));
            harness.script(move |call| {
                if let Some((from, to)) = (call.table == table).then(|| paths.take()).flatten() {
                    std::fs::rename(from, to).unwrap();
                }
                done(call)
            });
            harness.clock.stop_at(2 * INTERVAL);
            assert_eq!(harness.serve(mode), End::Clean, "{table}");
            let before = if table == Table::Event { 1 } else { 4 };
            assert_eq!(harness.wire.calls.len(), before + 4, "{table}");
            assert_eq!(harness.wire.stored.len(), before + 4, "no key is used twice");
            let statuses = harness.connection().query_row(
                "SELECT count(*) FROM sync_tracking WHERE sync_status = 'success'",
                [],
                |row| row.get::<_, i64>(0),
            );
            assert_eq!(statuses, Ok(4));
        }
    }
}

#[test]
fn a_table_of_ours_that_is_dropped_in_the_middle_of_a_pass_is_made_again() {
    for mode in [Mode::Continuous, Mode::Once] {
        let mut harness = Harness::new();
        harness.recorder.events(3);
        let mut conn = Some(harness.connection());
        harness.script(move |call| {
            if let Some(conn) = (call.id == 2).then(|| conn.take()).flatten() {
                conn.execute_batch("DROP TABLE sync_tracking").unwrap();
            }
            done(call)
        });
        harness.clock.stop_at(2 * INTERVAL);
        assert_eq!(harness.serve(mode), End::Clean);
        assert_eq!(harness.wire.ids(Table::Event), [1, 2, 1, 2, 3], "as after a reset");
        assert_eq!((harness.count("success"), harness.wire.stored.len()), (3, 3));
    }
}

#[test]
fn a_file_that_goes_away_in_the_middle_of_a_pass_and_comes_back_has_lost_nothing() {
    let mut harness = Harness::new();
    harness.recorder.events(3);
    let (path, away) = (harness.recorder.path(), harness.recorder.path().with_extension("away"));
    let (from, to) = (path.clone(), away.clone());
    harness
        .clock
        .plan(INTERVAL, move |_| std::fs::rename(&away, &path).unwrap());
    harness.script(move |call| {
        if call.nth == 1 {
            std::fs::rename(&from, &to).unwrap();
        }
        done(call)
    });
    harness.clock.stop_at(3 * INTERVAL);
    assert_eq!(harness.serve(Mode::Continuous), End::Clean);
    assert_eq!(harness.wire.ids(Table::Event), [1, 2, 3]);
    assert_eq!(harness.told.troubles.len(), 1);
}

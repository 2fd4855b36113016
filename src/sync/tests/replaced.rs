//! Another file, or other tables, take the place of the database in the middle of a pass.

use super::stage::*;
use crate::config::Mode;
use crate::row::Table;
use crate::sync::service::End;

#[test]
fn a_database_that_is_replaced_in_the_middle_of_a_pass_is_sent_from_its_start() {
    for table in Table::ALL {
        for mode in [Mode::Continuous, Mode::Once] {
            let [mut stage, new] = [(); 2].map(|()| {
                let stage = Stage::new();
                stage.recorder.events(3);
                stage.recorder.clip(b"video");
                stage
            });
            let mut paths = Some((new.recorder.path(), stage.recorder.path()));
            stage.script(move |call| {
                if let Some((from, to)) = (call.table == table).then(|| paths.take()).flatten() {
                    std::fs::rename(from, to).unwrap();
                }
                done(call)
            });
            stage.clock.stop_at(2 * INTERVAL);
            assert_eq!(stage.serve(mode), End::Clean, "{table}");
            let before = if table == Table::Event { 1 } else { 4 };
            assert_eq!(stage.wire.calls.len(), before + 4, "{table}");
            assert_eq!(stage.wire.stored.len(), before + 4, "no key is used twice");
            let statuses = stage.connection().query_row(
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
        let mut stage = Stage::new();
        stage.recorder.events(3);
        let mut conn = Some(stage.connection());
        stage.script(move |call| {
            if let Some(conn) = (call.id == 2).then(|| conn.take()).flatten() {
                conn.execute_batch("DROP TABLE sync_tracking").unwrap();
            }
            done(call)
        });
        stage.clock.stop_at(2 * INTERVAL);
        assert_eq!(stage.serve(mode), End::Clean);
        assert_eq!(stage.wire.ids(Table::Event), [1, 2, 1, 2, 3], "as after a reset");
        assert_eq!((stage.count("success"), stage.wire.stored.len()), (3, 3));
    }
}

#[test]
fn a_file_that_goes_away_in_the_middle_of_a_pass_and_comes_back_has_lost_nothing() {
    let mut stage = Stage::new();
    stage.recorder.events(3);
    let (path, away) = (stage.recorder.path(), stage.recorder.path().with_extension("away"));
    let (from, to) = (path.clone(), away.clone());
    stage
        .clock
        .plan(INTERVAL, move |_| std::fs::rename(&away, &path).unwrap());
    stage.script(move |call| {
        if call.nth == 1 {
            std::fs::rename(&from, &to).unwrap();
        }
        done(call)
    });
    stage.clock.stop_at(3 * INTERVAL);
    assert_eq!(stage.serve(Mode::Continuous), End::Clean);
    assert_eq!(stage.wire.ids(Table::Event), [1, 2, 3]);
    assert_eq!(stage.told.troubles.len(), 1);
}

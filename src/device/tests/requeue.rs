use super::*;

#[test]
fn what_is_tracked_anew_during_a_reset_stays() {
    let recorder = Recorder::new();
    recorder.events(1_200);
    drop(recorder.device());
    recorder.all_done("evenement");
    // A service that has each row at the server again at once.
    recorder
        .conn
        .execute_batch(
            "CREATE TRIGGER anew AFTER DELETE ON sync_tracking WHEN old.id <= 1200 BEGIN
                INSERT INTO sync_tracking (table_name, local_id, sync_date, sync_status)
                VALUES (old.table_name, old.local_id, '2026', 'success');
             END",
        )
        .unwrap();
    assert_eq!(reset(&recorder.path()).unwrap(), 1_200);
    let (count, first): (i64, i64) = recorder
        .conn
        .query_row("SELECT count(*), min(id) FROM sync_tracking", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!((count, first), (1_200, 1_201));
}

#[test]
fn rows_that_fail_again_during_a_retry_are_retried_once() {
    let recorder = Recorder::new();
    recorder.events(1_200);
    drop(recorder.device());
    recorder.all_done("evenement");
    recorder
        .conn
        .execute_batch(
            "UPDATE sync_tracking SET sync_status = 'failed';
             CREATE TABLE counted (n); INSERT INTO counted VALUES (0);
             CREATE TRIGGER again AFTER UPDATE OF sync_status ON sync_tracking WHEN new.sync_status = 'pending' BEGIN
                UPDATE sync_tracking SET sync_status = 'failed' WHERE id = new.id;
                UPDATE counted SET n = n + 1;
             END",
        )
        .unwrap();
    assert_eq!(retry(&recorder.path(), None, None).unwrap(), 1_200);
    let counted: i64 = recorder
        .conn
        .query_row("SELECT n FROM counted", [], |row| row.get(0))
        .unwrap();
    assert_eq!(counted, 1_200);
    recorder.conn.execute_batch("DROP TRIGGER again").unwrap();
    assert_eq!(retry(&recorder.path(), Some(Table::Event), Some(7)).unwrap(), 1);
    assert_eq!(retry(&recorder.path(), Some(Table::Media), None).unwrap(), 0);
    assert_eq!(retry(&recorder.path(), Some(Table::Event), None).unwrap(), 1_199);
}

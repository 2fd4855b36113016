use super::*;

fn setting(conn: &Connection, name: &str) -> i64 {
    conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn a_connection_trusts_nothing_in_the_schema_and_can_ruin_no_page() {
    let recorder = Recorder::new();
    recorder
        .conn
        .execute_batch("CREATE VIEW harmless AS SELECT 1; CREATE VIEW tricky AS SELECT * FROM pragma_database_list")
        .unwrap();
    let device = recorder.device();
    let read = |view: &str| device.conn.query_row(&format!("SELECT * FROM {view}"), [], |_| Ok(()));
    read("harmless").unwrap();
    assert!(read("tricky").unwrap_err().to_string().contains("unsafe"));
    let ruin = device
        .conn
        .execute("UPDATE sqlite_dbpage SET data = zeroblob(4096) WHERE pgno = 1", ());
    assert!(ruin.is_err(), "a page was overwritten");
}

#[test]
fn results_are_durable_and_nothing_of_it_lasts_in_the_file() {
    for mode in ["delete", "wal"] {
        let recorder = Recorder::with_journal(mode);
        let device = recorder.device();
        assert_eq!(setting(&device.conn, "synchronous"), 3, "EXTRA");
        drop(device);
        let other = Connection::open(recorder.path()).unwrap();
        let found: String = other.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(found, mode);
        assert_eq!(setting(&other, "synchronous"), 2, "FULL, as every new connection");
    }
}

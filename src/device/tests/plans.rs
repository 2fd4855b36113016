//! How SQLite finds what a pass asks for: by an index, never through a table.

use rusqlite::StatementStatus;

use super::*;
use crate::device::{
    anchors, archive, backlog, clip, counts, dates, failed_rows, generation, look, low_water, meta, oldest, pages,
    prune, quiet, record, requeue, room, rows, sent_clips, state, stock, tracked, tracking, untracked,
};

/// Small by nature: one row a table with AUTOINCREMENT, one page, one end of an index, and windows that were read by an index already.
const SCANS: [&str; 7] = [
    "SCAN sqlite_sequence",
    "SCAN sqlite_dbpage VIRTUAL TABLE INDEX 3:",
    "SCAN sqlite_dbpage VIRTUAL TABLE INDEX 1:",
    "SCAN media USING COVERING INDEX idx_media_date",
    "SCAN w",
    "SCAN t",
    "SCAN (subquery-1)",
];

/// Every statement of a pass, of the look, and of what surrounds them.
fn statements(layout: &Layout) -> Vec<(String, String)> {
    let fixed = [
        ("low_water::READ", low_water::READ),
        ("low_water::MOVE", low_water::MOVE),
        ("low_water::LOWER", low_water::LOWER),
        ("low_water::COUNT_TRACKED", low_water::COUNT_TRACKED),
        ("stock::LAST_TRACKED", stock::LAST_TRACKED),
        ("room::TAKE", room::TAKE),
        ("room::GIVE_BACK", room::GIVE_BACK),
        ("tracked::BY_STATUS", tracked::BY_STATUS),
        ("tracked::AT_ONCE", tracked::AT_ONCE),
        ("tracked::TIMED", tracked::TIMED),
        ("tracked::IS_ANY_FAR", tracked::IS_ANY_FAR),
        ("tracked::PULL_IN", tracked::PULL_IN),
        ("tracked::SET_GONE", tracked::SET_GONE),
        ("tracked::COUNT_GONE", tracked::COUNT_GONE),
        ("tracking::UPDATE", tracking::UPDATE),
        ("tracking::INSERT", tracking::INSERT),
        ("tracking::PLAN", tracking::PLAN),
        ("tracking::FAILURES", tracking::FAILURES),
        ("counts::READ", counts::READ),
        ("counts::CORRECT", counts::CORRECT),
        ("counts::COUNT", counts::COUNT),
        ("look::UNPLANNED", look::UNPLANNED),
        ("look::PLAN", look::PLAN),
        ("quiet::HEADER", quiet::HEADER),
        ("quiet::HIGHEST_GIVEN", quiet::HIGHEST_GIVEN),
        ("generation::READ", generation::READ),
        ("generation::COUNTER_STANDS", generation::COUNTER_STANDS),
        ("generation::SEQUENCE_ROW", generation::SEQUENCE_ROW),
        ("generation::KEEP_SEQUENCE_ROW", generation::KEEP_SEQUENCE_ROW),
        ("generation::HIGHEST_TRACKED", generation::HIGHEST_TRACKED),
        ("anchors::ADD_ANCHOR", anchors::ADD_ANCHOR),
        ("anchors::ANCHORS", anchors::ANCHORS),
        ("anchors::DROP_ANCHOR", anchors::DROP_ANCHOR),
        ("archive::BEGIN", archive::BEGIN),
        ("archive::DROP_ANCHORS", archive::DROP_ANCHORS),
        ("archive::UNDER_WAY", archive::UNDER_WAY),
        ("archive::COPY", archive::COPY),
        ("archive::REMOVE", archive::REMOVE),
        ("archive::END", archive::END),
        ("requeue::NEXT", requeue::NEXT),
        ("requeue::FORGET", requeue::FORGET),
        ("requeue::NEXT_FAILED", requeue::NEXT_FAILED),
        ("requeue::RETRY", requeue::RETRY),
        ("requeue::RETRY_ONE", requeue::RETRY_ONE),
        ("state::LAST_SUCCESS", state::LAST_SUCCESS),
        ("clip::VIDEO", clip::VIDEO),
        ("clip::LENGTH", clip::LENGTH),
        ("pages::PAGE", pages::PAGE),
        ("record::ROWID", record::ROWID),
        ("sent_clips::KEEP", sent_clips::KEEP),
        ("prune::AFTER", prune::AFTER),
        ("prune::IS_CERTAIN", prune::IS_CERTAIN),
        ("prune::DELETE", prune::DELETE),
        ("state::SENT_BYTES", state::SENT_BYTES),
        ("meta::READ", meta::READ),
        ("meta::WRITE", meta::WRITE),
    ];
    let mut all: Vec<_> = fixed
        .iter()
        .map(|(name, sql)| ((*name).to_string(), (*sql).to_string()))
        .collect();
    let indexes = &layout.media_indexes;
    let (date, sensor) = (indexes.date.as_ref().unwrap(), indexes.sensor.as_ref().unwrap());
    all.extend([
        ("rows::event".to_string(), rows::event_sql(layout)),
        ("rows::sensor_name".to_string(), rows::sensor_name_sql()),
        ("rows::clip_columns".to_string(), rows::clip_columns_sql(layout)),
        ("rows::holds".to_string(), rows::holds_sql(date, layout.media_date)),
        (
            "rows::next_value".to_string(),
            rows::next_value_sql(sensor, "id_capteur"),
        ),
        ("failed_rows::window".to_string(), failed_rows::window()),
        ("failed_rows::details".to_string(), failed_rows::details()),
    ]);
    for side in [dates::Side::Newest, dates::Side::Oldest] {
        for continued in [true, false] {
            let sql = dates::window(layout, side, continued).unwrap();
            all.push((format!("dates::window {side:?} {continued}"), sql));
        }
    }
    for table in Table::ALL {
        all.push((format!("oldest::known {table}"), oldest::known(table, layout)));
        all.push((format!("untracked::window {table}"), untracked::window(table, layout)));
        all.push((format!("backlog::date_of {table}"), backlog::date_of(table, layout)));
        for (name, sql) in [
            ("note_sent", generation::note_sent_sql(table, layout)),
            ("sent_is_same", generation::sent_is_same(table, layout)),
            ("anchors_are_same", generation::anchors_are_same(table, layout)),
            ("add_anchor_near", anchors::add_anchor_near(table, layout)),
        ] {
            all.push((format!("generation::{name} {table}"), sql));
        }
        all.push((format!("stock::is_there {table}"), stock::is_there(table)));
        all.push((format!("quiet::highest_there {table}"), quiet::highest_there(table)));
        all.push((format!("look::compare {table}"), look::compare(table)));
    }
    all
}

#[test]
fn every_statement_of_a_pass_finds_its_rows_by_an_index() {
    let recorder = Recorder::new();
    let device = recorder.device();
    for (name, sql) in statements(&device.layout) {
        let mut explain = device.conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan: Vec<String> = explain
            .raw_query()
            .mapped(|row| row.get("detail"))
            .map(|step| step.unwrap())
            .collect();
        for step in &plan {
            let scans = step.starts_with("SCAN") && !SCANS.contains(&step.as_str());
            assert!(!scans && !step.contains("TEMP B-TREE"), "{name}: {plan:#?}");
        }
    }
}

#[test]
fn to_look_for_rows_without_an_id_reads_none() {
    let recorder = Recorder::new();
    recorder.events(1_000);
    let device = recorder.device();
    for table in Table::ALL {
        let mut look = device.conn.prepare(&layout::without_id_sql(table)).unwrap();
        assert!(!look.query_row([], |row| row.get::<_, bool>(0)).unwrap());
        assert!(look.get_status(StatementStatus::VmStep) < 20, "{table}");
    }
}

//! Random histories against a model that knows only what was promised.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;

use super::harness::*;
use crate::row::Table;

/// What the server does with a request.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Done,
    Away,
    /// It takes the row, and the line breaks before it says so.
    TakenAndAway,
    Busy,
    Broken,
    Refused,
    InvalidResponse,
    TakenWithInvalidResponse,
    Misconfigured,
}

/// What people do to `sync_tracking` in SQL.
#[derive(Debug, Clone, Copy)]
enum SqlEdit {
    Pending,
    Delete,
}

/// What others do during a request.
#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    Event,
    SqlEdit(SqlEdit),
}

#[derive(Debug, Clone)]
enum Step {
    Event,
    Clip,
    /// The recorder's retention deletes a row.
    Delete(Table, prop::sample::Index),
    Edit(SqlEdit, Table, prop::sample::Index),
    EditAll(SqlEdit),
    /// A pass with these answers, then as the last one; perhaps somebody is at the database during a request.
    Pass(Vec<Answer>, Option<(usize, Meanwhile)>),
    Time(u32),
    Jump(i64),
    Restart,
}

fn answer() -> impl Strategy<Value = Answer> {
    use Answer::*;
    let others = prop::sample::select(vec![
        Away,
        TakenAndAway,
        Busy,
        Broken,
        Refused,
        InvalidResponse,
        TakenWithInvalidResponse,
        Misconfigured,
    ]);
    prop_oneof![3 => Just(Done), 2 => others]
}

fn step() -> impl Strategy<Value = Step> {
    let table = || prop::sample::select(Table::ALL.to_vec());
    let sql_edits = || prop::sample::select(vec![SqlEdit::Pending, SqlEdit::Delete]);
    let meanwhile = prop_oneof![Just(Meanwhile::Event), sql_edits().prop_map(Meanwhile::SqlEdit)];
    let jumps = vec![-1_700_000_000, -100_000, -4_000, 4_000, 100_000, 1_700_000_000];
    prop_oneof![
        6 => Just(Step::Event),
        3 => Just(Step::Clip),
        1 => (table(), any::<prop::sample::Index>()).prop_map(|(table, pick)| Step::Delete(table, pick)),
        2 => (sql_edits(), table(), any::<prop::sample::Index>()).prop_map(|(how, table, pick)| Step::Edit(how, table, pick)),
        1 => sql_edits().prop_map(Step::EditAll),
        6 => (prop::collection::vec(answer(), 1..12), prop::option::weighted(0.3, (0..6_usize, meanwhile)))
            .prop_map(|(answers, meanwhile)| Step::Pass(answers, meanwhile)),
        2 => (1..100_000_u32).prop_map(Step::Time),
        1 => prop::sample::select(jumps).prop_map(Step::Jump),
        1 => Just(Step::Restart),
    ]
}

/// What was promised.
#[derive(Default)]
struct Model {
    rows: BTreeSet<(Table, i64)>,
    /// Rows the service knows to be at the server, and nobody has steered since.
    done: BTreeSet<(Table, i64)>,
    /// What the server has, by key.
    server: BTreeMap<String, (Table, i64)>,
    keys: BTreeMap<(Table, i64), String>,
}

impl Model {
    fn request(&mut self, call: &Call, answer: Answer) {
        let row = (call.table, call.id);
        assert!(self.rows.contains(&row), "{row:?} is not there");
        assert!(!self.done.contains(&row), "{row:?} is sent again after it was done");
        let key = self.keys.entry(row).or_insert_with(|| call.key.clone());
        assert_eq!(key, &call.key, "{row:?} has a new key");
        if matches!(
            answer,
            Answer::Done | Answer::TakenAndAway | Answer::TakenWithInvalidResponse
        ) {
            let known = self.server.insert(call.key.clone(), row);
            assert!(
                known.is_none_or(|known| known == row),
                "{known:?} and {row:?} share a key"
            );
        }
        if matches!(answer, Answer::Done) {
            self.done.insert(row);
        }
    }

    fn pick(&self, table: Table, pick: &prop::sample::Index) -> Option<i64> {
        let ids: Vec<i64> = self.rows.iter().filter(|row| row.0 == table).map(|row| row.1).collect();
        (!ids.is_empty()).then(|| *pick.get(&ids))
    }
}

fn verdict(call: &Call, answer: Answer) -> crate::upload::Verdict {
    match answer {
        Answer::Done => done(call),
        Answer::Away | Answer::TakenAndAway => unavailable(),
        Answer::Busy => busy(crate::upload::RetryAfter::Delay(Duration::from_secs(90))),
        Answer::Broken => broken(),
        Answer::Refused => refused(),
        Answer::InvalidResponse | Answer::TakenWithInvalidResponse => invalid_response(),
        Answer::Misconfigured => misconfigured(),
    }
}

fn sql_of(how: SqlEdit) -> &'static str {
    match how {
        SqlEdit::Pending => "UPDATE sync_tracking SET sync_status = 'pending'",
        SqlEdit::Delete => "DELETE FROM sync_tracking",
    }
}

fn take(harness: &mut Harness, model: &Rc<RefCell<Model>>, step: Step) {
    match step {
        Step::Event => {
            let id = harness.event("2025-12-18T17:30:00");
            model.borrow_mut().rows.insert((Table::Event, id));
        }
        Step::Clip => {
            let id = harness.recorder.clip(b"video");
            model.borrow_mut().rows.insert((Table::Media, id));
        }
        Step::Delete(table, pick) => {
            let mut model = model.borrow_mut();
            if let Some(id) = model.pick(table, &pick) {
                harness.sql(&format!("DELETE FROM {table} WHERE id_{table} = {id}"));
                model.rows.remove(&(table, id));
            }
        }
        Step::Edit(how, table, pick) => {
            let mut model = model.borrow_mut();
            if let Some(id) = model.pick(table, &pick) {
                harness.sql(&format!(
                    "{} WHERE table_name = '{table}' AND local_id = {id}",
                    sql_of(how)
                ));
                model.done.remove(&(table, id));
            }
        }
        Step::EditAll(how) => {
            harness.sql(sql_of(how));
            model.borrow_mut().done.clear();
        }
        Step::Pass(answers, mut meanwhile) => {
            let (model, conn) = (Rc::clone(model), harness.connection());
            let first = harness.wire.calls.len();
            let disturbed = meanwhile.is_some();
            let together = harness.wire.together;
            harness.script(move |call| {
                let nth = call.nth - first;
                let answer = answers[nth.min(answers.len() - 1)];
                let now = meanwhile.is_some_and(|(during, _)| during == nth);
                if let Some((_, meanwhile)) = now.then(|| meanwhile.take()).flatten() {
                    let mut model = model.borrow_mut();
                    match meanwhile {
                        Meanwhile::Event => {
                            model
                                .rows
                                .insert((Table::Event, insert_event(&conn, "2025-12-18T17:30:01")));
                        }
                        // Of two clips on their way, one may have arrived before the edit and be written after it.
                        Meanwhile::SqlEdit(_) if together => {}
                        Meanwhile::SqlEdit(how) => {
                            conn.execute_batch(sql_of(how)).unwrap();
                            model.done.clear();
                        }
                    }
                }
                model.borrow_mut().request(call, answer);
                verdict(call, answer)
            });
            let report = harness.pass();
            let calls = &harness.wire.calls[first..];
            let tries = |row: &Call| {
                calls
                    .iter()
                    .filter(|call| (call.table, call.id) == (row.table, row.id))
                    .count()
            };
            assert!(
                calls.iter().all(|call| tries(call) <= 3),
                "a row gets three tries a pass"
            );
            let rows: BTreeSet<_> = calls.iter().map(|call| (call.table, call.id)).collect();
            let told = report.events.sent + report.events.failed + report.media.sent + report.media.failed;
            // One beside the row that ended the pass was tried, and is left as it was.
            let rows = rows.len() as u64;
            assert!(
                disturbed || rows == told || (together && rows == told + 1),
                "{report:?}"
            );
        }
        Step::Time(seconds) => harness.pass_time(Duration::from_secs(seconds.into())),
        Step::Jump(seconds) => harness.clock.jump(seconds),
        Step::Restart => harness.restart(),
    }
}

/// What `sync_tracking` calls `success`, of the rows that are there.
fn successes(harness: &Harness, model: &Model) -> BTreeSet<(Table, i64)> {
    let success = |row: &&(Table, i64)| harness.status(row.0, row.1).as_deref() == Some("success");
    model.rows.iter().filter(success).copied().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_row_arrives_once_and_none_is_sent_again_unasked(
        steps in prop::collection::vec(step(), 1..60),
        together in any::<bool>()
    ) {
        let mut harness = Harness::new();
        harness.wire.together = together;
        let model = Rc::new(RefCell::new(Model::default()));
        for step in steps {
            take(&mut harness, &model, step);
            let model = model.borrow();
            let done: BTreeSet<_> = model.done.intersection(&model.rows).copied().collect();
            prop_assert_eq!(successes(&harness, &model), done);
        }
        for _ in 0..2 {
            take(&mut harness, &model, Step::Pass(vec![Answer::Done], None));
            take(&mut harness, &model, Step::Time(27 * 3_600));
        }
        take(&mut harness, &model, Step::Pass(vec![Answer::Done], None));
        let model = model.borrow();
        prop_assert_eq!(&successes(&harness, &model), &model.rows);
        for row in &model.rows {
            prop_assert_eq!(model.server.values().filter(|stored| *stored == row).count(), 1, "{:?}", row);
        }
    }
}

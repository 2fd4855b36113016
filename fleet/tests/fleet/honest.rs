//! What is measured is what a device would have felt.

use std::time::Duration;

use super::fake::{Fake, Habit};
use super::play;

#[test]
fn work_that_waits_behind_a_stall_is_late_from_when_it_was_due() {
    let fake = Fake::start(Habit::Stalls);
    // 20 events in two seconds, of which 15 are due while the third is not answered.
    let work = [
        "--devices",
        "1",
        "--seconds",
        "2",
        "--event-every-s",
        "0.1",
        "--clip-every-s",
        "0",
        "--status-every-s",
        "0",
    ];
    let (status, text) = play(&fake.url, &work);
    assert_eq!(status, 0, "{text}");
    let line = text.lines().find(|line| line.starts_with("event, from due")).unwrap();
    let median_ms: f64 = line.split_whitespace().nth(5).unwrap().parse().unwrap();
    assert!(median_ms > 100.0, "{text}");
}

#[test]
fn a_wish_to_be_left_alone_is_kept() {
    let fake = Fake::start(Habit::AsksForASecond);
    let work = [
        "--devices",
        "3",
        "--seconds",
        "0.1",
        "--backlog-events",
        "2",
        "--backlog-clips",
        "1",
    ];
    let (status, text) = play(&fake.url, &work);
    assert_eq!(status, 0, "{text}");
    assert!(
        text.contains("event 503 × 6") && text.contains("clip 503 × 3"),
        "{text}"
    );
    for (key, came) in fake.came.lock().unwrap().iter() {
        assert!(came[1] - came[0] >= Duration::from_secs(1), "{key}: {came:?}");
    }
}

#[test]
fn none_of_two_busy_receivers_is_asked_before_its_time() {
    let own = Fake::start(Habit::AsksForASecond);
    let other = own.beside(Habit::AsksForASecond);
    let work = [
        "--receiver",
        &other.url,
        "--devices",
        "2",
        "--seconds",
        "0",
        "--backlog-events",
        "1",
        "--backlog-clips",
        "1",
    ];
    let (status, text) = play(&own.url, &work);
    assert_eq!(status, 0, "{text}");
    // Each row was sent away by both, and waited for the first of them.
    assert!(
        text.contains("event 503 × 4") && text.contains("clip 503 × 4"),
        "{text}"
    );
    for fake in [&own, &other] {
        for (key, came) in fake.came.lock().unwrap().iter() {
            // The check asks once more.
            assert!(
                came.len() < 2 || came[1] - came[0] >= Duration::from_secs(1),
                "{key}: {came:?}"
            );
        }
    }
}

#[test]
fn a_row_that_is_refused_in_an_answer_to_a_batch_is_told_with_its_status() {
    let fake = Fake::start(Habit::RefusesOneOfABatch);
    let work = ["--devices", "2", "--seconds", "0", "--backlog-events", "3"];
    let (status, text) = play(&fake.url, &work);
    assert_eq!(status, 1, "{text}");
    assert!(
        text.contains("refused or broken: batch 200, and in it a row 400 × 2\n"),
        "{text}"
    );
    assert!(text.contains("not through 2"), "{text}");
}

//! The check at the end finds what is wrong.

use super::fake::{Fake, Habit};
use super::play;

/// A second of work for three devices, with a clip each.
fn play_with(habit: Habit, clip_every_s: &str, more: &[&str]) -> (i32, String) {
    let fake = Fake::start(habit);
    let work = [
        "--devices",
        "3",
        "--seconds",
        "1",
        "--event-every-s",
        "0.3",
        "--clip-every-s",
        clip_every_s,
        "--status-every-s",
        "0",
    ];
    play(&fake.url, &[&work[..], more].concat())
}

#[test]
fn a_server_that_keeps_each_row_once_passes() {
    let (status, text) = play_with(Habit::None, "1", &[]);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("each row is there once, each clip is whole"), "{text}");
    assert!(text.contains("clips read back: 3 whole"), "{text}");
}

#[test]
fn a_server_that_loses_a_row_fails() {
    let (status, text) = play_with(Habit::Loses, "1", &[]);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("missing 1, doubled 0"), "{text}");
    assert!(
        text.contains("NOT ALL IS THERE ONCE AND WHOLE") && text.contains("missing: "),
        "{text}"
    );
}

/// The key is sent once more at the end: what that stores does not hide what was lost.
#[test]
fn a_server_that_loses_a_row_with_its_key_fails() {
    let work = ["--devices", "1", "--seconds", "0", "--backlog-events", "3"];
    let (status, text) = play(&Fake::start(Habit::Forgets).url, &work);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("events: 3; missing 1, doubled 0"), "{text}");
    assert!(text.contains("keys sent again: 3, with another id 0"), "{text}");
}

#[test]
fn a_row_that_says_something_else_fails() {
    let (status, text) = play_with(Habit::Alters, "0", &[]);
    assert_eq!(status, 1, "{text}");
    assert!(
        text.contains("missing 1, doubled 0, under another id 0, never sent 1"),
        "{text}"
    );
}

#[test]
fn an_answer_without_an_id_is_told() {
    let (status, text) = play_with(Habit::SaysNothing, "0", &[]);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("refused or broken: event 201 without an id ×"), "{text}");
}

#[test]
fn where_no_row_was_sent_nothing_is_right() {
    let (status, text) = play(&Fake::start(Habit::None).url, &["--devices", "2", "--seconds", "0"]);
    assert_eq!(status, 2, "{text}");
    assert!(
        text.contains("sync-fleet: no row was sent") && !text.contains("each row is there"),
        "{text}"
    );
}

#[test]
fn a_server_that_doubles_a_row_fails() {
    let (status, text) = play_with(Habit::Doubles, "1", &[]);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("missing 0, doubled 1"), "{text}");
}

#[test]
fn a_row_under_another_id_than_was_told_fails() {
    let (status, text) = play_with(Habit::Renames, "0", &[]);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("under another id 1"), "{text}");
}

#[test]
fn a_key_that_makes_a_second_row_fails() {
    let (status, text) = play_with(Habit::ForgetsKeys, "1", &[]);
    assert_eq!(status, 1, "{text}");
    // Each event's key is sent once more, and made a row of its own each time.
    let again = text
        .split("keys sent again: ")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap();
    assert_ne!(again, "0", "{text}");
    let wrong = format!("keys sent again: {again}, with another id {again}, with a second row {again}\n");
    assert!(text.contains(&wrong), "{text}");
    assert!(text.contains("missing 0, doubled 0"), "{text}");
}

#[test]
fn a_clip_that_is_not_whole_fails() {
    let (status, text) = play_with(Habit::Spoils, "1", &[]);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("clips read back: 0 whole (0.0 MB), 3 not"), "{text}");
}

#[test]
fn of_a_server_without_its_videos_not_all_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("film.mp4");
    std::fs::write(&film, "a film").unwrap();
    let work = ["--devices", "3", "--seconds", "0", "--backlog-clips", "50", "--clip"];
    let fake = Fake::start(Habit::HasNoVideo);
    let (status, text) = play(&fake.url, &[&work[..], &[film.to_str().unwrap()]].concat());
    assert_eq!(status, 1, "{text}");
    let told = text.split("clips read back: 0 whole (0.0 MB), ").nth(1).unwrap();
    let numbers: Vec<u32> = told
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .take(2)
        .collect();
    // The fourth of those who read may be at one when the hundredth is found broken.
    assert!(
        (100..104).contains(&numbers[0]) && numbers[0] + numbers[1] == 150,
        "{text}"
    );
}

#[test]
fn rows_that_do_not_get_through_in_time_fail() {
    let (status, text) = play_with(Habit::Refuses, "1", &["--within-s", "0.5"]);
    assert_eq!(status, 1, "{text}");
    // Also those that were never tried: three devices, ten events in all or eleven.
    let events = text.split("events: ").nth(1).unwrap();
    let not_through = events.split("not through ").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(events.split(';').next().unwrap(), not_through, "{text}");
    assert!(not_through.parse::<u32>().unwrap() >= 9, "{text}");
    let late = text.lines().find(|line| line.starts_with("event, from due")).unwrap();
    assert_eq!(late.split_whitespace().nth(3).unwrap(), not_through, "{text}");
    assert!(text.contains("event 503 ×"), "{text}");
}

/// An address of this machine at which nobody listens: another one than all tests' servers have.
const NOBODY: &str = "http://127.0.0.99:9";

#[test]
fn nobody_there_is_a_sentence() {
    let (status, text) = play(NOBODY, &[]);
    assert_eq!((status, text.lines().count()), (2, 1), "{text}");
    let (status, text) = play("http://192.0.2.1:8000", &[]);
    assert_eq!(status, 2);
    assert!(text.contains("of this machine"), "{text}");
}

#[test]
fn devices_move_on_from_a_receiver_that_is_away() {
    let fake = Fake::start(Habit::None);
    let work = [
        "--receiver",
        &fake.url,
        "--devices",
        "4",
        "--seconds",
        "0.1",
        "--backlog-events",
        "2",
        "--backlog-clips",
        "1",
    ];
    let (status, text) = play(NOBODY, &work);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("events: 8; missing 0"), "{text}");
    // Those whose own receiver it is tried it first.
    assert!(text.contains("refused or broken: event not connected × 2\n"), "{text}");
}

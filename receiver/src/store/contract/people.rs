//! What a database promises of people and their sessions.

use std::sync::Arc;

use super::desk::Looked;
#[cfg(feature = "fleet")]
use super::rows::Postgres;
use super::rows::SqliteFile;
use super::{ok, promises};
use crate::store::people::{Attempt, NewPerson, NewSession, Person, Role};

macro_rules! people_are_kept_as_promised {
    ($(#$needs:tt)? $implementation:ident, $database:ty) => {
        promises! { $(#$needs)? $implementation, $database:
            a_person_is_added_once_changed_and_removed
            a_session_is_known_everywhere_until_it_ends
            sessions_that_are_over_are_forgotten_and_end_with_their_person
            a_session_begins_for_a_password_that_still_holds_alone
            guesses_are_slowed_down_wherever_they_are_made
            a_good_attempt_takes_back_its_own_failures_alone
            old_failures_count_no_more
            many_guesses_at_once_are_counted_one_by_one
            no_name_is_too_odd
        }
    };
}
people_are_kept_as_promised!(sqlite, super::SqliteFile);
#[cfg(feature = "fleet")]
people_are_kept_as_promised!(
    #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
    on_postgres,
    super::Postgres
);

fn anna(password_hash: Option<&str>) -> NewPerson {
    let person = Person {
        name: "anna".to_string(),
        role: Role::Admin,
        devices: None,
    };
    NewPerson {
        person,
        password_hash: password_hash.map(str::to_string),
    }
}

fn session(id: &str, person: &str, expires_s: i64) -> NewSession {
    NewSession {
        id: id.to_string(),
        secret: [7; 32],
        person: person.to_string(),
        password_hash: "hash".to_string(),
        expires_s,
    }
}

fn names(people: &[Person]) -> Vec<&str> {
    people.iter().map(|person| person.name.as_str()).collect()
}

async fn a_person_is_added_once_changed_and_removed(database: impl Looked) {
    let desk = database.desk();
    assert!(!ok(desk.has_people()).await);
    assert!(ok(desk.add_person(anna(Some("hash")))).await);
    assert!(!ok(desk.add_person(anna(None))).await);
    let ben = Person {
        name: "Ben é".to_string(),
        role: Role::Viewer,
        devices: Some("shop-*".to_string()),
    };
    let new = NewPerson {
        person: ben.clone(),
        password_hash: None,
    };
    assert!(ok(desk.add_person(new)).await);
    // Another receiver sees them at once.
    let desk = database.desk();
    assert!(ok(desk.has_people()).await);
    assert_eq!(names(&ok(desk.people()).await), ["Ben é", "anna"]);
    let found = ok(desk.person("Ben é".to_string())).await.unwrap();
    assert_eq!((found.person, found.password_hash), (ben, None));
    assert!(ok(desk.set_password("anna".to_string(), "other".to_string())).await);
    assert!(!ok(desk.set_password("Anna".to_string(), "other".to_string())).await);
    let found = ok(desk.person("anna".to_string())).await.unwrap();
    assert_eq!(
        (found.person.role, found.password_hash.as_deref()),
        (Role::Admin, Some("other"))
    );
    assert!(ok(desk.person("Anna".to_string())).await.is_none());
    assert!(ok(desk.remove_person("anna".to_string())).await);
    assert!(!ok(desk.remove_person("anna".to_string())).await);
    assert_eq!(names(&ok(desk.people()).await), ["Ben é"]);
}

async fn a_session_is_known_everywhere_until_it_ends(database: impl Looked) {
    let (one, other) = (database.desk(), database.desk());
    assert!(ok(one.add_person(anna(Some("hash")))).await);
    assert!(ok(one.begin_session(session("a", "anna", 500), 100)).await);
    let found = ok(other.session("a".to_string())).await.unwrap();
    assert_eq!(
        (found.secret, found.person, found.expires_s),
        ([7; 32], anna(None).person, 500)
    );
    ok(other.prolong_session("a".to_string(), 900)).await;
    assert_eq!(ok(one.session("a".to_string())).await.unwrap().expires_s, 900);
    ok(one.prolong_session("b".to_string(), 900)).await;
    assert!(ok(one.session("b".to_string())).await.is_none());
    ok(other.end_session("a".to_string())).await;
    ok(other.end_session("a".to_string())).await;
    assert!(ok(one.session("a".to_string())).await.is_none());
}

async fn sessions_that_are_over_are_forgotten_and_end_with_their_person(database: impl Looked) {
    let desk = database.desk();
    assert!(ok(desk.add_person(anna(Some("hash")))).await);
    for (id, expires_s) in [("old", 100), ("new", 101)] {
        assert!(ok(desk.begin_session(session(id, "anna", expires_s), 50)).await);
    }
    assert!(ok(desk.begin_session(session("third", "anna", 900), 100)).await);
    let there = |id: &str| {
        let (desk, id) = (Arc::clone(&desk), id.to_string());
        async move { ok(desk.session(id)).await.is_some() }
    };
    assert_eq!(
        (there("old").await, there("new").await, there("third").await),
        (false, true, true)
    );
    assert!(ok(desk.set_password("anna".to_string(), "x".to_string())).await);
    assert!(!there("third").await);
    assert!(ok(desk.set_password("anna".to_string(), "hash".to_string())).await);
    assert!(ok(desk.begin_session(session("again", "anna", 900), 100)).await);
    assert!(ok(desk.remove_person("anna".to_string())).await);
    assert!(!there("again").await);
    // Somebody else of that name is not signed in by it.
    assert!(ok(desk.add_person(anna(None))).await);
    assert!(!there("again").await);
}

async fn a_session_begins_for_a_password_that_still_holds_alone(database: impl Looked) {
    let desks = [database.desk(), database.desk()];
    let begin = |turn: usize| {
        let (desk, id) = (Arc::clone(&desks[turn % 2]), turn.to_string());
        async move { ok(desk.begin_session(session(&id, "anna", 900), 100)).await }
    };
    let is_there = async |turn: usize| ok(desks[0].session(turn.to_string())).await.is_some();
    assert!(!begin(0).await);
    assert!(ok(desks[0].add_person(anna(None))).await);
    assert!(!begin(0).await && !is_there(0).await);
    for turn in 0..40 {
        assert!(ok(desks[0].set_password("anna".to_string(), "hash".to_string())).await);
        // Whichever is first, none is left of a password that has changed.
        let change = desks[1].set_password("anna".to_string(), "other".to_string());
        let (begun, changed) = tokio::join!(begin(turn), change);
        assert!(changed.unwrap());
        assert!(!is_there(turn).await, "{turn} {begun}");
    }
    assert!(ok(desks[0].remove_person("anna".to_string())).await);
    assert!(!begin(99).await);
}

fn attempts(subjects: &[(&str, u32)]) -> Vec<Attempt> {
    let attempt = |(subject, free): &(&str, u32)| Attempt {
        subject: (*subject).to_string(),
        free: *free,
        longest_s: 300,
        is_shared: false,
    };
    subjects.iter().map(attempt).collect()
}

fn of_all(subject: &str, free: u32) -> Attempt {
    Attempt {
        subject: subject.to_string(),
        free,
        longest_s: 300,
        is_shared: true,
    }
}

async fn guesses_are_slowed_down_wherever_they_are_made(database: impl Looked) {
    let desks = [database.desk(), database.desk()];
    let both = attempts(&[("10.0.0.1 anna", 2), ("10.0.0.1", 5)]);
    for (turn, wait_s) in [(0, 0), (1, 0), (2, 0)] {
        assert_eq!(ok(desks[turn % 2].attempt(both.clone(), 1000)).await, wait_s);
    }
    // The third has to wait a second, and is not counted when it comes too early.
    for desk in &desks {
        assert_eq!(ok(desk.wait_s(both.clone(), 1000)).await, 1);
        assert_eq!(ok(desk.attempt(both.clone(), 1000)).await, 1);
    }
    assert_eq!(ok(desks[0].attempt(both.clone(), 1001)).await, 0);
    assert_eq!(ok(desks[1].wait_s(both.clone(), 1001)).await, 2);
    // Another name from there is only slowed down later, and one from elsewhere not at all.
    assert_eq!(ok(desks[1].attempt(attempts(&[("10.0.0.2 anna", 2)]), 1001)).await, 0);
    assert_eq!(ok(desks[1].wait_s(attempts(&[("10.0.0.1 ben", 2)]), 1001)).await, 0);
    // A clock that was put back makes nobody wait until it is there again, and forgets no failure.
    assert_eq!(ok(desks[1].wait_s(both.clone(), -1_000_000)).await, 0);
    assert_eq!(ok(desks[0].attempt(both.clone(), -1_000_000)).await, 0);
    assert_eq!(ok(desks[1].wait_s(both.clone(), -1_000_000)).await, 4);
    ok(desks[0].succeeded(both.clone())).await;
    assert_eq!(ok(desks[1].wait_s(both.clone(), 1001)).await, 0);
    assert_eq!(ok(desks[1].attempt(both, 1001)).await, 0);
}

async fn a_good_attempt_takes_back_its_own_failures_alone(database: impl Looked) {
    let desks = [database.desk(), database.desk()];
    let try_in = |name: &str| {
        let mut attempts = attempts(&[(&format!("10.0.0.1 {name}"), 2)]);
        attempts.push(of_all("10.0.0.1", 2));
        attempts
    };
    for now_s in [1000, 1000, 1000, 1001] {
        assert_eq!(ok(desks[0].attempt(try_in("anna"), now_s)).await, 0);
    }
    // Somebody else there signs in: it is as if that had not been, and no more than that.
    assert_eq!(ok(desks[0].attempt(try_in("ben"), 1003)).await, 0);
    ok(desks[1].succeeded(try_in("ben"))).await;
    assert_eq!(ok(desks[0].wait_s(try_in("ben"), 1003)).await, 0);
    assert_eq!(ok(desks[0].attempt(try_in("carl"), 1003)).await, 0);
    assert_eq!(ok(desks[0].wait_s(try_in("carl"), 1003)).await, 4);
    for _ in 0..9 {
        ok(desks[1].succeeded(try_in("carl"))).await;
    }
    assert_eq!(ok(desks[0].attempt(try_in("carl"), 1003)).await, 0);
    assert_eq!(ok(desks[0].wait_s(try_in("carl"), 1003)).await, 0);
}

async fn old_failures_count_no_more(database: impl Looked) {
    let desk = database.desk();
    let one = attempts(&[("10.0.0.1 anna", 0)]);
    assert_eq!(ok(desk.attempt(one.clone(), 1000)).await, 0);
    assert_eq!(ok(desk.attempt(one.clone(), 1001)).await, 0);
    // They are there, and count: the third wait is twice the second.
    ok(desk.forget_failures(1001 + 3600)).await;
    assert_eq!(ok(desk.attempt(one.clone(), 1001 + 3600)).await, 0);
    assert_eq!(ok(desk.wait_s(one.clone(), 1001 + 3600)).await, 4);
    // An hour without any, and it is the first again, whether or not it was forgotten.
    assert_eq!(ok(desk.attempt(one.clone(), 1002 + 7200)).await, 0);
    assert_eq!(ok(desk.wait_s(one.clone(), 1002 + 7200)).await, 1);
    ok(desk.forget_failures(1_000_000)).await;
    assert_eq!(ok(desk.wait_s(one, 0)).await, 0);
}

async fn many_guesses_at_once_are_counted_one_by_one(database: impl Looked) {
    let desks = [database.desk(), database.desk()];
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let desk = Arc::clone(&desks[number % 2]);
            tokio::spawn(async move { ok(desk.attempt(attempts(&[("anna", 3), ("10.0.0.1", 9)]), 1000)).await })
        })
        .collect();
    let mut taken = 0;
    for task in tasks {
        taken += i32::from(task.await.unwrap() == 0);
    }
    // Three are free, and the fourth is what makes the next wait.
    assert_eq!(taken, 4);
}

async fn no_name_is_too_odd(database: impl Looked) {
    let desk = database.desk();
    for odd in [
        "\0",
        "a\0b",
        "'; DROP TABLE person; --",
        "é\u{1f3a5}",
        &"x".repeat(10_000),
    ] {
        let odd = || odd.to_string();
        assert!(ok(desk.person(odd())).await.is_none());
        assert!(ok(desk.session(odd())).await.is_none());
        assert!(!ok(desk.set_password(odd(), "x".to_string())).await);
        assert!(!ok(desk.remove_person(odd())).await);
        ok(desk.end_session(odd())).await;
        ok(desk.prolong_session(odd(), i64::MAX)).await;
        let attempt = attempts(&[(&odd(), 3)]);
        assert_eq!(ok(desk.wait_s(attempt.clone(), 0)).await, 0);
        assert_eq!(ok(desk.succeeded(attempt)).await, ());
    }
    assert_eq!(ok(desk.attempt(attempts(&[("a\0b", 1), ("é", 1)]), 1000)).await, 0);
}

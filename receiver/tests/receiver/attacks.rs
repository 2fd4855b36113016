//! What strangers, and people who are no admins, try at each door.

use crate::support::{PASSWORD, Receiver};

#[test]
fn signing_in_ends_the_session_that_was_planted_and_nobody_elses() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    receiver.add_person("ben", &[]);
    let anna = receiver.sign_in("anna");
    let sign_in_with = |cookie: &str| receiver.sign_in_answer("ben", PASSWORD, &format!("Cookie: {cookie}\r\n"));
    // Who knows an id alone, from an old log or a backup, signs nobody out.
    let id = anna.cookie.split_once('.').unwrap().0;
    assert_eq!(sign_in_with(&format!("{id}.guessed")).status, 200);
    assert_eq!(anna.get("/api/me").status, 200);
    // A browser that was given somebody's session has another one afterwards, and the old one is over.
    let own = sign_in_with(&anna.cookie);
    assert!(!own.header("set-cookie").unwrap().starts_with(&anna.cookie));
    assert_eq!(anna.get("/api/me").status, 401);
}

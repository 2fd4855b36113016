//! A server that lets nobody more in.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::support::postgres::{Database, ask};
use crate::support::{Receiver, event, post, wait_until};

/// A database whose receiver is no superuser, who would be let in all the same.
struct Limited {
    database: Database,
    role: String,
}

impl Limited {
    fn new() -> Self {
        let database = Database::new();
        let name = database.url().rsplit_once('/').unwrap().1.to_string();
        let role = format!("role_of_{name}");
        ask(
            &database.url(),
            &format!("CREATE ROLE {role} LOGIN PASSWORD 'limited'; ALTER DATABASE {name} OWNER TO {role}"),
        );
        Self { database, role }
    }

    fn url(&self) -> String {
        let url = self.database.url();
        format!("postgres://{}:limited@{}", self.role, url.split_once('@').unwrap().1)
    }

    fn let_nobody_more_in(&self) {
        let sql = format!("ALTER ROLE {} CONNECTION LIMIT 0", self.role);
        ask(&self.database.url(), &sql);
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let role = &self.role;
        let sql = format!("REASSIGN OWNED BY {role} TO fleet; DROP OWNED BY {role}; DROP ROLE {role}");
        let _ = crate::support::postgres::try_to_ask(&self.database.url(), &sql);
    }
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn devices_are_served_while_people_get_no_connection() {
    let limited = Limited::new();
    // Nobody reads here what it says of each who is refused.
    let receiver = Receiver::with(&[("RECEIVER_DATABASE_URL", &limited.url()), ("RUST_LOG", "off")]);
    let store = || receiver.ask(post("/api/evenements", "", event())).status;
    wait_until("an event is stored", || store() == 201);
    limited.let_nobody_more_in();
    // Nobody asks for ever, also where this fails.
    let end = Instant::now() + Duration::from_secs(90);
    let (refused, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        // More at a time than there are connections for people by now.
        for _ in 0..8 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) && Instant::now() < end {
                    let status = receiver.local("GET /api/evenements").status;
                    refused.fetch_add(u32::from(status == 503), Ordering::Relaxed);
                }
            });
        }
        wait_until("people are refused", || refused.load(Ordering::Relaxed) > 0);
        let before = refused.load(Ordering::Relaxed);
        let answers: Vec<u16> = (0..50).map(|_| store()).collect();
        wait_until("more are", || refused.load(Ordering::Relaxed) > before);
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(answers, [201; 50]);
    });
}

//! Side by side with the Python service and with people who type SQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::layout::PYTHON_TRACKING;
use crate::support::{Act, Backend, Device, Journal, Layout, Service, assert_everything_arrived_once, eventually};

#[test]
fn a_database_half_synced_by_the_python_service_is_carried_on() {
    for layout in Layout::ALL {
        let (device, backend) = (Device::with(layout, Journal::Delete), Backend::without_idempotency());
        device.sql(PYTHON_TRACKING);
        device.events(10);
        for _ in 0..4 {
            device.clip(b"clip");
        }
        for id in 1..=5 {
            device.python_marks("evenement", id, Some(900 + id), "success", None);
        }
        device.python_marks("evenement", 7, None, "failed", Some("Serveur inaccessible"));
        device.python_marks("evenement", 8, None, "pending", None);
        device.python_marks("media", 2, Some(950), "success", None);
        device.python_marks("media", 3, None, "failed", Some("Timeout"));
        let before = device.tracking();

        Service::once(&device, &backend).run().exits(0);

        assert_eq!(
            backend.stored_count(),
            5 + 3,
            "rows that Python had sent were sent again, or some were missed"
        );
        let after = device.tracking();
        assert_eq!(after.len(), 14);
        assert!(
            after.iter().all(|row| row.status == "success" && row.error.is_none()),
            "{after:?}"
        );
        for old in before {
            let new = device.tracked(&old.table, old.local_id).unwrap();
            assert_eq!(new.id, old.id, "the row of a pair changed");
            if old.status == "success" {
                assert_eq!(new, old);
            }
        }
    }
}

#[test]
fn the_python_service_can_carry_on_from_us() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(5);
    backend.script(|request| {
        if request.order == 2 {
            Act::status(400, "no")
        } else {
            Act::created()
        }
    });
    Service::once(&device, &backend).run().exits(1);
    // Its start, its question and its mark, as it has always made them.
    device.sql(PYTHON_TRACKING);
    let due = "SELECT group_concat(id_evenement) FROM evenement e LEFT JOIN sync_tracking s
        ON s.table_name = 'evenement' AND s.local_id = e.id_evenement
        WHERE s.sync_status IS NULL OR s.sync_status IN ('pending', 'failed')";
    let due: String = device.value(due);
    assert_eq!(due, "3");
    device.python_marks("evenement", 3, Some(77), "success", None);
    let new = device.event();
    device.python_marks("evenement", new, Some(78), "success", None);
    backend.works();
    let requests = backend.received().len();
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(
        backend.received().len(),
        requests,
        "what Python had sent was sent again"
    );
}

#[test]
fn what_python_marks_as_failed_is_sent_at_the_next_pass() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(3);
    Service::once(&device, &backend).run().exits(0);
    device.python_marks("evenement", 1, None, "failed", Some("Timeout"));
    let mut service = Service::continuous(&device, &backend).start();
    service.prints("Événement 1 →");
    service.stop().exits(0);
    assert_eq!(backend.received().len(), 4);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn a_failed_row_set_to_pending_is_retried_at_the_next_pass() {
    let (device, backend) = (Device::new(), Backend::start());
    let event = device.event();
    backend.always(Act::status(400, "no"));
    let mut service = Service::continuous(&device, &backend)
        .env("SYNC_INTERVAL_MINUTES", "0.01")
        .start();
    service.prints_times("Rapport de Synchronisation", 3);
    assert_eq!(backend.received().len(), 1, "a refused row waits for its hour");
    backend.works();
    device.sql("UPDATE sync_tracking SET sync_status = 'pending' WHERE sync_status = 'failed'");
    backend.wait_until("the row again", |received| received.len() == 2);
    eventually("it is a success", || {
        device.tracked("evenement", event).unwrap().status == "success"
    });
    service.stop().exits_with_words(0);
}

#[test]
fn deleting_from_sync_tracking_sends_again() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(3);
    device.clip(b"one");
    device.clip(b"two");
    let mut service = Service::continuous(&device, &backend)
        .env("SYNC_INTERVAL_MINUTES", "0.01")
        .start();
    service.prints("Médias échoués");
    device.sql("DELETE FROM sync_tracking WHERE table_name = 'media' AND local_id = 1");
    backend.wait_until("one clip again", |received| received.len() == 6 && received[5].complete);
    assert_eq!(backend.received()[5].video, device.fingerprint(1).into());
    eventually("it is tracked again", || device.tracked("media", 1).is_some());
    device.sql("DELETE FROM sync_tracking");
    backend.wait_until("everything again", |received| received.len() == 11);
    eventually("all is tracked again", || device.tracking().len() == 5);
    service.stop().exits(0);
    assert_eq!(backend.received().len(), 11);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn deleting_in_the_middle_of_a_pass_sends_again_what_was_done() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(6);
    let db = device.path();
    backend.script(move |request| {
        if request.order == 3 {
            let delete = "DELETE FROM sync_tracking";
            crate::support::device::connect(&db)
                .unwrap()
                .execute_batch(delete)
                .unwrap();
        }
        Act::created()
    });
    Service::once(&device, &backend).run();
    backend.works();
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(backend.received().len(), 6 + 3, "the first three again, and only they");
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn people_and_the_service_can_write_at_the_same_time() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(300);
    let (done, path) = (Arc::new(AtomicBool::new(false)), device.path());
    let stop = done.clone();
    let person = std::thread::spawn(move || {
        let mut turns = 0;
        while !stop.load(Ordering::Relaxed) {
            let db = crate::support::device::connect(&path).unwrap();
            let touch = "UPDATE sync_tracking SET sync_status = 'pending' WHERE sync_status = 'failed';
                DELETE FROM sync_tracking WHERE table_name = 'media' AND local_id = 15;
                SELECT count(*) FROM sync_tracking WHERE sync_status = 'failed' ORDER BY sync_date DESC;";
            match db.execute_batch(touch) {
                Err(error) if error.to_string().contains("no such table") => {}
                result => result.unwrap(),
            }
            turns += 1;
        }
        turns
    });
    let mut service = Service::once(&device, &backend).start();
    service.prints("Médias échoués");
    done.store(true, Ordering::Relaxed);
    assert!(person.join().unwrap() > 0);
    service.wait_within(crate::support::service::PATIENCE).exits(0);
    assert_everything_arrived_once(&device, &backend);
}

/// What people and the Python service do to one row far behind the last synced one; each further back than the one
/// before it, which may have had everything behind it looked at again.
const EDITS: [&str; 6] = [
    "UPDATE sync_tracking SET sync_status = 'failed' WHERE local_id = 4500",
    "UPDATE sync_tracking SET sync_status = 'pending' WHERE local_id = 4000",
    "INSERT OR REPLACE INTO sync_tracking (table_name, local_id, sync_date, sync_status)
        VALUES ('evenement', 3000, '2025-12-18T17:30:00', 'pending')",
    "DELETE FROM sync_tracking WHERE local_id = 2000",
    "UPDATE sync_tracking SET local_id = 1000000 WHERE local_id = 1000",
    "UPDATE sync_tracking SET table_name = 'media' WHERE local_id = 500",
];

#[test]
fn an_edit_far_back_in_a_long_history_is_seen_at_the_next_run() {
    let (device, backend) = (Device::new(), Backend::start());
    device.many_events(5_000);
    device.python_sent_all_events_but("");
    Service::once(&device, &backend).run().exits(0);
    assert!(backend.received().is_empty());
    for (edit, statement) in EDITS.iter().enumerate() {
        device.sql(statement);
        Service::once(&device, &backend).run().exits(0);
        assert_eq!(backend.received().len(), edit + 1, "{statement}");
    }
}

#[test]
fn an_edit_far_back_in_a_long_history_is_seen_by_a_running_service() {
    let (device, backend) = (Device::new(), Backend::start());
    device.many_events(5_000);
    device.python_sent_all_events_but("");
    let mut service = Service::continuous(&device, &backend)
        .env("SYNC_INTERVAL_MINUTES", "0.01")
        .start();
    service.prints_times("Rapport de Synchronisation", 2);
    assert!(backend.received().is_empty());
    for (edit, statement) in EDITS.iter().enumerate() {
        device.sql(statement);
        backend.wait_until(statement, |received| received.len() == edit + 1);
        service.prints_times("→ Serveur", edit + 1);
    }
    service.stop().exits(0);
    assert_eq!(backend.received().len(), EDITS.len());
}

#[test]
fn deleting_everything_from_a_long_history_sends_everything_again() {
    let (device, backend) = (Device::new(), Backend::start());
    device.many_events(1_500);
    device.python_sent_all_events_but("");
    Service::once(&device, &backend).run().exits(0);
    device.sql("DELETE FROM sync_tracking");
    Service::once(&device, &backend).run().exits(0);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn a_row_whose_mark_was_deleted_is_sent_again_when_the_row_is_another() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(10);
    Service::once(&device, &backend).run().exits(0);
    device.sql("DELETE FROM evenement WHERE id_evenement = 4; DELETE FROM sync_tracking WHERE local_id = 4;");
    device.sql("INSERT INTO evenement (id_evenement, date, id_capteur) VALUES (4, '2020-01-01T00:00:01', 1)");
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(backend.stored_count(), 11, "the other row was taken for the first");
}

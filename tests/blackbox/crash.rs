//! Power cuts: `kill -9` at any moment loses nothing and sends nothing twice.

use std::time::Duration;

use crate::support::random::{Random, longer, seed, video};
use crate::support::{
    Act, Backend, Device, Journal, Layout, Recorder, Service, assert_everything_arrived_once, eventually,
};

#[test]
fn a_power_cut_between_answer_and_mark_sends_nothing_twice() {
    for journal in [Journal::Delete, Journal::Wal] {
        let (device, backend) = (Device::with(Layout::Current, journal), Backend::start());
        device.event();
        device.clip(&video(1, 1_500_000));
        for (table, requests) in [("evenement", 1), ("media", 3)] {
            // Long enough to take the lock before the answer comes: its mark can't be written.
            backend.always(Act::created().after(Duration::from_millis(300)));
            let service = Service::once(&device, &backend).start();
            backend.wait_until("the row", |received| received.len() == requests);
            let db = device.db();
            let held = db.unchecked_transaction().unwrap();
            eventually("the lock is ours", || {
                db.execute("UPDATE capteur SET etat_capteur = 1", []).is_ok()
            });
            backend.wait_until("its answer", |received| received[requests - 1].answered.is_some());
            std::thread::sleep(Duration::from_millis(100));
            service.kill();
            held.rollback().unwrap();
            assert!(
                device.tracking().iter().all(|row| row.table != table),
                "it was marked through our lock"
            );
            // The next run finds the event marked before the clip is its turn.
            backend.works();
            if table == "evenement" {
                device.sql("CREATE TABLE parked AS SELECT * FROM media; DELETE FROM media");
                Service::once(&device, &backend).run().exits(0);
                device.sql("INSERT INTO media SELECT * FROM parked; DROP TABLE parked");
            } else {
                Service::once(&device, &backend).run().exits(0);
            }
        }
        assert_eq!(backend.received().len(), 4, "each row once, and each once again");
        assert_everything_arrived_once(&device, &backend);
    }
}

/// Kills the service `kills` times over one database while the recorder writes.
fn killed_again_and_again(seed: u64, layout: Layout, journal: Journal, kills: u64) {
    let mut random = Random::new(seed);
    let (device, backend) = (Device::with(layout, journal), Backend::start());
    let recorder = Recorder::start(&device, journal, Duration::from_millis(5));
    for kill in 0..kills {
        if kill % 10 == 0 {
            let len = [10, 60_000, 1_200_000][random.between(0, 3) as usize];
            device.clip(&video(kill, len));
        }
        let before = backend.received().len();
        let service = Service::continuous(&device, &backend)
            .env("SYNC_INTERVAL_MINUTES", "0.01")
            .start();
        if random.between(0, 3) == 0 {
            // Any moment, be it before the first row.
            std::thread::sleep(Duration::from_micros(random.between(0, 120_000)));
        } else {
            // Around the answer to a row, and its mark.
            let rows = random.between(1, 6) as usize;
            backend.wait_until("rows", |received| received.len() >= before + rows);
            std::thread::sleep(Duration::from_micros(random.between(0, 3_000)));
        }
        service.kill();
    }
    let day = recorder.stop();
    assert!(day.failed.is_empty(), "{day:?}");
    assert_eq!(device.value::<String>("PRAGMA integrity_check"), "ok");
    Service::once(&device, &backend).run().exits(0);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn two_hundred_power_cuts_lose_and_double_nothing() {
    let seed = seed("crash");
    std::thread::scope(|scope| {
        for (lane, (layout, journal)) in [(Layout::Current, Journal::Delete), (Layout::Older, Journal::Wal)]
            .into_iter()
            .enumerate()
        {
            scope.spawn(move || killed_again_and_again(seed + lane as u64, layout, journal, 200 * longer()));
        }
    });
}

#[test]
fn without_idempotency_a_power_cut_costs_at_most_the_row_in_flight() {
    let mut random = Random::new(seed("in flight"));
    let (device, backend) = (Device::new(), Backend::without_idempotency());
    device.events(200);
    let kills = 20;
    for _ in 0..kills {
        let (before, rows) = (backend.received().len(), random.between(1, 6) as usize);
        let service = Service::continuous(&device, &backend)
            .env("SYNC_INTERVAL_MINUTES", "0.01")
            .start();
        backend.wait_until("rows", |received| received.len() >= before + rows);
        std::thread::sleep(Duration::from_micros(random.between(0, 3_000)));
        service.kill();
    }
    Service::once(&device, &backend).run().exits(0);
    let mut copies = std::collections::HashMap::new();
    for row in backend.stored() {
        *copies.entry(row.key.unwrap()).or_insert(0) += 1;
    }
    assert_eq!(copies.len(), 200, "rows were lost");
    let extra: usize = copies.values().map(|copies| copies - 1).sum();
    assert!(extra <= kills, "{extra} copies too many after {kills} cuts");
}

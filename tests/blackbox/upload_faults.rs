//! Batches and uploads to the receiver under everything that goes wrong: cut requests, power cuts on either side, rates, stops,
//! a recorder beside them. Each row arrives once, and whole.

use std::collections::HashMap;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::both::assert_receiver_holds_everything;
use crate::rate::{assert_rate, now_and_else};
use crate::support::faulty::{Fault, FaultyLine, Seen};
use crate::support::lines::{BufferingProxy, CutLine};
use crate::support::random::{Random, seed, video};
use crate::support::receiver::Receiver;
use crate::support::{Device, Journal, Layout, Recorder, Service, eventually};

const UPLOADS: &str = "/api/media/uploads";

/// A receiver, and a device that knows it.
fn acquainted(journal: Journal) -> (Device, Receiver) {
    let (device, receiver) = (Device::with(Layout::Current, journal), Receiver::start());
    device.event();
    Service::of(&device, &receiver.url, "once").run().exits(0);
    (device, receiver)
}

fn unsent(device: &Device) -> i64 {
    device.value(
        "SELECT (SELECT count(*) FROM evenement) + (SELECT count(*) FROM media)
            - (SELECT count(*) FROM sync_tracking WHERE sync_status = 'success')",
    )
}

/// Something of the clip, the first to be sent, is at the receiver, and its row has another video now.
fn another_than_what_is_there(device: &Device, receiver: &Receiver, clip: i64, video: &[u8]) {
    let half = CutLine::to(&receiver.url, u64::MAX);
    let service = Service::of(device, &half.url, "once")
        .env("SYNC_MAX_RATE_KBPS", "10000")
        .start();
    eventually("some of the clip is across", || half.passed() > 500_000);
    service.kill();
    let edit = "UPDATE media SET video = ?1 WHERE id_media = ?2";
    assert_eq!(device.db().execute(edit, (video, clip)), Ok(1));
}

/// The kinds of request that an upload is made of.
fn kind(seen: &Seen) -> Option<&'static str> {
    Some(match (seen.method.as_str(), seen.body_bytes) {
        _ if !seen.path.starts_with(UPLOADS) => return None,
        // What the receiver has, once.
        ("OPTIONS", _) => return None,
        ("POST", 0) => "creation or question",
        ("POST", _) => "creation with its body",
        ("PATCH", _) => "continuation",
        ("DELETE", _) => "end",
        other => panic!("{other:?}"),
    })
}

#[test]
fn resets_in_the_middle_of_every_request_of_an_upload_lose_and_double_nothing() {
    let mut random = Random::new(seed("uploads"));
    let (device, receiver) = acquainted(Journal::Delete);
    let met: Arc<Mutex<HashMap<&str, u64>>> = Arc::default();
    let count = met.clone();
    let line = FaultyLine::to(&receiver.url, move |seen| {
        let Some(kind) = kind(seen) else {
            return Fault::None;
        };
        let mut met = count.lock().unwrap();
        let nth = met.entry(kind).or_insert(0);
        *nth += 1;
        // The first three of each kind break in each way, the others now and then.
        match (*nth).min(3 + random.between(1, 9)) {
            1 => Fault::RequestAfter(random.between(0, 300)),
            2 => Fault::RequestAfter(300 + random.between(0, seen.body_bytes + 300)),
            3 => Fault::AnswerAfter(random.between(0, 300)),
            4 if random.between(0, 2) == 0 => Fault::RequestAfter(random.between(0, seen.body_bytes + 400)),
            4 => Fault::AnswerAfter(random.between(0, 300)),
            _ => Fault::None,
        }
    });
    for nth in 0..4 {
        // Each before the others, so that it is sent first.
        let id = device.clip_at(&format!("2020-01-01T00:00:0{}", 9 - nth), 4, 1, &video(nth, 3_000_000));
        another_than_what_is_there(&device, &receiver, id, &video(nth + 100, 3_000_000));
    }
    for nth in 0..30 {
        device.clip(&video(nth, [40_000, 900_000, 1_700_000][nth as usize % 3]));
    }
    let service = Service::of(&device, &line.url, "continuous")
        .env("SYNC_INTERVAL_MINUTES", "0.01")
        .start();
    eventually("all clips are at the server", || unsent(&device) == 0);
    service.stop().exits_with_words(0);
    assert_receiver_holds_everything(&device, &receiver);
    assert_eq!(receiver.files(), (34, 0), "{:?}", receiver.incoming());
    let met = met.lock().unwrap();
    assert!(met.len() == 4 && met.values().all(|count| *count > 3), "{met:?}");
}

/// Either side loses its power, as often as `SYNC_TEST_KILLS` says (20 by default).
#[test]
fn power_cuts_of_either_side_among_batches_and_uploads_lose_and_double_nothing() {
    let kills = std::env::var("SYNC_TEST_KILLS").map_or(20, |text| text.parse().expect("SYNC_TEST_KILLS is a number"));
    let mut random = Random::new(seed("kills"));
    let (device, mut receiver) = acquainted(Journal::Delete);
    let recorder = Recorder::start(&device, Journal::Delete, Duration::from_millis(5));
    let mut clips = 0;
    for nth in 0..kills {
        device.events(40);
        for bytes in [30_000, 200_000, 1_500_000] {
            clips += 1;
            device.clip(&video(clips, bytes));
        }
        let before = unsent(&device);
        let service = Service::of(&device, &receiver.url, "continuous")
            .env("SYNC_INTERVAL_MINUTES", "0.01")
            .start();
        eventually("rows arrive", || unsent(&device) < before);
        std::thread::sleep(Duration::from_micros(random.between(0, 60_000)));
        if nth % 2 == 0 {
            service.kill();
        } else {
            receiver.cut_power();
            let before = unsent(&device);
            eventually("rows arrive again", || unsent(&device) < before.max(1));
            service.kill();
        }
    }
    let day = recorder.stop();
    assert!(day.failed.is_empty(), "{day:?}");
    assert_eq!(Service::of(&device, &receiver.url, "once").run().code(), Some(0));
    assert_receiver_holds_everything(&device, &receiver);
    // What a cut left half-way is nobody's after the next start.
    receiver.cut_power();
    assert_eq!(receiver.files(), (clips as usize, 0), "{:?}", receiver.incoming());
    receiver.stop();
}

#[test]
fn a_raw_clip_keeps_to_the_rate() {
    let (device, receiver) = acquainted(Journal::Delete);
    assert_rate(4_000.0, 1_000.0, |rate| {
        device.clip(&video(1, 4_000_000));
        let once = Service::of(&device, &receiver.url, "once");
        once.env("SYNC_MAX_RATE_KBPS", rate).run().exits(0);
    });
    assert_receiver_holds_everything(&device, &receiver);
    receiver.stop();
}

#[test]
fn where_clips_wait_nothing_is_asked_of_an_upload() {
    let (device, receiver) = acquainted(Journal::Delete);
    let requests: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = requests.clone();
    let line = FaultyLine::to(&receiver.url, move |request| {
        seen.lock()
            .unwrap()
            .push(format!("{} {}", request.method, request.path));
        Fault::None
    });
    device.clip(&video(1, 2_000_000));
    device.clip(&video(2, 2_000));
    device.events(2);
    Service::of(&device, &line.url, "once")
        .env("SYNC_MAX_RATE_KBPS", now_and_else("0", "off"))
        .run()
        .exits(1);
    let requests = requests.lock().unwrap();
    assert!(
        requests.iter().all(|request| !request.contains("media")),
        "{requests:?}"
    );
    assert_eq!(unsent(&device), 2);
    receiver.stop();
}

#[test]
fn a_stop_in_the_middle_of_an_upload_is_quick_and_costs_nothing() {
    let (device, receiver) = acquainted(Journal::Delete);
    device.clip(&video(1, 6_000_000));
    let line = CutLine::to(&receiver.url, u64::MAX);
    for part in [1, 2, 3] {
        let service = Service::of(&device, &line.url, "continuous")
            .env("SYNC_MAX_RATE_KBPS", "1500")
            .start();
        eventually("another part of the clip is across", || {
            line.passed() > part * 1_200_000
        });
        let asked = Instant::now();
        service.stop().exits(0);
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
    Service::of(&device, &line.url, "once").run().exits(0);
    assert_receiver_holds_everything(&device, &receiver);
    assert!(line.passed() < 6_500_000, "{}", line.passed());
    receiver.stop();
}

/// A server that takes part of a request and then nothing, or all of it and does not answer: 2 s are promised, and the work
/// itself ends, without the last resort that leaves it where it is (that one says so).
#[test]
fn a_stop_while_the_server_stalls_in_an_upload_is_quick_and_costs_nothing() {
    for (stalled, after) in [
        ("creation or question", 100),
        ("creation or question", u64::MAX),
        ("creation with its body", 300_000),
        ("creation with its body", u64::MAX),
        ("continuation", 100),
        ("continuation", 500_000),
        ("continuation", u64::MAX),
        ("end", u64::MAX),
    ] {
        let (device, receiver) = acquainted(Journal::Delete);
        let short = stalled == "creation with its body";
        // By its answer the server is known at this line, too.
        device.event();
        let clip = device.clip_at(
            "2025-12-18T17:30:00",
            4,
            1,
            &video(1, if short { 900_000 } else { 20_000_000 }),
        );
        if stalled == "end" {
            another_than_what_is_there(&device, &receiver, clip, &video(2, 20_000_000));
        }
        let met = Arc::new(AtomicBool::new(false));
        let seen = met.clone();
        let line = FaultyLine::to(&receiver.url, move |request| {
            if kind(request) != Some(stalled) || seen.swap(true, Ordering::SeqCst) {
                return Fault::None;
            }
            Fault::StallAfter(after)
        });
        let service = Service::of(&device, &line.url, "continuous").start();
        eventually(&format!("a {stalled} stalls"), || met.load(Ordering::SeqCst));
        // What the line still takes fills its buffers.
        std::thread::sleep(Duration::from_millis(300));
        let asked = Instant::now();
        service.stop().exits(0);
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(2), "{stalled} after {after}: {took:?}");
        Service::of(&device, &receiver.url, "once").run().exits(0);
        assert_receiver_holds_everything(&device, &receiver);
        assert_eq!(
            receiver.files(),
            (1, 0),
            "{stalled} after {after}: {:?}",
            receiver.incoming()
        );
        receiver.stop();
    }
}

#[test]
fn an_upload_at_a_low_rate_gives_signs_of_life_all_along() {
    let (device, receiver) = acquainted(Journal::Delete);
    let path = device.folder().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    // Short and long: 5 s each.
    device.clip(&video(1, 100_000));
    device.clip(&video(2, 1_100_000));
    for rate in ["20", "220"] {
        let before = unsent(&device);
        let service = Service::of(&device, &receiver.url, "continuous")
            .env("NOTIFY_SOCKET", &path)
            .env("SYNC_MAX_RATE_KBPS", rate)
            .start();
        // Systemd's limit is far longer; a sign comes each second, and none is missed while the clip is on its way.
        let mut buffer = [0; 4_096];
        while unsent(&device) == before {
            socket.recv(&mut buffer).expect("a sign of life");
        }
        drop(service);
    }
    receiver.stop();
}

#[test]
fn the_recorder_never_waits_for_an_upload() {
    for journal in [Journal::Delete, Journal::Wal] {
        let (device, receiver) = acquainted(journal);
        device.big_clip(100_000_000);
        for nth in 0..20 {
            device.clip(&video(nth, 500_000));
        }
        for tries in 1.. {
            let recorder = Recorder::start(&device, journal, Duration::from_millis(20));
            Service::of(&device, &receiver.url, "once")
                .run_within(Duration::from_secs(300))
                .exits(0);
            recorder.goes_on(3);
            let day = recorder.stop();
            // A busy machine takes the processor away now and then; what the program does, it does each time.
            if tries == 3 || !day.failed.is_empty() || day.is_undisturbed() {
                day.assert_undisturbed("an upload");
                break;
            }
            device.sql("DELETE FROM sync_tracking");
        }
        receiver.stop();
    }
}

#[test]
fn a_clip_gets_across_a_bad_line_behind_a_proxy_that_takes_requests_whole() {
    let (device, receiver) = acquainted(Journal::Delete);
    device.clip(&video(1, 4_000_000));
    // Of a request that breaks nothing comes through, and each connection carries one of 256 KB.
    let proxy = BufferingProxy::to(&receiver.url, u64::MAX);
    let line = CutLine::to(&proxy.url, 300_000);
    let run = Service::of(&device, &line.url, "once").run();
    assert_eq!(run.code(), Some(0), "{run}");
    assert_receiver_holds_everything(&device, &receiver);
    receiver.stop();
}

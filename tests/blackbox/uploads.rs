//! Clips that go on after a break, to a server that names it: nothing that arrived is sent again.

use std::time::Duration;

use crate::both::assert_receiver_holds_everything;
use crate::support::lines::{BufferingProxy, CutLine};
use crate::support::random::{Random, longer, seed, video};
use crate::support::receiver::Receiver;
use crate::support::service::PATIENCE;
use crate::support::{Act, Backend, Device, Journal, Layout, Recorder, Service, eventually};

const UPLOADS: &str = "/api/media/uploads";

/// A device with an event, by whose answer the uploader knows the server, and a clip.
fn device_with(clip_bytes: usize) -> Device {
    let device = Device::new();
    device.event();
    device.clip(&video(7, clip_bytes));
    device
}

fn paths(backend: &Backend) -> Vec<String> {
    backend.received().into_iter().map(|request| request.path).collect()
}

#[test]
fn on_a_line_that_is_cut_every_300_kb_nothing_that_arrived_is_sent_again() {
    const CLIP: usize = 20_000_000;
    let (device, receiver) = (device_with(CLIP), Receiver::start());
    let line = CutLine::to(&receiver.url, 300_000);
    let run = Service::of(&device, &line.url, "once").run();
    assert_eq!(run.code(), Some(0), "{run}");
    assert_receiver_holds_everything(&device, &receiver);
    assert!(line.connections() > CLIP / 300_000, "{}", line.connections());
    let most = CLIP as u64 * 105 / 100;
    assert!(line.passed() <= most, "{} of at most {most} bytes", line.passed());
    receiver.stop();
}

#[test]
fn on_a_line_that_is_cut_every_300_kb_the_card_is_not_read_again_at_each_cut() {
    const CLIP: u64 = 20_000_000;
    let no_indexes = "DROP INDEX idx_media_date; DROP INDEX idx_media_capteur; DROP INDEX idx_media_camera";
    for (journal, pace_ms, sql, most) in [
        (Journal::Delete, None, "", CLIP * 5 / 2),
        // Once more at the end, to be sure that it is one clip.
        (Journal::Delete, Some(200), "", CLIP * 5),
        (Journal::Wal, Some(200), "", CLIP * 5),
        // What is behind the video is found by reading through it: to put it in order, and to send it.
        (Journal::Delete, None, no_indexes, CLIP * 7),
    ] {
        let (device, receiver) = (Device::with(Layout::Current, journal), Receiver::start());
        device.sql(sql);
        device.event();
        device.clip(&video(7, CLIP as usize));
        let line = CutLine::to(&receiver.url, 300_000);
        let recorder = pace_ms.map(|pace| Recorder::start(&device, journal, Duration::from_millis(pace)));
        let mut service = Service::of(&device, &line.url, "continuous").start();
        service.prints("Médias échoués");
        let read = service.read_bytes();
        service.stop().exits(0);
        println!("read {read} bytes in {} parts, {journal:?}", line.connections());
        assert!(line.connections() as u64 > CLIP / 300_000, "{}", line.connections());
        assert!(read >= CLIP && read <= most, "{read} bytes read, {journal:?}");
        drop(recorder.map(Recorder::stop));
        Service::of(&device, &receiver.url, "once").run().exits(0);
        assert_receiver_holds_everything(&device, &receiver);
        receiver.stop();
    }
}

#[test]
fn a_clip_that_changes_between_two_parts_is_never_mixed() {
    // Far from the row's beginning, and in place: only the whole shows it.
    let in_place =
        "UPDATE media SET video = CAST(substr(video, 1, 200000) || randomblob(1000) || substr(video, 201001) AS BLOB)";
    let whole = "UPDATE media SET video = randomblob(length(video))";
    for journal in [Journal::Delete, Journal::Wal] {
        for change in [in_place, whole] {
            let (device, receiver) = (Device::with(Layout::Current, journal), Receiver::start());
            device.event();
            device.clip(&video(7, 8_000_000));
            let line = CutLine::to(&receiver.url, 300_000);
            let service = Service::of(&device, &line.url, "once")
                .env("SYNC_MAX_RATE_KBPS", "4000")
                .start();
            eventually("half of the clip is across", || line.passed() > 4_000_000);
            device.sql(change);
            let sent: i64 = device.value("SELECT count(*) FROM sync_tracking WHERE table_name = 'media'");
            assert_eq!(sent, 0, "it was all across before it changed");
            service.wait_within(PATIENCE).exits(0);
            assert_receiver_holds_everything(&device, &receiver);
            assert!(line.passed() > 12_000_000, "it began anew: {}", line.passed());
            assert_eq!(receiver.files(), (1, 0), "{change}");
            receiver.stop();
        }
    }
}

/// Sends a clip of 6 MB, and kills the uploader when half of it is across; returns the bytes that passed.
fn killed_half_way(device: &Device, line: &CutLine) {
    let service = Service::of(device, &line.url, "once")
        .env("SYNC_MAX_RATE_KBPS", "1500")
        .start();
    eventually("half of the clip is across", || line.passed() > 3_000_000);
    service.kill();
}

#[test]
fn a_killed_uploader_goes_on_where_it_was() {
    let (device, receiver) = (device_with(6_000_000), Receiver::start());
    let line = CutLine::to(&receiver.url, u64::MAX);
    killed_half_way(&device, &line);
    Service::of(&device, &line.url, "once").run().exits(0);
    assert_receiver_holds_everything(&device, &receiver);
    assert!(line.passed() < 6_500_000, "{}", line.passed());
    receiver.stop();
}

#[test]
fn a_clip_that_was_edited_in_between_arrives_as_it_is_now() {
    for edited in [6_000_000, 5_000_000, 2_000_000] {
        let (device, receiver) = (device_with(6_000_000), Receiver::start());
        let line = CutLine::to(&receiver.url, u64::MAX);
        killed_half_way(&device, &line);
        let changed = device.db().execute("UPDATE media SET video = ?1", [video(8, edited)]);
        assert_eq!(changed, Ok(1));
        Service::of(&device, &line.url, "once").run().exits(0);
        assert_receiver_holds_everything(&device, &receiver);
        assert_eq!(receiver.files(), (1, 0), "{edited}");
        receiver.stop();
    }
}

/// Whatever the receiver is at with the broken request when the next one throws away what is there.
#[test]
fn nothing_is_left_of_a_clip_that_began_anew() {
    let mut random = Random::new(seed("begun anew"));
    let receiver = Receiver::start();
    let device = device_with(2_000_000);
    Service::of(&device, &receiver.url, "once").run().exits(0);
    for round in 1..=20 * longer() as usize {
        device.clip(&video(7, 2_000_000));
        let line = CutLine::to(&receiver.url, random.between(1_000, 1_990_000));
        let service = Service::of(&device, &line.url, "once")
            .env("SYNC_MAX_RATE_KBPS", "20000")
            .start();
        eventually("some of the clip is across", || {
            line.passed() > 50_000 || line.connections() > 2
        });
        service.kill();
        let length = [2_000_000, 1_500_000, 500][random.between(0, 3) as usize];
        let newest = "id_media = (SELECT max(id_media) FROM media)";
        let edit = format!("UPDATE media SET video = ?1 WHERE {newest}");
        assert_eq!(device.db().execute(&edit, [video(round as u64, length)]), Ok(1));
        Service::of(&device, &receiver.url, "once").run().exits(0);
        assert_eq!(receiver.files(), (round + 1, 0), "{:?}", receiver.incoming());
    }
    receiver.stop();
}

#[test]
fn a_clip_gets_across_behind_a_proxy_that_refuses_long_bodies() {
    let (device, receiver) = (device_with(20_000_000), Receiver::start());
    let proxy = BufferingProxy::to(&receiver.url, 1 << 20);
    let run = Service::of(&device, &proxy.url, "once").run();
    assert_eq!(run.code(), Some(0), "{run}");
    assert_receiver_holds_everything(&device, &receiver);
    assert_eq!(proxy.refused(), 2, "whole, and in pieces of 8 MB; never again");
    receiver.stop();
}

#[test]
fn what_a_server_names_and_does_not_take_goes_the_plain_way_in_the_same_pass() {
    for status in [404, 405, 501] {
        let (device, backend) = (device_with(2_000_000), Backend::start());
        device.clip(&video(9, 3_000_000));
        backend.script(move |request| {
            let act = if request.path.starts_with(UPLOADS) {
                Act::status(status, "{}")
            } else {
                Act::created()
            };
            act.header("Sync-Extensions", "uploads")
        });
        Service::once(&device, &backend).run().exits(0);
        assert_eq!(
            paths(&backend),
            ["/api/evenements", UPLOADS, "/api/media", "/api/media"],
            "{status}"
        );
        assert_eq!(backend.stored_count(), 3);
    }
}

/// While a server restarts, the proxy before it answers in its place, and names nothing.
#[test]
fn what_a_proxy_answers_for_a_server_that_is_away_changes_no_way() {
    for status in [429, 502, 503, 504] {
        let (device, backend) = (device_with(2_000_000), Backend::start());
        let mut asked = 0;
        backend.script(move |request| {
            asked += usize::from(request.path.starts_with(UPLOADS));
            match asked {
                1 | 2 if request.path.starts_with(UPLOADS) => Act::status(status, "<html></html>"),
                3 if request.path.starts_with(UPLOADS) => Act::status(501, "{}"),
                _ => Act::created(),
            }
            .header("Sync-Extensions", if matches!(asked, 1 | 2) { "" } else { "uploads" })
        });
        Service::once(&device, &backend).run().exits(0);
        assert_eq!(
            paths(&backend),
            ["/api/evenements", UPLOADS, UPLOADS, UPLOADS, "/api/media"],
            "{status}"
        );
        assert_eq!(backend.stored_count(), 2, "{status}");
    }
}

#[test]
fn a_server_that_does_not_name_uploads_is_sent_none() {
    for named in ["", "batch", "time-travel"] {
        let (device, backend) = (device_with(2_000_000), Backend::start());
        backend.always(
            Act::created()
                .header("Sync-Extensions", named)
                .header("Tus-Resumable", "1.0.0"),
        );
        Service::once(&device, &backend).run().exits(0);
        assert_eq!(paths(&backend), ["/api/evenements", "/api/media"], "{named:?}");
    }
}

#[test]
fn a_new_clip_is_one_request_with_its_bytes_as_they_are() {
    let (device, backend) = (device_with(700_000), Backend::start());
    device.clip(&video(9, 3_000_000));
    backend.script(|request| {
        let act = if request.path == UPLOADS {
            Act::status(201, r#"{"id":7}"#)
        } else {
            Act::created()
        };
        act.header("Sync-Extensions", "uploads")
    });
    Service::once(&device, &backend).run().exits(0);
    let received = backend.received();
    assert_eq!(paths(&backend), ["/api/evenements", UPLOADS, UPLOADS]);
    for (request, length) in received[1..].iter().zip([700_000, 3_000_000]) {
        assert_eq!(request.wire_len, length);
        assert_eq!(request.header("upload-length"), Some(length.to_string().as_str()));
        assert_eq!(request.header("tus-resumable"), Some("1.0.0"));
        assert_eq!(request.header("content-encoding"), None);
        assert_eq!(request.header("expect").is_some(), length > 1 << 20);
        assert!(request.key().is_some() && request.header("upload-metadata").is_some());
    }
}

/// A library is loaded into this machine's own program.
mod native {
    use super::*;
    use crate::support::preloaded;

    /// Most of a long clip has arrived; the recorder wrote meanwhile, so that all of the row is read once more before its end
    /// may leave, for longer than the server waits for bytes.
    #[test]
    fn a_row_that_is_read_once_more_keeps_no_request_waiting() {
        let device = Device::new();
        device.clip(&video(7, 40_000_000));
        let receiver = Receiver::with(&[("RECEIVER_STALL_SECONDS", "2")]);
        let library = preloaded(device.folder(), "cold_card.c");
        let recorder = Recorder::start(&device, Journal::Delete, Duration::from_millis(50));
        recorder.goes_on(5);
        let run = Service::of(&device, &receiver.url, "once")
            .env("LD_PRELOAD", library)
            .env("COLD_KBPS", "8000")
            .env("COLD_KEEP_PAGES", "512")
            .run();
        recorder.stop();
        let sent = device.tracked("media", 1).unwrap();
        assert_eq!(sent.status, "success", "{run}");
        receiver.stop();
    }
}

//! What uploader and server agree on before video bytes travel: compression and `Expect: 100-continue`.

use std::time::Duration;

use crate::support::{Act, Backend, Device, Expect, Service, assert_everything_arrived_once};

/// How the clips were coded on the wire, in order.
fn codings(backend: &Backend) -> Vec<String> {
    let clips = backend.received_for("media");
    clips
        .iter()
        .map(|request| request.header("content-encoding").unwrap_or("plain").to_owned())
        .collect()
}

fn with_clips(sizes: &[usize]) -> (Device, Backend) {
    let (device, backend) = (Device::new(), Backend::start());
    for &size in sizes {
        device.big_clip(size);
    }
    (device, backend)
}

#[test]
fn clips_are_plain_until_the_server_names_what_it_takes() {
    for (offer, second) in [
        ("gzip, zstd", "zstd"),
        ("zstd, gzip", "zstd"),
        ("gzip", "gzip"),
        ("gzip;q=1.0, zstd;q=0", "gzip"),
        ("identity", "plain"),
        ("br, deflate", "plain"),
        ("", "plain"),
    ] {
        let (device, backend) = with_clips(&[300_000, 300_000]);
        backend.always(Act::created().header("Accept-Encoding", offer));
        Service::once(&device, &backend).run().exits(0);
        assert_eq!(codings(&backend), ["plain", second], "{offer:?}");
        assert_everything_arrived_once(&device, &backend);
    }
}

#[test]
fn an_events_answer_can_name_it_too() {
    let (device, backend) = with_clips(&[300_000]);
    device.event();
    backend.always(Act::created().header("Accept-Encoding", "zstd"));
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(codings(&backend), ["zstd"]);
}

#[test]
fn a_coding_that_is_set_is_used_from_the_first_clip() {
    for (set, used) in [("gzip", "gzip"), ("zstd", "zstd"), ("none", "plain")] {
        let (device, backend) = with_clips(&[300_000, 0, 1, 2_000_000]);
        backend.always(Act::created().header("Accept-Encoding", "gzip, zstd"));
        Service::once(&device, &backend)
            .env("SYNC_COMPRESSION", set)
            .run()
            .exits(0);
        assert_eq!(codings(&backend), [used; 4]);
        assert_everything_arrived_once(&device, &backend);
    }
}

#[test]
fn compressed_video_costs_hardly_more_than_its_own_bytes() {
    for (coding, most) in [("gzip", 1.01), ("zstd", 1.001)] {
        let (device, backend) = with_clips(&[4_000_000]);
        Service::once(&device, &backend)
            .env("SYNC_COMPRESSION", coding)
            .run()
            .exits(0);
        let cost = backend.received()[0].wire_len as f64 / 4_000_000.0;
        println!("{coding}: {cost} bytes a byte");
        assert!(
            cost <= most,
            "{coding}: {cost} bytes on the wire for each of the clip's"
        );
        assert_everything_arrived_once(&device, &backend);
    }
}

#[test]
fn a_server_that_refuses_a_coding_gets_plain_clips_from_then_on() {
    for set in ["auto", "gzip", "zstd"] {
        let (device, backend) = with_clips(&[200_000, 200_000, 1_500_000]);
        device.event();
        backend.script(|request| match request.header("content-encoding") {
            Some(_) => Act::status(415, "coding?").header("Accept-Encoding", "gzip, zstd"),
            None => Act::created().header("Accept-Encoding", "gzip, zstd"),
        });
        Service::once(&device, &backend)
            .env("SYNC_COMPRESSION", set)
            .run()
            .exits(0);
        let codings = codings(&backend);
        assert_ne!(codings[0], "plain", "{set}");
        assert_eq!(codings[1..], ["plain", "plain", "plain"], "{set}");
        assert_everything_arrived_once(&device, &backend);
    }
}

#[test]
fn only_a_large_body_asks_first() {
    let (device, backend) = with_clips(&[700_000, 900_000, 3_000_000]);
    device.event();
    Service::once(&device, &backend).run().exits(0);
    for request in backend.received() {
        let expected = (request.body.len() > 1 << 20 || request.wire_len > 1 << 20).then_some("100-continue");
        assert_eq!(request.header("expect"), expected, "{} bytes", request.wire_len);
    }
}

#[test]
fn a_server_that_refuses_at_once_has_received_no_video() {
    for status in [401, 413, 503] {
        let (device, backend) = with_clips(&[3_000_000]);
        backend.always(Act::status(status, "non").expect(Expect::AnswerFirst));
        let run = Service::once(&device, &backend).run().exits(1);
        for request in backend.received() {
            assert_eq!(request.wire_len, 0, "{status}: {run}");
        }
        let error = device.tracked("media", 1).unwrap().error.unwrap();
        assert!(error.contains(&status.to_string()), "{error}");
        backend.works();
        Service::once(&device, &backend).run().exits(0);
        assert_everything_arrived_once(&device, &backend);
    }
}

#[test]
fn a_server_that_accepts_at_once_without_reading_is_believed() {
    // A repeated key is answered before the body is read: a repeat costs no video bytes.
    let (device, backend) = with_clips(&[3_000_000]);
    let repeat = Act::status(201, r#"{"id":50001}"#).expect(Expect::AnswerFirst);
    backend.acts([Act::reset_after_storing(), repeat]);
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(backend.received()[1].wire_len, 0);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn a_server_that_ignores_the_question_costs_a_second_once() {
    let (device, backend) = with_clips(&[1_200_000; 4]);
    backend.always(Act::created().expect(Expect::Ignore));
    let run = Service::once(&device, &backend).run().exits(0);
    assert_everything_arrived_once(&device, &backend);
    let times: Vec<_> = backend.received().iter().map(|request| request.at.unwrap()).collect();
    // From the second on nobody waits: three waits more would be three seconds more.
    let rest = times[3].duration_since(times[1]);
    assert!(rest < Duration::from_millis(1_900), "{rest:?} for two clips\n{run}");
}

#[test]
fn a_server_slow_to_answer_the_question_is_not_a_failure() {
    // It takes nothing for longer than the question is waited for, then all of it.
    let (device, backend) = with_clips(&[12_000_000]);
    backend.always(
        Act::created()
            .expect(Expect::Ignore)
            .reading_after(Duration::from_secs(3)),
    );
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(backend.received().len(), 1);
    assert_everything_arrived_once(&device, &backend);
}

/// Sends two clips that ask to a server that can't deal with that; gives what it was asked.
fn asked_in_vain(act: impl Fn() -> Act + Send + 'static) -> Vec<bool> {
    let (device, backend) = with_clips(&[1_200_000, 1_300_000]);
    backend.script(move |request| match request.header("expect") {
        Some(_) => act(),
        None => Act::created(),
    });
    let run = Service::once(&device, &backend).run().exits(0);
    assert!(run.took < Duration::from_secs(10), "it waited for a timeout\n{run}");
    assert_everything_arrived_once(&device, &backend);
    let keys: Vec<_> = backend
        .received()
        .iter()
        .map(|request| request.key().map(str::to_owned))
        .collect();
    assert_eq!(keys[0], keys[1], "the same row again");
    backend
        .received()
        .iter()
        .map(|request| request.header("expect").is_some())
        .collect()
}

#[test]
fn a_continue_with_header_fields_holds_no_clip_up() {
    let asked = asked_in_vain(|| Act::created().expect(Expect::ContinueWithFields));
    assert_eq!(asked, [true, false, false], "sent again at once, and remembered");
}

#[test]
fn a_server_that_refuses_the_question_gets_clips_without_it() {
    let asked = asked_in_vain(|| Act::status(417, "no expectations").expect(Expect::AnswerFirst));
    assert_eq!(asked, [true, false, false]);
}

#[test]
fn an_unreadable_answer_to_the_question_is_no_answer_to_the_clip() {
    let asked = asked_in_vain(|| Act::raw(b"what?\r\n\r\n").expect(Expect::AnswerFirst));
    assert_eq!(asked, [true, false, false]);
}

#[test]
fn a_row_that_gets_a_417_without_having_asked_is_refused_like_any_other() {
    let (device, backend) = with_clips(&[300_000]);
    backend.always(Act::status(417, "no"));
    Service::once(&device, &backend).run().exits(1);
    assert_eq!(backend.received().len(), 1);
}

//! A server that was never heard of is asked what it has before the first long clip, once; whatever it answers, the clip goes.

use std::time::{Duration, Instant};

use crate::both::assert_receiver_holds_everything;
use crate::support::lines::CutLine;
use crate::support::random::video;
use crate::support::receiver::Receiver;
use crate::support::sessions::TappedLine;
use crate::support::{Act, Backend, Device, Service, assert_everything_arrived_once};

const UPLOADS: &str = "/api/media/uploads";
const LONG: usize = 1_500_000;

/// A device whose first row is a long clip.
fn device() -> Device {
    let device = Device::new();
    device.clip(&video(3, LONG));
    device
}

/// A server that meets the question with `answer`, and anything else as servers in the field do.
fn answering(answer: Act) -> Backend {
    let backend = Backend::start();
    backend.answers_questions();
    backend.script(move |request| match request.method.as_str() {
        "OPTIONS" => answer.clone(),
        _ => Act::created(),
    });
    backend
}

fn requests(backend: &Backend) -> Vec<String> {
    let line = |request: crate::support::backend::Received| format!("{} {}", request.method, request.path);
    backend.received().into_iter().map(line).collect()
}

#[test]
fn the_first_long_clip_to_a_receiver_goes_on_after_breaks() {
    let (device, receiver) = (Device::new(), Receiver::start());
    device.clip(&video(3, 6_000_000));
    let line = CutLine::to(&receiver.url, 300_000);
    let run = Service::of(&device, &line.url, "once").run();
    assert_eq!(run.code(), Some(0), "{run}");
    assert_receiver_holds_everything(&device, &receiver);
    assert!(line.passed() <= 6_300_000, "{}", line.passed());
    receiver.stop();
}

#[test]
fn a_server_that_knows_no_such_question_gets_the_clip_at_once_and_is_asked_once() {
    for answer in [
        Act::status(404, "<h1>Not Found</h1>"),
        Act::status(405, ""),
        Act::status(501, ""),
        Act::status(200, "<html>portal</html>"),
        Act::status(204, "")
            .header("Tus-Resumable", "1.0.0")
            .header("Tus-Extension", "creation"),
        Act::status(302, "").header("Location", "http://127.0.0.1:1/"),
        Act::status(401, "no"),
        Act::status(500, "no").closing(),
        Act::status(503, "no").header("Retry-After", "30"),
        Act::status(204, "")
            .header("Sync-Extensions", "time-travel")
            .header("Accept-Encoding", "zstd"),
    ] {
        let (device, backend) = (device(), answering(answer));
        let run = Service::once(&device, &backend).run().exits(0);
        assert_eq!(
            requests(&backend),
            [format!("OPTIONS {UPLOADS}"), "POST /api/media".to_owned()]
        );
        assert_eq!(backend.received()[1].header("content-encoding"), None);
        assert!(run.took < Duration::from_secs(10), "{run}");
        assert!(run.stdout.contains("║  Médias échoués          :   0"), "{run}");
        // Nor by a later process, nor though nothing but clips goes there.
        device.clip(&video(4, LONG));
        Service::once(&device, &backend).run().exits(0);
        assert_eq!(requests(&backend)[2..], ["POST /api/media"]);
        assert_everything_arrived_once(&device, &backend);
    }
}

#[test]
fn a_server_that_does_not_answer_the_question_gets_the_clip_after_a_moment() {
    let never = Duration::from_secs(30);
    for answer in [
        Act::status(204, "").after(never),
        Act::reset_before_reading(),
        Act::raw(b"SSH-2.0-nonsense\r\n"),
        Act::raw(b""),
    ] {
        let (device, backend) = (device(), answering(answer));
        let begun = Instant::now();
        Service::once(&device, &backend).run().exits(0);
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
        assert_eq!(
            requests(&backend),
            [format!("OPTIONS {UPLOADS}"), "POST /api/media".to_owned()]
        );
        assert_eq!(
            device.value::<i64>("SELECT count(*) FROM sync_retry"),
            0,
            "a failed try"
        );
        assert_everything_arrived_once(&device, &backend);
    }
}

#[test]
fn nobody_is_asked_before_short_rows_or_after_any_answer() {
    let (device, backend) = (Device::new(), Backend::start());
    device.clip(&video(3, 1 << 20));
    Service::once(&device, &backend).run().exits(0);
    device.clip(&video(4, LONG));
    Service::once(&device, &backend).run().exits(0);
    let another = Device::new();
    another.event();
    another.clip(&video(4, LONG));
    Service::once(&another, &backend).run().exits(0);
    assert_eq!(backend.questions(), 0);
    assert_eq!(backend.stored_count(), 4);
}

#[test]
fn a_server_that_is_not_there_is_asked_when_it_is() {
    let (device, backend) = (device(), Backend::refusing());
    let run = Service::once(&device, &backend).run().exits(1);
    assert!(run.stdout.contains("Serveur inaccessible"), "{run}");
    assert_eq!(device.value::<String>("SELECT reason FROM sync_retry"), "backend");
    backend.listen_again();
    Service::once(&device, &backend).run().exits(0);
    assert_eq!((backend.questions(), backend.stored_count()), (1, 1));
}

#[test]
fn the_question_carries_the_token_and_no_more_than_others_do() {
    let (device, backend) = (device(), Backend::start());
    let line = TappedLine::to(&backend.url());
    Service::of(&device, &line.url, "once")
        .env("BACKEND_TOKEN", "s3cret")
        .run()
        .exits(0);
    let said = line.transcript();
    let question: Vec<&str> = said.lines().take_while(|line| !line.starts_with("POST")).collect();
    assert_eq!(
        question,
        [
            "=== connection 1",
            "OPTIONS /api/media/uploads HTTP/1.1\\r\\n",
            "user-agent: sync-service/{VERSION}\\r\\n",
            "accept: application/json\\r\\n",
            "host: {SERVER}\\r\\n",
            "authorization: Bearer s3cret\\r\\n",
            "\\r\\n",
            "",
        ]
    );
    assert!(!said.contains("=== connection 2"), "over the same connection:\n{said}");
}

//! Whatever a network and a server can do wrong, each alone and mixed at random: afterwards every row is at the
//! server exactly once.

use std::time::Duration;

use crate::support::random::{Random, longer, seed, video};
use crate::support::{
    Act, Backend, Device, Expect, Journal, Layout, Recorder, Service, assert_everything_arrived_once,
};

/// Everything that can go wrong with one request.
fn every_fault() -> Vec<Act> {
    let ms = Duration::from_millis;
    let mut faults = vec![
        Act::reset_before_reading(),
        Act::reset_while_reading(1),
        Act::reset_while_reading(60_000),
        Act::reset_unstored(),
        Act::reset_after_storing(),
        Act::goes_away_for(ms(300)),
        Act::cut_answer_after(0),
        Act::cut_answer_after(9),
        Act::cut_answer_after(40),
        Act::cut_answer_after(110),
        Act::raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
        Act::raw(b"HTTP/1.1 \xff\xfe\r\n\r\n"),
        Act::raw(&[b'x'; 300_000]),
        Act::raw(b"HTTP/1.1 201 Created\r\nContent-Length: 99999999999999999999\r\n\r\n{\"id\":1}"),
        Act::raw(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        Act::raw(b"HTTP/1.1 503 no\r\nContent-Length: 0\r\nRetry-After: soon\r\n\r\n"),
        Act::stored_but_says("{}"),
        Act::stored_but_says("{\"id\":"),
        Act::stored_but_says("<html>201 Created</html>"),
        Act::stored_but_says(""),
        Act::status(201, "{\"message\":\"not stored\"}"),
        Act::created().closing(),
        Act::created().after(ms(300)),
        Act::created().reading_after(ms(300)),
        Act::created().slowly(2_000_000),
        Act::created().expect(Expect::Ignore),
        Act::status(503, "busy").expect(Expect::AnswerFirst),
        Act::status(503, "busy").header("Retry-After", "0"),
        Act::status(429, "slow down").header("Retry-After", "Thu, 01 Jan 1970 00:00:00 GMT"),
        Act::status(409, "{\"message\":\"no id here\"}"),
        Act::status(415, "plain, please"),
        Act::status(301, "").header("Location", "/elsewhere"),
        Act::status(100, ""),
        Act::status(204, ""),
        Act::status(502, "bad gateway").storing(),
        Act::status(504, "too late").storing(),
        Act::status(500, "stored, but").storing(),
    ];
    let statuses = [400, 401, 403, 404, 405, 408, 413, 418, 422, 425, 500, 502, 504, 599];
    faults.extend(statuses.map(|status| Act::status(status, "non")));
    faults
}

/// Runs until a run has nothing left to do.
fn run_until_done(device: &Device, backend: &Backend, at_most: usize) {
    let mut last = None;
    for _ in 0..at_most {
        let run = Service::once(device, backend).run();
        match run.code() {
            Some(0) => return,
            Some(1) => last = Some(run),
            _ => panic!("{run}"),
        }
    }
    panic!("not done after {at_most} runs: {}", last.unwrap());
}

#[test]
fn each_fault_alone_loses_and_doubles_nothing() {
    let faults = every_fault();
    std::thread::scope(|scope| {
        for faults in faults.chunks(6) {
            scope.spawn(move || {
                for fault in faults {
                    println!("{fault:?}");
                    let (device, backend) = (Device::new(), Backend::start());
                    device.events(3);
                    device.clip(&video(1, 100_000));
                    device.clip(&video(2, 1_500_000));
                    // The second event and both clips meet it.
                    let (mut events, mut clips) = (0, 0);
                    let fault = fault.clone();
                    backend.script(move |request| {
                        let count = if request.table() == "media" {
                            &mut clips
                        } else {
                            &mut events
                        };
                        *count += 1;
                        let faulty = if request.table() == "media" { [1, 3] } else { [2, 2] };
                        if faulty.contains(count) {
                            fault.clone()
                        } else {
                            Act::created()
                        }
                    });
                    run_until_done(&device, &backend, 6);
                    assert_everything_arrived_once(&device, &backend);
                }
            });
        }
    });
}

/// A day of `faults` faults among the requests, with rows of every kind and a recorder at work.
fn mixed(seed: u64, layout: Layout, journal: Journal, faults: u64) {
    let mut random = Random::new(seed);
    let (device, backend) = (Device::with(layout, journal), Backend::start());
    for _ in 0..30 {
        device.event();
        if random.between(0, 4) == 0 {
            let len = [0, 10, 5_000, 70_000, 1_200_000][random.between(0, 5) as usize];
            device.clip(&video(random.next(), len));
        }
    }
    let recorder = Recorder::start(&device, journal, Duration::from_millis(200));
    let all = every_fault();
    let mut left = faults;
    backend.script(move |_| {
        if left == 0 || random.between(0, 100) >= 40 {
            return Act::created().header("Accept-Encoding", "zstd, gzip");
        }
        left -= 1;
        all[random.between(0, all.len() as u64) as usize].clone()
    });
    for _ in 0..faults {
        if Service::once(&device, &backend).run().code() == Some(0) {
            break;
        }
    }
    let day = recorder.stop();
    assert!(day.failed.is_empty(), "{day:?}");
    backend.works();
    run_until_done(&device, &backend, 3);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn faults_mixed_at_random_lose_and_double_nothing() {
    let seed = seed("faults");
    std::thread::scope(|scope| {
        for (lane, (layout, journal)) in [
            (Layout::Current, Journal::Delete),
            (Layout::Current, Journal::Wal),
            (Layout::Older, Journal::Delete),
            (Layout::Older, Journal::Wal),
        ]
        .into_iter()
        .enumerate()
        {
            scope.spawn(move || mixed(seed + lane as u64, layout, journal, 40 * longer()));
        }
    });
}

#[test]
fn a_running_service_comes_through_faults_by_itself() {
    let mut random = Random::new(seed("running"));
    let (device, backend) = (Device::new(), Backend::start());
    device.events(20);
    device.clip(&video(1, 1_300_000));
    // Those after which a row is due again at the next pass; a refused one waits for its hour.
    let passing = [
        Act::reset_before_reading(),
        Act::reset_after_storing(),
        Act::goes_away_for(Duration::from_millis(500)),
        Act::status(503, "busy"),
        Act::status(401, "token?"),
        Act::cut_answer_after(9),
    ];
    let mut left = 12 * longer();
    backend.script(move |_| {
        if left == 0 || random.between(0, 2) == 0 {
            return Act::created();
        }
        left -= 1;
        passing[random.between(0, 6) as usize].clone()
    });
    let mut service = Service::continuous(&device, &backend)
        .env("SYNC_INTERVAL_MINUTES", "0.01")
        .start();
    service.prints("Média 1 →");
    service.stop().exits_with_words(0);
    Service::once(&device, &backend).run().exits(0);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn a_server_without_idempotency_gets_each_row_once_when_nothing_breaks() {
    let (device, backend) = (Device::new(), Backend::without_idempotency());
    device.events(20);
    device.clip(&video(1, 1_300_000));
    // Faults before a row is stored are no reason for a second copy.
    backend.acts([
        Act::status(503, "busy"),
        Act::reset_before_reading(),
        Act::created(),
        Act::status(400, "no"),
        Act::reset_while_reading(5),
    ]);
    run_until_done(&device, &backend, 3);
    assert_everything_arrived_once(&device, &backend);
}

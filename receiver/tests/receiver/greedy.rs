//! Clients that hold on to what others need: by not reading, not writing, or being many.

use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::{Duration, Instant, SystemTime};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use tempfile::TempDir;

use crate::live::Stream;
use crate::support::{Answer, Client, Receiver, clip, event, noise, post, program, wait_until};

const READY: &str = "GET /ready HTTP/1.1\r\nHost: receiver\r\n\r\n";
const NOWHERE: &str = "GET /nowhere HTTP/1.1\r\nHost: receiver\r\n\r\n";

/// Sends requests until no more are taken, and reads no answer.
fn pipeline(receiver: &Receiver) -> Client {
    let mut client = receiver.client();
    client.write_within(Duration::from_millis(300));
    let many = NOWHERE.repeat(1_000);
    while client.try_send(&many) {}
    client
}

/// A client at another address of this machine.
fn from_address(receiver: &Receiver, address: Ipv4Addr) -> Client {
    let to: SocketAddrV4 = receiver.address.parse().unwrap();
    let from = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&from, &SocketAddrV4::new(address, 0)).unwrap();
    connect(&from, &to).unwrap();
    Client::on(TcpStream::from(from))
}

/// Asks for the readiness, which must be told within a second. A machine that is busy with other tests may be late once, a
/// receiver that waits for its clients is late each time.
fn readiness(receiver: &Receiver) -> u16 {
    let mut took = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        let status = receiver.ask(READY).status;
        if start.elapsed() < Duration::from_secs(1) {
            return status;
        }
        took.push(start.elapsed());
    }
    panic!("{took:?}");
}

fn half_a_clip(receiver: &Receiver, client: &mut Client) -> Vec<u8> {
    let request = post("/api/media", "", clip(&noise(100_000, 1)));
    let (first, rest) = request.split_at(request.len() / 2);
    let before = receiver.files().1.len();
    client.send(first);
    wait_until("the clip has begun", || receiver.files().1.len() > before);
    rest.to_vec()
}

#[test]
fn one_that_pipelines_and_never_reads_is_given_up() {
    let receiver = Receiver::with(&[("RECEIVER_STALL_SECONDS", "1")]);
    let mut client = pipeline(&receiver);
    // Nobody reads here either: that the other side is gone shows when writing.
    let end = Instant::now() + Duration::from_secs(20);
    while !client.is_broken() {
        assert!(Instant::now() < end, "still connected");
        std::thread::sleep(Duration::from_millis(10));
    }
    let peak = receiver.peak_kb();
    assert!(peak <= 20 << 10, "peak {peak} KB");
}

#[test]
fn those_that_pipeline_and_never_read_take_no_place_from_others() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_REQUESTS", "1")]);
    let _greedy: Vec<_> = (0..4).map(|_| pipeline(&receiver)).collect();
    assert_eq!(readiness(&receiver), 200);
    assert_eq!(receiver.ask(post("/api/evenements", "", event())).status, 201);
}

#[test]
fn silent_connections_make_room_for_others() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_REQUESTS", "2"), ("RECEIVER_MAX_CONNECTIONS", "260")]);
    let mut used = receiver.client();
    assert_eq!(used.ask(post("/api/evenements", "", event())).status, 201);
    let mut clips = [receiver.client(), receiver.client()];
    let rests = clips.each_mut().map(|client| half_a_clip(&receiver, client));
    // More than there may be.
    let _silent: Vec<_> = (0..400).map(|_| receiver.client()).collect();
    assert_eq!(readiness(&receiver), 200);
    // Not in the middle of a request.
    for (client, rest) in clips.iter_mut().zip(rests) {
        assert_eq!(client.ask(rest).status, 201);
    }
    assert_eq!(receiver.ask(post("/api/evenements", "", event())).status, 201);
}

#[test]
fn silent_connections_of_one_address_take_none_from_another() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_REQUESTS", "2"), ("RECEIVER_MAX_CONNECTIONS", "260")]);
    let mut other = from_address(&receiver, Ipv4Addr::new(127, 0, 0, 2));
    assert_eq!(other.ask(post("/api/evenements", "", event())).status, 201);
    let _silent: Vec<_> = (0..400).map(|_| receiver.client()).collect();
    assert_eq!(readiness(&receiver), 200);
    // Idle for longer than any of those.
    assert_eq!(other.ask(post("/api/evenements", "", event())).status, 201);
}

#[test]
fn headers_that_drip_are_given_up_and_an_idle_connection_is_not() {
    let receiver = Receiver::with(&[("RECEIVER_STALL_SECONDS", "1")]);
    let mut idle = receiver.client();
    assert_eq!(idle.ask(READY).status, 200);
    let (mut first, mut second) = (receiver.client(), receiver.client());
    assert_eq!(second.ask(READY).status, 200);
    let start = Instant::now();
    for client in [&mut first, &mut second] {
        client.send("GET /ready HTTP/1.1\r\nX: ");
    }
    let mut clients = vec![first, second];
    while !clients.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(10), "still connected");
        clients.retain_mut(|client| client.try_send("x") && !client.is_broken());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(idle.ask(READY).status, 200);
}

#[test]
fn a_silent_connection_is_given_up_before_its_first_request() {
    let receiver = Receiver::with(&[("RECEIVER_STALL_SECONDS", "1")]);
    let start = Instant::now();
    assert!(receiver.client().is_closed());
    assert!((1..10).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[test]
fn an_address_has_no_more_places_than_it_may() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_REQUESTS", "4"), ("RECEIVER_MAX_PER_PEER", "1")]);
    let mut busy = receiver.client();
    let rest = half_a_clip(&receiver, &mut busy);
    let mut waits = receiver.client();
    waits.send(post("/api/evenements", "", event()));
    let mut other = from_address(&receiver, Ipv4Addr::new(127, 0, 0, 2));
    assert_eq!(other.ask(post("/api/evenements", "", event())).status, 201);
    assert!(!waits.has_answer());
    let answer = waits.answer();
    assert_eq!(answer.status, 429);
    assert!((5..=15).contains(&come_again_s(&answer)), "{answer:?}");
    // The connection is as good as before.
    assert_eq!(busy.ask(rest).status, 201);
    assert_eq!(waits.ask(post("/api/evenements", "", event())).status, 201);
}

#[test]
fn when_all_places_are_taken_one_waits_and_the_next_comes_again_later() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_REQUESTS", "1")]);
    let mut busy = receiver.client();
    let rest = half_a_clip(&receiver, &mut busy);
    let (mut waits, mut next) = (receiver.client(), receiver.client());
    waits.send(post("/api/evenements", "", event()));
    next.send(post("/api/evenements", "", event()));
    let start = Instant::now();
    // Whichever of the two came second is refused at once.
    wait_until("one is refused", || waits.has_answer() || next.has_answer());
    assert!(start.elapsed() < Duration::from_secs(4));
    assert_eq!(readiness(&receiver), 200);
    for client in [&mut waits, &mut next] {
        let answer = client.answer();
        assert_eq!(answer.status, 503);
        assert!((5..=15).contains(&come_again_s(&answer)), "{answer:?}");
    }
    assert_eq!(busy.ask(rest).status, 201);
    assert_eq!(receiver.ask(post("/api/evenements", "", event())).status, 201);
}

fn come_again_s(answer: &Answer) -> u32 {
    answer.header("retry-after").unwrap().parse().unwrap()
}

#[test]
fn where_requests_are_served_fast_a_longer_line_waits() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_REQUESTS", "1")]);
    let mut fast = receiver.client();
    let start = Instant::now();
    // Long enough for the pace to be known; more than a hundred a second on any machine.
    while start.elapsed() < Duration::from_secs(1) {
        let answer = fast.ask("OPTIONS /api/media/uploads HTTP/1.1\r\nHost: receiver\r\n\r\n");
        assert_eq!(answer.status, 204);
    }
    let mut busy = receiver.client();
    let rest = half_a_clip(&receiver, &mut busy);
    let mut waits: Vec<Client> = (0..20).map(|_| receiver.client()).collect();
    for client in &mut waits {
        client.send(post("/api/evenements", "", event()));
    }
    wait_until("all of them wait", || {
        let metrics = receiver.ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        metrics.body.contains("\nreceiver_requests_waiting 20\n")
    });
    assert_eq!(busy.ask(rest).status, 201);
    for mut client in waits {
        assert_eq!(client.answer().status, 201);
    }
}

#[test]
fn where_no_connection_is_idle_the_next_is_told_to_come_again_at_once() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_CONNECTIONS", "2")]);
    let mut clips = [receiver.client(), receiver.client()];
    let rests = clips.each_mut().map(|client| half_a_clip(&receiver, client));
    for _ in 0..3 {
        let start = Instant::now();
        // Before it has asked for anything.
        let mut refused = receiver.client();
        let answer = refused.answer();
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("10")));
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        // A device would forget what an answer does not name.
        let served = answer.header("sync-extensions");
        assert_eq!(served, Some("batch, uploads, status"));
        assert!(!answer.error().is_empty() && refused.is_closed());
    }
    for (client, rest) in clips.iter_mut().zip(rests) {
        assert_eq!(client.ask(rest).status, 201);
    }
    // Both are idle now.
    assert_eq!(receiver.ask(post("/api/evenements", "", event())).status, 201);
}

/// More than both sockets hold.
const VIDEO_BYTES: usize = 24 << 20;

/// Begins to read a clip.
fn half_a_video(receiver: &Receiver) -> Client {
    let id = receiver.ask(post("/api/media", "", clip(&noise(VIDEO_BYTES, 3)))).id();
    let mut client = receiver.client();
    client.send(format!(
        "GET /api/media/{id}/video HTTP/1.1\r\nHost: {}\r\n\r\n",
        receiver.address
    ));
    let status = client.line();
    assert!(status.contains("200"), "{status}");
    while !client.line().is_empty() {}
    client
}

#[test]
fn a_live_stream_and_a_video_that_is_read_keep_their_places_while_idle_ones_make_room() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_CONNECTIONS", "4")]);
    let mut stream = Stream::open(&receiver, "", "");
    let mut video = half_a_video(&receiver);
    assert_eq!(stream.next().0, "media");
    let mut idle = Vec::new();
    for number in 1..=6 {
        let mut newcomer = receiver.client();
        assert_eq!(newcomer.ask(post("/api/evenements", "", event())).status, 201);
        idle.push(newcomer);
        assert_eq!(stream.next(), ("evenement".into(), number));
    }
    // Six came, and there were two places.
    for ended in &mut idle[..4] {
        assert!(ended.is_over());
    }
    let mut got = 0;
    while got < VIDEO_BYTES {
        got += video.some(1 << 20).expect("the whole video");
    }
    // Its place is free again.
    assert_eq!(video.ask(READY).status, 200);
}

#[test]
fn where_every_place_is_a_stream_the_next_is_told_to_come_again_until_one_ends() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_CONNECTIONS", "2")]);
    let mut stays = Stream::open(&receiver, "", "");
    let ends = Stream::open(&receiver, "", "");
    assert_eq!(receiver.client().answer().status, 503);
    drop(ends);
    let stored = || {
        let mut client = receiver.client();
        client.try_send(post("/api/evenements", "", event())) && client.answer().status == 201
    };
    wait_until("there is a place", stored);
    assert_eq!(stays.next().0, "evenement");
}

#[test]
fn those_that_read_no_short_answer_make_room_for_others() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_CONNECTIONS", "2")]);
    let _greedy: Vec<_> = (0..2).map(|_| pipeline(&receiver)).collect();
    assert_eq!(readiness(&receiver), 200);
}

#[test]
fn one_that_takes_nothing_of_a_video_does_not_keep_its_place() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_CONNECTIONS", "1"), ("RECEIVER_STALL_SECONDS", "1")]);
    let _greedy = half_a_video(&receiver);
    assert_eq!(receiver.client().answer().status, 503);
    let is_ready = || {
        let mut client = receiver.client();
        client.try_send(READY) && client.answer().status == 200
    };
    wait_until("its place is free", is_ready);
}

#[test]
fn few_file_descriptors_are_told_and_enough() {
    let mut command = std::process::Command::new("sh");
    command.env_clear().arg("-c").arg(format!(
        "ulimit -n 64; exec {}",
        program().get_program().to_str().unwrap()
    ));
    command.env("RECEIVER_MAX_REQUESTS", "8");
    let mut receiver = Receiver::run(TempDir::new().unwrap(), command);
    let _silent: Vec<_> = (0..100).map(|_| receiver.client()).collect();
    assert_eq!(readiness(&receiver), 200);
    assert_eq!(receiver.ask(post("/api/media", "", clip(b"hello"))).status, 201);
    receiver.signal(rustix::process::Signal::TERM);
    receiver.wait(Duration::from_secs(2));
    let errors = receiver.errors();
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(
        errors.contains("64 open files") && errors.contains("32 connections"),
        "{errors}"
    );
}

#[test]
fn readiness_is_told_within_a_second_while_somebody_holds_the_database() {
    let receiver = Receiver::start();
    let database = receiver.database();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut waiting = receiver.client();
    waiting.send(post("/api/evenements", "", event()));
    assert_eq!(readiness(&receiver), 503);
    assert_eq!(waiting.answer().status, 503);
    database.execute_batch("ROLLBACK").unwrap();
    assert_eq!(readiness(&receiver), 200);
}

#[test]
fn readiness_writes_nothing() {
    let receiver = Receiver::start();
    assert_eq!(receiver.ask(post("/api/media", "", clip(b"hello"))).status, 201);
    let written = || -> Vec<(std::path::PathBuf, SystemTime)> {
        let entries = std::fs::read_dir(receiver.path()).unwrap();
        let mut times: Vec<_> = entries
            .map(|entry| entry.unwrap())
            // A lock is taken there, in memory.
            .filter(|entry| entry.file_name() != "receiver.db-shm")
            .map(|entry| (entry.path(), entry.metadata().unwrap().modified().unwrap()))
            .collect();
        times.sort();
        times
    };
    wait_until("the clip is settled", || receiver.files().1.is_empty());
    let before = written();
    assert!(before.len() >= 4, "{before:?}");
    let mut client = receiver.client();
    for _ in 0..50 {
        assert_eq!(client.ask(READY).status, 200);
    }
    assert_eq!(written(), before);
}

//! One key, one clip, whichever way it comes.

use super::{holds_one, on_their_way};
use crate::support::tus::{begin, creation, digest, metadata, metadata_of, offset, patch, place, request, told};
use crate::support::{Receiver, clip, noise, post};

const KEY: &str = "Idempotency-Key: \"a-key\"\r\n";

#[test]
fn a_repeated_creation_says_what_is_there() {
    let receiver = Receiver::start();
    let video = noise(400_000, 1);
    let first = receiver.ask(creation(video.len(), KEY, b""));
    let path = place(&first);
    assert_eq!(
        (offset(&first), first.header("repr-digest")),
        (0, Some(digest(b"").as_str()))
    );
    assert_eq!(receiver.ask(patch(&path, 0, "", &video[..150_000])).status, 204);
    let again = receiver.ask(creation(video.len(), KEY, b""));
    assert_eq!((place(&again), offset(&again)), (path.clone(), 150_000));
    assert_eq!(again.header("repr-digest"), Some(digest(&video[..150_000]).as_str()));
    assert!(again.header("upload-expires").is_some());
    // Also by one that knows nothing but the folder.
    let receiver = Receiver::on(receiver.kill(), &[]);
    let again = receiver.ask(creation(video.len(), KEY, b""));
    assert_eq!(again.header("repr-digest"), Some(digest(&video[..150_000]).as_str()));
    assert_eq!(receiver.ask(patch(&path, 150_000, "", &video[150_000..])).status, 204);
    let done = receiver.ask(creation(video.len(), KEY, b""));
    assert_eq!((done.id(), done.header("upload-offset")), (1, None));
    holds_one(&receiver, &video);
}

#[test]
fn a_body_that_comes_along_is_not_taken_a_second_time() {
    let receiver = Receiver::start();
    let video = noise(9 << 20, 2);
    let path = place(&receiver.ask(creation(video.len(), KEY, &video[..1_000])));
    let headers = format!("Upload-Length: {}\r\n{}{KEY}", video.len(), metadata());
    // Who asks first is not told to go on.
    let mut client = receiver.client();
    let asks = format!("{headers}Expect: 100-continue\r\n");
    let answer = client.ask(begin("POST", "/api/media/uploads", &asks, video.len()));
    assert_eq!((place(&answer), offset(&answer)), (path.clone(), 1_000));
    assert!(client.is_closed());
    // Who doesn't has its answer before the body, and may send all of it.
    let mut client = receiver.client();
    let answer = client.ask(begin("POST", "/api/media/uploads", &headers, video.len()));
    assert_eq!((answer.status, offset(&answer)), (201, 1_000));
    assert_eq!(
        receiver
            .ask(request("POST", "/api/media/uploads", &headers, &video))
            .status,
        201
    );
    assert_eq!(told(&receiver, &path), 1_000);
    assert_eq!(receiver.ask(patch(&path, 1_000, "", &video[1_000..])).status, 204);
    let answer = receiver.ask(request("POST", "/api/media/uploads", &headers, &video));
    assert_eq!(answer.id(), 1);
    holds_one(&receiver, &video);
}

#[test]
fn other_metadata_or_another_length_begin_anew() {
    let receiver = Receiver::start();
    let path = place(&receiver.ask(creation(500, KEY, b"beginning")));
    let shorter = receiver.ask(creation(400, KEY, b""));
    assert_eq!((place(&shorter), offset(&shorter)), (path.clone(), 0));
    assert_eq!(receiver.files().1.len(), 0);
    assert_eq!(receiver.ask(patch(&path, 0, "", b"abc")).status, 204);
    let edited = metadata_of(
        r#"{"date":null,"capteur":{"id":7,"nom":null},"numero_camera":2,"device_id":"raspberry-1","source":"x"}"#,
    );
    let headers = format!("Upload-Length: 400\r\n{edited}{KEY}");
    let video = noise(400, 3);
    let answer = receiver.ask(request("POST", "/api/media/uploads", &headers, &video));
    assert_eq!(answer.id(), 1);
    assert!(answer.body.contains(r#""date":null,"capteur_id":7"#), "{}", answer.body);
    holds_one(&receiver, &video);
    // Stored, the first answer stands.
    let again = receiver.ask(creation(999, KEY, b""));
    assert_eq!(again.id(), 1);
    assert!(again.body.contains(r#""capteur_id":7"#), "{}", again.body);
}

#[test]
fn the_plain_way_and_this_one_share_their_keys() {
    let receiver = Receiver::start();
    assert_eq!(receiver.ask(post("/api/media", KEY, clip(b"plain"))).id(), 1);
    assert_eq!(receiver.ask(creation(5, KEY, b"again")).id(), 1);
    assert_eq!(receiver.count("upload"), 0);
    let other = "Idempotency-Key: b\r\n";
    assert_eq!(receiver.ask(creation(5, other, b"first")).id(), 2);
    assert_eq!(receiver.ask(post("/api/media", other, clip(b"again"))).id(), 2);
    // While one is on its way, the other may be faster.
    let third = "Idempotency-Key: c\r\n";
    let path = place(&receiver.ask(creation(10, third, b"half ")));
    assert_eq!(receiver.ask(post("/api/media", third, clip(b"all of it"))).id(), 3);
    assert_eq!(receiver.ask(patch(&path, 5, "", b"of it")).status, 204);
    assert_eq!(receiver.ask(creation(10, third, b"")).id(), 3);
    assert_eq!(receiver.count("media"), 3);
    assert_eq!((receiver.files().0.len(), receiver.files().1), (3, vec![]));
    assert_eq!(on_their_way(&receiver.database()), 0);
}

#[test]
fn a_row_that_was_deleted_can_be_sent_again() {
    let receiver = Receiver::start();
    assert_eq!(receiver.ask(creation(5, KEY, b"first")).id(), 1);
    receiver.database().execute("DELETE FROM media", []).unwrap();
    assert_eq!(receiver.ask(creation(5, KEY, b"again")).id(), 2);
}

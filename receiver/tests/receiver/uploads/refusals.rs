//! What is wrong is said before a byte of it is read.

use std::io::Write;

use tempfile::NamedTempFile;

use super::{holds_one, on_their_way};
use crate::support::tus::{UPLOADS, begin, creation, look, metadata, metadata_of, offset, patch, place, request, told};
use crate::support::{Receiver, noise};

#[test]
fn a_creation_that_is_not_right_makes_nothing() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_CLIP_MB", "1")]);
    let good = metadata();
    let broken = "Upload-Metadata: media !!!\r\n";
    let twice = format!("{}, media e30=\r\n", good.trim_end());
    let json = |json: &str| metadata_of(json);
    for (headers, status, named) in [
        (good.clone(), 400, "upload-length"),
        (format!("Upload-Defer-Length: 1\r\n{good}"), 400, "upload-length"),
        (format!("Upload-Length: -1\r\n{good}"), 400, "upload-length"),
        (format!("Upload-Length: +1\r\n{good}"), 400, "upload-length"),
        (format!("Upload-Length: 1000001\r\n{good}"), 413, "video_data"),
        (
            format!("Upload-Length: 99999999999999999999\r\n{good}"),
            400,
            "upload-length",
        ),
        ("Upload-Length: 5\r\n".to_string(), 400, "upload-metadata"),
        (
            "Upload-Length: 5\r\nUpload-Metadata: filename eA==\r\n".to_string(),
            400,
            "upload-metadata",
        ),
        (format!("Upload-Length: 5\r\n{broken}"), 400, "upload-metadata"),
        (format!("Upload-Length: 5\r\n{twice}"), 400, "upload-metadata"),
        (format!("Upload-Length: 5\r\n{}", json("{")), 400, "JSON"),
        (format!("Upload-Length: 5\r\n{}", json("{}")), 400, "capteur"),
        (format!("Upload-Length: 5\r\n{}", json(&"[".repeat(9_000))), 400, "JSON"),
        (
            format!("Upload-Length: 5\r\n{good}Idempotency-Key: \r\n"),
            400,
            "Idempotency-Key",
        ),
    ] {
        let answer = receiver.ask(begin("POST", UPLOADS, &headers, 0));
        assert_eq!(answer.status, status, "{headers}");
        assert!(answer.error().starts_with(named), "{headers}: {}", answer.error());
        assert_eq!(answer.header("tus-resumable"), Some("1.0.0"));
    }
    let long = format!("Upload-Length: 5\r\nUpload-Metadata: x {}\r\n", "A".repeat(70_000));
    assert_eq!(receiver.ask(begin("POST", UPLOADS, &long, 0)).status, 413);
    // Longer than it says; packed; of another type.
    let five = format!("Upload-Length: 5\r\n{good}");
    assert_eq!(receiver.ask(request("POST", UPLOADS, &five, b"123456")).status, 413);
    let packed = format!("{five}Content-Encoding: gzip\r\n");
    assert_eq!(receiver.ask(request("POST", UPLOADS, &packed, b"12345")).status, 415);
    let typed = begin("POST", UPLOADS, &five, 5).replace("offset+octet", "octet");
    assert_eq!(receiver.ask(format!("{typed}12345")).status, 415);
    assert!(receiver.holds_nothing());
    assert_eq!(receiver.count("upload"), 0);
}

#[test]
fn another_version_is_412_with_ours() {
    let receiver = Receiver::start();
    let path = place(&receiver.ask(creation(5, "", b"")));
    for (method, path) in [("POST", UPLOADS), ("PATCH", &path), ("DELETE", &path)] {
        for version in ["", "Tus-Resumable: 0.2.2\r\n"] {
            let request = begin(method, path, "", 0).replace("Tus-Resumable: 1.0.0\r\n", version);
            let answer = receiver.ask(request);
            assert_eq!((answer.status, answer.header("tus-version")), (412, Some("1.0.0")));
        }
    }
    assert_eq!(told(&receiver, &path), 0);
}

#[test]
fn a_patch_that_does_not_fit_changes_nothing() {
    let receiver = Receiver::start();
    let path = place(&receiver.ask(creation(10, "", b"12345")));
    let long = receiver.ask(patch(&path, 5, "", b"678901"));
    assert_eq!(long.status, 413);
    for at in [0, 4, 6, 10, 11] {
        let answer = receiver.ask(patch(&path, at, "", b"x"));
        assert_eq!(answer.status, 409, "{at}");
        assert!(answer.error().starts_with("upload-offset: 5"), "{}", answer.error());
        // And one that asks first sends none of it.
        let asks = format!("Upload-Offset: {at}\r\nExpect: 100-continue\r\n");
        assert_eq!(receiver.ask(begin("PATCH", &path, &asks, 1)).status, 409);
    }
    for headers in ["", "Upload-Offset: x\r\n", "Upload-Offset: -5\r\n"] {
        assert_eq!(receiver.ask(request("PATCH", &path, headers, b"x")).status, 400);
    }
    let packed = "Content-Encoding: zstd\r\n";
    assert_eq!(receiver.ask(patch(&path, 5, packed, b"x")).status, 415);
    let untyped = String::from_utf8(patch(&path, 5, "", b"x")).unwrap();
    let untyped = untyped.replace("application/offset+octet-stream", "application/json");
    assert_eq!(receiver.ask(untyped).status, 415);
    // Without a length it is found out on the way; what fits is kept.
    let chunked = format!(
        "PATCH {path} HTTP/1.1\r\nHost: receiver\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 5\r\n\
         Content-Type: application/offset+octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let answer = receiver.ask(format!("{chunked}9\r\n678901234\r\n0\r\n\r\n"));
    assert_eq!(answer.status, 413);
    assert_eq!(told(&receiver, &path), 5);
    assert_eq!(receiver.ask(format!("{chunked}5\r\n67890\r\n0\r\n\r\n")).status, 204);
    holds_one(&receiver, b"1234567890");
}

#[test]
fn an_upload_is_its_devices_own() {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "raspberry-1 secret-1\nback door\tsecret-2").unwrap();
    let tokens = file.path().to_str().unwrap();
    let receiver = Receiver::with(&[("RECEIVER_TOKENS_FILE", tokens)]);
    let (own, other) = (
        "Authorization: Bearer secret-1\r\n",
        "Authorization: Bearer secret-2\r\n",
    );
    assert_eq!(receiver.ask(creation(10, "", b"")).status, 401);
    assert_eq!(receiver.ask(creation(10, other, b"")).status, 403);
    let key = "Idempotency-Key: same\r\n";
    let created = receiver.ask(creation(10, &format!("{own}{key}"), b"12345"));
    let path = place(&created);
    assert_eq!(look(&receiver, &path, "").status, 401);
    assert_eq!(look(&receiver, &path, other).status, 404);
    assert_eq!(receiver.ask(patch(&path, 5, other, b"x")).status, 404);
    assert_eq!(receiver.ask(request("DELETE", &path, other, b"")).status, 404);
    // The same key of another device is another upload.
    let theirs = metadata_of(
        r#"{"date":null,"capteur":{"id":7,"nom":null},"numero_camera":2,"device_id":"back door","source":"x"}"#,
    );
    let headers = format!("Upload-Length: 3\r\n{theirs}{other}{key}");
    let answer = receiver.ask(request("POST", UPLOADS, &headers, b"abc"));
    assert_eq!(answer.id(), 1);
    assert_ne!(place(&answer), path);
    assert_eq!(offset(&look(&receiver, &path, own)), 5);
    assert_eq!(receiver.ask(patch(&path, 5, own, b"67890")).status, 204);
    assert_eq!(receiver.ask(creation(10, &format!("{own}{key}"), b"")).id(), 2);
    assert_eq!(on_their_way(&receiver.database()), 0);
}

#[test]
fn a_disk_that_is_full_keeps_what_it_has() {
    let mut command = std::process::Command::new("sh");
    let program = crate::support::program();
    command.env_clear().arg("-c").arg(format!(
        "trap '' XFSZ; ulimit -f 2000; exec {}",
        program.get_program().to_str().unwrap()
    ));
    let receiver = Receiver::run(tempfile::TempDir::new().unwrap(), command);
    let video = noise(2 << 20, 1);
    let path = place(&receiver.ask(creation(video.len(), "", &video[..1_000])));
    assert_eq!(receiver.ask(patch(&path, 1_000, "", &video[1_000..])).status, 503);
    let kept = told(&receiver, &path);
    assert!((1_000..=1_024_000).contains(&kept), "{kept}");
    let receiver = Receiver::on(receiver.kill(), &[]);
    assert_eq!(told(&receiver, &path), kept);
    assert_eq!(receiver.ask(patch(&path, kept, "", &video[kept..])).status, 204);
    holds_one(&receiver, &video);
}

//! A bucket behind TLS, with a certificate of an authority of the test's own.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{variable, video};
use crate::support::tls::Authority;
use crate::support::{Receiver, clip, noise, post, program, wait_until};

/// An S3 server of this test's own.
struct Server {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Server {
    fn start(authority: &Authority) -> Self {
        let folder = TempDir::new().unwrap();
        let [certificate, key] = authority.give("127.0.0.1", folder.path());
        let address = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let mut command = Command::new(variable("SYNC_TEST_S3_SERVER"));
        command.args(["-H", "127.0.0.1", "-p", &address.port().to_string()]);
        command.arg("-c").arg(certificate).arg("-k").arg(key);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.unwrap();
        wait_until("it listens", || std::net::TcpStream::connect(address).is_ok());
        Self {
            child,
            url: format!("https://{address}"),
            _folder: folder,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn clips_go_to_a_bucket_whose_authority_is_trusted_and_to_no_other() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::start(&authority);
    let (ca, other_ca) = (authority.file(), other.file());
    let settings = [
        ("RECEIVER_CLIPS_URL", "s3://private/clips"),
        ("AWS_ENDPOINT_URL", &server.url),
        ("AWS_ACCESS_KEY_ID", "fleet"),
        ("AWS_SECRET_ACCESS_KEY", "fleet"),
    ];
    let with = |variable, file| [&settings[..], &[(variable, file)]].concat();
    // Before there is a bucket: whoever is answered by S3 has made its way.
    for (variable, file, said) in [
        ("SSL_CERT_FILE", ca.as_str(), "there is no such bucket"),
        ("AWS_CA_BUNDLE", &ca, "there is no such bucket"),
        ("SSL_CERT_FILE", &other_ca, "certificate"),
        ("AWS_CA_BUNDLE", &other_ca, "certificate"),
    ] {
        let mut receiver = Receiver::with(&with(variable, file));
        let answer = receiver.ask(post("/api/media", "", clip(b"video")));
        assert_eq!(answer.status, 503, "{variable}: {answer:?}");
        receiver.signal(rustix::process::Signal::TERM);
        receiver.wait(std::time::Duration::from_secs(5));
        let errors = receiver.errors();
        assert!(errors.contains(said), "{variable}={file}: {errors}");
    }
    let create = Command::new("python3").args(["-c", CREATE, &server.url, &ca]).status();
    assert!(create.unwrap().success());
    let receiver = Receiver::with(&with("AWS_CA_BUNDLE", &ca));
    let bytes = noise(5_000_000, 1);
    assert_eq!(receiver.ask(post("/api/media", "", clip(&bytes))).id(), 1);
    assert!(video(&receiver, 1, "").1 == bytes);
    // A file that is none stops the start.
    let output = program()
        .envs(with("AWS_CA_BUNDLE", "/nowhere/ca.pem"))
        .env("RECEIVER_DATA", receiver.path().join("other"))
        .env("RECEIVER_LISTEN", &receiver.address)
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), error.lines().count()), (Some(2), 1), "{error}");
    assert!(error.contains("AWS_CA_BUNDLE=/nowhere/ca.pem"), "{error}");
}

const CREATE: &str = "
import ssl, sys, urllib.request
request = urllib.request.Request(sys.argv[1] + '/private', method='PUT')
urllib.request.urlopen(request, context=ssl.create_default_context(cafile=sys.argv[2]), timeout=20).close()
";

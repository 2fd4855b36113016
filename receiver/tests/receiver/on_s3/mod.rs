//! Clips in a bucket of a real S3 server, as `scripts/test-fleet.sh` starts one; its faults are made by a proxy of ours.

mod crash;
mod faults;
mod memory;
mod moving;
mod proxy;
mod retention;
mod tls;
mod together;
mod whole;

use tempfile::TempDir;

use crate::support::{Answer, Client, Receiver};
pub use proxy::{Fault, Proxy};

/// A place in the bucket of its own, and the way to it.
pub struct Bucket {
    folder: TempDir,
    /// The server's address, for who goes there without a proxy.
    server: String,
    pub proxy: Proxy,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name}; run scripts/test-fleet.sh"))
}

impl Bucket {
    pub fn new() -> Self {
        let server = variable("AWS_ENDPOINT_URL");
        let server = server.strip_prefix("http://").unwrap().to_string();
        Self {
            folder: TempDir::new().unwrap(),
            proxy: Proxy::start(&server),
            server,
        }
    }

    fn prefix(&self) -> String {
        let name = self.folder.path().file_name().unwrap();
        name.to_string_lossy().trim_start_matches('.').to_string()
    }

    /// What a receiver on it is told, through the proxy.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            (
                "RECEIVER_CLIPS_URL",
                format!("s3://{}/{}", variable("SYNC_TEST_S3"), self.prefix()),
            ),
            ("AWS_ENDPOINT_URL", format!("http://{}", self.proxy.address)),
            ("AWS_ACCESS_KEY_ID", variable("AWS_ACCESS_KEY_ID")),
            ("AWS_SECRET_ACCESS_KEY", variable("AWS_SECRET_ACCESS_KEY")),
        ]
    }

    pub fn receiver(&self, more: &[(&str, &str)]) -> Receiver {
        self.receiver_on(TempDir::new().unwrap(), more)
    }

    pub fn receiver_on(&self, folder: TempDir, more: &[(&str, &str)]) -> Receiver {
        let settings = self.settings();
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Receiver::on(folder, &[&settings, more].concat())
    }

    /// The sizes of all objects of videos, by their keys.
    pub fn objects(&self) -> Vec<(String, u64)> {
        let request = format!(
            "GET /{}?list-type=2&prefix={}/ HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            variable("SYNC_TEST_S3"),
            self.prefix(),
            self.server
        );
        // moto lists while others write, and may stumble over it.
        let mut answers = (0..10).map(|_| Client::new(&self.server).ask(&request));
        let answer = answers.find(|answer| answer.status == 200).expect("a listing");
        let between = |text: &str, name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>")).unwrap();
            rest.split_once('<').unwrap().0.to_string()
        };
        let contents = answer.body.split("<Contents>").skip(1);
        contents
            .map(|one| (between(one, "Key"), between(one, "Size").parse().unwrap()))
            .filter(|(key, _): &(String, u64)| !key.ends_with("/owner"))
            .collect()
    }

    /// What the object says that names the owner; moto looks at no signature.
    pub fn owner(&self) -> String {
        let request = format!(
            "GET /{}/{}/owner HTTP/1.1\r\nHost: {}\r\nAuthorization: AWS4-HMAC-SHA256 Credential=fleet/20260101/us-east-1/s3/aws4_request, \
             SignedHeaders=host, Signature=0\r\nConnection: close\r\n\r\n",
            variable("SYNC_TEST_S3"),
            self.prefix(),
            self.server
        );
        let answer = Client::new(&self.server).ask(&request);
        assert_eq!(answer.status, 200);
        answer.body.trim().to_string()
    }

    /// The names of the videos that there is something of.
    pub fn videos(&self) -> Vec<String> {
        let objects = self.objects();
        let mut names: Vec<_> = objects
            .iter()
            .map(|(key, _)| key.rsplit_once('/').unwrap().0.to_string())
            .collect();
        names.dedup();
        names
    }
}

/// A clip as a browser on the receiver's machine gets it.
pub fn video(receiver: &Receiver, id: i64, headers: &str) -> (Answer, Vec<u8>) {
    let mut client = receiver.client();
    client.send(format!(
        "GET /api/media/{id}/video HTTP/1.1\r\nHost: {}\r\n{headers}\r\n",
        receiver.address
    ));
    client.answer_with_bytes()
}

/// Asks again until there is an answer, other than 503, that is the last one, as a device does. A 503 must say when.
pub fn persist(mut ask: impl FnMut() -> Option<Answer>) -> Answer {
    for _ in 0..400 {
        match ask() {
            Some(answer) if answer.status == 503 => assert!(answer.header("retry-after").is_some(), "{answer:?}"),
            Some(answer) => return answer,
            None => {}
        }
    }
    panic!("503 for ever");
}

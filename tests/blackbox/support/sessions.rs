//! What a server gets to see of the uploader: every byte of every connection, as text that can be kept and compared.

use std::fmt::Write as _;
use std::io::{Read, Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::random::Fingerprint;

/// Longer bodies stand in the transcript by their length and fingerprint.
const SHOWN_BYTES: usize = 1_000;

/// A line to a server that keeps what the client says.
pub struct TappedLine {
    pub url: String,
    connections: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl TappedLine {
    pub fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let target = server.strip_prefix("http://").unwrap().to_owned();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let kept = connections.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let number = {
                    let mut all = kept.lock().unwrap();
                    all.push(Vec::new());
                    all.len() - 1
                };
                let (target, kept) = (target.clone(), kept.clone());
                // A connection ends when one of its ends does.
                std::thread::spawn(move || pass(client, &target, number, &kept));
            }
        });
        TappedLine { url, connections }
    }

    /// All that was said since the last call, connection by connection. What differs from run to run stands there by
    /// its name: the server's address and the program's version.
    pub fn transcript(&self) -> String {
        let host = self.url.trim_start_matches("http://");
        let mut text = String::new();
        for (number, bytes) in std::mem::take(&mut *self.connections.lock().unwrap())
            .iter()
            .enumerate()
        {
            writeln!(text, "=== connection {}", number + 1).unwrap();
            requests(bytes, &mut text);
        }
        text.replace(host, "{SERVER}").replace(
            concat!("sync-service/", env!("CARGO_PKG_VERSION")),
            "sync-service/{VERSION}",
        )
    }
}

fn pass(client: TcpStream, target: &str, number: usize, kept: &Mutex<Vec<Vec<u8>>>) -> std::io::Result<()> {
    let server = TcpStream::connect(target)?;
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || {
        let _ = copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let mut piece = vec![0; 64 << 10];
    loop {
        let count = (&client).read(&mut piece)?;
        if count == 0 {
            return server.shutdown(Shutdown::Write);
        }
        // Kept before it is passed on: whoever has the answer finds the request here.
        if let Some(connection) = kept.lock().unwrap().get_mut(number) {
            connection.extend_from_slice(&piece[..count]);
        }
        (&server).write_all(&piece[..count])?;
    }
}

/// Writes requests as they are, with the ends of lines made visible.
fn requests(mut bytes: &[u8], text: &mut String) {
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, rest) = bytes.split_at(end.expect("a whole head") + 4);
        let head = std::str::from_utf8(head).unwrap();
        text.push_str(&head.replace("\r\n", "\\r\\n\n"));
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
            .unwrap_or(0);
        // Less where the server did not want it.
        let (body, rest) = rest.split_at(rest.len().min(length));
        match std::str::from_utf8(body) {
            Ok(shown) if shown.len() <= SHOWN_BYTES => text.push_str(shown),
            _ => write!(text, "<{} bytes, {:016x}>", body.len(), Fingerprint::of(body)).unwrap(),
        }
        text.push('\n');
        bytes = rest;
    }
}

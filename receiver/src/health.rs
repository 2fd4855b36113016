//! `sync-receiver health`: for containers without a shell or curl.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use crate::config::Arguments;

const PATIENCE: Duration = Duration::from_secs(5);

/// Asks `GET /health` of the receiver at `url`, or at its own address.
#[must_use]
pub fn ask(url: Option<&str>, arguments: &Arguments) -> ExitCode {
    let address = url.map_or_else(
        // A server that listens everywhere is asked at home.
        || {
            arguments
                .listen
                .replace("0.0.0.0", "127.0.0.1")
                .replace("[::]", "[::1]")
        },
        |url| {
            url.trim_start_matches("http://")
                .split('/')
                .next()
                .unwrap_or_default()
                .to_string()
        },
    );
    match status(&address) {
        Ok(200) => {
            println!("healthy");
            ExitCode::SUCCESS
        }
        Ok(status) => {
            println!("unhealthy: HTTP {status}");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("unhealthy: {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn status(address: &str) -> std::io::Result<u16> {
    let nowhere = || std::io::Error::other("no such address");
    let target = address.to_socket_addrs()?.next().ok_or_else(nowhere)?;
    let mut stream = TcpStream::connect_timeout(&target, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut start = [0; 12];
    stream.read_exact(&mut start)?;
    std::str::from_utf8(&start[9..])
        .ok()
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| std::io::Error::other("not an HTTP answer"))
}

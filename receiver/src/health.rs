//! `sync-receiver health`: for containers without a shell or curl.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use crate::config::Arguments;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks `GET /ready` of the receiver at `url`, or at its own address.
#[must_use]
pub fn ask(url: Option<&str>, arguments: &Arguments) -> ExitCode {
    let address = match url {
        Some(url) => match host_of(url) {
            Some(address) => address,
            None => {
                eprintln!("sync-receiver: {url}: expected an address like http://127.0.0.1:8000");
                return ExitCode::from(2);
            }
        },
        None => match arguments.listen() {
            // A server that listens everywhere is asked at home.
            Ok(address) => address.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]"),
            Err(error) => {
                eprintln!("sync-receiver: {error}");
                return ExitCode::from(2);
            }
        },
    };
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

/// Host and port of an address with or without `http://`.
fn host_of(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let host = rest.split('/').next().filter(|host| !host.is_empty())?;
    let port = host.rsplit_once(':').map(|(_, port)| port.parse::<u16>().is_ok());
    match port {
        Some(false) => None,
        Some(true) => Some(host.to_string()),
        None => Some(format!("{host}:80")),
    }
}

fn status(address: &str) -> std::io::Result<u16> {
    let nowhere = || std::io::Error::other("no such address");
    let target = address.to_socket_addrs()?.next().ok_or_else(nowhere)?;
    let mut stream = TcpStream::connect_timeout(&target, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut start = [0; 12];
    stream.read_exact(&mut start)?;
    std::str::from_utf8(&start[9..])
        .ok()
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| std::io::Error::other("not an HTTP answer"))
}

//! Lines to a server that are as bad as real ones: cut every so many bytes, or with a proxy that refuses long bodies.

use std::io::{BufRead, BufReader, Read, Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A line to a server that passes so many bytes a connection, and is cut then.
pub struct CutLine {
    pub url: String,
    passed: Arc<AtomicU64>,
    connections: Arc<AtomicUsize>,
}

impl CutLine {
    pub fn to(server: &str, cut_after: u64) -> Self {
        let (listener, url) = listen();
        let target = address(server);
        let (passed, connections) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
        let (bytes, count) = (passed.clone(), connections.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let (target, bytes) = (target.clone(), bytes.clone());
                std::thread::spawn(move || pass(client, &target, cut_after, &bytes));
            }
        });
        CutLine {
            url,
            passed,
            connections,
        }
    }

    /// Bytes that came through to the server.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn pass(client: TcpStream, target: &str, cut_after: u64, passed: &AtomicU64) -> std::io::Result<()> {
    let server = TcpStream::connect(target)?;
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || {
        let _ = copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let mut left = cut_after;
    let mut piece = vec![0; 16 << 10];
    while left > 0 {
        let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = (&client).read(&mut piece[..most])?;
        if count == 0 {
            return server.shutdown(Shutdown::Write);
        }
        (&server).write_all(&piece[..count])?;
        passed.fetch_add(count as u64, Ordering::SeqCst);
        left -= count as u64;
    }
    client.shutdown(Shutdown::Both)?;
    server.shutdown(Shutdown::Write)
}

/// A proxy as nginx comes: it says `100 Continue` by itself, takes a body whole before it asks the server, and refuses
/// long ones.
pub struct BufferingProxy {
    pub url: String,
    refused: Arc<AtomicUsize>,
}

impl BufferingProxy {
    pub fn to(server: &str, longest: u64) -> Self {
        let (listener, url) = listen();
        let target = address(server);
        let refused = Arc::new(AtomicUsize::new(0));
        let count = refused.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (target, count) = (target.clone(), count.clone());
                std::thread::spawn(move || buffer(client, &target, longest, &count));
            }
        });
        BufferingProxy { url, refused }
    }

    /// Bodies that were too long.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }
}

fn buffer(client: TcpStream, target: &str, longest: u64, refused: &AtomicUsize) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut head, mut length, mut expects) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if lower.starts_with("expect:") {
            expects = true;
            continue;
        }
        if line == "\r\n" {
            break;
        }
        head += &line;
    }
    if length > longest {
        refused.fetch_add(1, Ordering::SeqCst);
        let page = "<html><head><title>413 Request Entity Too Large</title></head></html>";
        let answer = format!(
            "HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
            page.len()
        );
        (&client).write_all(answer.as_bytes())?;
        client.shutdown(Shutdown::Write)?;
        copy(&mut reader, &mut std::io::sink())?;
        return Ok(());
    }
    if expects {
        (&client).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut body = Vec::new();
    reader.by_ref().take(length).read_to_end(&mut body)?;
    if body.len() as u64 != length {
        return Ok(());
    }
    let mut server = TcpStream::connect(target)?;
    server.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
    server.write_all(&body)?;
    copy(&mut server, &mut &client)?;
    client.shutdown(Shutdown::Both)
}

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn address(url: &str) -> String {
    url.strip_prefix("http://").unwrap().to_owned()
}

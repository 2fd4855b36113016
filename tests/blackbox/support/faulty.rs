//! A line on which requests break off where a script says: in the middle of one, or of its answer.

use std::io::{BufRead, BufReader, Read, Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    None,
    /// So many bytes of it pass, head and body, then the line is cut.
    RequestAfter(u64),
    /// It passes, and so many bytes of its answer.
    AnswerAfter(u64),
    /// So many bytes of it pass, at most all but the last; then nobody reads on, nobody answers, and the line stays.
    StallAfter(u64),
}

/// A request as the script sees it.
pub struct Seen {
    pub method: String,
    pub path: String,
    pub body_bytes: u64,
}

type Script = Arc<Mutex<dyn FnMut(&Seen) -> Fault + Send>>;

pub struct FaultyLine {
    pub url: String,
}

impl FaultyLine {
    pub fn to(server: &str, script: impl FnMut(&Seen) -> Fault + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let target = server.strip_prefix("http://").unwrap().to_owned();
        let script: Script = Arc::new(Mutex::new(script));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (target, script) = (target.clone(), script.clone());
                // A connection ends when one of its ends does.
                std::thread::spawn(move || pass(client, &target, &script));
            }
        });
        FaultyLine { url }
    }
}

fn pass(client: TcpStream, target: &str, script: &Script) -> std::io::Result<()> {
    let server = TcpStream::connect(target)?;
    // How much of answers may still pass; no limit below zero.
    let left = Arc::new(AtomicI64::new(-1));
    let answers = (server.try_clone()?, client.try_clone()?, left.clone());
    std::thread::spawn(move || answer(answers.0, answers.1, &answers.2));
    let mut reader = BufReader::new(client.try_clone()?);
    let mut server = server;
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if reader.read_until(b'\n', &mut head)? == 0 {
                return server.shutdown(Shutdown::Write);
            }
        }
        let seen = seen(&String::from_utf8_lossy(&head));
        let fault = (script.lock().unwrap())(&seen);
        if let Fault::AnswerAfter(bytes) = fault {
            left.store(bytes as i64, Ordering::SeqCst);
        }
        let whole = head.len() as u64 + seen.body_bytes;
        let passes = match fault {
            Fault::RequestAfter(bytes) | Fault::StallAfter(bytes) => bytes.min(whole - 1),
            _ => whole,
        };
        let of_head = head.len().min(passes as usize);
        server.write_all(&head[..of_head])?;
        copy(&mut reader.by_ref().take(passes - of_head as u64), &mut server)?;
        if let Fault::StallAfter(_) = fault {
            loop {
                std::thread::park();
            }
        }
        if passes < whole {
            client.shutdown(Shutdown::Both)?;
            return server.shutdown(Shutdown::Write);
        }
    }
}

fn seen(head: &str) -> Seen {
    let mut words = head.split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let (method, path) = (word(), word());
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().unwrap())
    });
    Seen {
        method,
        path,
        body_bytes: length.unwrap_or(0),
    }
}

fn answer(mut server: TcpStream, mut client: TcpStream, left: &AtomicI64) -> std::io::Result<()> {
    let mut piece = [0; 4_096];
    loop {
        let count = server.read(&mut piece)?;
        if count == 0 {
            return client.shutdown(Shutdown::Both);
        }
        let most = left.load(Ordering::SeqCst);
        let passes = if most < 0 { count } else { count.min(most as usize) };
        client.write_all(&piece[..passes])?;
        if most >= 0 {
            left.store(most - passes as i64, Ordering::SeqCst);
            if passes < count || most == passes as i64 {
                client.shutdown(Shutdown::Both)?;
                return server.shutdown(Shutdown::Both);
            }
        }
    }
}

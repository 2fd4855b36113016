//! Who takes alerts: a real HTTP server that does as the test says.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// This answer.
    Answer(&'static str),
    /// None: the connection stays open.
    Stall,
    /// The connection ends at once.
    Drop,
}

#[derive(Default)]
struct Seen {
    acts: VecDeque<Act>,
    /// Bodies that were taken, and all that came.
    taken: Vec<Value>,
    asked: Vec<(String, Value)>,
    held: Vec<Box<dyn Send>>,
}

#[derive(Clone)]
pub struct Hook {
    pub address: String,
    scheme: &'static str,
    seen: Arc<Mutex<Seen>>,
}

impl Hook {
    /// Takes everything after these.
    pub fn new(acts: &[Act]) -> Self {
        Self::listening("http", acts, |stream| Box::new(stream))
    }

    /// Takes everything, behind TLS.
    pub fn behind_tls(tls: Arc<ServerConfig>) -> Self {
        Self::listening("https", &[], move |stream| {
            let connection = ServerConnection::new(Arc::clone(&tls)).unwrap();
            Box::new(StreamOwned::new(connection, stream))
        })
    }

    fn listening(
        scheme: &'static str,
        acts: &[Act],
        accept: impl Fn(TcpStream) -> Box<dyn Stream> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hook = Self {
            address: listener.local_addr().unwrap().to_string(),
            scheme,
            seen: Arc::default(),
        };
        hook.then(acts);
        let seen = Arc::clone(&hook.seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, seen) = (accept(stream.unwrap()), Arc::clone(&seen));
                std::thread::spawn(move || serve(stream, &seen));
            }
        });
        hook
    }

    pub fn then(&self, acts: &[Act]) {
        self.seen.lock().unwrap().acts.extend(acts.iter().cloned());
    }

    pub fn url(&self) -> String {
        format!("{}://{}/hook", self.scheme, self.address)
    }

    pub fn taken(&self) -> Vec<Value> {
        self.seen.lock().unwrap().taken.clone()
    }

    /// Request lines and bodies, whatever became of them.
    pub fn asked(&self) -> Vec<(String, Value)> {
        self.seen.lock().unwrap().asked.clone()
    }

    /// What was taken, as `device alert state`.
    pub fn told(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or("?").to_string();
        let line = |body: &Value| {
            format!(
                "{} {} {}",
                text(&body["device_id"]),
                text(&body["alert"]),
                text(&body["state"])
            )
        };
        self.taken().iter().map(line).collect()
    }
}

/// Plain or behind TLS.
trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

fn serve(stream: Box<dyn Stream>, seen: &Mutex<Seen>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let length = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let mut body = vec![0; length.unwrap().1.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let act = {
            let mut seen = seen.lock().unwrap();
            seen.asked
                .push((head.lines().next().unwrap().to_string(), body.clone()));
            let act = seen.acts.pop_front().unwrap_or(Act::Answer("204 No Content"));
            if matches!(act, Act::Answer(answer) if answer.starts_with('2')) {
                seen.taken.push(body);
            }
            act
        };
        match act {
            Act::Answer(answer) => {
                let length = if answer.starts_with("204") {
                    ""
                } else {
                    "Content-Length: 0\r\n"
                };
                let stream = reader.get_mut();
                write!(stream, "HTTP/1.1 {answer}\r\n{length}\r\n").unwrap();
                stream.flush().unwrap();
            }
            Act::Stall => return seen.lock().unwrap().held.push(Box::new(reader)),
            Act::Drop => return,
        }
    }
}

//! A proxy before the S3 server that does to it what networks and servers do.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// 503 to every request.
    Busy,
    /// Takes connections and nothing else.
    Stall,
    /// Nobody is there.
    Away,
    /// 403 to listings of the whole bucket, as to keys that are for a prefix of it.
    Narrow,
    /// Sometimes 503, sometimes a break in the middle of a request or of an answer, by a seed.
    Sometimes,
}

struct State {
    fault: Fault,
    random: u64,
    /// Faults made so far.
    made: usize,
    /// Objects and lists asked for.
    gets: usize,
}

#[derive(Clone)]
pub struct Proxy {
    pub address: String,
    state: Arc<Mutex<State>>,
}

const DENIED: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const BUSY: &[u8] = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

impl Proxy {
    pub fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = State {
            fault: Fault::None,
            random: 1,
            made: 0,
            gets: 0,
        };
        let proxy = Self {
            address: listener.local_addr().unwrap().to_string(),
            state: Arc::new(Mutex::new(state)),
        };
        let (accepting, server) = (proxy.clone(), server.to_string());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { continue };
                if accepting.fault() == Fault::Away {
                    continue;
                }
                let Ok(upstream) = TcpStream::connect(&server) else {
                    continue;
                };
                let (up, down) = (accepting.clone(), accepting.clone());
                let (client_back, upstream_back) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                std::thread::spawn(move || up.relay(client, upstream, true));
                std::thread::spawn(move || down.relay(upstream_back, client_back, false));
            }
        });
        proxy
    }

    pub fn set(&self, fault: Fault) {
        self.state.lock().unwrap().fault = fault;
    }

    pub fn seed(&self, seed: u64) {
        self.state.lock().unwrap().random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    }

    /// How often something was broken.
    pub fn made(&self) -> usize {
        self.state.lock().unwrap().made
    }

    /// How many objects and lists were asked for until now.
    pub fn gets(&self) -> usize {
        self.state.lock().unwrap().gets
    }

    fn fault(&self) -> Fault {
        self.state.lock().unwrap().fault
    }

    fn count(&self) {
        self.state.lock().unwrap().made += 1;
    }

    /// Once in `times`.
    fn happens(&self, times: u64) -> bool {
        let mut state = self.state.lock().unwrap();
        state.random ^= state.random << 13;
        state.random ^= state.random >> 7;
        state.random ^= state.random << 17;
        let happens = state.random % times == 0;
        state.made += usize::from(happens);
        happens
    }

    fn relay(&self, mut from: TcpStream, mut to: TcpStream, is_request: bool) {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = match from.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => count,
            };
            if is_request && buffer[..count].starts_with(b"GET ") {
                self.state.lock().unwrap().gets += 1;
            }
            match self.fault() {
                Fault::Busy if is_request => {
                    self.count();
                    let _ = from.write_all(BUSY);
                    break;
                }
                Fault::Away => break,
                Fault::Narrow if is_request && lists_all(&buffer[..count]) => {
                    let _ = from.write_all(DENIED);
                    break;
                }
                Fault::Stall => {
                    self.count();
                    self.stall(&from);
                }
                Fault::Sometimes if is_request && self.happens(40) => {
                    let _ = from.write_all(BUSY);
                    break;
                }
                Fault::Sometimes if self.happens(60) => {
                    // Half of it, and no more.
                    let _ = to.write_all(&buffer[..count / 2]);
                    break;
                }
                _ => {}
            }
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }

    /// Until it is over, or the other side has given up.
    fn stall(&self, from: &TcpStream) {
        while self.fault() == Fault::Stall && from.peer_addr().is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn lists_all(request: &[u8]) -> bool {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    line.starts_with("GET ") && line.contains("list-type=2") && !line.contains("prefix=")
}

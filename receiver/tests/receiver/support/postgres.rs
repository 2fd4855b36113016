//! A PostgreSQL database of a test's own, and a line to it that can be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// The server that `scripts/test-fleet.sh` started, as `postgres://user:password@host:port`.
pub fn server() -> String {
    std::env::var("SYNC_TEST_POSTGRES").expect("SYNC_TEST_POSTGRES; run scripts/test-fleet.sh")
}

/// Runs statements; what the last one gives, as text.
pub fn ask(url: &str, sql: &str) -> Vec<String> {
    try_to_ask(url, sql).unwrap()
}

pub fn try_to_ask(url: &str, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        let messages = client.simple_query(sql).await?;
        let rows = messages.into_iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_string()),
            _ => None,
        });
        Ok(rows.collect())
    })
}

pub struct Database(String);

impl Database {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("outside_{}_{number}", std::process::id());
        ask(&format!("{}/postgres", server()), &format!("CREATE DATABASE {name}"));
        Self(name)
    }

    pub fn url(&self) -> String {
        format!("{}/{}", server(), self.0)
    }

    /// The same database at another address.
    pub fn url_at(&self, address: &str) -> String {
        let url = self.url();
        let (user, rest) = url.split_once('@').unwrap();
        format!("{user}@{address}/{}", rest.split_once('/').unwrap().1)
    }

    pub fn count(&self, table: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM {table}"))
    }

    pub fn number(&self, sql: &str) -> i64 {
        ask(&self.url(), sql)[0].parse().unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = try_to_ask(
            &format!("{}/postgres", server()),
            &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.0),
        );
    }
}

/// A line to the server.
pub struct Line {
    pub address: String,
    open: Arc<Mutex<Vec<TcpStream>>>,
    ended: Arc<AtomicBool>,
}

impl Line {
    /// On an address that nobody listens at until now.
    pub fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (open, ended) = (Arc::<Mutex<Vec<TcpStream>>>::default(), Arc::<AtomicBool>::default());
        let (streams, stop) = (Arc::clone(&open), Arc::clone(&ended));
        let server = server();
        let target = server.split_once('@').unwrap().1.to_string();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(near), Ok(far)) = (stream, TcpStream::connect(&target)) else {
                    continue;
                };
                let ends = [near.try_clone().unwrap(), far.try_clone().unwrap()];
                streams.lock().unwrap().extend(ends);
                for (mut from, mut to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                    std::thread::spawn(move || {
                        let mut bytes = [0; 65_536];
                        while let Ok(count @ 1..) = from.read(&mut bytes) {
                            if to.write_all(&bytes[..count]).is_err() {
                                break;
                            }
                        }
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self { address, open, ended }
    }

    /// Breaks every connection.
    pub fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // So that it looks.
        let _ = TcpStream::connect(&self.address);
        self.cut();
    }
}

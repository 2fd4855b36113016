//! The built uploader beside the same work done the plain way, in one run and against the same server: one table.
//!
//! `sh scripts/bench.sh` builds and runs it. Every rate is printed with its ratio to `curl -T` sending the same JSON bytes
//! from a file, or to a plain loop that posts the same event bodies without any database.

// The lints are for the programs.
#![allow(clippy::disallowed_methods)]

mod receiver;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use rusqlite::Connection;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

const MB: u64 = 1_000_000;
/// Runs of each line; the median counts.
const RUNS: usize = 3;

fn main() -> Fallible<()> {
    // `cargo bench` passes --bench; a number scales the work down for a quick look, a name picks a part.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let scale: u64 = words.iter().find_map(|word| word.parse().ok()).unwrap_or(1);
    let parts: Vec<&String> = words.iter().filter(|word| word.parse::<u64>().is_err()).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|word| *word == part);
    let folder = match std::env::var_os("BENCH_DIR") {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let (server, tus) = (Server::start(false)?, Server::start(true)?);
    let bench = Bench {
        folder: folder.path().to_path_buf(),
        server,
        tus,
        scale,
    };
    println!("folder: {} ({})", folder.path().display(), file_system(folder.path()));
    if wanted("clips") {
        bench.clips("64 clips of 1 MB", 64, MB)?;
        bench.clips("1 clip of 256 MB", 1, 256 * MB)?;
    }
    if wanted("events") {
        bench.events(20_000 / scale, "delete")?;
        bench.events(20_000 / scale, "wal")?;
    }
    if wanted("receiver") {
        bench.events_to_receiver(20_000 / scale)?;
        bench.clip_to_receiver(256 * MB / scale)?;
    }
    if wanted("memory") {
        bench.memory(&[MB, 64 * MB, 999 * MB / scale])?;
    }
    Ok(())
}

/// The uploader: the one built with this, or `SYNC_BENCH_BIN`, to compare two builds.
fn binary() -> PathBuf {
    std::env::var_os("SYNC_BENCH_BIN").map_or_else(|| env!("CARGO_BIN_EXE_sync-service").into(), PathBuf::from)
}

fn file_system(folder: &Path) -> String {
    let output = Command::new("stat").args(["-f", "-c", "%T"]).arg(folder).output();
    output
        .map(|out| String::from_utf8_lossy(&out.stdout).trim().to_string())
        .unwrap_or_default()
}

struct Bench {
    folder: PathBuf,
    server: Server,
    /// One that names `uploads`.
    tus: Server,
    scale: u64,
}

/// What one run took.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    wall: Duration,
    cpu: Duration,
    /// Body bytes that reached the server.
    wire: u64,
}

impl Bench {
    fn clips(&self, name: &str, count: u64, size: u64) -> Fallible<()> {
        let size = size / self.scale;
        let bytes = count * size;
        println!("\n{name} ({} MB in all)", bytes / MB);
        println!(
            "{:<34} {:>9} {:>9} {:>10} {:>10}",
            "", "MB/s", "of curl", "CPU s/GB", "wire/blob"
        );
        let database = self.folder.join("clips.db");
        make_database(&database, "delete")?;
        for index in 0..count {
            add_clip(&database, index, size)?;
        }
        let json = self.folder.join("body.json");
        write_body(&json, size)?;
        let curl = median(|| {
            self.measured(&mut Command::new("curl"), |curl| {
                curl.args([
                    "-s",
                    "-S",
                    "-o",
                    "/dev/null",
                    "-X",
                    "POST",
                    "-H",
                    "Expect:",
                    "-H",
                    "Content-Type: application/json",
                ]);
                // One process and one connection for all, as the uploader has it.
                for index in 0..count {
                    if index > 0 {
                        curl.args(["--next", "-s", "-S", "-o", "/dev/null", "-X", "POST", "-H", "Expect:"]);
                    }
                    curl.arg("-T").arg(&json).arg(format!("{}/api/media", self.server.url));
                }
            })
        })?;
        let line = |name: &str, cost: Cost| {
            println!(
                "{name:<34} {:>9.0} {:>8.0}% {:>10.2} {:>10.4}",
                rate(bytes, cost) / 1e6,
                100.0 * rate(bytes, cost) / rate(bytes, curl),
                cost.cpu.as_secs_f64() * 1e9 / bytes as f64,
                cost.wire as f64 / bytes as f64
            );
        };
        line("curl -T, the same JSON", curl);
        for compression in ["none", "gzip", "zstd"] {
            let cost = median(|| self.upload(&database, compression))?;
            line(&format!("sync-service, {compression}"), cost);
        }
        let raw = median(|| {
            let mut service = self.service_to(&self.tus.url, &database, "none")?;
            self.measured(&mut service, |_| ())
        })?;
        line("sync-service, raw (uploads)", raw);
        fs::remove_file(&database)?;
        fs::remove_file(&json)?;
        Ok(())
    }

    fn events(&self, count: u64, journal: &str) -> Fallible<()> {
        println!("\n{count} events, journal_mode={journal}, each result durable before the next");
        println!("{:<34} {:>9} {:>9} {:>10}", "", "events/s", "of loop", "CPU µs/ev");
        let database = self.folder.join("events.db");
        make_database(&database, journal)?;
        add_events(&database, count)?;
        let plain = self.plain(count)?;
        let cost = median(|| self.upload(&database, "none"))?;
        println!(
            "{:<34} {:>9.0} {:>8.0}% {:>10.0}",
            "sync-service",
            rate(count, cost),
            100.0 * rate(count, cost) / rate(count, plain),
            cost.cpu.as_secs_f64() * 1e6 / count as f64
        );
        // What durability costs by itself here: the same commits without any network.
        let alone = commits_alone(&database, count.min(2_000))?;
        println!("{:<34} {:>9.0}", "the commits alone", alone);
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(self.folder.join(format!("events.db{suffix}")));
        }
        Ok(())
    }

    /// The plain loop, which events are held against; prints its line.
    fn plain(&self, count: u64) -> Fallible<Cost> {
        let plain = median(|| {
            let start = Instant::now();
            plain_loop(&self.server.url, count)?;
            Ok(Cost {
                wall: start.elapsed(),
                ..Cost::default()
            })
        })?;
        println!(
            "{:<34} {:>9.0} {:>8.0}%",
            "plain loop, no database",
            rate(count, plain),
            100.0
        );
        Ok(plain)
    }

    fn memory(&self, sizes: &[u64]) -> Fallible<()> {
        println!("\npeak RSS by clip size");
        for size in sizes {
            let database = self.folder.join("memory.db");
            make_database(&database, "delete")?;
            add_clip(&database, 0, *size)?;
            for compression in ["none", "zstd"] {
                let peak = self.peak_rss_kb(&database, compression)?;
                println!(
                    "{:<34} {:>9.1} MB",
                    format!("{} MB, {compression}", size / MB),
                    peak as f64 / 1_000.0
                );
            }
            fs::remove_file(&database)?;
        }
        Ok(())
    }

    fn service(&self, database: &Path, compression: &str) -> Fallible<Command> {
        self.service_to(&self.server.url, database, compression)
    }

    fn service_to(&self, url: &str, database: &Path, compression: &str) -> Fallible<Command> {
        if Connection::open(database)?
            .execute("DELETE FROM sync_tracking", [])
            .is_err()
        {
            // The first run: there is no such table yet.
        }
        let mut service = Command::new(binary());
        service
            .env_clear()
            .env("LOCAL_DB_PATH", database)
            .env("BACKEND_URL", url)
            .env("SYNC_MODE", "once")
            .env("SYNC_COMPRESSION", compression);
        Ok(service)
    }

    fn upload(&self, database: &Path, compression: &str) -> Fallible<Cost> {
        let mut service = self.service(database, compression)?;
        self.measured(&mut service, |_| ())
    }

    fn measured(&self, command: &mut Command, prepare: impl FnOnce(&mut Command)) -> Fallible<Cost> {
        prepare(command);
        let bytes = || self.server.bytes() + self.tus.bytes();
        let (wire, cpu, start) = (bytes(), children_cpu()?, Instant::now());
        let status = command.stdout(Stdio::null()).status()?;
        if !status.success() {
            return Err(format!("{command:?}: {status}").into());
        }
        Ok(Cost {
            wall: start.elapsed(),
            cpu: children_cpu()? - cpu,
            wire: bytes() - wire,
        })
    }

    fn peak_rss_kb(&self, database: &Path, compression: &str) -> Fallible<u64> {
        let mut child = self.service(database, compression)?.stdout(Stdio::null()).spawn()?;
        let status = format!("/proc/{}/status", child.id());
        let mut peak = 0;
        while child.try_wait()?.is_none() {
            // VmHWM only ever grows: the last look is the peak but for the last millisecond.
            let text = fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            if let Some(kb) = line.and_then(|line| line.split_whitespace().next()) {
                peak = peak.max(kb.parse()?);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(peak)
    }
}

fn rate(amount: u64, cost: Cost) -> f64 {
    amount as f64 / cost.wall.as_secs_f64()
}

/// The run in the middle by time.
fn median(mut run: impl FnMut() -> Fallible<Cost>) -> Fallible<Cost> {
    let mut costs = (0..RUNS).map(|_| run()).collect::<Fallible<Vec<_>>>()?;
    costs.sort_by_key(|cost| cost.wall);
    Ok(costs[RUNS / 2])
}

/// User and system time of the children that ended.
fn children_cpu() -> Fallible<Duration> {
    cpu("self", 13)
}

/// User and system time in ticks of 10 ms, from the fields of a process' `stat` behind its name.
fn cpu(process: &str, place: usize) -> Fallible<Duration> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[place].parse::<u64>()? + fields[place + 1].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}

fn make_database(path: &Path, journal: &str) -> Fallible<()> {
    let conn = Connection::open(path)?;
    conn.query_row(&format!("PRAGMA journal_mode = {journal}"), [], |_| Ok(()))?;
    conn.execute_batch(include_str!("../tests/recorder.sql"))?;
    conn.execute_batch(
        "INSERT INTO capteur (nom_capteur) VALUES ('PIR Entrée'), ('Tapis Salon'), ('Bouton Arrêt'), ('Caméra 1'), ('Caméra 2');",
    )?;
    Ok(())
}

fn add_events(path: &Path, count: u64) -> Fallible<()> {
    Connection::open(path)?.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
         INSERT INTO evenement (date, id_capteur) SELECT printf('2025-12-18T17:30:00.%06d', i), 1 FROM n",
        [i64::try_from(count)?],
    )?;
    Ok(())
}

/// Bytes like a compressed video's: without a pattern.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn add_clip(path: &Path, seed: u64, size: u64) -> Fallible<()> {
    let conn = Connection::open(path)?;
    conn.execute_batch("PRAGMA synchronous = OFF")?;
    conn.execute(
        "INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (zeroblob(?1), '2025-12-18T17:30:00.123456', 4, 1)",
        [i64::try_from(size)?],
    )?;
    let mut blob = conn.blob_open("main", "media", "video", conn.last_insert_rowid(), false)?;
    let chunk = noise(usize::try_from(MB)?, seed + 1);
    let mut left = usize::try_from(size)?;
    while left > 0 {
        let count = left.min(chunk.len());
        blob.write_all(&chunk[..count])?;
        left -= count;
    }
    Ok(())
}

/// The JSON body of a clip of `size` bytes, in a file.
fn write_body(path: &Path, size: u64) -> Fallible<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(
        br#"{"date":"2025-12-18T17:30:00.123456","capteur":{"id":4,"nom":"Cam"},"numero_camera":1,"video_data":""#,
    )?;
    let step = 3 * 100_000;
    let chunk = base64::engine::general_purpose::STANDARD.encode(noise(step, 1));
    let mut left = usize::try_from(size)?;
    while left > 0 {
        let count = left.min(step);
        file.write_all(&chunk.as_bytes()[..count.div_ceil(3) * 4])?;
        left -= count;
    }
    file.write_all(br#"","device_id":"raspberry-1","source":"sync_service"}"#)?;
    Ok(())
}

/// The bodies of the events, posted one after the other over one connection and nothing else.
fn plain_loop(url: &str, count: u64) -> Fallible<()> {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://"))?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    for index in 1..=count {
        let body = format!(
            r#"{{"date":"2025-12-18T17:30:00.{index:06}","capteur":{{"id":1,"nom":"PIR Entrée","etat":1}},"device_id":"raspberry-1","source":"sync_service"}}"#
        );
        let request = format!(
            "POST /api/evenements HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let headers = read_headers(&mut answers)?.ok_or("the server hung up")?;
        let mut answer = vec![0; length_of(&headers)];
        answers.read_exact(&mut answer)?;
    }
    Ok(())
}

/// Commits per second of one upsert each, as durable as the uploader's.
fn commits_alone(database: &Path, count: u64) -> Fallible<f64> {
    let conn = Connection::open(database)?;
    conn.execute_batch("PRAGMA synchronous = FULL")?;
    let start = Instant::now();
    for index in 0..count {
        conn.execute(
            "UPDATE sync_tracking SET remote_id = ?1 WHERE table_name = 'evenement' AND local_id = ?2",
            (i64::try_from(index)?, i64::try_from(index)? + 1),
        )?;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

/// Reads and discards; answers with an id.
struct Server {
    url: String,
    bytes: Arc<AtomicU64>,
}

impl Server {
    fn start(names_uploads: bool) -> Fallible<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let bytes = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&bytes);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || {
                    if let Err(error) = serve(stream, &counter, names_uploads) {
                        eprintln!("server: {error}");
                    }
                });
            }
        });
        Ok(Self { url, bytes })
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }
}

fn serve(stream: TcpStream, counter: &AtomicU64, names_uploads: bool) -> Fallible<()> {
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut input = BufReader::with_capacity(256 << 10, stream);
    let mut id = 0_u64;
    // A clip of which all is there, but not asked for.
    let mut complete = false;
    while let Some(headers) = read_headers(&mut input)? {
        if headers.contains_key("expect") {
            out.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if headers.contains_key("transfer-encoding") {
            loop {
                let mut line = String::new();
                input.read_line(&mut line)?;
                let length = u64::from_str_radix(line.trim(), 16)?;
                discard(&mut input, length, counter)?;
                input.read_line(&mut line)?;
                if length == 0 {
                    break;
                }
            }
        } else {
            discard(&mut input, length_of(&headers) as u64, counter)?;
        }
        let length = length_of(&headers);
        if let Some(offset) = headers.get("upload-offset") {
            complete = true;
            let reached = offset.parse::<usize>()? + length;
            write!(
                out,
                "HTTP/1.1 204 No Content\r\nSync-Extensions: uploads\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: {reached}\r\n\r\n"
            )?;
            continue;
        }
        if headers.contains_key("upload-length") && length == 0 && !std::mem::take(&mut complete) {
            out.write_all(
                b"HTTP/1.1 201 Created\r\nSync-Extensions: uploads\r\nTus-Resumable: 1.0.0\r\n\
                Location: /api/media/uploads/1\r\nUpload-Offset: 0\r\nContent-Length: 0\r\n\r\n",
            )?;
            continue;
        }
        id += 1;
        let body = format!(r#"{{"id":{id}}}"#);
        let named = if names_uploads {
            "Sync-Extensions: uploads\r\n"
        } else {
            ""
        };
        write!(
            out,
            "HTTP/1.1 201 Created\r\n{named}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
    Ok(())
}

fn discard(input: &mut impl BufRead, mut left: u64, counter: &AtomicU64) -> Fallible<()> {
    counter.fetch_add(left, Ordering::SeqCst);
    while left > 0 {
        let count = usize::try_from(left)?.min(input.fill_buf()?.len());
        if count == 0 {
            return Err("the body broke off".into());
        }
        input.consume(count);
        left -= count as u64;
    }
    Ok(())
}

fn read_headers(input: &mut impl BufRead) -> Fallible<Option<BTreeMap<String, String>>> {
    let mut headers = BTreeMap::new();
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    loop {
        line.clear();
        input.read_line(&mut line)?;
        match line.trim().split_once(':') {
            None => return Ok(Some(headers)),
            Some((name, value)) => headers.insert(name.to_lowercase(), value.trim().to_string()),
        };
    }
}

fn length_of(headers: &BTreeMap<String, String>) -> usize {
    headers
        .get("content-length")
        .and_then(|value| value.parse().ok())
        .unwrap_or(0)
}

//! Sends events over many connections, each as soon as the one before is answered, and says how many a second were stored.
//! `load ADDRESS CONNECTIONS EVENTS_A_REQUEST SECONDS`; `scripts/measure-postgres.sh` runs it.

use std::error::Error;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

const EVENT: &str =
    r#"{"date":"2025-12-18T17:30:00.123456","capteur":{"id":1,"nom":"PIR Entrée","etat":1},"device_id":"load-"#;

fn event(connection: usize) -> String {
    format!(r#"{EVENT}{connection}","source":"sync_service"}}"#)
}

fn request(run: u128, connection: usize, number: usize, together: usize) -> String {
    let (path, key, mut body) = if together == 1 {
        let key = format!("Idempotency-Key: \"{run:x}-{connection}-{number}\"\r\n");
        ("/api/evenements", key, event(connection))
    } else {
        ("/api/evenements/batch", String::new(), String::from("["))
    };
    if together > 1 {
        for index in 0..together {
            let comma = if index > 0 { "," } else { "" };
            // Writing to a string can't fail.
            let _ = write!(
                body,
                r#"{comma}{{"key":"{run:x}-{connection}-{number}-{index}","evenement":{}}}"#,
                event(connection)
            );
        }
        body.push(']');
    }
    format!(
        "POST {path} HTTP/1.1\r\nHost: load\r\nContent-Type: application/json\r\n{key}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Requests until `end`, how many were stored, and how long each took.
async fn device(
    address: String,
    run: u128,
    connection: usize,
    together: usize,
    end: Instant,
) -> Fallible<Vec<Duration>> {
    let stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut took = Vec::new();
    while Instant::now() < end {
        let request = request(run, connection, took.len(), together);
        let begun = Instant::now();
        stream.get_mut().write_all(request.as_bytes()).await?;
        let (mut line, mut length) = (String::new(), 0);
        stream.read_line(&mut line).await?;
        if !line.starts_with("HTTP/1.1 20") {
            return Err(format!("answered {line}").into());
        }
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).await?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        took.push(begun.elapsed());
    }
    Ok(took)
}

#[tokio::main]
async fn main() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, connections, together, seconds] = arguments.as_slice() else {
        return Err("load ADDRESS CONNECTIONS EVENTS_A_REQUEST SECONDS".into());
    };
    let (together, seconds): (usize, u64) = (together.parse()?, seconds.parse()?);
    let run = uuid::Uuid::new_v4().as_u128();
    let begun = Instant::now();
    let end = begun + Duration::from_secs(seconds);
    let devices: Vec<_> = (0..connections.parse()?)
        .map(|connection| tokio::spawn(device(address.clone(), run, connection, together, end)))
        .collect();
    let mut took = Vec::new();
    for device in devices {
        took.extend(device.await??);
    }
    let elapsed = begun.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |part: f64| {
        took.get((took.len() as f64 * part) as usize)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{connections} connections, {together} events a request: {} events in {elapsed:.1} s, {:.0}/s; answers p50 {:.1} ms, p99 {:.1} ms",
        took.len() * together,
        (took.len() * together) as f64 / elapsed,
        at(0.5).as_secs_f64() * 1e3,
        at(0.99).as_secs_f64() * 1e3
    );
    Ok(())
}

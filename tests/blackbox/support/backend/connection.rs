//! One connection: requests read byte by byte as they come, each met with its act.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::act::{Act, Answer, End, Expect, Reading};
use super::body::{Body, Contents};
use super::listener::reset;
use super::{Received, Shared};

/// Serves a connection to its end. Says for how long the server is away afterwards, if it goes.
pub fn serve(stream: TcpStream, number: usize, shared: &Shared) -> Option<Duration> {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::with_capacity(64 << 10, stream);
    loop {
        let Ok(Some(mut request)) = read_head(&mut reader) else {
            return None;
        };
        if request.method == "OPTIONS" && !shared.is_asked() {
            if reader.get_mut().write_all(&response(404, &[], b"")).is_err() {
                return None;
            }
            continue;
        }
        request.connection = number;
        request.at = Some(Instant::now());
        shared.arrived(&mut request);
        let place = request.order;
        let act = (shared.script.lock().unwrap())(&request);
        match meet(&mut reader, shared, request, place, &act) {
            Ok(()) if act.end == End::KeepAlive && act.expect != Expect::AnswerFirst => {}
            Ok(()) if act.end == End::KeepAlive || act.end == End::Close => {
                let _ = reader.get_ref().shutdown(Shutdown::Write);
                // What is still on its way is read off, so that closing does not become a reset.
                let _ = reader.get_ref().set_read_timeout(Some(Duration::from_millis(300)));
                let mut piece = vec![0; 64 << 10];
                while let Ok(read @ 1..) = reader.read(&mut piece) {
                    shared.update(place, |request| {
                        if !request.complete {
                            request.wire_len += read as u64
                        }
                    });
                }
                return None;
            }
            Ok(()) => {
                reset(reader.get_ref());
                return match act.end {
                    End::GoAway(pause) => Some(pause),
                    _ => None,
                };
            }
            Err(_) => return None,
        }
    }
}

fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Received>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if reader.read_until(b'\n', &mut head)? == 0 {
            return Ok(None);
        }
    }
    let head = String::from_utf8(head).map_err(io::Error::other)?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let (method, path, version) = (word(), word(), word());
    assert_eq!(version, "HTTP/1.1", "{head}");
    let headers = lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            line.split_once(": ")
                .unwrap_or_else(|| panic!("not a header: {line:?}"))
        })
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Ok(Some(Received {
        method,
        path,
        headers,
        head: head.clone(),
        ..Received::default()
    }))
}

fn meet(
    reader: &mut BufReader<TcpStream>,
    shared: &Shared,
    mut request: Received,
    place: usize,
    act: &Act,
) -> io::Result<()> {
    if act.expect != Expect::AnswerFirst {
        let interim: &[u8] = match act.expect {
            Expect::Continue => b"HTTP/1.1 100 Continue\r\n\r\n",
            Expect::ContinueWithFields => {
                b"HTTP/1.1 100 Continue\r\nServer: akka-http/10.5\r\nDate: Thu, 18 Dec 2025 16:30:00 GMT\r\n\r\n"
            }
            Expect::Ignore | Expect::AnswerFirst => b"",
        };
        if request.header("expect").is_some() && !interim.is_empty() {
            request.continued = true;
            shared.update(place, |logged| logged.continued = true);
            reader.get_mut().write_all(interim)?;
        }
        let contents = match act.reading.clone() {
            Reading::UpTo(0) => Contents::default(),
            reading => {
                let progress = |wire_len| shared.update(place, |logged| logged.wire_len = wire_len);
                let mut body = Body::of(&request, reader, reading, &progress)?;
                let contents = Contents::read(&mut body, &request);
                shared.update(place, |logged| {
                    logged.body = std::mem::take(&mut body.kept);
                });
                contents?
            }
        };
        request.outline = contents.outline;
        request.video = contents.video;
        request.complete = contents.complete;
        shared.update(place, |logged| {
            logged.outline = request.outline.clone();
            logged.video = request.video;
            logged.complete = request.complete;
        });
    }
    if act
        .dies_over
        .as_ref()
        .is_some_and(|text| request.outline.contains(text))
    {
        reset(reader.get_ref());
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    std::thread::sleep(act.pause);
    let stored = (act.stores && request.complete).then(|| shared.store(&request));
    let created = || stored.clone().unwrap_or_else(|| "{}".to_owned());
    let created_status = if request.is_batch() { 200 } else { 201 };
    let (status, bytes) = match &act.answer {
        Answer::Created => (
            created_status,
            response(created_status, &act.headers, created().as_bytes()),
        ),
        Answer::Status(status, body) => (*status, response(*status, &act.headers, body)),
        Answer::Raw(bytes) => (0, bytes.clone()),
        Answer::CutAfter(len) => {
            let mut whole = response(created_status, &act.headers, created().as_bytes());
            whole.truncate(*len);
            (0, whole)
        }
        Answer::Nothing => return Ok(()),
    };
    shared.update(place, |logged| logged.answered = Some(status));
    reader.get_mut().write_all(&bytes)
}

fn response(status: u16, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Whatever\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [text.as_bytes(), body].concat()
}

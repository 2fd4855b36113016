//! HTTP by hand: what goes over the wire is what a test says, and nothing else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// One connection.
pub struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} twice");
        value
    }

    /// The text of `{"error": …}`.
    pub fn error(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        body["error"].as_str().unwrap().to_string()
    }

    pub fn id(&self) -> i64 {
        assert_eq!(self.status, 201, "{self:?}");
        serde_json::from_str::<serde_json::Value>(&self.body).unwrap()["id"]
            .as_i64()
            .unwrap()
    }
}

impl Client {
    pub fn new(address: &str) -> Self {
        Self::on(TcpStream::connect(address).unwrap())
    }

    pub fn on(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Self { stream, reader }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends as long as the other side takes it.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// The next answer, also an interim one.
    pub fn answer(&mut self) -> Answer {
        let (mut answer, body) = self.answer_with_bytes();
        answer.body = String::from_utf8(body).unwrap();
        answer
    }

    /// The next answer, whose body need not be text.
    pub fn answer_with_bytes(&mut self) -> (Answer, Vec<u8>) {
        let answer = self.answer_head();
        let empty = matches!(answer.status, 204 | 304);
        let length = answer.header("content-length").filter(|_| !empty);
        let mut body = vec![0; length.map_or(0, |text| text.parse().unwrap())];
        self.reader.read_exact(&mut body).unwrap();
        (answer, body)
    }

    /// Asks with `HEAD`: the answer has no body, whatever its length says.
    pub fn head(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request);
        self.answer_head()
    }

    /// All that comes until the other side ends the connection.
    pub fn rest(&mut self) -> String {
        let mut text = String::new();
        self.reader.read_to_string(&mut text).unwrap();
        text
    }

    /// Bytes of what comes next, `most` of them at most; none when the other side has ended it.
    pub fn some(&mut self, most: u64) -> Option<usize> {
        let mut bytes = Vec::new();
        let got = self.reader.by_ref().take(most).read_to_end(&mut bytes).unwrap_or(0);
        (got > 0).then_some(got)
    }

    /// Whether the connection is over; takes what has come before that.
    pub fn is_over(&mut self) -> bool {
        self.stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut bytes = [0; 4096];
        loop {
            match self.reader.read(&mut bytes) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }

    fn answer_head(&mut self) -> Answer {
        let line = self.line();
        let status = line.split(' ').nth(1).unwrap_or_default().parse();
        let status = status.unwrap_or_else(|_| panic!("not an answer: {line:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
        }
        Answer {
            status,
            headers,
            body: String::new(),
        }
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        line.trim_end().to_string()
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request);
        self.answer()
    }

    /// Whether something has arrived.
    pub fn has_answer(&mut self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let has = self.reader.fill_buf().is_ok();
        self.stream.set_nonblocking(false).unwrap();
        has
    }

    /// Gives up sending when nothing is taken for so long.
    pub fn write_within(&mut self, time: Duration) {
        self.stream.set_write_timeout(Some(time)).unwrap();
    }

    /// Whether the connection is known to be gone, without reading what came.
    pub fn is_broken(&mut self) -> bool {
        self.stream.take_error().unwrap().is_some() || {
            self.stream.set_nonblocking(true).unwrap();
            let sent = self.stream.write(b"x");
            self.stream.set_nonblocking(false).unwrap();
            sent.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock)
        }
    }

    /// Whether the other side has ended the connection.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.reader.fill_buf(), Ok([]) | Err(_))
    }
}

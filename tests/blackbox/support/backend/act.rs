//! What the backend does with one request.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How an `Expect: 100-continue` is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Continue,
    /// As akka-http: with header fields, which RFC 9110 allows.
    ContinueWithFields,
    /// As servers that never heard of it: read, and wait for the body.
    Ignore,
    /// The final answer at once, without reading the body.
    AnswerFirst,
}

/// Holds a request until it is opened.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub(super) fn pass(&self) {
        let open = self.0.0.lock().unwrap();
        // Not for ever: a test that failed never opens it.
        let _ = self
            .0
            .1
            .wait_timeout_while(open, Duration::from_secs(60), |open| !*open)
            .unwrap();
    }
}

#[derive(Debug, Clone)]
pub(super) enum Reading {
    All,
    /// At most so many bytes per second.
    Slowly(u64),
    /// So many bytes, then the end.
    UpTo(u64),
    /// So many bytes, then the rest when the gate is open.
    Held(u64, Gate),
    /// Not a byte for this long, then all of it.
    Later(Duration),
}

#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// The contract's 201, with the row's id.
    Created,
    Status(u16, Vec<u8>),
    /// These bytes as they are, be they HTTP or not.
    Raw(Vec<u8>),
    /// Half of the contract's 201: this many bytes of it.
    CutAfter(usize),
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    KeepAlive,
    Close,
    Reset,
    /// Reset, and refuse connections for this long.
    GoAway(Duration),
}

#[derive(Debug, Clone)]
pub struct Act {
    pub(super) expect: Expect,
    pub(super) reading: Reading,
    pub(super) stores: bool,
    pub(super) pause: Duration,
    pub(super) headers: Vec<(String, String)>,
    pub(super) answer: Answer,
    pub(super) end: End,
    /// A body with this in it ends the connection, unanswered.
    pub(super) dies_over: Option<String>,
}

impl Act {
    fn with(answer: Answer) -> Self {
        let (expect, reading, end) = (Expect::Continue, Reading::All, End::KeepAlive);
        Act {
            expect,
            reading,
            stores: false,
            pause: Duration::ZERO,
            headers: Vec::new(),
            answer,
            end,
            dies_over: None,
        }
    }

    fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// Stores the row and says so.
    pub fn created() -> Self {
        Act::with(Answer::Created).storing()
    }

    /// Reads all, stores nothing, answers this.
    pub fn status(status: u16, body: &str) -> Self {
        Act::with(Answer::Status(status, body.as_bytes().to_vec()))
    }

    /// 200 with this body, whatever it says; the row is stored.
    pub fn stored_but_says(body: &str) -> Self {
        Act::status(201, body).storing()
    }

    /// Not HTTP at all.
    pub fn raw(bytes: &[u8]) -> Self {
        Act::with(Answer::Raw(bytes.to_vec())).ending(End::Close)
    }

    /// Resets as soon as the head is there.
    pub fn reset_before_reading() -> Self {
        Act::reset_while_reading(0)
    }

    /// Resets after so many bytes of the body.
    pub fn reset_while_reading(bytes: u64) -> Self {
        let mut act = Act::with(Answer::Nothing).ending(End::Reset);
        act.reading = Reading::UpTo(bytes);
        act
    }

    /// Reads all, stores nothing, resets.
    pub fn reset_unstored() -> Self {
        Act::with(Answer::Nothing).ending(End::Reset)
    }

    /// Stores the row, but the answer never comes.
    pub fn reset_after_storing() -> Self {
        Act::with(Answer::Nothing).storing().ending(End::Reset)
    }

    /// Stores the row, and closes in the middle of the answer.
    pub fn cut_answer_after(bytes: usize) -> Self {
        Act::with(Answer::CutAfter(bytes)).storing().ending(End::Close)
    }

    /// Closes after so many bytes of the answer.
    pub fn cut(mut self, bytes: usize) -> Self {
        self.answer = Answer::CutAfter(bytes);
        self.ending(End::Close)
    }

    /// Goes down over a body with this in it.
    pub fn dying_over(mut self, text: &str) -> Self {
        self.dies_over = Some(text.to_owned());
        self
    }

    /// Resets, and refuses connections for a while.
    pub fn goes_away_for(pause: Duration) -> Self {
        Act::reset_before_reading().ending(End::GoAway(pause))
    }

    pub fn storing(mut self) -> Self {
        self.stores = true;
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Reads the body at this rate.
    pub fn slowly(mut self, bytes_per_second: u64) -> Self {
        self.reading = Reading::Slowly(bytes_per_second);
        self
    }

    /// Reads so many bytes of the body, and the rest when the gate is open.
    pub fn held_after(mut self, bytes: u64, gate: &Gate) -> Self {
        self.reading = Reading::Held(bytes, gate.clone());
        self
    }

    /// Takes no byte of the body for a while.
    pub fn reading_after(mut self, pause: Duration) -> Self {
        self.reading = Reading::Later(pause);
        self
    }

    /// Waits before it answers.
    pub fn after(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }

    pub fn closing(self) -> Self {
        self.ending(End::Close)
    }
}

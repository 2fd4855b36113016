//! People at the built program: added by its own command, signed in over HTTP.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::{Answer, Receiver, program};

pub const PASSWORD: &str = "correct horse battery";

/// Somebody with a session.
pub struct SignedIn<'a> {
    receiver: &'a Receiver,
    pub cookie: String,
}

/// What a command comes to that reads `input`.
pub fn run(command: &mut Command, input: &str) -> Output {
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

impl Receiver {
    /// Runs a command beside the running receiver, on its folder.
    pub fn command(&self, arguments: &[&str], input: &str) -> Output {
        run(program().args(arguments).env("RECEIVER_DATA", self.path()), input)
    }

    /// Adds a person whose password is [`PASSWORD`].
    pub fn add_person(&self, name: &str, more: &[&str]) {
        let output = self.command(&[&["user", "add", name], more].concat(), &format!("{PASSWORD}\n"));
        assert!(output.status.success(), "{output:?}");
    }

    pub fn sign_in_answer(&self, name: &str, password: &str, headers: &str) -> Answer {
        let body = serde_json::json!({ "name": name, "password": password }).to_string();
        self.ask(super::post("/api/session", headers, body))
    }

    pub fn sign_in(&self, name: &str) -> SignedIn<'_> {
        let answer = self.sign_in_answer(name, PASSWORD, "");
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap();
        SignedIn {
            receiver: self,
            cookie: cookie.split(';').next().unwrap().to_string(),
        }
    }

    /// A request as this machine's own browser makes it.
    pub fn local(&self, request: &str) -> Answer {
        self.ask(format!("{request} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address))
    }

    pub fn local_json(&self, path: &str) -> Value {
        json(&self.local(&format!("GET {path}")))
    }
}

impl SignedIn<'_> {
    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        self.receiver.ask(format!(
            "{method} {path} HTTP/1.1\r\nHost: receiver\r\nCookie: {}\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            self.cookie,
            body.len()
        ))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "")
    }

    pub fn json(&self, path: &str) -> Value {
        json(&self.get(path))
    }
}

pub fn json(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

//! The built program, on a free port and a folder of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Answer, Client};

pub struct Receiver {
    child: Child,
    folder: TempDir,
    pub address: String,
}

/// The program with nothing in its environment but what the test says.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sync-receiver"));
    command.env_clear();
    command
}

impl Receiver {
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(settings: &[(&str, &str)]) -> Self {
        Self::on(TempDir::new().unwrap(), settings)
    }

    /// On a folder that another one, or a test, has left.
    pub fn on(folder: TempDir, settings: &[(&str, &str)]) -> Self {
        let mut command = program();
        command.envs(settings.iter().copied());
        Self::run(folder, command)
    }

    pub fn run(folder: TempDir, mut command: Command) -> Self {
        let mut child = command
            .env("RECEIVER_LISTEN", "127.0.0.1:0")
            .env("RECEIVER_DATA", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line
            .strip_prefix("sync-receiver listening on http://")
            .and_then(|rest| rest.strip_suffix('\n'));
        let Some(address) = address.map(str::to_string) else {
            let mut error = String::new();
            child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
            panic!("no address: {line:?} {error}");
        };
        Self { child, folder, address }
    }

    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// One request on a connection of its own.
    pub fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        self.client().ask(request)
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn database(&self) -> Connection {
        database(self.path())
    }

    pub fn count(&self, table: &str) -> i64 {
        self.database()
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .unwrap()
    }

    /// Names in `clips/` and in `incoming/`.
    pub fn files(&self) -> (Vec<String>, Vec<String>) {
        (names(&self.path().join("clips")), names(&self.path().join("incoming")))
    }

    /// Neither rows nor files.
    pub fn holds_nothing(&self) -> bool {
        self.count("evenement") == 0 && self.count("media") == 0 && self.files() == (vec![], vec![])
    }

    /// The most memory it has held, beside the pages of the program's own file: those differ with how it was built and
    /// linked, and the kernel may drop them.
    pub fn peak_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let value = |name: &str| -> u64 {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        value("VmHWM:") - value("RssFile:")
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end, not longer than `within`.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let end = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "still running after {within:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it said on standard error, once it has ended.
    pub fn errors(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// `kill -9`; what is left is there to be looked at or started on again.
    pub fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.folder, TempDir::new().unwrap())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn database(folder: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let database = Connection::open_with_flags(folder.join("receiver.db"), flags).unwrap();
    database.busy_timeout(Duration::from_secs(10)).unwrap();
    database
}

fn names(folder: &PathBuf) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

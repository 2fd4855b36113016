//! The built uploader, run as systemd or cron would: a clean environment, its output captured, never left behind.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::spawn;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::backend::Backend;
use super::device::Device;

/// How long anything may take before a test gives up: far above what is needed, a failure only.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A run that is being prepared.
pub struct Service {
    command: Command,
    /// Our end of its terminal.
    terminal: Option<File>,
}

/// A run that ended.
#[derive(Debug)]
pub struct Run {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
    /// Peak resident memory in KB, as last seen while it lived.
    pub peak_kb: u64,
}

/// A run that is going on. Killed when dropped.
pub struct Running {
    child: Child,
    started: Instant,
    stdout: Arc<Captured>,
    stderr: Arc<Captured>,
    peak_kb: u64,
}

/// A run whose output nobody reads.
pub struct Unread(Child);

impl Unread {
    /// Tells it to stop, and waits for its end.
    pub fn stop_within(&mut self, patience: Duration) -> ExitStatus {
        let asked = Instant::now();
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(asked.elapsed() < patience, "still running after {patience:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Default)]
struct Captured {
    text: Mutex<(Vec<u8>, bool)>,
    grown: Condvar,
}

/// The uploader's binary: the one built with these tests, or `SYNC_TEST_BIN`.
pub fn binary() -> PathBuf {
    std::env::var_os("SYNC_TEST_BIN").map_or_else(|| env!("CARGO_BIN_EXE_sync-service").into(), PathBuf::from)
}

/// Whether the binary runs under an emulator (`SYNC_TEST_RUNNER`).
pub fn emulated() -> bool {
    std::env::var_os("SYNC_TEST_RUNNER").is_some()
}

/// For tests that need this machine's own program. They stand in modules named `native`, so that who runs the others under
/// an emulator leaves these out by name.
#[track_caller]
pub fn assert_native() {
    assert!(!emulated(), "not under an emulator: leave it out with --skip native::");
}

/// The most memory in KB that a promise of so many MB allows. A debug build has some 60 MB of code and touches 6 MB
/// more of it than a release build, before it does anything. An emulator holds itself and the code it translated too.
pub fn most_kb(promised_mb: u64) -> u64 {
    const DEBUG_MB: u64 = 6;
    const EMULATOR_MB: u64 = 32;
    let debug = cfg!(debug_assertions) && std::env::var_os("SYNC_TEST_BIN").is_none();
    (promised_mb + if debug { DEBUG_MB } else { 0 } + if emulated() { EMULATOR_MB } else { 0 }) << 10
}

impl Service {
    /// The uploader.
    pub fn bare() -> Self {
        Service::command(&[])
    }

    /// The uploader with arguments.
    pub fn command(arguments: &[&str]) -> Self {
        Service::wrapped(&[], arguments)
    }

    /// The uploader with `wrapper` before it: `["prlimit", "--fsize=…"]`.
    pub fn wrapped(wrapper: &[&str], arguments: &[&str]) -> Self {
        let runner = std::env::var("SYNC_TEST_RUNNER").unwrap_or_default();
        let program = binary();
        let mut words = wrapper.to_vec();
        words.extend(runner.split_whitespace());
        words.push(program.to_str().unwrap());
        words.extend(arguments);
        Service::program(&words)
    }

    /// Another program, of this machine whatever the uploader was built for.
    pub fn program(words: &[&str]) -> Self {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env_clear();
        command
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TZ", "UTC");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Service {
            command,
            terminal: None,
        }
    }

    /// For a test that reads what it writes bit by bit; standard output is a pipe.
    pub fn into_command(self) -> Command {
        self.command
    }

    /// Standard output and standard error go to a terminal of 100 columns; what it shows is captured as standard output.
    pub fn on_a_terminal(mut self) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let path = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let its = File::options().read(true).write(true).open(path).unwrap();
        let size = Winsize {
            ws_row: 40,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&its, size).unwrap();
        self.command
            .stdout(its.try_clone().unwrap())
            .stderr(its)
            .env("TERM", "xterm");
        self.terminal = Some(File::from(ours));
        self
    }

    pub fn of(device: &Device, url: &str, mode: &str) -> Self {
        Service::bare().on(device, url, mode)
    }

    pub fn on(self, device: &Device, url: &str, mode: &str) -> Self {
        self.env("LOCAL_DB_PATH", device.path().to_str().unwrap())
            .env("BACKEND_URL", url)
            .env("SYNC_MODE", mode)
    }

    /// One pass (`SYNC_MODE=once`).
    pub fn once(device: &Device, backend: &Backend) -> Self {
        Service::of(device, &backend.url(), "once")
    }

    /// Until it is told to stop (`SYNC_MODE=continuous`).
    pub fn continuous(device: &Device, backend: &Backend) -> Self {
        Service::of(device, &backend.url(), "continuous")
    }

    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it with a standard output that nobody reads, as a pager's while a person does. Killed when dropped.
    pub fn start_unread(mut self) -> Unread {
        Unread(self.command.spawn().unwrap())
    }

    pub fn run(self) -> Run {
        self.run_within(PATIENCE)
    }

    pub fn run_within(self, patience: Duration) -> Run {
        self.start().wait_within(patience)
    }

    pub fn start(mut self) -> Running {
        let started = Instant::now();
        let mut child = self
            .command
            .spawn()
            .unwrap_or_else(|error| panic!("{:?}: {error}", self.command));
        let (stdout, stderr) = match self.terminal.take() {
            // Its end lives in `command` too, and a terminal ends when no one has it open.
            Some(terminal) => {
                drop(self.command);
                (capture(terminal), capture(std::io::empty()))
            }
            None => (
                capture(child.stdout.take().unwrap()),
                capture(child.stderr.take().unwrap()),
            ),
        };
        Running {
            child,
            started,
            stdout,
            stderr,
            peak_kb: 0,
        }
    }
}

impl Run {
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Ended with this exit status; when that is a success, nothing was said on standard error.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        if code == 0 {
            assert_eq!(self.stderr, "", "{self}");
        }
        self.exits_with_words(code)
    }

    /// Ended with this exit status; diagnostics are expected.
    #[track_caller]
    pub fn exits_with_words(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self}");
        assert!(!self.stderr.contains("panicked"), "{self}");
        self
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} after {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.status, self.took, self.stdout, self.stderr
        )
    }
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has printed `text` on standard output.
    #[track_caller]
    pub fn prints(&mut self, text: &str) -> &mut Self {
        self.prints_times(text, 1)
    }

    /// Waits until it has printed `text` on standard output `times` times.
    #[track_caller]
    pub fn prints_times(&mut self, text: &str, times: usize) -> &mut Self {
        if !self
            .stdout
            .wait_until(PATIENCE, |sofar| sofar.matches(text).count() >= times)
        {
            panic!(
                "{times} × {text:?} was never printed\n--- stdout\n{}\n--- stderr\n{}",
                self.stdout(),
                self.stderr()
            );
        }
        self
    }

    /// Waits until it has said `text` on standard error.
    #[track_caller]
    pub fn logs(&mut self, text: &str) -> &mut Self {
        if !self.stderr.wait_until(PATIENCE, |sofar| sofar.contains(text)) {
            panic!(
                "{text:?} was never said\n--- stdout\n{}\n--- stderr\n{}",
                self.stdout(),
                self.stderr()
            );
        }
        self
    }

    pub fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    pub fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid() as i32).unwrap(), signal).unwrap();
    }

    /// Tells it to stop, and waits.
    pub fn stop(self) -> Run {
        self.signal(Signal::TERM);
        self.wait_within(PATIENCE)
    }

    /// As a power cut: nothing of it runs any more when this returns.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn wait_within(mut self, patience: Duration) -> Run {
        let status = loop {
            // It only ever grows, but for the moment of its start, when it is still ours.
            self.peak_kb = self.proc_number("status", "VmHWM:").unwrap_or(self.peak_kb);
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > patience {
                panic!(
                    "still running after {patience:?}\n--- stdout\n{}\n--- stderr\n{}",
                    self.stdout(),
                    self.stderr()
                );
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let took = self.started.elapsed();
        self.stdout.wait_end();
        self.stderr.wait_end();
        Run {
            status,
            stdout: self.stdout(),
            stderr: self.stderr(),
            took,
            peak_kb: self.peak_kb,
        }
    }

    /// `VmHWM`: the most memory it ever held.
    pub fn peak_kb_now(&self) -> u64 {
        self.proc_number("status", "VmHWM:").unwrap()
    }

    /// `rchar`: bytes it read, from files and sockets.
    pub fn read_bytes(&self) -> u64 {
        self.proc_number("io", "rchar:").unwrap()
    }

    /// `wchar`: bytes it wrote, to files and sockets.
    pub fn written_bytes(&self) -> u64 {
        self.proc_number("io", "wchar:").unwrap()
    }

    fn proc_number(&self, file: &str, name: &str) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/{file}", self.pid())).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn capture(mut pipe: impl std::io::Read + Send + 'static) -> Arc<Captured> {
    let captured = Arc::new(Captured::default());
    let writer = captured.clone();
    spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            let read = pipe.read(&mut buffer).unwrap_or(0);
            let mut text = writer.text.lock().unwrap();
            text.0.extend_from_slice(&buffer[..read]);
            text.1 = read == 0;
            writer.grown.notify_all();
            if read == 0 {
                return;
            }
        }
    });
    captured
}

impl Captured {
    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap().0).into_owned()
    }

    fn wait_until(&self, patience: Duration, condition: impl Fn(&str) -> bool) -> bool {
        let text = self.text.lock().unwrap();
        let waiting = |text: &mut (Vec<u8>, bool)| !text.1 && !condition(&String::from_utf8_lossy(&text.0));
        let (text, _) = self.grown.wait_timeout_while(text, patience, waiting).unwrap();
        condition(&String::from_utf8_lossy(&text.0))
    }

    /// Waits for the end of the pipe, but not for ever: a grandchild may hold it.
    fn wait_end(&self) {
        let text = self.text.lock().unwrap();
        let _ = self
            .grown
            .wait_timeout_while(text, Duration::from_secs(5), |text| !text.1)
            .unwrap();
    }
}

//! PostgreSQL fails over while devices upload: a primary that is killed, its synchronous standby that is promoted.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::postgres::{ask, try_to_ask};
use crate::support::{Receiver, noise, wait_until};

const DEVICES: usize = 3;
const EVENTS: i64 = 1_200;
const CLIPS: i64 = 6;

/// A primary and its standby.
struct Pair {
    folder: TempDir,
    ports: [u16; 2],
}

pub(super) fn bin(program: &str) -> PathBuf {
    Path::new(&std::env::var("SYNC_TEST_POSTGRES_BIN").expect("run scripts/test-fleet.sh")).join(program)
}

/// PostgreSQL refuses to run as root.
pub(super) fn as_postgres(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

pub(super) fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Below those that the system gives to connections and to whoever asks for any: nobody else takes it meanwhile.
pub(super) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = || std::process::id().wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    std::iter::repeat_with(next)
        .map(|next| u16::try_from(20_000 + next % 10_000).unwrap())
        .take(1_000)
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

impl Pair {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        if rustix::process::geteuid().is_root() {
            succeed(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        let pair = Self {
            folder,
            ports: [free_port(), free_port()],
        };
        let one = pair.data(0);
        succeed(as_postgres(&bin("initdb")).current_dir("/").arg("-D").arg(&one).args([
            "-U",
            "fleet",
            "--auth=trust",
            "--no-sync",
        ]));
        pair.control(0, &["start"]);
        ask(&pair.url(0, "postgres"), "CREATE DATABASE rows");
        let port = pair.ports[0].to_string();
        succeed(
            as_postgres(&bin("pg_basebackup"))
                .current_dir("/")
                .args([
                    "-h",
                    "127.0.0.1",
                    "-p",
                    &port,
                    "-U",
                    "fleet",
                    "-R",
                    "-X",
                    "stream",
                    "-c",
                    "fast",
                    "-D",
                ])
                .arg(pair.data(1)),
        );
        pair.control(1, &["start"]);
        // Of the primary alone: the standby has none behind it when it is promoted.
        ask(
            &pair.url(0, "postgres"),
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
        );
        ask(&pair.url(0, "postgres"), "SELECT pg_reload_conf()");
        wait_until("the standby is synchronous", || {
            ask(&pair.url(0, "postgres"), "SELECT sync_state FROM pg_stat_replication") == ["sync"]
        });
        pair
    }

    fn data(&self, which: usize) -> PathBuf {
        self.folder.path().join(["one", "two"][which])
    }

    fn url(&self, which: usize, database: &str) -> String {
        format!("postgres://fleet@127.0.0.1:{}/{database}", self.ports[which])
    }

    fn control(&self, which: usize, action: &[&str]) {
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories= -c fsync=off",
            self.ports[which]
        );
        let log = self.folder.path().join(format!("{which}.log"));
        let mut command = as_postgres(&bin("pg_ctl"));
        command
            .current_dir("/")
            .arg("-D")
            .arg(self.data(which))
            .arg("-w")
            .arg("-l")
            .arg(log)
            .arg("-o")
            .arg(options);
        // It must not wait for the server to let go of its output.
        command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        assert!(command.args(action).status().unwrap().success(), "{action:?}");
    }

    fn kill_the_primary(&self) {
        let pid = std::fs::read_to_string(self.data(0).join("postmaster.pid")).unwrap();
        let pid: i32 = pid.lines().next().unwrap().parse().unwrap();
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(pid).unwrap(),
            rustix::process::Signal::KILL,
        )
        .unwrap();
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for which in [0, 1] {
            let mut stop = as_postgres(&bin("pg_ctl"));
            let _ = stop
                .current_dir("/")
                .arg("-D")
                .arg(self.data(which))
                .args(["-m", "immediate", "stop"])
                .output();
        }
    }
}

/// A recorder's database with a backlog.
fn recorder(folder: &Path, device: usize) -> PathBuf {
    let path = folder.join(format!("{device}.db"));
    let database = Connection::open(&path).unwrap();
    database
        .execute_batch(include_str!("../../../../tests/recorder.sql"))
        .unwrap();
    database
        .execute_batch("BEGIN; INSERT INTO capteur (nom_capteur) VALUES ('PIR Entrée')")
        .unwrap();
    for number in 0..EVENTS {
        let date = format!("2025-12-18T17:{:02}:{:02}.000001", number / 60 % 60, number % 60);
        database
            .execute("INSERT INTO evenement (date, id_capteur) VALUES (?1, 1)", [date])
            .unwrap();
    }
    for number in 0..CLIPS {
        let video = noise(1_500_000, u64::try_from(number).unwrap());
        let date = format!("2025-12-18T18:00:{number:02}");
        let clip = "INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (?1, ?2, 1, 1)";
        database.execute(clip, rusqlite::params![video, date]).unwrap();
    }
    database.execute_batch("COMMIT").unwrap();
    path
}

/// As cron runs it: again, until every row is sent.
fn upload(database: &Path, device: usize, receiver: &Receiver, give_up: &AtomicBool) -> bool {
    let program = Path::new(env!("CARGO_BIN_EXE_sync-receiver")).with_file_name("sync-service");
    for _ in 0..60 {
        let output = Command::new(&program)
            .env_clear()
            .env("LOCAL_DB_PATH", database)
            .env("BACKEND_URL", format!("http://{}", receiver.address))
            .env("DEVICE_ID", format!("device-{device}"))
            .env("SYNC_MODE", "once")
            .output()
            .unwrap();
        if output.status.success() {
            return true;
        }
        if give_up.load(Ordering::Relaxed) {
            return false;
        }
    }
    false
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn when_a_standby_is_promoted_nothing_acknowledged_is_missing_and_nothing_doubled() {
    let pair = Pair::start();
    let url = format!(
        "postgres://fleet@127.0.0.1:{},127.0.0.1:{}/rows",
        pair.ports[0], pair.ports[1]
    );
    let receiver = Receiver::with(&[("RECEIVER_DATABASE_URL", &url)]);
    let folder = TempDir::new().unwrap();
    let databases: Vec<PathBuf> = (0..DEVICES).map(|device| recorder(folder.path(), device)).collect();
    let give_up = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let uploads: Vec<_> = databases
            .iter()
            .enumerate()
            .map(|(device, path)| {
                let (receiver, give_up) = (&receiver, &give_up);
                scope.spawn(move || upload(path, device, receiver, give_up))
            })
            .collect();
        wait_until("some rows are stored", || {
            ask(&pair.url(0, "rows"), "SELECT count(*) > 300 FROM evenement") == ["t"]
        });
        pair.kill_the_primary();
        pair.control(1, &["promote"]);
        wait_until("the standby takes writes", || {
            try_to_ask(&pair.url(1, "postgres"), "SELECT pg_is_in_recovery()").is_ok_and(|answer| answer == ["f"])
        });
        for (device, upload) in uploads.into_iter().enumerate() {
            assert!(upload.join().unwrap(), "device {device} has rows left");
        }
    });
    let rows = pair.url(1, "rows");
    for (device, path) in databases.iter().enumerate() {
        let acknowledged = Connection::open(path).unwrap();
        for (table, count) in [("evenement", EVENTS), ("media", CLIPS)] {
            let mut told = acknowledged
                .prepare("SELECT remote_id FROM sync_tracking WHERE table_name = ?1 AND sync_status = 'success'")
                .unwrap();
            let told = told.query_map([table], |row| row.get::<_, i64>(0)).unwrap();
            let mut told: Vec<i64> = told.map(Result::unwrap).collect();
            told.sort_unstable();
            let kept = format!("SELECT id FROM {table} WHERE device_id = 'device-{device}' ORDER BY id");
            let kept: Vec<i64> = ask(&rows, &kept).iter().map(|id| id.parse().unwrap()).collect();
            assert_eq!(told.len(), usize::try_from(count).unwrap());
            assert_eq!(told, kept, "{table} of device {device}");
        }
    }
    let clips = receiver.files().0;
    assert!(
        ask(&rows, "SELECT file FROM media")
            .iter()
            .all(|file| clips.contains(file))
    );
}

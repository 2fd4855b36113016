//! Whatever dies while devices upload through a balancer: each row once, each clip whole, the same id from every receiver.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::failover::{as_postgres, bin, free_port, succeed};
use crate::on_s3::{Bucket, Fault, video};
use crate::support::device::{Balancer, Device};
use crate::support::postgres::{ask, try_to_ask};
use crate::support::tus::{UPLOADS, metadata_of, request};
use crate::support::{Receiver, noise, post};

const DEVICES: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// `kill -9` of a receiver, which is then started again.
    Receiver(usize),
    /// PostgreSQL ends every connection.
    Connections,
    /// `kill -9` of one of PostgreSQL's processes: it ends the others too and recovers.
    Backend,
    /// PostgreSQL is stopped in this mode and started again.
    Postgres(&'static str),
    /// The bucket answers so for a while.
    Bucket(Fault),
}

/// Each of them; in which order says the seed.
const TROUBLES: [Trouble; 12] = [
    Trouble::Receiver(0),
    Trouble::Receiver(1),
    Trouble::Receiver(0),
    Trouble::Receiver(1),
    Trouble::Connections,
    Trouble::Connections,
    Trouble::Backend,
    Trouble::Postgres("fast"),
    Trouble::Postgres("immediate"),
    Trouble::Bucket(Fault::Busy),
    Trouble::Bucket(Fault::Stall),
    Trouble::Bucket(Fault::Busy),
];

fn in_order_of(seed: u64) -> Vec<Trouble> {
    let keys = noise(8 * TROUBLES.len(), seed);
    let mut order: Vec<_> = keys.chunks(8).zip(TROUBLES).collect();
    order.sort_by_key(|(key, _)| *key);
    order.into_iter().map(|(_, trouble)| trouble).collect()
}

/// A PostgreSQL of this test's own, since it is killed.
pub(super) struct Cluster {
    folder: TempDir,
    port: u16,
    /// More options of the server.
    options: String,
}

impl Cluster {
    fn start() -> Self {
        Self::with(TempDir::new().unwrap(), String::new())
    }

    /// In a folder that becomes PostgreSQL's own with all that is in it.
    pub(super) fn with(folder: TempDir, options: String) -> Self {
        if rustix::process::geteuid().is_root() {
            succeed(Command::new("chown").args(["-R", "postgres"]).arg(folder.path()));
        }
        let port = free_port();
        let cluster = Self { folder, port, options };
        let mut create = as_postgres(&bin("initdb"));
        create.current_dir("/").arg("-D").arg(cluster.data());
        succeed(create.args(["-U", "fleet", "--auth=trust", "--encoding=UTF8", "--no-sync"]));
        cluster.control(&["start"]);
        ask(&cluster.url("postgres"), "CREATE DATABASE rows");
        cluster
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(super) fn url(&self, database: &str) -> String {
        format!("postgres://fleet@127.0.0.1:{}/{database}", self.port)
    }

    fn control(&self, action: &[&str]) {
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories= -c fsync=off {}",
            self.port, self.options
        );
        let mut command = as_postgres(&bin("pg_ctl"));
        command.current_dir("/").arg("-D").arg(self.data()).arg("-w");
        command.arg("-l").arg(self.folder.path().join("log"));
        // It must not wait for the server to let go of its output.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.arg("-o").arg(options).args(action).status().unwrap();
        assert!(status.success(), "{action:?}");
    }

    /// Rows and what of clips on their way was kept; none while PostgreSQL is away.
    fn progress(&self) -> Option<(i64, i64)> {
        let sql = "SELECT (SELECT count(*) FROM evenement) + (SELECT count(*) FROM media) || ' ' || (SELECT count(*) FROM upload WHERE media_id IS NULL)";
        let answer = try_to_ask(&self.url("rows"), sql).ok()?;
        let (rows, uploads) = answer.first()?.split_once(' ')?;
        Some((rows.parse().unwrap(), uploads.parse().unwrap()))
    }

    /// The processes that serve receivers.
    fn backends(&self) -> Vec<Pid> {
        let sql = "SELECT pid FROM pg_stat_activity WHERE datname = 'rows'";
        let pids = try_to_ask(&self.url("postgres"), sql).unwrap_or_default();
        let pids = pids.iter().map(|pid| Pid::from_raw(pid.parse().unwrap()).unwrap());
        pids.collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = as_postgres(&bin("pg_ctl"));
        stop.current_dir("/").arg("-D").arg(self.data());
        let _ = stop.args(["-m", "immediate", "stop"]).output();
    }
}

struct Fleet {
    devices: Vec<Device>,
    balancer: Balancer,
    receivers: [Receiver; 2],
    bucket: Bucket,
    cluster: Cluster,
    _recordings: TempDir,
}

fn receiver(bucket: &Bucket, cluster: &Cluster) -> Receiver {
    bucket.receiver(&[
        ("RECEIVER_DATABASE_URL", cluster.url("rows").as_str()),
        ("AWS_TIMEOUT", "2s"),
        ("AWS_CONNECT_TIMEOUT", "2s"),
    ])
}

impl Fleet {
    fn start() -> Self {
        let (cluster, bucket) = (Cluster::start(), Bucket::new());
        let receivers = [receiver(&bucket, &cluster), receiver(&bucket, &cluster)];
        let addresses = receivers.each_ref().map(|receiver| receiver.address.as_str());
        let balancer = Balancer::before(&addresses);
        let recordings = TempDir::new().unwrap();
        let devices = (0..DEVICES).map(|number| Device::new(recordings.path(), number, &balancer.address));
        Self {
            devices: devices.collect(),
            balancer,
            receivers,
            bucket,
            cluster,
            _recordings: recordings,
        }
    }

    /// Looks after the devices meanwhile.
    fn wait_until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(40);
        loop {
            self.devices.iter_mut().for_each(Device::tend);
            if condition(self) {
                return;
            }
            assert!(Instant::now() < end, "never: {what}; unsent: {:?}", self.unsent());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn unsent(&self) -> Vec<usize> {
        self.devices.iter().map(Device::unsent).collect()
    }

    fn rows(&mut self) -> i64 {
        let mut rows = 0;
        self.wait_until("PostgreSQL answers", |fleet| {
            let progress = fleet.cluster.progress();
            rows = progress.map_or(0, |(rows, _)| rows);
            progress.is_some()
        });
        rows
    }

    fn make(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Receiver(which) => {
                // What is stored now is not acknowledged, and comes again: the answers are lost with it.
                self.balancer.loses_answers(true);
                let rows = self.rows();
                self.record(1, 0);
                self.wait_until("a row is stored", |fleet| {
                    fleet.cluster.progress().is_some_and(|(now, _)| now > rows)
                });
                self.receivers[which].signal(Signal::KILL);
                self.receivers[which].wait(Duration::from_secs(10));
                self.balancer.loses_answers(false);
                // The other one alone, until something has come.
                self.record(1, 0);
                let rows = self.rows();
                self.wait_until("the other one goes on", |fleet| {
                    fleet.cluster.progress().is_some_and(|(now, _)| now > rows)
                });
                self.receivers[which] = receiver(&self.bucket, &self.cluster);
                self.balancer.replace(which, &self.receivers[which].address);
            }
            Trouble::Connections => {
                let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'rows'";
                assert!(!ask(&self.cluster.url("postgres"), sql).is_empty());
            }
            Trouble::Backend => self.wait_until("one is killed", |fleet| {
                let backends = fleet.cluster.backends();
                backends.iter().any(|pid| kill_process(*pid, Signal::KILL).is_ok())
            }),
            Trouble::Postgres(mode) => self.cluster.control(&["restart", "-m", mode]),
            Trouble::Bucket(fault) => {
                let before = self.bucket.proxy.made();
                self.bucket.proxy.set(fault);
                self.record(0, 200_000);
                self.wait_until("the bucket's trouble is felt", |fleet| {
                    fleet.bucket.proxy.made() >= before + 3
                });
                self.bucket.proxy.set(Fault::None);
            }
        }
    }

    fn record(&mut self, events: usize, clip_bytes: usize) {
        let clip_bytes = (clip_bytes > 0).then_some(clip_bytes);
        for device in &mut self.devices {
            device.record(events, clip_bytes);
        }
    }

    fn round(&mut self, round: usize, trouble: Trouble) {
        let rows = self.rows();
        for (number, device) in self.devices.iter_mut().enumerate() {
            let long = number == round % DEVICES;
            let length = if long { 2_000_000 + 250_000 * round } else { 90_000 };
            device.record(30, Some(length));
        }
        // In the middle of rows, or of a clip.
        self.wait_until("something is on its way", |fleet| {
            let progress = fleet.cluster.progress();
            progress.is_some_and(|(now, uploads)| {
                if round % 2 == 0 {
                    now > rows
                } else {
                    uploads > 0 || now > rows + 60
                }
            })
        });
        self.make(trouble);
        let rows = self.rows();
        self.record(20, 0);
        self.wait_until("it goes on", |fleet| {
            fleet.cluster.progress().is_some_and(|(now, _)| now > rows + 40)
        });
    }

    /// Each row once, under the id that its device was told, which every receiver tells again.
    fn assert_whole(&self) {
        for device in &self.devices {
            for (table, count) in [("evenement", device.events), ("media", device.clips)] {
                let columns = "id || ' ' || moment || ' ' || coalesce(idempotency_key, '')";
                let sql = format!(
                    "SELECT {columns} FROM {table} WHERE device_id = '{}' ORDER BY id",
                    device.name
                );
                let (mut kept, mut keys) = (Vec::new(), Vec::new());
                for row in ask(&self.cluster.url("rows"), &sql) {
                    let mut fields = row.split(' ').map(str::to_string);
                    kept.push((fields.next().unwrap().parse::<i64>().unwrap(), fields.next().unwrap()));
                    keys.push(fields.next().unwrap());
                }
                assert_eq!(kept.len(), count, "{table} of {}", device.name);
                assert_eq!(device.told(table), kept, "{table} of {}", device.name);
                for ((id, date), key) in kept.iter().zip(&keys) {
                    let same = self.asked_again(device, table, date, key);
                    assert_eq!(same, [*id; 2], "{table} of {} of {date}", device.name);
                }
            }
            for (id, date) in device.told("media") {
                let recorded = device.clip(&date);
                for receiver in &self.receivers {
                    let (answer, bytes) = video(receiver, id, "");
                    assert_eq!(answer.status, 200, "{id} {date}");
                    assert!(bytes == recorded, "{id} {date}");
                }
            }
        }
    }

    fn asked_again(&self, device: &Device, table: &str, date: &str, key: &str) -> [i64; 2] {
        let header = format!("Idempotency-Key: \"{key}\"\r\n");
        let body = format!(
            r#"{{"date":"{date}","capteur":{{"id":1,"nom":"PIR Entrée"}},"numero_camera":1,"device_id":"{}","source":"sync_service"}}"#,
            device.name
        );
        let request = if table == "evenement" {
            post("/api/evenements", &header, body)
        } else {
            let headers = format!("Upload-Length: 5\r\n{}{header}", metadata_of(&body));
            request("POST", UPLOADS, &headers, b"")
        };
        self.receivers.each_ref().map(|receiver| receiver.ask(&request).id())
    }
}

#[test]
#[ignore = "needs PostgreSQL and S3: scripts/test-fleet.sh"]
fn whoever_dies_each_row_is_there_once_and_each_clip_whole() {
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = std::env::var("SYNC_TEST_SEED").map_or(clock.as_secs(), |seed| seed.parse().unwrap());
    println!("replay the order with SYNC_TEST_SEED={seed}");
    let mut fleet = Fleet::start();
    let begun = Instant::now();
    for (round, trouble) in in_order_of(seed).into_iter().enumerate() {
        fleet.round(round, trouble);
        println!("{:?}: {trouble:?}, unsent: {:?}", begun.elapsed(), fleet.unsent());
    }
    fleet.wait_until("all is sent", |fleet| {
        fleet.devices.iter().all(|device| device.unsent() == 0)
    });
    println!("{:?}: all is sent", begun.elapsed());
    let resumable = ask(&fleet.cluster.url("rows"), "SELECT count(*) > 12 FROM upload");
    assert_eq!(resumable, ["t"], "clips come by tus");
    fleet.assert_whole();
    // What was asked again stored nothing.
    let rows: usize = fleet.devices.iter().map(|device| device.events + device.clips).sum();
    assert_eq!(usize::try_from(fleet.rows()).unwrap(), rows);
}

//! The uploader and the receiver together, beside things of others: a loop without a database, curl, and `dd conv=fsync`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Bench, Cost, Fallible, MB, RUNS, add_clip, add_events, binary, cpu, make_database, median, noise, rate};

/// A receiver with a folder of its own, which goes with it.
struct Receiver {
    child: Child,
    folder: PathBuf,
    url: String,
}

impl Receiver {
    fn start(folder: PathBuf) -> Fallible<Self> {
        let program = std::env::var_os("SYNC_BENCH_RECEIVER")
            .map_or_else(|| binary().with_file_name("sync-receiver"), PathBuf::from);
        let mut child = Command::new(&program)
            .env_clear()
            .env("RECEIVER_LISTEN", "127.0.0.1:0")
            .env("RECEIVER_DATA", &folder)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error} (scripts/bench.sh builds it)", program.display()))?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("no standard output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let url = line.trim().rsplit(' ').next().unwrap_or_default().to_string();
        Ok(Self { child, folder, url })
    }

    /// User and system time so far.
    fn cpu(&self) -> Fallible<Duration> {
        cpu(&self.child.id().to_string(), 11)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What a run cost, and what it cost the receiver.
#[derive(Clone, Copy)]
struct Both {
    client: Cost,
    receiver_cpu: Duration,
}

impl Bench {
    fn receiver(&self) -> Fallible<Receiver> {
        Receiver::start(self.folder.join("receiver"))
    }

    /// Runs against a receiver that is new each time; the one in the middle by time.
    fn each_new(
        &self,
        prepare: impl Fn() -> Fallible<()>,
        run: impl Fn(&Receiver) -> Fallible<Cost>,
    ) -> Fallible<Both> {
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            prepare()?;
            let receiver = self.receiver()?;
            let cpu = receiver.cpu()?;
            let client = run(&receiver)?;
            runs.push(Both {
                client,
                receiver_cpu: receiver.cpu()? - cpu,
            });
        }
        runs.sort_by_key(|run| run.client.wall);
        Ok(runs[RUNS / 2])
    }

    /// Sends what `fill` puts into a database: each run begins with nothing on either side.
    fn to_receiver(&self, fill: &dyn Fn(&Path) -> Fallible<()>) -> Fallible<Both> {
        let database = self.folder.join("device.db");
        let prepare = || {
            let _ = fs::remove_file(&database);
            make_database(&database, "delete")?;
            fill(&database)
        };
        let both = self.each_new(prepare, |receiver| {
            let mut service = self.service_to(&receiver.url, &database, "auto")?;
            self.measured(&mut service, |_| ())
        })?;
        fs::remove_file(&database)?;
        Ok(both)
    }

    /// Events in batches.
    pub(super) fn events_to_receiver(&self, count: u64) -> Fallible<()> {
        println!("\n{count} events to the receiver, SQLite on both sides, journal_mode=delete");
        println!(
            "{:<34} {:>9} {:>9} {:>10} {:>12}",
            "", "events/s", "of loop", "CPU µs/ev", "receiver's"
        );
        let plain = self.plain(count)?;
        let fill = |database: &Path| add_events(database, count);
        let both = self.to_receiver(&fill)?;
        let per_event = |cpu: Duration| cpu.as_secs_f64() * 1e6 / count as f64;
        println!(
            "{:<34} {:>9.0} {:>8.0}% {:>10.1} {:>12.1}",
            "sync-service to sync-receiver",
            rate(count, both.client),
            100.0 * rate(count, both.client) / rate(count, plain),
            per_event(both.client.cpu),
            per_event(both.receiver_cpu)
        );
        match self.syncs(&fill)? {
            Some(syncs) => println!(
                "{:<34} {:>9.4}",
                "fsyncs of the uploader per event",
                syncs as f64 / count as f64
            ),
            None => {
                println!("fsyncs of the uploader per event: not counted, strace is missing (apt-get install strace)")
            }
        }
        Ok(())
    }

    /// How often the uploader has the disk write out; `None` without strace.
    fn syncs(&self, fill: &dyn Fn(&Path) -> Fallible<()>) -> Fallible<Option<u64>> {
        let database = self.folder.join("traced.db");
        make_database(&database, "delete")?;
        fill(&database)?;
        let receiver = self.receiver()?;
        let (service, trace) = (
            self.service_to(&receiver.url, &database, "auto")?,
            self.folder.join("trace"),
        );
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o"]);
        traced.arg(&trace).arg(service.get_program()).env_clear();
        traced.envs(service.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ran = traced.stdout(Stdio::null()).status();
        fs::remove_file(&database)?;
        match ran {
            Ok(status) if status.success() => {
                // A call that another thread interrupts stands there twice.
                let text = fs::read_to_string(&trace)?;
                let calls = text
                    .lines()
                    .filter(|line| line.contains("sync(") && !line.contains("resumed"));
                Ok(Some(calls.count() as u64))
            }
            _ => Ok(None),
        }
    }

    /// A raw clip into the receiver's folder, beside the same bytes by `dd`.
    pub(super) fn clip_to_receiver(&self, size: u64) -> Fallible<()> {
        println!("\n1 clip of {} MB to the receiver, raw, into a folder", size / MB);
        println!(
            "{:<34} {:>9} {:>9} {:>10} {:>12}",
            "", "MB/s", "of dd", "CPU s/GB", "receiver's"
        );
        let raw = self.folder.join("clip.raw");
        write_raw(&raw, size)?;
        let copy = self.folder.join("copy.raw");
        let dd = median(|| {
            let _ = fs::remove_file(&copy);
            self.measured(&mut Command::new("dd"), |dd| {
                dd.arg(format!("if={}", raw.display()))
                    .arg(format!("of={}", copy.display()));
                dd.args(["bs=1M", "conv=fsync", "status=none"]);
            })
        })?;
        fs::remove_file(&copy)?;
        let line = |name: &str, cost: Cost, receiver_cpu: Option<Duration>| {
            let per_gb = |cpu: Duration| cpu.as_secs_f64() * 1e9 / size as f64;
            let receiver_cpu = receiver_cpu.map_or(String::new(), |cpu| format!("{:.2}", per_gb(cpu)));
            println!(
                "{name:<34} {:>9.0} {:>8.0}% {:>10.2} {receiver_cpu:>12}",
                rate(size, cost) / 1e6,
                100.0 * rate(size, cost) / rate(size, dd),
                per_gb(cost.cpu)
            );
        };
        line("dd conv=fsync", dd, None);
        let curl = self.curl_to_receiver(&raw, size)?;
        line("curl to sync-receiver", curl.client, Some(curl.receiver_cpu));
        let both = self.to_receiver(&|database: &Path| add_clip(database, 0, size))?;
        line("sync-service to sync-receiver", both.client, Some(both.receiver_cpu));
        fs::remove_file(&raw)?;
        Ok(())
    }

    fn curl_to_receiver(&self, raw: &Path, size: u64) -> Fallible<Both> {
        let send = |receiver: &Receiver| {
            self.measured(&mut Command::new("curl"), |curl| {
                curl.args([
                    "-s",
                    "-S",
                    "-f",
                    "-o",
                    "/dev/null",
                    "-X",
                    "POST",
                    "-H",
                    "Expect:",
                    "-H",
                    "Tus-Resumable: 1.0.0",
                ]);
                curl.args(["-H", "Content-Type: application/offset+octet-stream", "-H"]);
                curl.arg(format!("Upload-Length: {size}")).args(["-H", METADATA, "-T"]);
                curl.arg(raw).arg(format!("{}/api/media/uploads", receiver.url));
            })
        };
        self.each_new(|| Ok(()), send)
    }
}

/// `{"date":"2025-12-18T17:30:00.5","capteur":{"id":4,"nom":"Cam"},"numero_camera":1,"device_id":"bench","source":"curl"}`
const METADATA: &str = "Upload-Metadata: media eyJkYXRlIjoiMjAyNS0xMi0xOFQxNzozMDowMC41IiwiY2FwdGV1ciI6eyJpZCI6NCwibm9tIjoiQ2FtIn0sIm51bWVyb19jYW1lcmEiOjEsImRldmljZV9pZCI6ImJlbmNoIiwic291cmNlIjoiY3VybCJ9";

fn write_raw(path: &Path, size: u64) -> Fallible<()> {
    use std::io::Write;
    let mut file = fs::File::create(path)?;
    let chunk = noise(usize::try_from(MB)?, 1);
    let mut left = usize::try_from(size)?;
    while left > 0 {
        let count = left.min(chunk.len());
        file.write_all(&chunk[..count])?;
        left -= count;
    }
    Ok(())
}

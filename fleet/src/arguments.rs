//! The command line, and what is to be played as it says: everything is bounded, and nothing leaves this machine.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::network::Address;

/// Plays many devices against receivers on this machine, and checks over the API what became of every row.
#[derive(Debug, Parser)]
#[command(
    name = "sync-fleet",
    version,
    after_help = "Exit status: 0 each row is there once and each clip whole, 1 one is not, 2 it could not be played or checked, or no row was sent.\n\n\
Examples:\n  sync-fleet --receiver http://127.0.0.1:8000 --devices 1000 --seconds 120\n  \
sync-fleet --receiver http://127.0.0.1:8001 --receiver http://127.0.0.1:8002 --outage 1@60+20\n  \
sync-fleet --receiver http://127.0.0.1:8000 --seconds 0 --backlog-events 100 --backlog-clips 5"
)]
pub(crate) struct Arguments {
    /// A receiver's address on this machine; several are shared out among the devices, which move on when one dies
    #[arg(long = "receiver", required = true, value_name = "URL")]
    receivers: Vec<String>,

    /// Devices
    #[arg(long, default_value_t = 200, value_name = "COUNT")]
    devices: u32,

    /// How long new work arrives
    #[arg(long, default_value_t = 20.0, value_name = "SECONDS")]
    seconds: f64,

    /// Time between two events of a device; 0: none
    #[arg(long, default_value_t = 60.0, value_name = "SECONDS")]
    event_every_s: f64,

    /// Time between two of its statuses; 0: none
    #[arg(long, default_value_t = 60.0, value_name = "SECONDS")]
    status_every_s: f64,

    /// Time between two of its clips; 0: none
    #[arg(long, default_value_t = 3_600.0, value_name = "SECONDS")]
    clip_every_s: f64,

    /// Events that wait on each device at the beginning, as after a day without a line
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    backlog_events: u32,

    /// Clips that wait on each device at the beginning
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    backlog_clips: u32,

    /// A clip's file; several take turns. Without one clips are 300 KB that are no video
    #[arg(long = "clip", value_name = "FILE")]
    clips: Vec<PathBuf>,

    /// Share of the clips whose line breaks half-way
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    cut: f64,

    /// An outage: share of the devices, when it begins and how long it lasts, as in 0.2@30+10; they all return at once
    #[arg(long = "outage", value_name = "SHARE@SECONDS+SECONDS")]
    outages: Vec<String>,

    /// How long an idle connection is kept
    #[arg(long, default_value_t = 15.0, value_name = "SECONDS")]
    keep_alive_s: f64,

    /// Longest wait of a device whose receivers are not well
    #[arg(long, default_value_t = 60.0, value_name = "SECONDS")]
    interval_s: f64,

    /// How long all may take to get through once no new work arrives
    #[arg(long, default_value_t = 300.0, value_name = "SECONDS")]
    within_s: f64,

    /// The devices' names and tokens, in the form of RECEIVER_TOKENS_FILE; of each its first line counts
    #[arg(long, value_name = "FILE")]
    tokens_file: Option<PathBuf>,

    /// Who reads what is there, where the receiver has people
    #[arg(long, requires = "password_file", value_name = "NAME")]
    user: Option<String>,

    /// File whose first line is that person's password
    #[arg(long, requires = "user", value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// A process whose memory and processor time are told, its children included; receivers are found by themselves
    #[arg(long = "watch", value_name = "NAME=PID")]
    watched: Vec<String>,

    /// What chance begins with: the same number, the same schedule
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u64,
}

/// What is to be played.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) receivers: Vec<Address>,
    pub(crate) devices: Vec<Name>,
    pub(crate) work: Duration,
    pub(crate) within: Duration,
    pub(crate) event_every: Option<Duration>,
    pub(crate) status_every: Option<Duration>,
    pub(crate) clip_every: Option<Duration>,
    pub(crate) backlog_events: u32,
    pub(crate) backlog_clips: u32,
    pub(crate) clips: Vec<PathBuf>,
    pub(crate) cut_share: f64,
    pub(crate) outages: Vec<Outage>,
    pub(crate) keep_alive: Duration,
    pub(crate) interval: Duration,
    pub(crate) person: Option<(String, String)>,
    pub(crate) watched: Vec<(String, u32)>,
    pub(crate) seed: u64,
}

/// A device's name and its token.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) id: String,
    pub(crate) token: Option<String>,
}

/// A part of the devices loses its line, and has it back at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outage {
    pub(crate) share: f64,
    pub(crate) begin: Duration,
    pub(crate) length: Duration,
}

impl Plan {
    /// # Errors
    /// The first argument that can't be used, in a sentence.
    pub(crate) fn new(arguments: &Arguments) -> Result<Self, String> {
        let receivers = arguments.receivers.iter().map(|url| Address::parse(url));
        let devices = within("--devices", arguments.devices, 1..=20_000)?;
        let person = match (&arguments.user, &arguments.password_file) {
            (Some(name), Some(path)) => Some((name.clone(), first_line(path)?)),
            _ => None,
        };
        let seconds = |name, value, most| within(name, value, 0.0..=most).map(Duration::from_secs_f64);
        let every = |name, value| -> Result<_, String> {
            let every = seconds(name, value, 86_400.0)?;
            Ok((!every.is_zero()).then(|| every.max(Duration::from_millis(10))))
        };
        Ok(Self {
            receivers: receivers.collect::<Result<_, _>>()?,
            devices: names(devices, arguments.tokens_file.as_ref())?,
            work: seconds("--seconds", arguments.seconds, 3_600.0)?,
            within: seconds("--within-s", arguments.within_s, 7_200.0)?,
            event_every: every("--event-every-s", arguments.event_every_s)?,
            status_every: every("--status-every-s", arguments.status_every_s)?,
            clip_every: every("--clip-every-s", arguments.clip_every_s)?,
            backlog_events: within("--backlog-events", arguments.backlog_events, 0..=10_000)?,
            backlog_clips: within("--backlog-clips", arguments.backlog_clips, 0..=100)?,
            clips: arguments.clips.clone(),
            cut_share: within("--cut", arguments.cut, 0.0..=1.0)?,
            outages: arguments
                .outages
                .iter()
                .map(|text| outage(text))
                .collect::<Result<_, _>>()?,
            keep_alive: seconds("--keep-alive-s", arguments.keep_alive_s, 3_600.0)?,
            interval: seconds("--interval-s", arguments.interval_s, 3_600.0)?,
            person,
            watched: arguments
                .watched
                .iter()
                .map(|text| watched(text))
                .collect::<Result<_, _>>()?,
            seed: arguments.seed,
        })
    }
}

fn within<T: PartialOrd + Display>(name: &str, value: T, range: RangeInclusive<T>) -> Result<T, String> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(format!("{name} {value}: expected {} to {}", range.start(), range.end()))
}

fn read(path: &PathBuf) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn first_line(path: &PathBuf) -> Result<String, String> {
    Ok(read(path)?.lines().next().unwrap_or_default().to_string())
}

/// The devices: as a file of tokens names them, else numbered.
fn names(count: u32, tokens_file: Option<&PathBuf>) -> Result<Vec<Name>, String> {
    let Some(path) = tokens_file else {
        let numbered = (0..count).map(|number| Name {
            id: format!("fleet-{number:05}"),
            token: None,
        });
        return Ok(numbered.collect());
    };
    let text = read(path)?;
    let lines = text.lines().map(str::trim);
    let mut names: Vec<Name> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (id, token) = line
            .rsplit_once(char::is_whitespace)
            .ok_or_else(|| format!("{}: a line is no `device token`", path.display()))?;
        if seen.insert(id.trim_end()) && names.len() < count as usize {
            names.push(Name {
                id: id.trim_end().to_string(),
                token: Some(token.to_string()),
            });
        }
    }
    if names.len() < count as usize {
        return Err(format!(
            "{}: {} devices instead of {count}",
            path.display(),
            names.len()
        ));
    }
    Ok(names)
}

fn outage(text: &str) -> Result<Outage, String> {
    let parts = || {
        let (share, rest) = text.split_once('@')?;
        let (begin, length) = rest.split_once('+')?;
        let number = |text: &str, most: f64| text.parse().ok().filter(|number| (0.0..=most).contains(number));
        Some(Outage {
            share: number(share, 1.0)?,
            begin: Duration::from_secs_f64(number(begin, 3_600.0)?),
            length: Duration::from_secs_f64(number(length, 3_600.0)?),
        })
    };
    parts().ok_or_else(|| format!("--outage {text}: expected something like 0.2@30+10"))
}

fn watched(text: &str) -> Result<(String, u32), String> {
    let parts = text
        .split_once('=')
        .and_then(|(name, pid)| Some((name.to_string(), pid.parse().ok()?)));
    parts.ok_or_else(|| format!("--watch {text}: expected something like postgres=1234"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arguments: &[&str]) -> Result<Plan, String> {
        let all = ["sync-fleet", "--receiver", "http://127.0.0.1:8000"]
            .iter()
            .chain(arguments);
        Plan::new(&Arguments::parse_from(all))
    }

    #[test]
    fn an_outage_is_read_or_refused() {
        let plan_of = |text| plan(&["--outage", text]);
        let expected = Outage {
            share: 0.25,
            begin: Duration::from_secs(30),
            length: Duration::from_millis(1_500),
        };
        assert_eq!(plan_of("0.25@30+1.5").unwrap().outages, [expected]);
        for wrong in ["", "1", "1@2", "2@1+1", "0.5@-1+1", "0.5@1+x", "NaN@1+1"] {
            assert!(
                plan_of(wrong).unwrap_err().contains("expected something like"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn everything_is_bounded() {
        for wrong in [
            ["--devices", "0"],
            ["--devices", "20001"],
            ["--seconds", "3601"],
            ["--seconds", "NaN"],
            ["--backlog-events", "10001"],
            ["--cut", "1.1"],
            ["--watch", "postgres"],
        ] {
            assert!(plan(&wrong).unwrap_err().contains("expected"), "{wrong:?}");
        }
    }

    #[test]
    fn nothing_leaves_this_machine() {
        let one = |url| Plan::new(&Arguments::parse_from(["sync-fleet", "--receiver", url]));
        for good in [
            "http://127.0.0.1:8000",
            "http://localhost:8000/",
            "http://127.9.9.9:1/path",
        ] {
            assert!(one(good).is_ok(), "{good}");
        }
        for wrong in [
            "http://192.0.2.1:8000",
            "http://example.org:80",
            "https://127.0.0.1:8000",
            "http://127.0.0.1.example.org:80",
            "http://localhost@192.0.2.1:80",
            "http://0.0.0.0:80",
            "http://127.0.0.1",
        ] {
            assert!(one(wrong).unwrap_err().contains("this machine"), "{wrong}");
        }
    }

    #[test]
    fn a_file_of_tokens_names_the_devices() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        std::fs::write(&path, "# all\n\nback door  one\nback door two\nshop-1\tthree\n").unwrap();
        let path = path.to_str().unwrap();
        let named = plan(&["--tokens-file", path, "--devices", "2"]).unwrap().devices;
        let pairs: Vec<_> = named.iter().map(|name| (&*name.id, name.token.as_deref())).collect();
        assert_eq!(pairs, [("back door", Some("one")), ("shop-1", Some("three"))]);
        assert!(
            plan(&["--tokens-file", path, "--devices", "3"])
                .unwrap_err()
                .contains("2 devices instead of 3")
        );
    }
}

//! All devices at once, from the first moment to the table.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::Method;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sync_protocol::{EXTENSIONS_HEADER, Extensions};
use tokio::task::JoinSet;

use crate::arguments::Plan;
use crate::check;
use crate::device::{Device, Ledger, Lived};
use crate::network::{Ask, Line, Pieces};
use crate::processes::{Root, Watcher};
use crate::report::Report;
use crate::run::Run;
use crate::stats::{Kind, Stats};
use crate::times::Times;
use crate::wire;

/// How often the state of things is told while it goes on.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Open files beside the devices' connections.
const OTHER_FILES: u64 = 64;

/// Plays the plan and prints what became of it; whether each row is there once and each clip whole.
///
/// # Errors
/// It could not be played or not be checked.
pub(crate) fn play(plan: Plan) -> Result<bool, String> {
    make_room(plan.devices.len() as u64)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(run(plan))
}

/// A connection is an open file.
fn make_room(connections: u64) -> Result<(), String> {
    let needed = connections + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(needed),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised)
        .map_err(|error| format!("{needed} open files are needed: {error}; `ulimit -n {needed}` as root"))
}

async fn run(plan: Plan) -> Result<bool, String> {
    let stats = Arc::new(Stats::default());
    let run = Arc::new(Run::new(plan, Arc::clone(&stats))?);
    let extensions = extensions(&run).await?;
    let watcher = Watcher::start(roots(&run));
    let mut devices = JoinSet::new();
    for (number, name) in run.plan.devices.iter().enumerate() {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let device = Device::new(&run, number, name.clone(), &extensions);
        devices.spawn(async move { (number, device.live().await) });
    }
    let telling = tokio::spawn(tell(Arc::clone(&run)));
    let mut lived: Vec<(u32, Lived)> = Vec::new();
    while let Some(ended) = devices.join_next().await {
        lived.push(ended.map_err(|error| format!("a device: {error}"))?);
    }
    telling.abort();
    let usage = watcher.end();
    // The check has connections and answers of its own.
    let (counts, most_open) = (stats.counts().clone(), stats.most_open());
    lived.sort_by_key(|(number, _)| *number);
    let last_through = last_through(&lived);
    let returns = returns(&run, &lived);
    let ledgers: Vec<Ledger> = lived.into_iter().map(|(_, lived)| lived.ledger).collect();
    eprintln!("sync-fleet: {:.0} s, reading back", run.begun.elapsed().as_secs_f64());
    let findings = check::read_back(&run, &ledgers, &extensions).await;
    let report = Report {
        devices: run.plan.devices.len(),
        receivers: run.plan.receivers.len(),
        work: run.plan.work,
        all_through: last_through.saturating_duration_since(run.begun),
        after_work: last_through.saturating_duration_since(run.work_ends().max(run.last_return())),
        returns,
        counts: &counts,
        most_open,
        usage: &usage,
        findings: findings.as_ref().ok(),
    };
    // What was measured is told also where nothing could be read.
    print!("{}", report.text());
    let findings = findings?;
    if findings.is_of_rows() {
        Ok(findings.is_good())
    } else {
        Err("no row was sent, so that nothing was checked: --seconds, --backlog-events or --backlog-clips".to_string())
    }
}

/// When the last row was through; now, where one never was.
fn last_through(lived: &[(u32, Lived)]) -> Instant {
    let mut ledgers = lived.iter().map(|(_, lived)| &lived.ledger);
    let is_all = ledgers.all(|ledger| {
        ledger
            .events
            .iter()
            .chain(&ledger.clips)
            .all(|entry| entry.id.is_some())
    });
    let last = lived.iter().filter_map(|(_, lived)| lived.last_through).max();
    last.filter(|_| is_all).unwrap_or_else(Instant::now)
}

/// What each receiver has beyond the contract; devices know it from the days before. One that is away counts as the
/// first that is there.
async fn extensions(run: &Arc<Run>) -> Result<Vec<Extensions>, String> {
    let count = run.plan.receivers.len();
    let mut asked = Vec::with_capacity(count);
    for index in 0..count {
        let mut line = Line::only(&run.network, index);
        asked.push(ask_extensions(&mut line).await);
    }
    let first = asked.iter().flatten().next().copied();
    let Some(first) = first else {
        let why = asked.into_iter().find_map(Result::err);
        return Err(why.unwrap_or_default());
    };
    Ok(asked
        .into_iter()
        .map(|extensions| extensions.unwrap_or(first))
        .collect())
}

async fn ask_extensions(line: &mut Line) -> Result<Extensions, String> {
    let ask = Ask {
        method: Method::GET,
        path: "/health".to_string(),
        headers: vec![],
        body: Pieces::default(),
        patience: wire::SMALL,
    };
    let answer = line.ask(Kind::Check, ask).await;
    let answer =
        answer.map_err(|trouble| format!("{}: {}: is a receiver started there?", line.url(), trouble.name()))?;
    if !answer.status.is_success() {
        return Err(format!("{}/health: HTTP {}", line.url(), answer.status.as_u16()));
    }
    let lines = answer.headers.get_all(EXTENSIONS_HEADER).iter();
    Ok(Extensions::parse(lines.filter_map(|line| line.to_str().ok())))
}

fn roots(run: &Run) -> Vec<(String, Root)> {
    let receivers = run.plan.receivers.iter();
    let receivers = receivers.map(|receiver| {
        (
            format!("receiver {}", receiver.authority),
            Root::Listener(receiver.socket),
        )
    });
    let watched = run
        .plan
        .watched
        .iter()
        .map(|(name, pid)| (name.clone(), Root::Pid(*pid)));
    let ourselves = ("sync-fleet".to_string(), Root::Pid(std::process::id()));
    receivers.chain(watched).chain([ourselves]).collect()
}

/// How each return went, by what returned.
fn returns(run: &Run, lived: &[(u32, Lived)]) -> Vec<(String, Times)> {
    let names = std::iter::once("backlog at the beginning".to_string()).chain(run.plan.outages.iter().map(|outage| {
        let (begin, length) = (outage.begin.as_secs_f64(), outage.length.as_secs_f64());
        format!("outage at {begin:.0} s of {length:.0} s")
    }));
    let mut returns: Vec<(String, Times)> = names.map(|name| (name, Times::default())).collect();
    for (which, took) in lived.iter().flat_map(|(_, lived)| &lived.drained) {
        if let Some((_, times)) = returns.get_mut(*which) {
            times.add(*took);
        }
    }
    returns.retain(|(_, times)| times.count() > 0);
    returns
}

async fn tell(run: Arc<Run>) {
    let mut next = Instant::now() + TELL_EVERY;
    loop {
        tokio::time::sleep_until(next.into()).await;
        next += TELL_EVERY;
        let counts = run.stats().counts();
        let refused: u64 = counts.refusals.values().sum();
        eprintln!(
            "sync-fleet: {:.0} s, {} events and {} clips through, {refused} times refused or broken",
            run.begun.elapsed().as_secs_f64(),
            counts.events,
            counts.clips
        );
    }
}

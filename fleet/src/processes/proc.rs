//! What /proc says. A process that is gone says nothing.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};

pub(super) fn exists(pid: u32) -> bool {
    fs::exists(format!("/proc/{pid}")).unwrap_or(false)
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The fields of a process' `stat` after its name, which may hold spaces: the first is the third of the manual page.
fn stat(pid: u32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(
        fields
            .split_whitespace()
            .map(|field| field.parse().unwrap_or(0))
            .collect(),
    )
}

/// Who is whose child.
pub(super) fn children() -> HashMap<u32, Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in pids() {
        let parent = stat(pid).and_then(|stat| u32::try_from(*stat.get(1)?).ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    children
}

/// A process and all that descend from it.
pub(super) fn tree(root: u32, children: &HashMap<u32, Vec<u32>>) -> Vec<u32> {
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(pid) = tree.get(next) {
        tree.extend(children.get(pid).into_iter().flatten());
        next += 1;
    }
    tree
}

/// Ticks of processor time of some processes, with those of the children that they have seen end.
pub(super) fn ticks(pids: &[u32]) -> Option<u64> {
    let root = pids.first().filter(|root| exists(**root))?;
    let stats = pids.iter().filter_map(|pid| Some((pid, stat(*pid)?)));
    // Fields 14 to 17: utime, stime, and both of the children that are gone.
    let ticks = stats.map(|(_, stat)| stat.get(11..15).map_or(0, |times| times.iter().sum::<u64>()));
    let ticks = ticks.sum();
    exists(*root).then_some(ticks)
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The largest resident size of a process so far.
pub(super) fn peak_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    kilobytes(&status, "VmHWM:").unwrap_or(0) * 1_024
}

/// The resident size of several now, what they share counted once.
pub(super) fn shared_out_bytes(pids: &[u32]) -> u64 {
    let sizes = pids.iter().map(|pid| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        kilobytes(&text, "Pss:").unwrap_or(0)
    });
    sizes.sum::<u64>() * 1_024
}

/// The process that listens at an address.
pub(super) fn listener(address: SocketAddr) -> Option<u32> {
    let IpAddr::V4(ip) = address.ip() else { return None };
    let own = format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port());
    let any = format!("00000000:{:04X}", address.port());
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let inode = table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let listens = fields.get(3) == Some(&"0A");
        let place = *fields.get(1)?;
        (listens && (place == own || place == any)).then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
    })?;
    pids().find(|pid| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
        links.any(|link| link.as_os_str() == inode.as_str())
    })
}

//! File descriptors: what the system allows decides how many connections there can be.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for everything but connections and their clips; those that are turned away are among them.
const OTHERS: usize = 96;

/// Asks the system for room for so many connections, of which `clips` may have a file open each; says for how many there
/// is.
pub(super) fn make_room(connections: usize, clips: usize) -> usize {
    let needed = connections + clips + OTHERS;
    let limit = getrlimit(Resource::Nofile);
    let enough =
        |limit: Option<u64>| limit.is_none_or(|limit| usize::try_from(limit).is_ok_and(|limit| limit >= needed));
    if enough(limit.current) {
        return connections;
    }
    let raised = Rlimit {
        current: if enough(limit.maximum) {
            u64::try_from(needed).ok()
        } else {
            limit.maximum
        },
        maximum: limit.maximum,
    };
    let got = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current,
        Err(_) => limit.current,
    };
    if enough(got) {
        return connections;
    }
    let got = got.and_then(|got| usize::try_from(got).ok()).unwrap_or(usize::MAX);
    let room = got.saturating_sub(clips + OTHERS).max(got / 2);
    log::warn!(
        "the system allows {got} open files: {room} connections at a time instead of {connections} (ulimit -n, LimitNOFILE=)"
    );
    room
}

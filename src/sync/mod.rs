//! The work: a pass over what is due, the policy of its retries, and the schedule of passes.

mod aftermath;
mod device_status;
mod extensions;
mod idle;
mod key;
mod pass;
mod policy;
pub(crate) mod prune;
mod pruning;
mod retry_transient;
mod row;
mod schedule;
pub(crate) mod service;
mod streak;
#[cfg(test)]
mod tests;
pub(crate) mod too_long;

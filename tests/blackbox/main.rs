//! Black-box tests: the built programs, real sockets, real files, real signals. Each test names a promise.

// A test fails by panicking; the lints are for the programs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]
// What the tests share is `pub` between their files.
#![allow(unreachable_pub)]

mod acquaintance;
mod backlog;
mod batch;
mod both;
mod carry_on;
mod commands;
mod console;
mod crash;
mod device_status;
mod disks;
mod documents;
mod faults;
mod generations;
mod harness;
mod keys;
mod large_values;
mod lock;
mod low_water;
mod modes;
mod monitoring;
mod negotiation;
mod odd_rows;
mod payloads;
mod power;
mod prune;
mod prune_faults;
mod rate;
mod realtime;
mod security;
mod sessions;
mod settings;
mod signals;
mod startup_errors;
mod streaming;
mod support;
mod together;
mod tracking;
mod undisturbed;
mod upload_faults;
mod uploads;
mod verdicts;

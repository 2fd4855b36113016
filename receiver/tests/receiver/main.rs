//! The receiver from outside: the built program, asked over TCP, its database and folder read as people would.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)] // Also in the helpers, which are tests too.
// What the tests share is `pub` between their files.
#![allow(unreachable_pub)]

mod alerts;
mod attacks;
mod batch;
mod contract;
mod crash;
mod document;
mod doors;
mod first_steps;
mod greedy;
mod guessing;
mod keys;
mod limits;
mod live;
mod memory;
mod metrics;
mod modes;
mod odd_rows;
mod older;
#[cfg(feature = "fleet")]
mod on_postgres;
#[cfg(feature = "fleet")]
mod on_s3;
mod packing;
mod page;
mod people;
mod power;
mod private_authority;
mod reading;
mod retention;
mod starting;
mod status;
mod streaming;
mod structure;
mod support;
mod tokens;
mod trouble;
mod uploads;
mod wrong;

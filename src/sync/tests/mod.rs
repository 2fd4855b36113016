//! The work against real database files, with a simulated clock and a scripted server: weeks pass in milliseconds.

mod backends;
mod clock;
mod clocks;
mod harness;
mod keys;
mod look;
mod model;
mod order;
mod poison;
mod prune;
mod rates;
mod replaced;
mod schedule;
mod sql_edits;
mod trouble;
mod verdicts;
mod wire;

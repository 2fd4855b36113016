//! The work against real database files, with a simulated clock and a scripted server: weeks pass in milliseconds.

mod backends;
mod clock;
mod clocks;
mod order;
mod schedule;
mod stage;
mod verdicts;
mod wire;

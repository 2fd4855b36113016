//! The work against real database files, with a simulated clock and a scripted server: weeks pass in milliseconds.

mod backends;
mod clock;
mod clocks;
mod keys;
mod model;
mod order;
mod replaced;
mod schedule;
mod stage;
mod steering;
mod trouble;
mod verdicts;
mod wire;

//! The work against real database files, with a simulated clock and a scripted server: weeks pass in milliseconds.

mod stage;
mod verdicts;

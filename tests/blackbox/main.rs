//! Black-box tests: the built programs, real sockets, real files, real signals. Each test names a promise.

mod carry_on;
mod console;
mod harness;
mod keys;
mod modes;
mod odd_rows;
mod payloads;
mod settings;
mod signals;
mod startup_errors;
mod support;
mod tracking;

//! Black-box tests: the built programs, real sockets, real files, real signals. Each test names a promise.

mod harness;
mod support;

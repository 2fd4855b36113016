#!/bin/sh
# The fast checks: formatting, lints with warnings denied, all tests. Installs nothing; names what is missing.
# Usage: sh scripts/test.sh
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh

have cargo || die "cargo is missing: apt-get install cargo (Rust 1.85 or newer)"
have cc || die "a C compiler is missing: apt-get install gcc libc6-dev"
cargo fmt --version >/dev/null 2>&1 || die "rustfmt is missing: apt-get install rustfmt"
cargo clippy --version >/dev/null 2>&1 || die "clippy is missing: apt-get install rust-clippy"

power_cuts_or_say
mounts_or_say

times=
stage() { # stage NAME COMMAND...
    stage_name=$1
    shift
    say "== $stage_name"
    stage_start=$(date +%s)
    "$@"
    times="$times${times:+, }$stage_name $(($(date +%s) - stage_start)) s"
}

stage "cargo fmt" cargo fmt --all --check
stage "cargo clippy" cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
# Black-box tests of the uploader talk to the reference receiver: both binaries must be there first.
stage "cargo build" cargo build --workspace --locked --quiet
# shellcheck disable=SC2086 # words
stage "cargo test" cargo test --workspace --locked -- $left_out
say "test.sh: formatting, clippy and the tests passed; ran $times"
[ -z "$untested" ] || say "$untested"

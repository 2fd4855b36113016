#!/bin/sh
# Measures the built uploader beside curl, a plain loop and dd, alone and with the receiver, and prints one table.
# Usage: sh scripts/bench.sh [clips] [events] [receiver] [memory] [N]       (default: all; N divides the work)
# BENCH_DIR=/dev/shm puts databases and folders elsewhere; SYNC_BENCH_BIN=… and SYNC_BENCH_RECEIVER=… measure other builds.
set -eu
cd "$(dirname "$0")/.."
command -v curl >/dev/null || { echo "curl is missing: apt-get install curl" >&2; exit 1; }
echo "machine: $(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r), $(curl --version | head -n 1 | cut -d' ' -f1-2)"
cargo build --release --quiet --package sync-receiver
exec cargo bench --quiet --bench end_to_end -- "$@"

#!/bin/sh
# Measures the built uploader beside curl and a plain loop, and prints one table.
# Usage: sh scripts/bench.sh [clips] [events] [memory] [N]       (default: all; N divides the work)
# BENCH_DIR=/dev/shm puts the databases elsewhere, SYNC_BENCH_BIN=… measures another build.
set -eu
cd "$(dirname "$0")/.."
command -v curl >/dev/null || { echo "curl is missing: apt-get install curl" >&2; exit 1; }
echo "machine: $(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r), $(curl --version | head -n 1 | cut -d' ' -f1-2)"
exec cargo bench --quiet --bench end_to_end -- "$@"

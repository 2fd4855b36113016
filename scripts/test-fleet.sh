#!/bin/sh
# The receiver's tests that need a real PostgreSQL or a real S3 server: installs Debian's PostgreSQL and moto where they are
# missing, starts them on loopback in a temporary folder, and runs the tests whose modules are named on_postgres and on_s3.
# Usage: sh scripts/test-fleet.sh [FILTER...]      (default: all of them)
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
. scripts/lib/postgres.sh
. scripts/lib/s3.sh

have cargo || die "cargo is missing: apt-get install cargo (Rust 1.85 or newer)"
work=$(mktemp -d)
stop() {
    postgres_stop "$work"
    s3_stop
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM

postgres_or_die
# Nothing here outlives a power cut: what tests kill are processes.
postgres_start "$work" fsync=off full_page_writes=off max_connections=300
export SYNC_TEST_POSTGRES="$postgres_url" SYNC_TEST_POSTGRES_BIN="$postgres_bin"

s3_or_die
s3_start "$work"
export SYNC_TEST_S3="$s3_bucket" SYNC_TEST_S3_SERVER="$PWD/$s3_server"

cargo build --workspace --locked --quiet
whole=
[ $# -gt 0 ] || { whole=1; set -- on_postgres on_s3; }
# The whole workspace, so that nothing is built a second time with other features.
cargo test --workspace --locked --lib --test receiver -- --ignored "$@"

if [ -n "$whole" ]; then
    sh scripts/test-restore.sh
    # The measurement in small, with a receiver that is killed.
    FLEET_PROFILE=debug FLEET_DEVICES=50 FLEET_SECONDS=12 FLEET_SERVICES=2 FLEET_EVENTS=5 FLEET_CLIPS=1 sh scripts/fleet.sh kill return
    # What people ask of the receiver, against its document, on PostgreSQL as on SQLite.
    "$postgres_bin/psql" -Xq "$postgres_url/postgres" -c 'CREATE DATABASE api'
    RECEIVER_DATABASE_URL=$postgres_url/api sh scripts/test-api.sh 10
fi

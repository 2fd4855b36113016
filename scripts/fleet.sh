#!/bin/sh
# Ten thousand devices on receivers of this machine, and real sync-service processes beside them: plays them, checks every row, prints
# the tables and the time that each took.
#
#   scripts/fleet.sh [one] [two] [return] [power] [kill]      (default: the first three)
#
#   one      a status and an event a minute and a clip an hour of each device, on one receiver
#   two      the same on two receivers
#   return   all devices come back at once, with a day's backlog each: 100 events and 5 clips
#   power    as one or two; after a quarter of the time all lose their line for another quarter, and come back at once
#   kill     the same; half-way the first receiver is killed (kill -9) and started again
#
# FLEET_DEVICES=10000 FLEET_SECONDS=240 FLEET_SERVICES=20 FLEET_RECEIVERS=2 (of return, power and kill) FLEET_WITHIN_S=1800
# FLEET_EVENTS=100 FLEET_CLIPS=5 (the backlog)
# FLEET_DATABASE=postgres, or sqlite (one receiver alone); clips are in a folder that receivers share.
# FLEET_PROFILE=release, debug or profiling; FLEET_PROGRAMS=FOLDER has them built already. FLEET_DIR=/tmp is where databases and clips are for the time.
# FLEET_PERF=FILE records there where a receiver's time goes (perf, 30 s from a minute after the start on).
# Needs python3, as many open files as devices and some more (`ulimit -n`), and for `return` 25 GB of disk.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
. scripts/lib/postgres.sh

devices=${FLEET_DEVICES:-10000}
seconds=${FLEET_SECONDS:-240}
services=${FLEET_SERVICES:-20}
database=${FLEET_DATABASE:-postgres}
profile=${FLEET_PROFILE:-release}
export FLEET_WITHIN_S="${FLEET_WITHIN_S:-1800}"

have cargo || die "cargo is missing: apt-get install cargo (Rust 1.85 or newer)"
have python3 || die "python3 is missing: apt-get install python3"
case $database in postgres | sqlite) ;; *) die "FLEET_DATABASE=$database: postgres or sqlite" ;; esac
programs=${FLEET_PROGRAMS:-$PWD/target/$profile}
if [ -z "${FLEET_PROGRAMS:-}" ]; then
    say "-- building ($profile)"
    [ "$profile" = debug ] && set_profile=dev || set_profile=$profile
    cargo build --workspace --locked --quiet --profile "$set_profile"
fi

work=$(mktemp -d "${FLEET_DIR:-/tmp}/fleet.XXXXXX")
: >"$work/pids"
# Ends the receivers; 1 when one had to be killed for it.
stop_receivers() {
    stopped=0
    while read -r pid; do
        kill "$pid" 2>/dev/null || :
        tries=0
        while kill -0 "$pid" 2>/dev/null; do
            tries=$((tries + 1))
            if [ "$tries" = 300 ]; then
                say "a receiver did not end within 30 s: killed" >&2
                kill -9 "$pid" || :
                stopped=1
            fi
            sleep 0.1
        done
    done <"$work/pids"
    : >"$work/pids"
    return "$stopped"
}
stop() {
    stop_receivers || :
    for stop_pid in ${services_pid:-} ${killer_pid:-}; do
        # Who plays real ones ends them first.
        kill "$stop_pid" 2>/dev/null || :
        wait "$stop_pid" || :
    done
    [ "$database" = sqlite ] || postgres_stop "$work"
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM

if [ "$database" = postgres ]; then
    postgres_or_die
    # As Debian's comes, durable, but for the memory it may use and the connections of two receivers.
    postgres_start "$work" max_connections=200 shared_buffers=512MB
fi

# receiver NAME ADDRESS: starts one with the data of this scenario; sets $receiver_url.
receiver() {
    [ "$database" = sqlite ] || export RECEIVER_DATABASE_URL="$postgres_url/$scenario"
    receiver_start "$work/$1" env RECEIVER_LISTEN="$2" RECEIVER_DATA="$work/$scenario" RECEIVER_MAX_CONNECTIONS=15000 \
        "$programs/sync-receiver"
    say "$receiver_pid" >>"$work/pids"
}

# kill_first SECONDS: then the first receiver is killed, and started again where it was.
kill_first() {
    sleep "$1"
    first=${urls%% *}
    kill -9 "$(head -n 1 "$work/pids")" || die "kill: the first receiver was gone already"
    receiver "$scenario-1" "${first#http://}"
    say "killed the first receiver after $1 s, and started it again"
}

# room_for CLIPS: is there room for so many of each device?
room_for() {
    needed_mb=$((devices * $1 * 400 / 1000 + 1000))
    free_mb=$(($(df -Pk "$work" | awk 'END { print $4 }') / 1000))
    [ "$free_mb" -ge "$needed_mb" ] || die "$scenario needs $needed_mb MB in $work, where $free_mb are free: FLEET_DIR=, FLEET_CLIPS= or FLEET_DEVICES="
}

# profile_of PID FILE: where its time goes, while the devices are at work.
profile_of() {
    sleep 60
    perf record -q -F 499 -g -p "$1" -o "$2" -- sleep 30 >/dev/null 2>&1 || say "perf did not record"
}

# play RECEIVERS EVENTS CLIPS ARGUMENT...: the played devices and the real ones on so many receivers.
play() {
    receivers=$1 events=$2 clips=$3
    shift 3
    if [ "$database" = sqlite ] && [ "$receivers" -gt 1 ]; then
        say "== $scenario: left out, since two receivers need PostgreSQL"
        return 0
    fi
    say "== $scenario: $devices devices, $services real ones, $receivers receiver(s), $database"
    began=$(date +%s)
    if [ "$database" = postgres ]; then
        "$postgres_bin/psql" -q "$postgres_url/postgres" -c "CREATE DATABASE \"$scenario\""
        set -- "$@" --watch "postgres=$(head -n 1 "$postgres_folder/data/postmaster.pid")"
    fi
    urls=
    for number in $(seq "$receivers"); do
        receiver "$scenario-$number" 127.0.0.1:0
        urls="$urls${urls:+ }$receiver_url"
        set -- "$@" --receiver "$receiver_url"
    done
    services_pid=
    if [ "$services" -gt 0 ]; then
        mkdir "$work/$scenario-services"
        # shellcheck disable=SC2086 # words
        python3 scripts/fleet/services.py "$programs/sync-service" "$work/$scenario-services" "$services" "$arrivals" "$events" "$clips" \
            scripts/demo/camera-1.mp4 $urls >"$work/services.txt" 2>&1 &
        services_pid=$!
    fi
    [ -z "${FLEET_PERF:-}" ] || profile_of "$(tail -n 1 "$work/pids")" "$FLEET_PERF" &
    killer_pid=
    if [ "$scenario" = kill ]; then
        kill_first $((seconds / 2)) &
        killer_pid=$!
    fi
    result=0
    "$programs/sync-fleet" --devices "$devices" --within-s "$FLEET_WITHIN_S" --keep-alive-s 70 \
        --clip scripts/demo/camera-1.mp4 --clip scripts/demo/camera-2.mp4 "$@" || result=1
    if [ -n "$killer_pid" ]; then
        wait "$killer_pid" || result=1
        killer_pid=
    fi
    if [ -n "$services_pid" ]; then
        wait "$services_pid" || result=1
        services_pid=
        cat "$work/services.txt"
    fi
    stop_receivers || result=1
    # What the receivers said, without the times.
    sed 's/^\[[^ ]*Z /[/' "$work/$scenario"-[0-9].log | sort | uniq -c | sort -rn | head -n 5
    du -sh "$work/$scenario" | sed 's/\t.*/ in the folder of clips/'
    [ "$database" = sqlite ] || "$postgres_bin/psql" -qAt "$postgres_url/$scenario" \
        -c "SELECT pg_size_pretty(pg_database_size(current_database())) || ' in the database'"
    rm -rf "${work:?}/$scenario" "$work/$scenario-services"
    say "$scenario took $(($(date +%s) - began)) s"
    [ "$result" = 0 ] || failed="$failed $scenario"
}

failed=
[ "$database" = sqlite ] && count=1 || count=${FLEET_RECEIVERS:-2}
[ $# -gt 0 ] || set -- one two return
for scenario in "$@"; do
    case $scenario in
        one) arrivals=$seconds && play 1 0 1 --seconds "$seconds" ;;
        two) arrivals=$seconds && play 2 0 1 --seconds "$seconds" ;;
        kill) arrivals=$seconds && play "$count" 0 1 --seconds "$seconds" ;;
        power) arrivals=$seconds && play "$count" 0 1 --seconds "$seconds" --outage "1@$((seconds / 4))+$((seconds / 4))" ;;
        return)
            room_for "${FLEET_CLIPS:-5}"
            arrivals=0 && play "$count" "${FLEET_EVENTS:-100}" "${FLEET_CLIPS:-5}" --seconds 0 \
                --backlog-events "${FLEET_EVENTS:-100}" --backlog-clips "${FLEET_CLIPS:-5}"
            ;;
        *) die "$scenario: one, two, return, power or kill" ;;
    esac
done
[ -z "$failed" ] || die "not as it should be:$failed"

# shellcheck shell=sh
# A PostgreSQL of a script's own: sourced after common.sh. POSIX sh.

# Finds the newest PostgreSQL of Debian's, or installs it; sets $postgres_bin.
postgres_or_die() {
    for postgres_try in 1 2; do
        postgres_bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
        [ -z "$postgres_bin" ] || return 0
        [ "$postgres_try" = 1 ] || break
        apt_install postgresql || break
    done
    die "PostgreSQL is missing: apt-get install postgresql"
}

# PostgreSQL refuses to run as root: Debian's package brings a user for it.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# postgres_start FOLDER SETTING...: a cluster in FOLDER/postgres on a free port of loopback; sets $postgres_url.
postgres_start() {
    postgres_folder=$1/postgres
    shift
    mkdir "$postgres_folder"
    printf 'fleet\n' >"$postgres_folder/password"
    if [ "$(id -u)" = 0 ]; then
        chmod 755 "${postgres_folder%/*}"
        chown -R postgres "$postgres_folder"
    fi
    (
        cd "$postgres_folder"
        as_postgres "$postgres_bin/initdb" -D data -U fleet --pwfile=password --auth=scram-sha-256 --encoding=UTF8 --no-sync >initdb.log 2>&1
    ) || { cat "$postgres_folder/initdb.log" >&2; die "initdb failed"; }
    postgres_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    postgres_options="-c listen_addresses=127.0.0.1 -c port=$postgres_port -c unix_socket_directories=$postgres_folder"
    for postgres_setting in "$@"; do postgres_options="$postgres_options -c $postgres_setting"; done
    (
        cd "$postgres_folder"
        as_postgres "$postgres_bin/pg_ctl" -D data -l log -w -o "$postgres_options" start >pg_ctl.log 2>&1
    ) || { cat "$postgres_folder/pg_ctl.log" "$postgres_folder/log" >&2; die "PostgreSQL did not start"; }
    # shellcheck disable=SC2034 # for who sources this
    postgres_url=postgres://fleet:fleet@127.0.0.1:$postgres_port
}

postgres_stop() {
    [ -d "$1/postgres/data" ] || return 0
    (cd "$1/postgres" && as_postgres "$postgres_bin/pg_ctl" -D data -m immediate stop) >/dev/null 2>&1 || :
}

# ends_with_script FOLDER: the receiver and the PostgreSQL that run in FOLDER end with the script, and FOLDER goes.
ends_with_script() {
    ends_folder=$1
    receiver_pid=
    trap ends_all EXIT
    trap 'exit 1' INT TERM
}

ends_all() {
    [ -z "$receiver_pid" ] || kill "$receiver_pid" 2>/dev/null || :
    postgres_stop "$ends_folder"
    rm -rf "$ends_folder"
}

# What a measurement on PostgreSQL ran on.
postgres_machine() {
    say "machine: $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), load $(cut -d' ' -f1 /proc/loadavg) before; $("$postgres_bin/postgres" --version)"
}

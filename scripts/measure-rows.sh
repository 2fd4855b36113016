#!/bin/sh
# What a row of events and one of clips take, in the table and in each index, and what the indexes of several filters at a time cost
# whoever stores rows: in a SQLite and in a PostgreSQL of its own whose tables the receiver has made. Devices take turns, a row a
# minute of each, 500 in a commit; passes with all indexes and without those alternate, and the least processor time counts.
# Usage: sh scripts/measure-rows.sh [EVENTS [CLIPS [DEVICES]]]      (500000, 50000 and 1000 unless given)    RECEIVER: the program
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
. scripts/lib/postgres.sh

receiver=${RECEIVER:-target/debug/sync-receiver}
[ -x "$receiver" ] || die "$receiver is missing: cargo build --workspace"
work=$(mktemp -d)
ends_with_script "$work"

postgres_or_die
# Durable as it comes; no checkpoint in a pass that another one has not.
postgres_start "$work" max_wal_size=16GB checkpoint_timeout=1h autovacuum=off
for database in "" "$postgres_url/postgres"; do
    receiver_start "$work/receiver" env RECEIVER_DATABASE_URL="$database" RECEIVER_LISTEN=127.0.0.1:0 RECEIVER_DATA="$work/data" "$receiver"
    kill "$receiver_pid"
    wait "$receiver_pid" || :
    receiver_pid=
done
postgres_machine
python3 - "$work/data/receiver.db" "$postgres_bin/psql" "$postgres_url/postgres" "$@" <<'PYTHON'
import os, random, sqlite3, subprocess, sys, time, uuid

path, psql, url = sys.argv[1:4]
EVENTS, CLIPS, DEVICES = [int(word) for word in sys.argv[4:]] + [500_000, 50_000, 1_000][len(sys.argv) - 4:]
TOGETHER, PASSES = 500, 2
SENSORS = ["PIR Entrée", "Tapis Salon", "Bouton Arrêt", "Caméra 1", "Caméra 2"]
# Of one filter alone there always were indexes.
BEYOND = {
    "evenement": ["evenement_by_device_sensor"],
    "media": ["media_by_camera", "media_by_device_sensor", "media_by_device_camera", "media_by_sensor_camera", "media_by_device_sensor_camera"],
}
COUNTS = {"evenement": EVENTS, "media": CLIPS}


def told(name, table, sizes, passes):
    count = COUNTS[table]
    sizes = {of: size / count for of, size in sizes.items()}
    several = sum(sizes[of] for of in BEYOND[table])
    print(f"{name}, {table}: {sum(sizes.values()):.0f} bytes a row, {sum(sizes.values()) - several:.0f} without the indexes of several filters;",
          ", ".join(f"{of} {size:.0f}" for of, size in sizes.items()))
    for which, (cpu, *log) in passes.items():
        print(f"    {which}: {cpu / count * 1e6:.1f} µs of processor time a row", *(f"and {size / count:.0f} bytes of log" for size in log), flush=True)


def fastest(one_pass, drop, make):
    best = {}
    for _ in range(PASSES):
        for which in ["all indexes", "without those of several filters"]:
            make() if which == "all indexes" else drop()
            used = one_pass()
            best[which] = min(best.get(which, used), used)
    return best


def sqlite():
    database = sqlite3.connect(path, isolation_level=None)
    # Processor time alone is measured.
    database.execute("PRAGMA synchronous = OFF")
    definitions = dict(database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"))
    for table in BEYOND:
        columns = "date, capteur_id, capteur_nom, device_id, source, idempotency_key, capteur_etat"
        if table == "media":
            columns = columns.replace("capteur_etat", "numero_camera") + ", file, size_bytes, sha256"
        insert = f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * (columns.count(',') + 1))})"

        def rows(first):
            for i in range(first, min(first + TOGETHER, COUNTS[table])):
                at = 1_766_000_000 + i * 60 // DEVICES
                date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{i * 7919 % 1_000_000:06}"
                number, turn = (i + i // DEVICES) % 5, i // DEVICES
                row = (date, number + 1, SENSORS[number], f"shop-{i % DEVICES:05}", "sync_service", str(uuid.uuid4()), 1 + turn % 2)
                yield row + (f"{uuid.uuid4()}.mp4", 400_000, random.randbytes(32).hex()) if table == "media" else row

        def one_pass():
            database.execute(f"DELETE FROM {table}")
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cpu = 0
            for first in range(0, COUNTS[table], TOGETHER):
                batch = list(rows(first))
                began = time.process_time()
                database.execute("BEGIN IMMEDIATE")
                database.executemany(insert, batch)
                database.execute("COMMIT")
                cpu += time.process_time() - began
            return (cpu,)

        def make():
            for name in BEYOND[table]:
                database.execute(definitions[name].replace("CREATE INDEX", "CREATE INDEX IF NOT EXISTS"))

        def drop():
            for name in BEYOND[table]:
                database.execute(f"DROP INDEX IF EXISTS {name}")

        passes = fastest(one_pass, drop, make)
        make()
        one_pass()
        sizes = dict(database.execute("SELECT name, sum(pgsize) FROM dbstat WHERE name IN "
                                      "(SELECT name FROM sqlite_master WHERE tbl_name = ?) GROUP BY 1 ORDER BY name <> ?, 1", (table, table)))
        told(f"SQLite {sqlite3.sqlite_version}", table, sizes, passes)


# In the order of their keys, as the receiver does it.
POSTGRES = """
DO $pass$ BEGIN
    FOR place IN 0..{count} - 1 BY {together} LOOP
        INSERT INTO {table} (id, date, capteur_id, capteur_nom, device_id, source, moment, sensor, idempotency_key, key_owner, {names})
        SELECT id, to_json(moment), to_json(1 + sensor), to_json(name), device, 'sync_service', moment, name, key, '', {values}
        FROM (
            SELECT i, nextval('{table}_id_seq') AS id, gen_random_uuid() AS key, (i + i / {devices}) % 5 AS sensor,
                   (ARRAY{sensors})[1 + (i + i / {devices}) % 5] AS name, 'shop-' || lpad((i % {devices})::text, 5, '0') AS device,
                   to_char(to_timestamp(1766000000 + i * 60 / {devices}), 'YYYY-MM-DD"T"HH24:MI:SS') || '.'
                       || lpad((i * 7919 % 1000000)::text, 6, '0') AS moment
            FROM generate_series(place::bigint, least(place + {together}, {count}) - 1) AS i
        ) AS sent ORDER BY key;
        COMMIT;
    END LOOP;
END $pass$;"""


def ask(*statements):
    command = [psql, "-XqAt", "-v", "ON_ERROR_STOP=1", url]
    return subprocess.run(command, input="\n".join(("SET client_min_messages = warning;", *statements)), text=True, check=True, stdout=subprocess.PIPE).stdout.splitlines()


def postgres():
    definitions = dict(line.split("|", 1) for line in ask("SELECT indexname, indexdef FROM pg_indexes;"))
    # Of this connection: fields 14 and 15.
    used = "SELECT split_part(stat, ' ', 14)::bigint + split_part(stat, ' ', 15)::bigint FROM pg_read_file('/proc/self/stat') AS stat;"
    log = "SELECT pg_current_wal_insert_lsn() - '0/0';"
    for table in BEYOND:
        names, values = "capteur_etat", "to_json(1 + i / {devices} % 2)"
        if table == "media":
            names = "numero_camera, camera, file, size_bytes, sha256"
            values += ", (1 + i / {devices} % 2)::text, gen_random_uuid() || '.mp4', 400000, encode(sha256(i::text::bytea), 'hex')"
        values = values.format(devices=DEVICES)
        fill = POSTGRES.format(table=table, count=COUNTS[table], together=TOGETHER, devices=DEVICES, names=names, values=values, sensors=SENSORS)

        def one_pass():
            told = ask(f"TRUNCATE {table};", "CHECKPOINT;", used, log, fill, used, log)
            before, log_before, after, log_after = map(int, told)
            return (after - before) / os.sysconf("SC_CLK_TCK"), log_after - log_before

        def make():
            ask(*(definitions[name].replace("CREATE INDEX", "CREATE INDEX IF NOT EXISTS") + ";" for name in BEYOND[table]))

        def drop():
            ask(*(f"DROP INDEX IF EXISTS {name};" for name in BEYOND[table]))

        passes = fastest(one_pass, drop, make)
        make()
        one_pass()
        sizes = ask(f"SELECT '{table}', pg_table_size('{table}');",
                    f"SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes WHERE relname = '{table}' ORDER BY 1;")
        told("PostgreSQL", table, {of: int(size) for of, size in (line.split("|") for line in sizes)}, passes)


print(f"{EVENTS:,} events and {CLIPS:,} clips of {DEVICES:,} devices, {TOGETHER} in a commit")
sqlite()
postgres()
PYTHON

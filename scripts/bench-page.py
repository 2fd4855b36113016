#!/usr/bin/env python3
"""How long the lists of the receiver's page take over many rows: fills a database, starts the receiver on it, asks.

Usage: bench-page.py PROGRAM [EVENTS [CLIPS [DEVICES]]]      (10,000,000, 1,000,000 and 10,000 unless given; needs 4 GB in TMPDIR)
With RECEIVER_DATABASE_URL it does so on that PostgreSQL, in an empty database (needs psql); the rows stay in it.
"""
import http.client
import os
import pathlib
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.parse

PROGRAM = sys.argv[1]
EVENTS, CLIPS, DEVICES = [int(word) for word in sys.argv[2:]] + [10_000_000, 1_000_000, 10_000][len(sys.argv) - 2:]
ASKED = 300
DAYS = 100
DATABASE_URL = os.environ.get("RECEIVER_DATABASE_URL", "")
FIRST = "2025-09-01"

STATUS = ('{"version":1,"program_version":"0.1.0","service":{"mode":"continuous","interval_s":300.0},"uptime_s":5000,'
          '"tables":{"evenement":{"waiting":3,"done":1000,"failed":0,"oldest_waiting":{"id":7,"age_seconds":40}},"media":{"waiting":1}},'
          '"disk":{"free_bytes":5000000000,"total_bytes":9000000000},"clock_unix_ms":0,"backend":"https://sync.example.org"}')

COLUMNS = """
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {count} - 1)
INSERT INTO {table} (date, capteur_id, capteur_nom, device_id, source, received_at{names})
SELECT strftime('%Y-%m-%dT%H:%M:%f', {first}, '+' || (i * {days} * 86400.0 / {count}) || ' seconds'), 1 + i % 5, 'Capteur ' || (1 + i % 5),
       printf('shop-%05d', i * 7919 % {devices}), 'sync_service',
       strftime('%Y-%m-%dT%H:%M:%fZ', {first}, '+' || (i * {days} * 86400.0 / {count}) || ' seconds'){values} FROM n"""


def fill(path):
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")
    for table, count, names, values in [
        ("evenement", EVENTS, ", capteur_etat", ", 1"),
        ("media", CLIPS, ", numero_camera, file, size_bytes, sha256", ", 1 + i % 2, i || '.mp4', 500000, ''"),
    ]:
        with database:
            database.execute(COLUMNS.format(table=table, count=count, names=names, values=values, days=DAYS, devices=DEVICES, first=f"'{FIRST}'"))
    with database:
        database.execute("INSERT OR REPLACE INTO device_row SELECT DISTINCT printf('shop-%05d', value), unixepoch() FROM "
                         "(WITH RECURSIVE n (value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM n WHERE value < ? - 1) SELECT value FROM n)", (DEVICES,))
        database.execute("INSERT INTO device SELECT device_id, ?, 20, strftime('%Y-%m-%dT%H:%M:%SZ') FROM device_row", (STATUS,))
    database.close()


POSTGRES_COLUMNS = """
INSERT INTO {table} (date, capteur_id, capteur_nom, device_id, source, received_at, moment, sensor{names})
SELECT to_json(moment), to_json(1 + i % 5), to_json(sensor), device_id, 'sync_service', at, moment, sensor{values} FROM (
    SELECT i, at, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS') AS moment, 'Capteur ' || (1 + i % 5) AS sensor,
           'shop-' || lpad((i::bigint * 7919 % {devices})::text, 5, '0') AS device_id
    FROM (SELECT i, timestamptz '{first}Z' + i * {days} * interval '1 day' / {count} AS at FROM generate_series(0, {count} - 1) AS i) AS n
) AS n;"""


def psql(sql):
    return subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", DATABASE_URL], input=sql, text=True, check=True, stdout=subprocess.PIPE).stdout


def fill_postgres():
    # Indexes are made of the whole, which takes a fraction of the time.
    indexes = psql("SELECT indexname || '|' || indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename IN ('evenement', 'media') "
                   "AND indexname NOT IN (SELECT conname FROM pg_constraint)").splitlines()
    indexes = [line.split("|", 1) for line in indexes]
    psql("".join(f"DROP INDEX {name};" for name, _ in indexes))
    for table, count, names, values in [
        ("evenement", EVENTS, ", capteur_etat", ", '1'"),
        ("media", CLIPS, ", numero_camera, camera, file, size_bytes, sha256", ", to_json(1 + i % 2), (1 + i % 2)::text, i || '.mp4', 500000, ''"),
    ]:
        psql(POSTGRES_COLUMNS.format(table=table, count=count, names=names, values=values, days=DAYS, devices=DEVICES, first=FIRST))
    psql("".join(f"{definition};" for _, definition in indexes))
    devices = f"SELECT 'shop-' || lpad(i::text, 5, '0') AS device_id FROM generate_series(0, {DEVICES} - 1) AS i"
    psql(f"INSERT INTO device_row SELECT device_id, extract(epoch FROM now())::bigint FROM ({devices}) AS n;"
         f"INSERT INTO device SELECT device_id, '{STATUS}', 20, now() FROM ({devices}) AS n; VACUUM ANALYZE;")


def start(folder):
    settings = {"RECEIVER_DATA": folder, "RECEIVER_LISTEN": "127.0.0.1:0", "RECEIVER_DATABASE_URL": DATABASE_URL}
    child = subprocess.Popen([PROGRAM], env=settings, stdout=subprocess.PIPE, text=True)
    return child, re.search(r"http://(.*)", child.stdout.readline()).group(1)


def stop(child):
    child.send_signal(signal.SIGTERM)
    child.wait()


def moment():
    at = time.mktime(time.strptime(FIRST, "%Y-%m-%d")) + random.random() * DAYS * 86400
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(at))


def device():
    return f"shop-{random.randrange(DEVICES):05d}"


QUESTIONS = {
    "events, newest": lambda: "/api/evenements",
    "events, from anywhere": lambda: f"/api/evenements?to={moment()}",
    "events of a device": lambda: f"/api/evenements?device={device()}",
    "events of a sensor": lambda: f"/api/evenements?sensor=Capteur+3&to={moment()}",
    "events of a sensor nobody has, next": lambda: f"/api/evenements?sensor=Capteur+9&from={moment()}&order=asc&limit=1",
    "events of a device, sensor it lacks": lambda: f"/api/evenements?device={device()}&sensor=Capteur+9",
    "events of a device, its day": lambda: f"/api/evenements?device={device()}&from={(day := moment()[:10])}&to={day}T23:59:59&limit=1000",
    "clips, newest": lambda: "/api/media",
    "clips of a device and a camera": lambda: f"/api/media?device={device()}&camera=1",
    "clips of a camera": lambda: f"/api/media?camera={random.randrange(1, 3)}&to={moment()}",
    "clips of a camera nobody has": lambda: "/api/media?camera=9",
    "clips of a sensor, camera it lacks": lambda: "/api/media?sensor=Capteur+1&camera=9",
    "clips of a device, camera it lacks": lambda: f"/api/media?device={device()}&camera=9",
    "hours of a device's day": lambda: f"/api/hours?day={moment()[:10]}&device={device()}",
    "hours of a sensor's day": lambda: f"/api/hours?day={moment()[:10]}&sensor=Capteur+3",
    "hours of everybody's day": lambda: f"/api/hours?day={moment()[:10]}",
    "clips not seen": lambda: "/api/new",
    "devices, worst first": lambda: "/api/devices",
    "devices by a part of the name": lambda: f"/api/devices?q={random.randrange(1000):03d}",
    "one device": lambda: f"/api/devices/{device()}",
}


def sign_in(folder, address):
    """Adds a person who sees a hundredth of the devices; gives the headers that speak for that person."""
    settings = {"RECEIVER_DATA": folder, "RECEIVER_DATABASE_URL": DATABASE_URL}
    few = ["user", "add", "ben", "--devices", "shop-*00"]
    subprocess.run([PROGRAM, *few], env=settings, input="correct horse battery\n", text=True, check=True, stdout=subprocess.PIPE)
    connection = http.client.HTTPConnection(address)
    body = '{"name":"ben","password":"correct horse battery"}'
    connection.request("POST", "/api/session", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    return {"Cookie": answer.getheader("Set-Cookie").split(";")[0]}


def ask(address, who, headers):
    print(f"{who:36}{'median ms':>10}{'p99 ms':>10}")
    connection = http.client.HTTPConnection(address)
    for name, question in QUESTIONS.items():
        took = []
        for _ in range(ASKED):
            path = urllib.parse.quote(question(), safe="/?=&+:")
            begin = time.perf_counter()
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            took.append((time.perf_counter() - begin) * 1000)
            # A device that this person does not see is not there.
            assert answer.status == 200 or headers and answer.status == 404, (path, body)
        took.sort()
        print(f"{name:36}{took[len(took) // 2]:10.1f}{took[len(took) * 99 // 100]:10.1f}", flush=True)


with tempfile.TemporaryDirectory() as folder:
    child, _ = start(folder)
    stop(child)
    began = time.time()
    if DATABASE_URL:
        fill_postgres()
        size = int(psql("SELECT pg_database_size(current_database())")) / 1e9
    else:
        fill(f"{folder}/receiver.db")
        size = pathlib.Path(folder, "receiver.db").stat().st_size / 1e9
    print(f"filled in {time.time() - began:.0f} s: {size:.1f} GB")
    child, address = start(folder)
    try:
        print(f"{EVENTS:,} events, {CLIPS:,} clips, {DEVICES:,} devices; {ASKED} times each")
        ask(address, "who sees all", {})
        ask(address, "who sees a hundredth", sign_in(folder, address))
    finally:
        stop(child)

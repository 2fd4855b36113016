"""Real devices beside the played ones: sync-service processes, each on a recorder's database that is being filled, and what the
receivers have of them.

Usage: services.py PROGRAM FOLDER COUNT SECONDS EVENTS CLIPS CLIP_FILE URL...
EVENTS and CLIPS wait at the beginning, over the day before; then each recorder writes an event a minute. Exit status 1 when a row is
not there once, or not as it was sent.
"""
import datetime
import hashlib
import http.client
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.parse
import urllib.request

PROGRAM, FOLDER, (COUNT, SECONDS, EVENTS, CLIPS), CLIP = sys.argv[1], pathlib.Path(sys.argv[2]), map(int, sys.argv[3:7]), sys.argv[7]
URLS = sys.argv[8:]
ROOT = pathlib.Path(__file__).parents[2]
EVENT_EVERY_S = 60
# How long all rows may take once no more come.
WITHIN_S = int(os.environ.get("FLEET_WITHIN_S", "600"))
SENSORS = ["PIR Entrée", "Tapis Salon", "Bouton Arrêt", "Caméra 1", "Caméra 2"]


def insert(path, statement, *values):
    # One short-lived connection an insert, as the recorder does it.
    connection = sqlite3.connect(path, timeout=5)
    with connection:
        connection.execute(statement, values)
    connection.close()


def add_event(path, date):
    insert(path, "INSERT INTO evenement (date, id_capteur) VALUES (?, 1)", date.isoformat(timespec="microseconds"))


def add_clip(path, date, video):
    statement = "INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (?, ?, 4, 1)"
    insert(path, statement, video, date.isoformat(timespec="microseconds"))


class Device:
    def __init__(self, number, video):
        self.name = f"real-{os.getpid()}-{number:02}"
        self.path = FOLDER / f"{self.name}.db"
        self.next_event = time.monotonic() + EVENT_EVERY_S * number / COUNT
        connection = sqlite3.connect(self.path)
        connection.executescript((ROOT / "tests" / "recorder.sql").read_text(encoding="utf-8"))
        connection.executemany("INSERT INTO capteur (nom_capteur) VALUES (?)", [(sensor,) for sensor in SENSORS])
        connection.commit()
        connection.close()
        now = datetime.datetime.now()
        ago = lambda index, count: now - datetime.timedelta(days=1) * (count - index) / count
        for index in range(EVENTS):
            add_event(self.path, ago(index, EVENTS))
        for index in range(CLIPS):
            # No two clips alike.
            add_clip(self.path, ago(index, CLIPS), video + f"{self.name} {index}".encode())
        own = number % len(URLS)
        environment = {
            "LOCAL_DB_PATH": str(self.path),
            "BACKEND_URL": ",".join(URLS[own:] + URLS[:own]),
            "DEVICE_ID": self.name,
            "SYNC_MODE": "realtime",
            "SYNC_INTERVAL_MINUTES": "1",
        }
        self.output = open(FOLDER / f"{self.name}.log", "wb")
        self.process = subprocess.Popen([PROGRAM], env=environment, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output)

    def records(self):
        if time.monotonic() >= self.next_event:
            self.next_event += EVENT_EVERY_S
            add_event(self.path, datetime.datetime.now())

    def ask(self, query):
        # A moment at which somebody commits is no reason to fail.
        connection = sqlite3.connect(self.path, timeout=10)
        rows = connection.execute(query).fetchall()
        connection.close()
        return rows

    def left(self):
        if not self.ask("SELECT 1 FROM sqlite_master WHERE name = 'sync_tracking'"):
            return 1
        tables = [("evenement", "id_evenement"), ("media", "id_media")]
        left = "SELECT count(*) FROM {0} LEFT JOIN sync_tracking ON table_name = '{0}' AND local_id = {1} WHERE sync_status IS NOT 'success'"
        return sum(self.ask(left.format(*table))[0][0] for table in tables)

    def stop(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        self.peak_kb = int(status.split("VmHWM:")[1].split()[0])
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(30) != 0:
            sys.exit(f"{self.name}: exit status {self.process.returncode}: {self.last_words()}")

    def must_run(self):
        if self.process.poll() is not None:
            sys.exit(f"{self.name}: ended by itself, exit status {self.process.returncode}: {self.last_words()}")

    def last_words(self):
        lines = (FOLDER / f"{self.name}.log").read_text(encoding="utf-8").splitlines()
        return lines[-1] if lines else "it said nothing"

    def sent(self, table, key):
        camera = "numero_camera" if table == "media" else "NULL"
        return self.ask(f"SELECT date, remote_id, nom_capteur, {camera} FROM {table} JOIN capteur USING (id_capteur) "
                        f"JOIN sync_tracking ON table_name = '{table}' AND local_id = {key}")


def get(path):
    with urllib.request.urlopen(URLS[0] + path, timeout=60) as answer:
        return answer.read()


def stored(path, name):
    rows, cursor = [], ""
    while True:
        asked = urllib.parse.urlencode({"device": name, "order": "asc", "limit": 1000, "cursor": cursor})
        page = json.loads(get(f"{path}?{asked}"))
        rows += [(row["date"], row["id"], row["capteur"]["nom"], row.get("numero_camera")) for row in page["items"]]
        cursor = page["next"]
        if not cursor:
            return rows


def wrong(device):
    """What the receivers have otherwise than the device."""
    found = []
    for path, table, key in [("/api/evenements", "evenement", "id_evenement"), ("/api/media", "media", "id_media")]:
        there, sent = stored(path, device.name), device.sent(table, key)
        if sorted(map(str, there)) != sorted(map(str, sent)):
            found.append(f"{device.name}: {table}: {len(sent)} sent, {len(there)} there, {len(set(sent) ^ set(there))} not in both")
    for number, video, remote_id in device.ask(
        "SELECT id_media, video, remote_id FROM media JOIN sync_tracking ON table_name = 'media' AND local_id = id_media"
    ):
        if hashlib.sha256(get(f"/api/media/{remote_id}/video")).digest() != hashlib.sha256(video).digest():
            found.append(f"{device.name}: clip {number} has other bytes there")
    return found


def main():
    video = pathlib.Path(CLIP).read_bytes()
    devices = []
    try:
        for number in range(COUNT):
            devices.append(Device(number, video))
        began = time.monotonic()
        while time.monotonic() < began + SECONDS:
            for device in devices:
                device.must_run()
                device.records()
            time.sleep(0.2)
        ended = time.monotonic()
        while any(device.left() for device in devices):
            if time.monotonic() > ended + WITHIN_S:
                sys.exit(f"sync-service: after {WITHIN_S} s {sum(device.left() for device in devices)} rows are not through")
            for device in devices:
                device.must_run()
            time.sleep(0.5)
        took = time.monotonic() - ended
        for device in devices:
            device.stop()
    finally:
        for device in devices:
            device.process.kill()
            device.process.wait()
            device.output.close()
    found = [line for device in devices for line in wrong(device)]
    counts = [sum(device.ask(f"SELECT count(*) FROM {table}")[0][0] for device in devices) for table in ("evenement", "media")]
    peak = max(device.peak_kb for device in devices) / 1000
    print(f"{COUNT} sync-service processes: {counts[0]} events and {counts[1]} clips, all through {took:.1f} s after the last, at most {peak:.1f} MB each;",
          "NOT ALL IS THERE ONCE AND WHOLE" if found else "each row is there once under its id, each clip is whole")
    print(*found[:10], sep="\n", end="\n" if found else "")
    sys.exit(1 if found else 0)


# So that the processes are ended with this one.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
try:
    main()
except (OSError, ValueError, sqlite3.Error, subprocess.SubprocessError, http.client.HTTPException) as error:
    sys.exit(f"services.py: {' '.join(str(error).split())}")

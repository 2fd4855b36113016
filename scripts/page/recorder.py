"""The page test's hand on SQLite files: a recorder's database, and a server's clock.

Usage: recorder.py make DB CLIP… | event DB SENSOR | clip DB FILE CAMERA | sql DB STATEMENT | fill DB DAY DEVICES EVENTS
"""
import datetime
import pathlib
import sqlite3
import sys

HERE = pathlib.Path(__file__).parent
# Events by the hour of a day in a house: quiet at night, busy when people come and go.
BUSY = [1, 1, 0, 0, 0, 2, 9, 21, 16, 6, 5, 5, 13, 11, 5, 5, 8, 15, 23, 20, 14, 10, 7, 3]


def insert(path, statement, *values):
    # One short-lived connection an insert, as the recorder does it.
    connection = sqlite3.connect(path, timeout=10)
    with connection:
        connection.execute(statement, values)
    connection.close()


def add_event(path, date, sensor):
    insert(path, "INSERT INTO evenement (date, id_capteur) VALUES (?, ?)", date.isoformat(), sensor)


def add_clip(path, date, file, camera):
    video = pathlib.Path(file).read_bytes()
    insert(path, "INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (?, ?, ?, ?)",
           video, date.isoformat(), 3 + camera, camera)


def make(path, *clips):
    """A whole day, yesterday: whatever the hour is now, it looks the same."""
    connection = sqlite3.connect(path)
    for script in (HERE.parents[1] / "tests" / "recorder.sql", HERE.parent / "demo" / "rows.sql"):
        connection.executescript(script.read_text(encoding="utf-8").split("INSERT INTO evenement")[0])
    day = datetime.datetime.combine(datetime.date.today() - datetime.timedelta(days=1), datetime.time())
    number = 0
    with connection:
        for hour, busy in enumerate(BUSY):
            for index in range(busy):
                number += 1
                at = day + datetime.timedelta(hours=hour, seconds=(number * 1009) % 3600, microseconds=number * 1001)
                sensor = (1, 2, 1, 3, 1, 2)[number % 6]
                connection.execute("INSERT INTO evenement (date, id_capteur) VALUES (?, ?)", (at.isoformat(), sensor))
                if index % 9 == 4:
                    camera = 1 + number % 2
                    video = pathlib.Path(clips[camera - 1]).read_bytes()
                    film = at + datetime.timedelta(seconds=2)
                    connection.execute(
                        "INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (?, ?, ?, ?)",
                        (video, film.isoformat(), 3 + camera, camera))
    connection.close()
    print(day.date().isoformat())


def fill(path, day, devices, events):
    """A receiver's database with many devices that told of themselves, and events of theirs on a day."""
    status = ('{"version":1,"program_version":"0.1.0","service":{"mode":"continuous","interval_s":300.0},"tables":{"evenement":{"waiting":3}},'
              '"disk":{"free_bytes":5000000000,"total_bytes":9000000000}}')
    numbers = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {} - 1) "
    connection = sqlite3.connect(path, timeout=10)
    with connection:
        connection.execute(numbers.format(devices) + "INSERT OR IGNORE INTO device_row (device_id, row_at) SELECT 'device-' || i, unixepoch() FROM n")
        connection.execute("INSERT OR IGNORE INTO device (device_id, status, clock_ahead_ms, received_at) "
                           "SELECT device_id, ?, 20, strftime('%Y-%m-%dT%H:%M:%SZ') FROM device_row", (status,))
        connection.execute(numbers.format(events) + """INSERT INTO evenement (date, capteur_id, capteur_nom, capteur_etat, device_id, source, received_at)
            SELECT strftime('%Y-%m-%dT%H:%M:%f', ?, '+' || (i * 86000.0 / ?) || ' seconds'), 1 + i % 5, 'Capteur ' || (1 + i % 5), 1,
                   'device-' || (i * 37 % 40), 'sync_service', strftime('%Y-%m-%dT%H:%M:%fZ') FROM n""", (day, int(events)))
    connection.close()


def event(path, sensor):
    add_event(path, now(), sensor)
    # When it was there for others.
    print(round(datetime.datetime.now().timestamp() * 1000))


def now():
    return datetime.datetime.now()


{
    "make": make,
    "event": lambda path, sensor: event(path, int(sensor)),
    "clip": lambda path, file, camera: add_clip(path, now(), file, int(camera)),
    "fill": fill,
    "sql": lambda path, statement: insert(path, statement),
}[sys.argv[1]](*sys.argv[2:])

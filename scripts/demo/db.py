"""The demonstration's hand on SQLite files, for machines that have Python but no sqlite3 program.

Usage: db.py make DB TABLES ROWS CLIP1 CLIP2 | db.py run DB SQL | db.py ask DB QUERY
"""
import sqlite3
import sys


def make(path, tables, rows, *clips):
    # One short-lived connection an insert, as the recorder does it.
    for script in (tables, rows):
        with open(script, encoding="utf-8") as text:
            sqlite3.connect(path).executescript(text.read())
    for camera, clip in enumerate(clips, start=1):
        connection = sqlite3.connect(path)
        with open(clip, "rb") as video:
            connection.execute(
                "INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (?, ?, ?, ?)",
                (video.read(), f"2025-12-18T17:3{camera}:30.250000", 3 + camera, camera),
            )
        connection.commit()
        connection.close()


def run(path, script):
    with open(script, encoding="utf-8") as text:
        sqlite3.connect(path).executescript("BEGIN;" + text.read() + "COMMIT;")


def ask(path, query):
    for row in sqlite3.connect(path).execute(query):
        print("|".join("" if value is None else str(value) for value in row))


{"make": make, "run": run, "ask": ask}[sys.argv[1]](*sys.argv[2:])

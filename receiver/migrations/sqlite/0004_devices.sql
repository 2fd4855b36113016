-- What devices tell of themselves, and the most rows that waited in each quarter of an hour (seconds since 1970).
CREATE TABLE device (
    device_id       TEXT PRIMARY KEY,
    status          TEXT NOT NULL,
    clock_ahead_ms  INTEGER,
    received_at     TEXT NOT NULL
);
CREATE TABLE device_backlog (
    device_id       TEXT NOT NULL,
    quarter         INTEGER NOT NULL,
    most_rows       INTEGER NOT NULL,
    PRIMARY KEY (device_id, quarter)
) WITHOUT ROWID;

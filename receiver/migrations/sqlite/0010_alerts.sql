-- Sensors whose events are told.
CREATE TABLE important_sensor (
    device_id TEXT NOT NULL,
    sensor    TEXT NOT NULL, -- its name, or its id where it has none
    marked_by TEXT NOT NULL,
    marked_at INTEGER NOT NULL, -- seconds since 1970, as all times here
    PRIMARY KEY (device_id, sensor)
) WITHOUT ROWID;

-- What holds now and was, or is to be, told.
CREATE TABLE alarm (
    device_id TEXT NOT NULL,
    what      TEXT NOT NULL, -- silent, disk_low, backlog, clock_off, event
    sensor    TEXT NOT NULL, -- of an event
    moment    TEXT NOT NULL, -- as it is linked to
    began_at  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    PRIMARY KEY (device_id, what, sensor)
) WITHOUT ROWID;

-- What is to be told, until it is taken.
CREATE TABLE notice (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    subject TEXT NOT NULL,
    body    TEXT NOT NULL,
    tries   INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX notice_by_subject ON notice (subject, id);

-- How far events were followed, and since when somebody looks without a gap.
CREATE TABLE alert_watch (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    followed  TEXT,
    looked_at INTEGER NOT NULL,
    since_at  INTEGER NOT NULL
);

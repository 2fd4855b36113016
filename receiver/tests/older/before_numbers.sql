-- A receiver's database from before its tables had a version, with one of everything; expiry moved to the year 2100.
BEGIN TRANSACTION;
CREATE TABLE device (
    device_id       TEXT PRIMARY KEY,
    status          TEXT NOT NULL,
    clock_ahead_ms  INTEGER,
    received_at     TEXT NOT NULL
);
INSERT INTO "device" VALUES('raspberry-1','{"version":1,"program_version":"0.1.0","service":{"mode":"continuous","interval_s":300.0},"uptime_s":5000,"tables":{"evenement":{"waiting":3,"done":1000,"failed":0,"oldest_waiting":{"id":7,"age_seconds":40}},"media":{"waiting":1}},"disk":{"free_bytes":5000000000,"total_bytes":9000000000},"clock_unix_ms":0,"backend":"https://sync.example.org"}',NULL,'2026-11-21T21:03:59Z');
CREATE TABLE device_backlog (
    device_id       TEXT NOT NULL,
    quarter         INTEGER NOT NULL,
    most_rows       INTEGER NOT NULL,
    PRIMARY KEY (device_id, quarter)
) WITHOUT ROWID;
INSERT INTO "device_backlog" VALUES('raspberry-1',1795294800,4);
CREATE TABLE device_row (
    device_id TEXT PRIMARY KEY,
    row_at    INTEGER NOT NULL -- seconds since 1970
) WITHOUT ROWID;
INSERT INTO "device_row" VALUES('raspberry-1',1795295039);
INSERT INTO "device_row" VALUES('shop-1',1795295039);
CREATE TABLE evenement (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    date, capteur_id, capteur_nom, capteur_etat,
    device_id       TEXT NOT NULL,
    source          TEXT NOT NULL,
    received_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    idempotency_key TEXT, moment TEXT GENERATED ALWAYS AS (
    CASE WHEN typeof(date) = 'text' AND date GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]*'
    THEN substr(replace(date, ' ', 'T'), 1, 40) ELSE substr(received_at, 1, 23) END) VIRTUAL, sensor TEXT GENERATED ALWAYS AS (CAST(coalesce(capteur_nom, capteur_id) AS TEXT)) VIRTUAL,
    UNIQUE (idempotency_key, device_id)
);
INSERT INTO "evenement" VALUES(1,'2025-12-18T17:30:00.123456',1,'PIR Entrée',1,'raspberry-1','sync_service','2026-11-21T21:03:59.798Z','e-1');
INSERT INTO "evenement" VALUES(2,1766075400,7,NULL,0,'raspberry-1','sync_service','2026-11-21T21:03:59.800Z','e-2');
INSERT INTO "evenement" VALUES(3,'2025-12-18T17:30:00.123456',1,'PIR Entrée',1,'shop-1','sync_service','2026-11-21T21:03:59.801Z',NULL);
CREATE TABLE media (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    date, capteur_id, capteur_nom, numero_camera,
    device_id       TEXT NOT NULL,
    source          TEXT NOT NULL,
    file            TEXT NOT NULL UNIQUE,
    size_bytes      INTEGER NOT NULL,
    sha256          TEXT NOT NULL,
    received_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    idempotency_key TEXT, moment TEXT GENERATED ALWAYS AS (
    CASE WHEN typeof(date) = 'text' AND date GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]*'
    THEN substr(replace(date, ' ', 'T'), 1, 40) ELSE substr(received_at, 1, 23) END) VIRTUAL, sensor TEXT GENERATED ALWAYS AS (CAST(coalesce(capteur_nom, capteur_id) AS TEXT)) VIRTUAL, camera TEXT GENERATED ALWAYS AS (CAST(numero_camera AS TEXT)) VIRTUAL, pinned INTEGER NOT NULL DEFAULT 0,
    UNIQUE (idempotency_key, device_id)
);
INSERT INTO "media" VALUES(1,'2025-12-18T17:30:01.5',4,'Caméra 1',1,'raspberry-1','sync_service','01a1ffec-513a-71b2-982d-21b11c6ff74b.bin',7,'3dbe53a2de431feaea25139a6ea5eb705629d3fb419181298046d78d55acb055','2026-11-21T21:03:59.803Z','c-1',1);
CREATE TABLE person (
    name          TEXT PRIMARY KEY,
    role          TEXT NOT NULL CHECK (role IN ('viewer', 'admin')),
    devices       TEXT,
    password_hash TEXT,
    created_at    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
) WITHOUT ROWID;
INSERT INTO "person" VALUES('anna','admin',NULL,'$argon2id$v=19$m=19456,t=2,p=1$zz5biipKCijU47YWvi2+1A$DfnzVelkvFamq/IPfAEo98XZYHB7248g8poF4+nvVsU','2026-11-21T21:03:59.837Z');
INSERT INTO "person" VALUES('ben','viewer','shop-*','$argon2id$v=19$m=19456,t=2,p=1$dsWaYrd2saIE6SNUR37jaQ$nRJ8Fun/UPeKuYjhMVxsn9p+ZTEd6WbY3IasGgji7Ps','2026-11-21T21:03:59.867Z');
CREATE TABLE person_seen (
    person   TEXT PRIMARY KEY,
    media_id INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "person_seen" VALUES('anna',1);
CREATE TABLE session (
    id            TEXT PRIMARY KEY,
    secret_sha256 BLOB NOT NULL,
    person        TEXT NOT NULL,
    expires_at    INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "session" VALUES('M3LOPZLOrj6lm6r7r6s5wpQb-nFDD6MTZh21OoHQvy4',X'05D77E0C8475793A9535934398CD1F2D34FA25AB892531981F409AC78740DD2E','anna',4102444800);
CREATE TABLE sign_in_failure (
    subject  TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    next_at  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE token (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    device_id  TEXT NOT NULL,
    sha256     BLOB NOT NULL UNIQUE,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
);
INSERT INTO "token" VALUES(1,'raspberry-1',X'7E5FD824EF3FBA85E27C78AFFC533EC40D56E167B6E6616732CE2BAFFC532E7A','2026-11-21T21:03:59.902Z');
CREATE TABLE upload (
    id              TEXT PRIMARY KEY,
    device_id       TEXT NOT NULL,
    idempotency_key TEXT,
    metadata        TEXT NOT NULL,
    length_bytes    INTEGER NOT NULL,
    part            TEXT NOT NULL UNIQUE,
    offset_bytes    INTEGER NOT NULL DEFAULT 0,
    media_id        INTEGER,
    epoch           INTEGER NOT NULL DEFAULT 0,
    lease_until_ms  INTEGER NOT NULL DEFAULT 0,
    wanted          INTEGER NOT NULL DEFAULT 0,
    expires_ms      INTEGER NOT NULL
);
INSERT INTO "upload" VALUES('fa068b34fb205fe770098cf3eb06212d','raspberry-1','u-1','media eyJkYXRlIjogIjIwMjUtMTItMThUMTc6MzE6MDAiLCAiY2FwdGV1ciI6IHsiaWQiOiA0LCAibm9tIjogIkNhbcOpcmEgMSJ9LCAibnVtZXJvX2NhbWVyYSI6IDIsICJkZXZpY2VfaWQiOiAicmFzcGJlcnJ5LTEiLCAic291cmNlIjogInN5bmNfc2VydmljZSJ9',6,'01a1ffec-513c-72ff-880c-f4300b147e96',4,NULL,1,0,0,4102444800000);
CREATE INDEX evenement_by_moment ON evenement (moment);
CREATE INDEX evenement_by_device ON evenement (device_id, moment);
CREATE INDEX evenement_by_sensor ON evenement (sensor, moment);
CREATE INDEX media_by_moment ON media (moment);
CREATE INDEX media_by_device ON media (device_id, moment);
CREATE INDEX media_by_sensor ON media (sensor, moment);
CREATE INDEX upload_expires ON upload (expires_ms);
CREATE INDEX session_by_person ON session (person);
CREATE INDEX token_by_device ON token (device_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('evenement',3);
INSERT INTO "sqlite_sequence" VALUES('media',1);
INSERT INTO "sqlite_sequence" VALUES('token',1);
COMMIT;

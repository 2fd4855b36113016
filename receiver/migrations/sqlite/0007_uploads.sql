-- Clips on their way in several requests. A database from before the numbers may have the table.
CREATE TABLE IF NOT EXISTS upload (
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
CREATE INDEX IF NOT EXISTS upload_expires ON upload (expires_ms);

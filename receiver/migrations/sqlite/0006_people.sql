-- People, their sessions, their failures to sign in (seconds since 1970), and devices' tokens. A database from before the
-- numbers may have some of these tables.
CREATE TABLE IF NOT EXISTS person (
    name          TEXT PRIMARY KEY,
    role          TEXT NOT NULL CHECK (role IN ('viewer', 'admin')),
    devices       TEXT,
    password_hash TEXT,
    created_at    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (
    id            TEXT PRIMARY KEY,
    secret_sha256 BLOB NOT NULL,
    person        TEXT NOT NULL,
    expires_at    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_by_person ON session (person);
CREATE TABLE IF NOT EXISTS sign_in_failure (
    subject  TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    next_at  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS token (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    device_id  TEXT NOT NULL,
    sha256     BLOB NOT NULL UNIQUE,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
);
CREATE INDEX IF NOT EXISTS token_by_device ON token (device_id);

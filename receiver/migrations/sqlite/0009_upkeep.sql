-- Whose turn a work is that one receiver at a time does (milliseconds since 1970).
CREATE TABLE lease (
    work     TEXT PRIMARY KEY,
    holder   TEXT NOT NULL,
    until_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- Why a clip is being removed: nobody sees its row any more, which goes after its bytes.
ALTER TABLE media ADD COLUMN removing TEXT;
CREATE INDEX media_by_arrival ON media (received_at, id, size_bytes) WHERE pinned = 0 AND removing IS NULL;
CREATE INDEX media_pinned ON media (size_bytes) WHERE pinned <> 0 AND removing IS NULL;
CREATE INDEX media_removing ON media (removing) WHERE removing IS NOT NULL;

-- What is kept of a row that was removed: the answer to its key.
CREATE TABLE receipt (
    idempotency_key TEXT NOT NULL,
    device_id       TEXT NOT NULL,
    kind            TEXT NOT NULL, -- evenement, media
    id              INTEGER NOT NULL,
    date, capteur_id,
    size_bytes      INTEGER,
    removed_at      INTEGER NOT NULL, -- seconds since 1970
    PRIMARY KEY (idempotency_key, kind, device_id)
) WITHOUT ROWID;
CREATE INDEX receipt_by_age ON receipt (removed_at);

-- What was removed, why, and of which time: a line for each day, device, kind and reason.
CREATE TABLE removal (
    day        TEXT NOT NULL, -- UTC
    device_id  TEXT NOT NULL,
    kind       TEXT NOT NULL,
    reason     TEXT NOT NULL, -- age, space
    rows       INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    oldest     TEXT NOT NULL, -- when the first and the last of them had come
    newest     TEXT NOT NULL,
    PRIMARY KEY (day, device_id, kind, reason)
) WITHOUT ROWID;

-- What can't be removed, for as long as that lasts.
CREATE TABLE removal_trouble (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    reason   TEXT NOT NULL,
    since_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL
);

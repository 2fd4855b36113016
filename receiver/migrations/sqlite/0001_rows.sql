-- Events and clips. Columns without a type keep what the device sent: null, a number, or text.
CREATE TABLE evenement (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    date, capteur_id, capteur_nom, capteur_etat,
    device_id       TEXT NOT NULL,
    source          TEXT NOT NULL,
    received_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    owner           TEXT NOT NULL,
    idempotency_key TEXT,
    answer          TEXT NOT NULL DEFAULT '',
    UNIQUE (owner, idempotency_key)
);
CREATE TABLE media (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    date, capteur_id, capteur_nom, numero_camera,
    device_id       TEXT NOT NULL,
    source          TEXT NOT NULL,
    file            TEXT NOT NULL UNIQUE,
    size_bytes      INTEGER NOT NULL,
    received_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    owner           TEXT NOT NULL,
    idempotency_key TEXT,
    answer          TEXT NOT NULL DEFAULT '',
    UNIQUE (owner, idempotency_key)
);

-- A key is its device's own, and a clip has its SHA-256: empty where nobody computed it when the clip came.
-- The index of `UNIQUE (idempotency_key, device_id)` also serves the look-up by key alone.
ALTER TABLE evenement RENAME TO evenement_1;
CREATE TABLE evenement (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    date, capteur_id, capteur_nom, capteur_etat,
    device_id       TEXT NOT NULL,
    source          TEXT NOT NULL,
    received_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    idempotency_key TEXT,
    answer          TEXT NOT NULL DEFAULT '',
    UNIQUE (idempotency_key, device_id)
);
-- Where one device used a key with a token and without, the first row keeps it.
INSERT INTO evenement
SELECT id, date, capteur_id, capteur_nom, capteur_etat, device_id, source, received_at,
       iif(row_number() OVER (PARTITION BY idempotency_key, device_id ORDER BY id) = 1, idempotency_key, NULL), answer
FROM evenement_1;
-- No id is ever given twice, also when the rows with the highest are gone.
DELETE FROM sqlite_sequence WHERE name = 'evenement';
UPDATE sqlite_sequence SET name = 'evenement' WHERE name = 'evenement_1';
DROP TABLE evenement_1;

ALTER TABLE media RENAME TO media_1;
CREATE TABLE media (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    date, capteur_id, capteur_nom, numero_camera,
    device_id       TEXT NOT NULL,
    source          TEXT NOT NULL,
    file            TEXT NOT NULL UNIQUE,
    size_bytes      INTEGER NOT NULL,
    sha256          TEXT NOT NULL,
    received_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    idempotency_key TEXT,
    answer          TEXT NOT NULL DEFAULT '',
    UNIQUE (idempotency_key, device_id)
);
INSERT INTO media
SELECT id, date, capteur_id, capteur_nom, numero_camera, device_id, source, file, size_bytes, '', received_at,
       iif(row_number() OVER (PARTITION BY idempotency_key, device_id ORDER BY id) = 1, idempotency_key, NULL), answer
FROM media_1;
DELETE FROM sqlite_sequence WHERE name = 'media';
UPDATE sqlite_sequence SET name = 'media' WHERE name = 'media_1';
DROP TABLE media_1;

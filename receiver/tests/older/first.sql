-- A database of the first receiver: keys by owner, answers as they were given, no digest of a clip. Its highest event is gone.
BEGIN TRANSACTION;
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
INSERT INTO evenement VALUES (1, '2025-12-18T17:30:00.123456', 1, 'PIR Entrée', 1, 'raspberry-1', 'sync_service', '2025-12-18T16:30:05.000Z', '', 'e-1', '');
INSERT INTO evenement VALUES (2, 1766075400, 7, NULL, 0, 'raspberry-1', 'sync_service', '2025-12-18T16:30:06.000Z', 'raspberry-1', 'e-2', '');
INSERT INTO evenement VALUES (3, '2025-12-18T17:30:00.123456', 1, 'PIR Entrée', 1, 'shop-1', 'sync_service', '2025-12-18T16:30:07.000Z', '', NULL, '');
-- The same device and key as the first, sent with a token.
INSERT INTO evenement VALUES (4, '2025-12-18T17:30:00.123456', 1, 'PIR Entrée', 1, 'raspberry-1', 'sync_service', '2025-12-18T16:30:08.000Z', 'raspberry-1', 'e-1', '');
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
INSERT INTO media VALUES (1, '2025-12-18T17:30:01.5', 4, 'Caméra 1', 1, 'raspberry-1', 'sync_service', '01a1ffec-513a-71b2-982d-21b11c6ff74b.bin', 7, '2025-12-18T16:30:09.000Z', '', 'c-1', '');
UPDATE sqlite_sequence SET seq = 9 WHERE name = 'evenement';
COMMIT;

-- A recorder's database: its tables and indexes, its sensors, five events. The two clips are added beside it.
CREATE TABLE capteur (
    id_capteur   INTEGER PRIMARY KEY AUTOINCREMENT,
    nom_capteur  TEXT NOT NULL,
    etat_capteur INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE evenement (
    id_evenement INTEGER PRIMARY KEY AUTOINCREMENT,
    date         TEXT NOT NULL,
    id_capteur   INTEGER NOT NULL,
    FOREIGN KEY (id_capteur) REFERENCES capteur (id_capteur)
);
CREATE TABLE media (
    id_media      INTEGER PRIMARY KEY AUTOINCREMENT,
    video         BLOB NOT NULL,
    date          TEXT NOT NULL,
    id_capteur    INTEGER NOT NULL,
    numero_camera INTEGER NOT NULL CHECK (numero_camera IN (1, 2)),
    FOREIGN KEY (id_capteur) REFERENCES capteur (id_capteur)
);
CREATE INDEX idx_evenement_date ON evenement (date DESC);
CREATE INDEX idx_evenement_capteur ON evenement (id_capteur);
CREATE INDEX idx_media_date ON media (date DESC);
CREATE INDEX idx_media_capteur ON media (id_capteur);
CREATE INDEX idx_media_camera ON media (numero_camera);
INSERT INTO capteur (nom_capteur) VALUES
    ('PIR Entrée'), ('Tapis Salon'), ('Bouton Arrêt'), ('Caméra 1'), ('Caméra 2');
INSERT INTO evenement (date, id_capteur) VALUES
    ('2025-12-18T17:30:00.123456', 1),
    ('2025-12-18T17:30:04.480217', 2),
    ('2025-12-18T17:31:12.009340', 1),
    ('2025-12-18T18:02:55.771208', 2),
    ('2025-12-18T18:03:10.350991', 3);

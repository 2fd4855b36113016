-- The recorder's tables and indexes, as its own statements make them. The one copy: tests, benches and scripts read it.
CREATE TABLE capteur (
    id_capteur INTEGER PRIMARY KEY AUTOINCREMENT,
    nom_capteur TEXT NOT NULL,
    etat_capteur INTEGER NOT NULL DEFAULT 1 CHECK (etat_capteur IN (0, 1))
);
CREATE TABLE evenement (
    id_evenement INTEGER PRIMARY KEY AUTOINCREMENT,
    date TEXT NOT NULL,
    id_capteur INTEGER NOT NULL,
    FOREIGN KEY (id_capteur) REFERENCES capteur(id_capteur)
);
CREATE TABLE media (
    id_media INTEGER PRIMARY KEY AUTOINCREMENT,
    video BLOB NOT NULL,
    date TEXT NOT NULL,
    id_capteur INTEGER NOT NULL,
    numero_camera INTEGER NOT NULL CHECK (numero_camera IN (1, 2)),
    FOREIGN KEY (id_capteur) REFERENCES capteur(id_capteur)
);
CREATE INDEX idx_evenement_date ON evenement(date DESC);
CREATE INDEX idx_evenement_capteur ON evenement(id_capteur);
CREATE INDEX idx_media_date ON media(date DESC);
CREATE INDEX idx_media_capteur ON media(id_capteur);
CREATE INDEX idx_media_camera ON media(numero_camera);

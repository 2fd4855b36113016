-- What a recorder has written: its sensors and five events; the clips are added beside it. The tables are
-- tests/recorder.sql's.
INSERT INTO capteur (nom_capteur) VALUES
    ('PIR Entrée'), ('Tapis Salon'), ('Bouton Arrêt'), ('Caméra 1'), ('Caméra 2');
INSERT INTO evenement (date, id_capteur) VALUES
    ('2025-12-18T17:30:00.123456', 1),
    ('2025-12-18T17:30:04.480217', 2),
    ('2025-12-18T17:31:12.009340', 1),
    ('2025-12-18T18:02:55.771208', 2),
    ('2025-12-18T18:03:10.350991', 3);

-- What a recorder has written: its sensors, 20 events and 3 clips of 0.3 to 2 MB. The tables are tests/recorder.sql's.
INSERT INTO capteur (nom_capteur) VALUES ('PIR Entrée'), ('Tapis Salon'), ('Bouton Arrêt'), ('Caméra 1'), ('Caméra 2');
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
INSERT INTO evenement (date, id_capteur) SELECT printf('2025-12-18T17:30:%02d.123456', i), 1 + i % 3 FROM n;
INSERT INTO media (video, date, id_capteur, numero_camera) VALUES
    (randomblob(300000), '2025-12-18T17:31:00.000001', 4, 1),
    (randomblob(900001), '2025-12-18T17:32:00.000001', 5, 2),
    (randomblob(2000000), '2025-12-18T17:33:00.000001', 4, 1);

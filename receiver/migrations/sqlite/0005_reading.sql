-- What lists are read by. A row's moment is its date as text that sorts, or when it came where its date is none.
ALTER TABLE evenement ADD COLUMN moment TEXT GENERATED ALWAYS AS (
    CASE WHEN typeof(date) = 'text' AND date GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]*'
    THEN substr(replace(date, ' ', 'T'), 1, 40) ELSE substr(received_at, 1, 23) END) VIRTUAL;
ALTER TABLE media ADD COLUMN moment TEXT GENERATED ALWAYS AS (
    CASE WHEN typeof(date) = 'text' AND date GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]*'
    THEN substr(replace(date, ' ', 'T'), 1, 40) ELSE substr(received_at, 1, 23) END) VIRTUAL;

-- What a sensor is called: its name, or its id where it has none.
ALTER TABLE evenement ADD COLUMN sensor TEXT GENERATED ALWAYS AS (CAST(coalesce(capteur_nom, capteur_id) AS TEXT)) VIRTUAL;
ALTER TABLE media ADD COLUMN sensor TEXT GENERATED ALWAYS AS (CAST(coalesce(capteur_nom, capteur_id) AS TEXT)) VIRTUAL;
ALTER TABLE media ADD COLUMN camera TEXT GENERATED ALWAYS AS (CAST(numero_camera AS TEXT)) VIRTUAL;
ALTER TABLE media ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;

CREATE INDEX evenement_by_moment ON evenement (moment);
CREATE INDEX evenement_by_device ON evenement (device_id, moment);
CREATE INDEX evenement_by_sensor ON evenement (sensor, moment);
CREATE INDEX media_by_moment ON media (moment);
CREATE INDEX media_by_device ON media (device_id, moment);
CREATE INDEX media_by_sensor ON media (sensor, moment);

-- The last clip that each person has seen.
CREATE TABLE person_seen (
    person   TEXT PRIMARY KEY,
    media_id INTEGER NOT NULL
) WITHOUT ROWID;

-- Every device that ever stored a row, and when it last did.
CREATE TABLE device_row (
    device_id TEXT PRIMARY KEY,
    row_at    INTEGER NOT NULL -- seconds since 1970
) WITHOUT ROWID;
INSERT INTO device_row
SELECT device_id, max(CAST(strftime('%s', received_at) AS INTEGER))
FROM (SELECT device_id, received_at FROM evenement UNION ALL SELECT device_id, received_at FROM media)
GROUP BY device_id;

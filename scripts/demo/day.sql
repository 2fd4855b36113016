-- The last 24 hours in a house, so that there is something to see: quiet at night, busy when people come and go. Some three
-- hundred events, and of every ninth a camera's clip two seconds later.
CREATE TEMP TABLE moment AS
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 719),
moments AS (
    SELECT i, datetime('now', 'localtime', '-' || (i * 120 - (i * 7919) % 97) || ' seconds') AS at FROM n
)
SELECT i, replace(at, ' ', 'T') || printf('.%06d', (i * 104729) % 1000000) AS date, at
FROM moments
WHERE (i * 37) % 9 < CAST(substr('110001475433465445886542', 1 + strftime('%H', at), 1) AS INTEGER);

INSERT INTO evenement (date, id_capteur)
SELECT date, 1 + (i * 5) % 7 % 3 FROM moment ORDER BY date;

INSERT INTO media (video, date, id_capteur, numero_camera)
SELECT (SELECT video FROM media WHERE numero_camera = 1 + i % 2 LIMIT 1),
       replace(datetime(at, '+2 seconds'), ' ', 'T') || '.250000', 4 + i % 2, 1 + i % 2
FROM moment WHERE i % 9 = 4 ORDER BY date;

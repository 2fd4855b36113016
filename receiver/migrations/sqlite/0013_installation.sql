-- Which database this is: what lies in a place for clips is removed by the one that owns the place alone.
CREATE TABLE installation (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id  TEXT NOT NULL
);
INSERT INTO installation (one, id) VALUES (1, lower(hex(randomblob(16))));

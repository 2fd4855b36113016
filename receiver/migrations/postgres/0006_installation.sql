-- Which database this is: what lies in a place for clips is removed by the one that owns the place alone.
CREATE TABLE installation (
    one integer PRIMARY KEY CHECK (one = 1),
    id  text COLLATE "C" NOT NULL
);
INSERT INTO installation (one, id) VALUES (1, replace(gen_random_uuid()::text, '-', ''));

-- The bytes of all clips are added up from these alone: SQLite counts on an index for a query only where it has every column
-- that the query names, also those of its own condition.
DROP INDEX media_by_arrival;
CREATE INDEX media_by_arrival ON media (received_at, id, size_bytes, pinned, removing) WHERE pinned = 0 AND removing IS NULL;
DROP INDEX media_pinned;
CREATE INDEX media_pinned ON media (size_bytes, pinned, removing) WHERE pinned <> 0 AND removing IS NULL;

-- Clips are gone through in the order of those who follow them: a place is a transaction and an id. NULL where the place came
-- from another database.
ALTER TABLE person_seen ADD COLUMN media_xid xid8;

-- The last event that was there before a clip: with it the two tables have one order, which no clock gives. It may go back,
-- and has two commits in one millisecond.
ALTER TABLE media ADD COLUMN after_event INTEGER NOT NULL DEFAULT 0;

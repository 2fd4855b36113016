-- Where the bytes are, in words of the place for videos alone.
ALTER TABLE media ADD COLUMN manifest TEXT NOT NULL DEFAULT '';
ALTER TABLE upload ADD COLUMN manifest TEXT NOT NULL DEFAULT '';

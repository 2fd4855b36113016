-- An answer is made of its row.
ALTER TABLE evenement DROP COLUMN answer;
ALTER TABLE media DROP COLUMN answer;

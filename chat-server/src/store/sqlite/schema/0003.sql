-- How long a room keeps messages, and from which record on it has kept them. What was said before that
-- loses its words, record after record, up to `swept` so far.
ALTER TABLE rooms ADD COLUMN keep_days INTEGER;         -- NULL is for ever
ALTER TABLE rooms ADD COLUMN keep_records INTEGER;      -- NULL is any number
ALTER TABLE rooms ADD COLUMN kept_from INTEGER NOT NULL DEFAULT 0;  -- the first record that is kept
ALTER TABLE rooms ADD COLUMN kept_idx INTEGER NOT NULL DEFAULT 0;   -- messages before it
ALTER TABLE rooms ADD COLUMN trimmed_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rooms ADD COLUMN swept INTEGER NOT NULL DEFAULT 0;      -- the first record not yet looked at

-- When there is something to be trimmed; NULL if never, 0 if that is not known yet: of rooms that were
-- made before there were these columns.
ALTER TABLE rooms ADD COLUMN due_at INTEGER DEFAULT 0;
CREATE INDEX rooms_due ON rooms (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX rooms_unswept ON rooms (id) WHERE swept < kept_from;

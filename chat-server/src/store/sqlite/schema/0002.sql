-- Users who were erased. What they write from then on is kept without words; what they wrote before
-- loses them, room after room, up to this place so far.
CREATE TABLE erased (
    user INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    room INTEGER,               -- NULL once the end of the log was reached
    seq  INTEGER
) STRICT;

-- In which messages of a room a word stands, as they read today. Messages up to a room's `indexed`
-- are here; those after it are read one by one.
CREATE TABLE terms (
    room    INTEGER NOT NULL,
    term    TEXT NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (room, term, message)
) STRICT, WITHOUT ROWID;

ALTER TABLE rooms ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX rooms_behind ON rooms (id) WHERE indexed < head_seq;

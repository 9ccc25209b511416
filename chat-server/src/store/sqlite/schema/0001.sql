-- The first schema. Numbers of rooms, users, positions and moments are whole numbers below 2^53;
-- sums, macs and keys are 16 bytes.

-- The log: the truth, from which everything about rooms below can be built again. Each record says
-- how many messages there were by then, and which was the last: so a page of history is a walk from
-- message to message, and posting writes to no further table of messages.
CREATE TABLE records (
    room    INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    run     INTEGER NOT NULL,   -- which opening of the store wrote it
    idx     INTEGER NOT NULL,   -- messages up to here
    message INTEGER NOT NULL,   -- the last of them; 0 if there is none
    version INTEGER NOT NULL,
    fact    BLOB NOT NULL,      -- the record without its words
    mac     BLOB,               -- of the words; NULL if there never were any
    sum     BLOB NOT NULL,      -- the chain up to here
    key     BLOB,               -- NULL once erased
    words   BLOB,               -- NULL once erased
    PRIMARY KEY (room, seq)
) STRICT, WITHOUT ROWID;

-- A room's state at a position: its log is read from there on.
CREATE TABLE snapshots (
    room  INTEGER PRIMARY KEY,
    seq   INTEGER NOT NULL,
    state BLOB NOT NULL,
    sum   BLOB NOT NULL,        -- of the record at that position
    seal  BLOB NOT NULL         -- of the state and that sum
) STRICT;

-- One line for each opening of the store. Positions are remembered under the name of a run.
CREATE TABLE runs (
    run   INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch TEXT NOT NULL UNIQUE
) STRICT;

-- What lists show of a room, and the head that an append is compared with.
CREATE TABLE rooms (
    id         INTEGER PRIMARY KEY,
    head_seq   INTEGER NOT NULL,
    head_idx   INTEGER NOT NULL,
    head_message INTEGER NOT NULL,
    head_sum   BLOB NOT NULL,
    kind       TEXT NOT NULL,
    name       TEXT,
    alias      TEXT,
    name_fold  TEXT,            -- in the case that searches are made in
    alias_fold TEXT,
    topic      TEXT,
    access     TEXT NOT NULL,
    listed     INTEGER NOT NULL,
    lifecycle  TEXT NOT NULL,
    owner      INTEGER NOT NULL,
    members    INTEGER NOT NULL,
    created_by INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX rooms_listed ON rooms (id) WHERE listed AND lifecycle <> 'deleted';
CREATE INDEX rooms_created ON rooms (created_by, created_at);

CREATE TABLE members (
    room     INTEGER NOT NULL,
    user     INTEGER NOT NULL,
    role     TEXT NOT NULL,     -- while he isn't the owner
    since    INTEGER NOT NULL,
    name     TEXT,              -- under which he came
    nickname TEXT,
    read     INTEGER NOT NULL,  -- his marker: never before his own last message
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_user ON members (user, room);

-- When guests who are members were last here.
CREATE TABLE guests (
    user    INTEGER PRIMARY KEY,
    seen_at INTEGER NOT NULL
) STRICT;

-- What became of a message since it was posted, if anything. All else is in its record.
CREATE TABLE changed (
    room       INTEGER NOT NULL,
    message    INTEGER NOT NULL,
    idx        INTEGER NOT NULL,
    edit       INTEGER,         -- the record that edited it last
    deleted    INTEGER,         -- the record that deleted it
    deleted_at INTEGER,
    name       TEXT,            -- its author's, once the words are erased
    PRIMARY KEY (room, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX changed_deleted ON changed (room, idx) WHERE deleted IS NOT NULL;

-- The messages of a thread, without its first one.
CREATE TABLE threads (
    room    INTEGER NOT NULL,
    thread  INTEGER NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (room, thread, message)
) STRICT, WITHOUT ROWID;

-- All edits of a message, so that deleting it erases what it said before.
CREATE TABLE edits (
    room    INTEGER NOT NULL,
    message INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (room, message, seq)
) STRICT, WITHOUT ROWID;

-- Whom living messages mention; user 0 is everybody, and then nobody is named beside.
CREATE TABLE mentions (
    room INTEGER NOT NULL,
    user INTEGER NOT NULL,
    idx  INTEGER NOT NULL,
    PRIMARY KEY (room, user, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE reactions (
    room     INTEGER NOT NULL,
    message  INTEGER NOT NULL,
    reaction TEXT NOT NULL,
    user     INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    PRIMARY KEY (room, message, reaction, user)
) STRICT, WITHOUT ROWID;

-- Keys that are unique beyond one room, and the records that hold them.
CREATE TABLE aliases (
    skeleton TEXT PRIMARY KEY,
    room     INTEGER NOT NULL UNIQUE,
    seq      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE directs (
    one   INTEGER NOT NULL,
    other INTEGER NOT NULL,
    room  INTEGER NOT NULL,
    PRIMARY KEY (one, other)
) STRICT, WITHOUT ROWID;

-- Clients' own ids of commands. A creation's has scope 0: its room had no number yet.
CREATE TABLE cids (
    scope INTEGER NOT NULL,
    user  INTEGER NOT NULL,
    cid   TEXT NOT NULL,
    room  INTEGER NOT NULL,
    seq   INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    PRIMARY KEY (scope, user, cid)
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT NOT NULL,
    email         TEXT,
    email_fold    TEXT UNIQUE,
    handle        TEXT,
    password_hash TEXT,
    suspended     INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;

-- Names and handles of accounts: one space, by skeleton.
CREATE TABLE logins (
    skeleton TEXT PRIMARY KEY,
    user     INTEGER NOT NULL REFERENCES accounts (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE links (
    issuer   TEXT NOT NULL,
    identity TEXT NOT NULL,
    user     INTEGER NOT NULL REFERENCES accounts (id),
    PRIMARY KEY (issuer, identity)
) STRICT, WITHOUT ROWID;

-- Epochs of accounts and guests; 0 for whoever isn't here.
CREATE TABLE token_epochs (
    user  INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL
) STRICT;

CREATE TABLE revoked_grants (
    user       INTEGER NOT NULL,
    grant_id   TEXT NOT NULL,
    until      INTEGER NOT NULL,
    PRIMARY KEY (user, grant_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE blocks (
    by   INTEGER NOT NULL,
    user INTEGER NOT NULL,
    PRIMARY KEY (by, user)
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

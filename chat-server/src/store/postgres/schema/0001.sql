-- Numbers of rooms, persons, positions and moments are whole numbers below 2^53; sums, macs and keys
-- are 16 bytes. Texts that are compared have the collation "C": they compare by their bytes, whatever
-- the database's language, and whatever a later version of it thinks of that language.

-- One line for each time that the store was opened while nobody else had it open. Positions are
-- remembered under the name of a run.
CREATE TABLE runs (
    run   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch text COLLATE "C" NOT NULL UNIQUE
);

-- The log: the truth, from which everything about rooms below can be built again. Each record says
-- how many messages there were by then, and which was the last: so a page of history is a walk from
-- message to message, and posting writes to no further table of messages.
CREATE TABLE records (
    room    bigint NOT NULL,
    seq     bigint NOT NULL,
    run     bigint NOT NULL,    -- in which it was written
    idx     bigint NOT NULL,    -- messages up to here
    message bigint NOT NULL,    -- the last of them; 0 if there is none
    author  bigint NOT NULL,
    version bigint NOT NULL,
    fact    bytea NOT NULL,     -- the record without its words
    mac     bytea,              -- of the words; NULL if there never were any
    sum     bytea NOT NULL,     -- the chain up to here
    key     bytea,              -- NULL once erased
    words   bytea,              -- NULL once erased
    PRIMARY KEY (room, seq)
);

-- A room's state at a position: its log is read from there on.
CREATE TABLE snapshots (
    room  bigint PRIMARY KEY,
    seq   bigint NOT NULL,
    state bytea NOT NULL,
    sum   bytea NOT NULL,       -- of the record at that position
    seal  bytea NOT NULL        -- of the state and that sum
);

-- What lists show of a room, and the head that an append is compared with. Whoever changes anything
-- of a room holds its line here meanwhile.
CREATE TABLE rooms (
    id           bigint PRIMARY KEY,
    head_seq     bigint NOT NULL,
    head_idx     bigint NOT NULL,
    head_message bigint NOT NULL,
    head_sum     bytea NOT NULL,
    kind         text NOT NULL,
    name         text,
    alias        text,
    name_fold    text COLLATE "C",      -- in the case that searches are made in
    alias_fold   text COLLATE "C",
    topic        text,
    access       text NOT NULL,
    listed       boolean NOT NULL,
    lifecycle    text NOT NULL,
    owner        bigint NOT NULL,
    members      bigint NOT NULL,
    created_by   bigint NOT NULL,
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL,
    indexed      bigint NOT NULL DEFAULT 0,     -- up to where its words are in `terms`
    -- Whether there are more. An index by the head itself would have to be written with every append.
    behind       boolean GENERATED ALWAYS AS (indexed < head_seq) STORED,
    -- How long it keeps messages, and from which record on it has kept them. What was said before
    -- that loses its words, record after record, up to `swept` so far.
    keep_days    bigint,                        -- NULL is for ever
    keep_records bigint,                        -- NULL is any number
    kept_from    bigint NOT NULL DEFAULT 0,     -- the first record that is kept
    kept_idx     bigint NOT NULL DEFAULT 0,     -- messages before it
    trimmed_at   bigint NOT NULL DEFAULT 0,
    swept        bigint NOT NULL DEFAULT 0,     -- the first record not yet looked at
    due_at       bigint                         -- when there is something to be trimmed; NULL if never
) WITH (fillfactor = 70);
CREATE INDEX rooms_listed ON rooms (id) WHERE listed AND lifecycle <> 'deleted';
CREATE INDEX rooms_created ON rooms (created_by, created_at);
CREATE INDEX rooms_owner ON rooms (owner);
CREATE INDEX rooms_behind ON rooms (id) WHERE behind;
CREATE INDEX rooms_due ON rooms (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX rooms_unswept ON rooms (id) WHERE swept < kept_from;

CREATE TABLE members (
    room     bigint NOT NULL,
    person   bigint NOT NULL,
    role     text NOT NULL,     -- while he isn't the owner
    since    bigint NOT NULL,
    name     text,              -- under which he came
    nickname text,
    read     bigint NOT NULL,   -- his marker: never before his own last message
    PRIMARY KEY (room, person)
) WITH (fillfactor = 80);
CREATE INDEX members_person ON members (person, room);

-- When guests who are members were last here.
CREATE TABLE guests (
    person  bigint PRIMARY KEY,
    seen_at bigint NOT NULL
);

-- What became of a message since it was posted, if anything. All else is in its record.
CREATE TABLE changed (
    room       bigint NOT NULL,
    message    bigint NOT NULL,
    idx        bigint NOT NULL,
    edit       bigint,          -- the record that edited it last
    deleted    bigint,          -- the record that deleted it
    deleted_at bigint,
    name       text,            -- its author's, once the words are erased
    PRIMARY KEY (room, message)
);
CREATE INDEX changed_deleted ON changed (room, idx) WHERE deleted IS NOT NULL;

-- The messages of a thread, without its first one.
CREATE TABLE threads (
    room    bigint NOT NULL,
    thread  bigint NOT NULL,
    message bigint NOT NULL,
    PRIMARY KEY (room, thread, message)
);

-- All edits of a message, so that deleting it erases what it said before.
CREATE TABLE edits (
    room    bigint NOT NULL,
    message bigint NOT NULL,
    seq     bigint NOT NULL,
    PRIMARY KEY (room, message, seq)
);

-- Whom living messages mention; person 0 is everybody, and then nobody is named beside.
CREATE TABLE mentions (
    room   bigint NOT NULL,
    person bigint NOT NULL,
    idx    bigint NOT NULL,
    PRIMARY KEY (room, person, idx)
);

CREATE TABLE reactions (
    room     bigint NOT NULL,
    message  bigint NOT NULL,
    reaction text COLLATE "C" NOT NULL,
    person   bigint NOT NULL,
    seq      bigint NOT NULL,
    PRIMARY KEY (room, message, reaction, person)
);

-- In which messages of a room a word stands, as they read today. Messages up to a room's `indexed`
-- are here; those after it are read one by one.
CREATE TABLE terms (
    room    bigint NOT NULL,
    term    text COLLATE "C" NOT NULL,
    message bigint NOT NULL,
    PRIMARY KEY (room, term, message)
);

-- Keys that are unique beyond one room, and the records that hold them.
CREATE TABLE aliases (
    skeleton text COLLATE "C" PRIMARY KEY,
    room     bigint NOT NULL UNIQUE,
    seq      bigint NOT NULL
);

CREATE TABLE directs (
    one   bigint NOT NULL,
    other bigint NOT NULL,
    room  bigint NOT NULL,
    PRIMARY KEY (one, other)
);

-- Clients' own ids of commands. A creation's has scope 0: its room had no number yet.
CREATE TABLE cids (
    scope  bigint NOT NULL,
    person bigint NOT NULL,
    cid    text COLLATE "C" NOT NULL,
    room   bigint NOT NULL,
    seq    bigint NOT NULL,
    at     bigint NOT NULL,
    PRIMARY KEY (scope, person, cid)
);

CREATE TABLE accounts (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL,
    email         text,
    email_fold    text COLLATE "C" UNIQUE,
    handle        text,
    password_hash text,
    suspended     boolean NOT NULL DEFAULT false,
    created_at    bigint NOT NULL,
    updated_at    bigint NOT NULL
);

-- Names and handles of accounts: one space, by skeleton.
CREATE TABLE logins (
    skeleton text COLLATE "C" PRIMARY KEY,
    person   bigint NOT NULL REFERENCES accounts (id)
);
CREATE INDEX logins_person ON logins (person);

CREATE TABLE links (
    issuer   text COLLATE "C" NOT NULL,
    identity text COLLATE "C" NOT NULL,
    person   bigint NOT NULL REFERENCES accounts (id),
    PRIMARY KEY (issuer, identity)
);
CREATE INDEX links_person ON links (person);

-- Epochs of accounts and guests; 0 for whoever isn't here.
CREATE TABLE token_epochs (
    person bigint PRIMARY KEY,
    epoch  bigint NOT NULL
);

CREATE TABLE revoked_grants (
    person   bigint NOT NULL,
    grant_id text COLLATE "C" NOT NULL,
    until    bigint NOT NULL,
    PRIMARY KEY (person, grant_id)
);

CREATE TABLE blocks (
    by     bigint NOT NULL,
    person bigint NOT NULL,
    PRIMARY KEY (by, person)
);
CREATE INDEX blocks_person ON blocks (person);

-- Persons who were erased. What they write from then on is kept without words; what they wrote before
-- loses them, room after room, up to this place so far.
CREATE TABLE erased (
    person bigint PRIMARY KEY,
    at     bigint NOT NULL,
    room   bigint,              -- NULL once the end of the log was reached
    seq    bigint
);
CREATE INDEX erased_going ON erased (room, seq) WHERE room IS NOT NULL;

CREATE TABLE settings (
    name  text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);
INSERT INTO settings (name, value) VALUES ('next_room', '1');

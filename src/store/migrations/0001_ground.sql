-- Times are whole seconds since 1970. A `number` is the order in which rows came.

CREATE TABLE negotiations (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT    NOT NULL UNIQUE,
    peer    TEXT    NOT NULL,
    state   TEXT    NOT NULL,
    watched INTEGER NOT NULL CHECK (watched IN (0, 1)),
    at      INTEGER NOT NULL,
    -- How many events the log has: a log that was cut does not pass for a shorter one.
    version INTEGER NOT NULL
) STRICT;

CREATE INDEX negotiations_by_state ON negotiations (state);
CREATE INDEX negotiations_by_peer ON negotiations (peer);
CREATE INDEX negotiations_watched ON negotiations (number) WHERE watched = 1;

-- Either side's ids of a negotiation. With one peer a pid means one negotiation, the first that used it.
CREATE TABLE pids (
    peer        TEXT NOT NULL,
    pid         TEXT NOT NULL,
    negotiation TEXT NOT NULL REFERENCES negotiations (id),
    PRIMARY KEY (peer, pid)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    negotiation TEXT    NOT NULL REFERENCES negotiations (id),
    place       INTEGER NOT NULL,
    event       TEXT    NOT NULL,
    PRIMARY KEY (negotiation, place)
) STRICT;

CREATE TABLE outgoing (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    negotiation  TEXT,
    recipient    TEXT    NOT NULL,
    signed       TEXT    NOT NULL,
    wants_answer INTEGER NOT NULL CHECK (wants_answer IN (0, 1)),
    attempts     INTEGER NOT NULL,
    -- NULL: not sent any more.
    due          INTEGER,
    note         TEXT,
    -- Once the counterparty has answered, no late report of an attempt makes the message due again.
    acknowledged INTEGER NOT NULL DEFAULT 0 CHECK (acknowledged IN (0, 1))
) STRICT;

CREATE INDEX outgoing_of_negotiation ON outgoing (negotiation, number);
CREATE INDEX outgoing_unrelated ON outgoing (recipient) WHERE negotiation IS NULL;
CREATE INDEX outgoing_due ON outgoing (due) WHERE due IS NOT NULL;
CREATE INDEX outgoing_unanswered ON outgoing (negotiation, number) WHERE due IS NOT NULL AND wants_answer = 1;

CREATE TABLE marks (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    sender      TEXT NOT NULL,
    message     TEXT NOT NULL,
    negotiation TEXT,
    signed      TEXT,
    answer      TEXT NOT NULL REFERENCES outgoing (id),
    UNIQUE (sender, message)
) STRICT;

CREATE INDEX marks_unrelated ON marks (sender, number) WHERE negotiation IS NULL;
-- For the foreign key, when an answer is forgotten.
CREATE INDEX marks_by_answer ON marks (answer);
CREATE INDEX marks_of_negotiation ON marks (negotiation, number);

CREATE TABLE orders (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    negotiation TEXT    NOT NULL REFERENCES negotiations (id),
    effect      TEXT    NOT NULL,
    attempts    INTEGER NOT NULL,
    -- NULL: done.
    due         INTEGER,
    note        TEXT
) STRICT;

CREATE INDEX orders_due ON orders (due) WHERE due IS NOT NULL;

CREATE TABLE envelopes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB    NOT NULL UNIQUE,
    at     INTEGER NOT NULL,
    -- The size stands before the bytes and in an index, so that the quota is summed without reading them.
    size   INTEGER NOT NULL,
    bytes  BLOB    NOT NULL
) STRICT;

CREATE INDEX envelopes_size ON envelopes (size);

CREATE TABLE parked (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    sender  TEXT    NOT NULL,
    thread  TEXT    NOT NULL,
    message TEXT    NOT NULL,
    signed  TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    UNIQUE (sender, message)
) STRICT;

CREATE INDEX parked_by_thread ON parked (sender, thread, number);
CREATE INDEX parked_by_time ON parked (at);

CREATE TABLE keys (
    name   TEXT NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE documents (
    kind  TEXT NOT NULL,
    id    TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT;

CREATE TABLE counters (
    kind  TEXT    NOT NULL,
    id    TEXT    NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

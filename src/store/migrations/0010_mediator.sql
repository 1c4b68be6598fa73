-- A mediator's keeping: who may pick up, for which DIDs, and what waits for them. Times are whole seconds since 1970.

CREATE TABLE mediated (
    member  TEXT    NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    -- The signed contact that it brought, with the key that it writes with.
    contact TEXT
) STRICT, WITHOUT ROWID;

-- A DID is picked up for by one member only.
CREATE TABLE recipients (
    recipient TEXT    NOT NULL PRIMARY KEY,
    member    TEXT    NOT NULL REFERENCES mediated (member) ON DELETE CASCADE,
    at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX recipients_by_member ON recipients (member, recipient);

-- Envelopes as they came, until their recipient has said that it stored them, or they have expired.
CREATE TABLE held (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    id        TEXT    NOT NULL UNIQUE,
    recipient TEXT    NOT NULL REFERENCES recipients (recipient) ON DELETE CASCADE,
    digest    BLOB    NOT NULL,
    at        INTEGER NOT NULL,
    until     INTEGER NOT NULL,
    -- The size stands before the bytes and in an index, so that the quota is summed without reading them.
    size      INTEGER NOT NULL,
    bytes     BLOB    NOT NULL,
    UNIQUE (recipient, digest)
) STRICT;

CREATE INDEX held_size ON held (recipient, size);
CREATE INDEX held_order ON held (recipient, number);
CREATE INDEX held_until ON held (until);

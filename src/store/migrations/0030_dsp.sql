-- Plain negotiations of the Dataspace Protocol. Times are whole seconds since 1970.

CREATE TABLE plain_negotiations (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    -- This node's own id of it.
    id       TEXT    NOT NULL UNIQUE,
    role     TEXT    NOT NULL CHECK (role IN ('provider', 'consumer')),
    peer     TEXT    NOT NULL,
    -- The counterparty's id, once it is known.
    peer_pid TEXT,
    dataset  TEXT    NOT NULL,
    state    TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    -- When the clock ends it unless somebody moves it before.
    lapses   INTEGER,
    -- How many events the log has: a log that was cut does not pass for a shorter one.
    version  INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX plain_negotiations_by_peer ON plain_negotiations (peer, role, peer_pid) WHERE peer_pid IS NOT NULL;
CREATE INDEX plain_negotiations_lapsing ON plain_negotiations (lapses) WHERE lapses IS NOT NULL;
CREATE INDEX plain_negotiations_open ON plain_negotiations (number) WHERE state NOT IN ('FINALIZED', 'TERMINATED');

CREATE TABLE plain_events (
    negotiation TEXT    NOT NULL,
    place       INTEGER NOT NULL,
    event       TEXT    NOT NULL,
    PRIMARY KEY (negotiation, place)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER plain_events_follow BEFORE INSERT ON plain_events
WHEN NEW.place <> COALESCE((SELECT MAX(place) + 1 FROM plain_events WHERE negotiation = NEW.negotiation), 0)
BEGIN SELECT RAISE(ABORT, 'a log has no gap'); END;

CREATE TRIGGER plain_events_stay BEFORE UPDATE ON plain_events
BEGIN SELECT RAISE(ABORT, 'what happened does not change'); END;

-- Messages that the counterparty has not taken yet, by the event that they are.
CREATE TABLE plain_outgoing (
    negotiation TEXT    NOT NULL,
    place       INTEGER NOT NULL,
    PRIMARY KEY (negotiation, place)
) STRICT, WITHOUT ROWID;

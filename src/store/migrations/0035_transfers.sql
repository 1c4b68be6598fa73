-- Transfers of the Dataspace Protocol. `id` is this node's own pid.

CREATE TABLE transfers (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    peer         TEXT    NOT NULL,
    consumer_pid TEXT    NOT NULL,
    agreement    TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    -- H(token): the token of the provider's latest start opens the data while the transfer is STARTED.
    token        BLOB    UNIQUE,
    at           INTEGER NOT NULL,
    -- How many events the log has: a log that was cut does not pass for a shorter one.
    version      INTEGER NOT NULL,
    UNIQUE (peer, consumer_pid)
) STRICT;

CREATE INDEX transfers_of_agreement ON transfers (agreement);

CREATE TABLE transfer_events (
    transfer TEXT    NOT NULL REFERENCES transfers (id),
    place    INTEGER NOT NULL,
    event    TEXT    NOT NULL,
    PRIMARY KEY (transfer, place)
) STRICT;

-- What the counterparty has not been told yet; a row goes when it was told, or need not be any more.
CREATE TABLE transfer_notices (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT    NOT NULL UNIQUE,
    transfer TEXT    NOT NULL REFERENCES transfers (id),
    notice   TEXT    NOT NULL,
    attempts INTEGER NOT NULL,
    due      INTEGER NOT NULL
) STRICT;

CREATE INDEX transfer_notices_of_transfer ON transfer_notices (transfer, number);
CREATE INDEX transfer_notices_due ON transfer_notices (due);

-- Messages that were dealt with, by their sender's id of them.
CREATE TABLE transfer_marks (
    peer    TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (peer, message)
) STRICT, WITHOUT ROWID;

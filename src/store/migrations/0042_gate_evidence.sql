-- What happened under a contract at a gate: presentations, transfers that opened it, and deliveries with their receipts.
-- It is kept for a while, and so much of each contract; what goes is in the sums.
CREATE TABLE gate_evidence (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    kind     TEXT    NOT NULL CHECK (kind IN ('presentation', 'transfer', 'delivery')),
    id       TEXT    NOT NULL,
    -- The hash of its core, in hexadecimal digits.
    contract TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    -- The first presentation of a contract stays: it shows that the holder of its key used it.
    stays    INTEGER NOT NULL CHECK (stays IN (0, 1)),
    value    TEXT    NOT NULL,
    UNIQUE (kind, id)
) STRICT;

CREATE INDEX gate_evidence_of_contract ON gate_evidence (contract, number) WHERE stays = 0;
CREATE INDEX gate_evidence_that_stays ON gate_evidence (contract, kind) WHERE stays = 1;
CREATE INDEX gate_evidence_by_time ON gate_evidence (at) WHERE stays = 0;

CREATE TABLE gate_sums (
    contract   TEXT    NOT NULL PRIMARY KEY,
    -- The size of what is kept of it and does not stay.
    held       INTEGER NOT NULL,
    openings   INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    first      INTEGER NOT NULL,
    last       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX gate_sums_by_size ON gate_sums (held);

INSERT INTO gate_evidence (kind, id, contract, at, size, stays, value)
SELECT CASE WHEN kind = 'gate-delivery' THEN 'delivery'
            WHEN value ->> '$.transfer' IS NOT NULL THEN 'transfer'
            ELSE 'presentation' END,
    id, value ->> '$.core', coalesce(unixepoch(value ->> '$.to'), CAST(value ->> '$.at' AS INTEGER), 0), length(value), 0, value
FROM documents
WHERE kind IN ('gate-presentation', 'gate-delivery') AND json_valid(value) AND value ->> '$.core' IS NOT NULL
ORDER BY 4;

UPDATE gate_evidence SET stays = 1 WHERE number IN
    (SELECT min(number) FROM gate_evidence WHERE kind <> 'delivery' GROUP BY contract, kind);

INSERT INTO gate_sums (contract, held, openings, deliveries, bytes, first, last)
SELECT contract, sum(CASE WHEN stays = 0 THEN size ELSE 0 END), sum(kind <> 'delivery'), sum(kind = 'delivery'),
    sum(CASE WHEN kind = 'delivery' THEN CAST(value ->> '$.bytes' AS INTEGER) ELSE 0 END), min(at), max(at)
FROM gate_evidence GROUP BY contract;

DELETE FROM documents
WHERE kind IN ('gate-presentation', 'gate-delivery') AND json_valid(value) AND value ->> '$.core' IS NOT NULL;

-- What a desk is shown and told of plain negotiations.

-- Messages that the counterparty never took, and why.
CREATE TABLE plain_undelivered (
    negotiation TEXT    NOT NULL,
    place       INTEGER NOT NULL,
    why         TEXT    NOT NULL,
    PRIMARY KEY (negotiation, place)
) STRICT, WITHOUT ROWID;

-- News of the kind `plain` are events of plain negotiations; the event says what happened.
INSERT INTO news (kind, at, negotiation, place)
    SELECT 'plain', e.event ->> '$.said.at', e.negotiation, e.place
    FROM plain_events e JOIN plain_negotiations n ON n.id = e.negotiation
    WHERE e.event ->> '$.event' <> 'named' ORDER BY n.number, e.place;

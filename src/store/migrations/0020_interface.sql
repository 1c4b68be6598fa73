-- Keys to the management interface, and what a desk is told. Times are whole seconds since 1970.

CREATE TABLE api_keys (
    name  TEXT    NOT NULL PRIMARY KEY,
    -- SHA-256 of the key; the key itself stands nowhere.
    hash  BLOB    NOT NULL UNIQUE,
    scope TEXT    NOT NULL,
    made  INTEGER NOT NULL,
    used  INTEGER
) STRICT, WITHOUT ROWID;

-- One series over everything that a desk is told, in the order of the commits that it rests on. What an event of a
-- negotiation says is read from that event.
CREATE TABLE news (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT NOT NULL,
    -- NULL: the event says it.
    at          INTEGER,
    negotiation TEXT,
    place       INTEGER,
    detail      TEXT,
    -- What is told once only, however often it is seen.
    once        TEXT UNIQUE
) STRICT;

CREATE INDEX news_of_negotiation ON news (negotiation, number) WHERE negotiation IS NOT NULL;
CREATE INDEX news_of_refusals ON news (number) WHERE kind = 'refused';

CREATE TRIGGER news_of_events AFTER INSERT ON events
BEGIN INSERT INTO news (kind, negotiation, place) VALUES ('event', NEW.negotiation, NEW.place); END;

-- The first attempt that fails, not each: the outbox goes on trying by itself.
CREATE TRIGGER news_of_failing AFTER UPDATE OF note ON outgoing
WHEN NEW.wants_answer = 1 AND NEW.acknowledged = 0 AND NEW.note IS NOT NULL AND OLD.note IS NULL
BEGIN
    INSERT INTO news (kind, at, negotiation, detail)
    VALUES ('failing', unixepoch(), NEW.negotiation, json_object('message', NEW.id, 'to', NEW.recipient, 'why', NEW.note));
END;

CREATE TRIGGER news_of_turning_down AFTER UPDATE OF acknowledged ON outgoing
WHEN NEW.acknowledged = 1 AND OLD.acknowledged = 0 AND NEW.note IS NOT NULL
BEGIN
    INSERT INTO news (kind, at, negotiation, detail)
    VALUES ('turned-down', unixepoch(), NEW.negotiation, json_object('message', NEW.id, 'to', NEW.recipient, 'why', NEW.note));
END;

INSERT INTO news (kind, negotiation, place) SELECT 'event', negotiation, place FROM events ORDER BY rowid;

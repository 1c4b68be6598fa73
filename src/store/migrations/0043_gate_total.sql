-- How much is kept of all contracts together that does not stay: one number, so that nobody adds it up again for each piece.
CREATE TABLE gate_total (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    held INTEGER NOT NULL
) STRICT;

INSERT INTO gate_total (one, held) SELECT 1, coalesce(sum(held), 0) FROM gate_sums;

CREATE TRIGGER gate_total_with_a_contract AFTER INSERT ON gate_sums BEGIN
    UPDATE gate_total SET held = held + new.held;
END;

CREATE TRIGGER gate_total_as_it_changes AFTER UPDATE OF held ON gate_sums BEGIN
    UPDATE gate_total SET held = held + new.held - old.held;
END;

CREATE TRIGGER gate_total_without_a_contract AFTER DELETE ON gate_sums BEGIN
    UPDATE gate_total SET held = held - old.held;
END;

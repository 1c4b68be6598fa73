-- The operator's books. Times are whole seconds since 1970, amounts are decimal texts.

-- Invoices and credit notes in one series. Their text is what was issued, and stays.
CREATE TABLE invoices (
    number   INTEGER PRIMARY KEY CHECK (number > 0),
    -- The invoice that a credit note corrects.
    credits  INTEGER REFERENCES invoices (number),
    at       INTEGER NOT NULL,
    document TEXT    NOT NULL,
    page     TEXT    NOT NULL
) STRICT;

CREATE TRIGGER invoices_have_no_gap BEFORE INSERT ON invoices
WHEN NEW.number <> (SELECT COALESCE(MAX(number), 0) + 1 FROM invoices)
BEGIN SELECT RAISE(ABORT, 'invoices are numbered without gaps'); END;

CREATE TRIGGER invoices_stay_as_issued BEFORE UPDATE ON invoices
BEGIN SELECT RAISE(ABORT, 'an invoice does not change; a credit note corrects it'); END;

CREATE TRIGGER invoices_stay BEFORE DELETE ON invoices
BEGIN SELECT RAISE(ABORT, 'an invoice is not removed; a credit note corrects it'); END;

-- What is invoiced, once and for all: a place in a registry.
CREATE TABLE invoiced (
    registry TEXT    NOT NULL,
    recorder TEXT    NOT NULL,
    contract TEXT    NOT NULL,
    invoice  INTEGER NOT NULL REFERENCES invoices (number),
    PRIMARY KEY (registry, recorder, contract)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER invoiced_stays BEFORE DELETE ON invoiced
BEGIN SELECT RAISE(ABORT, 'what is invoiced stays invoiced'); END;

CREATE TABLE credited (
    registry TEXT    NOT NULL,
    recorder TEXT    NOT NULL,
    contract TEXT    NOT NULL,
    note     INTEGER NOT NULL REFERENCES invoices (number),
    PRIMARY KEY (registry, recorder, contract),
    FOREIGN KEY (registry, recorder, contract) REFERENCES invoiced (registry, recorder, contract)
) STRICT, WITHOUT ROWID;

CREATE TABLE payments (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    invoice   INTEGER NOT NULL REFERENCES invoices (number),
    amount    TEXT    NOT NULL,
    currency  TEXT    NOT NULL,
    refund    INTEGER NOT NULL CHECK (refund IN (0, 1)),
    date      TEXT    NOT NULL,
    reference TEXT    NOT NULL,
    recorded  INTEGER NOT NULL,
    -- Why it does not count, if it was recorded by mistake.
    void      TEXT
) STRICT;

CREATE TRIGGER payments_stay BEFORE DELETE ON payments
BEGIN SELECT RAISE(ABORT, 'a payment is not removed; it is marked as void'); END;

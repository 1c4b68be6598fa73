-- Tokens of the Dataspace Protocol that were used: those that were written together are one row.

CREATE TABLE spent_tokens (
    number INTEGER PRIMARY KEY,
    -- When the last of them has expired, in whole seconds since 1970.
    until  INTEGER NOT NULL,
    -- 16 bytes of each.
    tokens BLOB    NOT NULL
) STRICT;

CREATE INDEX spent_tokens_until ON spent_tokens (until);

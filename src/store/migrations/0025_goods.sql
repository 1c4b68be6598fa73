-- What other parties list, found by its words; each catalog takes the place of the same provider's last one.
CREATE VIRTUAL TABLE goods USING fts5 (
    title,
    words,
    provider UNINDEXED,
    asset UNINDEXED,
    seen UNINDEXED,
    listing UNINDEXED,
    tokenize = 'unicode61 remove_diacritics 2',
    prefix = '2 3'
);

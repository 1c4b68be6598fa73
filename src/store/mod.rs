//! What a node keeps, in SQLite.

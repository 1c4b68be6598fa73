use sqlx::error::{DatabaseError, Error};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Row, Type};

use crate::encoding::{Digest, Timestamp};
use crate::node::StoreFault;

const SQLITE_CORRUPT: i32 = 11;
const SQLITE_NOTADB: i32 = 26;
const SQLITE_FULL: i32 = 13;
/// Extended codes: a file that a quota or limit keeps from growing.
const NO_GROWTH: [i32; 2] = [10 | 3 << 8, 10 | 19 << 8]; // IOERR_WRITE, IOERR_SHMSIZE

/// What SQLite's failure means to the node.
pub(super) fn fault(cause: Error) -> StoreFault {
    let code = cause.as_database_error().and_then(DatabaseError::code).and_then(|code| code.parse::<i32>().ok());
    match code.map(|extended| extended & 0xff) {
        _ if code.is_some_and(|extended| NO_GROWTH.contains(&extended)) => StoreFault::Full(cause.to_string()),
        Some(SQLITE_FULL) => StoreFault::Full(cause.to_string()),
        Some(SQLITE_CORRUPT | SQLITE_NOTADB) => StoreFault::Damaged(cause.to_string()),
        _ => StoreFault::Failed(cause.to_string()),
    }
}

/// The fault of something that is written in a row and does not read back.
pub(super) fn damaged(place: impl std::fmt::Display, what: impl std::fmt::Display) -> StoreFault {
    StoreFault::Damaged(format!("{place}: {what}"))
}

/// A row that says where it is when it does not read back.
pub(super) struct Place<'r> {
    row: &'r SqliteRow,
    name: String,
}

impl<'r> Place<'r> {
    pub(super) fn new(row: &'r SqliteRow, name: impl Into<String>) -> Self {
        Self { row, name: name.into() }
    }

    /// A row of a table, named by its `number`.
    pub(super) fn of(row: &'r SqliteRow, table: &str) -> Result<Self, StoreFault> {
        let number: i64 = Self::new(row, table).read("number")?;
        Ok(Self::new(row, format!("row {number} of {table}")))
    }

    pub(super) fn read<T: Decode<'r, Sqlite> + Type<Sqlite>>(&self, column: &str) -> Result<T, StoreFault> {
        self.row.try_get(column).map_err(|cause| self.damaged(column, cause))
    }

    pub(super) fn parse<T: std::str::FromStr>(&self, column: &str) -> Result<T, StoreFault> {
        let text: &str = self.read(column)?;
        text.parse().map_err(|_| self.damaged(column, "not of its type"))
    }

    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, StoreFault> {
        let text: &str = self.read(column)?;
        serde_json::from_str(text).map_err(|cause| self.damaged(column, cause))
    }

    pub(super) fn count<T: TryFrom<i64>>(&self, column: &str) -> Result<T, StoreFault> {
        let value: i64 = self.read(column)?;
        T::try_from(value).map_err(|_| self.damaged(column, format!("{value} is out of range")))
    }

    pub(super) fn time(&self, column: &str) -> Result<Option<Timestamp>, StoreFault> {
        let seconds: Option<i64> = self.read(column)?;
        seconds.map(Timestamp::from_seconds).transpose().map_err(|refusal| self.damaged(column, refusal.detail))
    }

    pub(super) fn digest(&self, column: &str) -> Result<Digest, StoreFault> {
        let bytes: &[u8] = self.read(column)?;
        bytes.try_into().map(Digest::from_bytes).map_err(|_| self.damaged(column, "not 32 bytes"))
    }

    pub(super) fn damaged(&self, column: &str, what: impl std::fmt::Display) -> StoreFault {
        damaged(&self.name, format!("`{column}`: {what}"))
    }
}

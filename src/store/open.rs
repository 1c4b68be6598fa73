use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqlSafeStr, SqlitePool};

use super::damage::fault;
use super::plain::Desk;
use crate::node::StoreFault;

const READERS: u32 = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const WAL_KEPT: &str = "67108864"; // bytes: what a checkpoint leaves of the write-ahead log

/// How much the inbox keeps unread before it says that it is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxLimits {
    /// Envelopes.
    pub envelopes: u64,
    /// Bytes of all envelopes together.
    pub bytes: u64,
}

impl Default for InboxLimits {
    fn default() -> Self {
        Self { envelopes: 10_000, bytes: 256 << 20 }
    }
}

/// The [`Store`](crate::node::Store) in an SQLite file, held by one process at a time.
#[derive(Debug)]
pub struct Sqlite {
    // Fields drop in this order: the lock is the last to go.
    pub(super) desk: Desk,
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
    pub(super) limits: InboxLimits,
    _lock: File,
}

impl Sqlite {
    /// Opens the store in the file at `path`; creates it, readable by its owner alone, where there is none.
    ///
    /// # Errors
    /// [`StoreFault::Failed`] when the file cannot be opened, another process holds it (`<path>.lock`) or a newer
    /// version of the program wrote it; [`StoreFault::Damaged`] when it is no database.
    pub async fn open(path: &Path) -> Result<Self, StoreFault> {
        Self::open_within(path, InboxLimits::default()).await
    }

    /// Opens the store with an inbox of another size.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub async fn open_within(path: &Path, limits: InboxLimits) -> Result<Self, StoreFault> {
        let wanted = path.to_owned();
        let (path, lock) = tokio::task::spawn_blocking(move || seize(&wanted))
            .await
            .map_err(|cause| StoreFault::Failed(cause.to_string()))??;

        let file = SqliteConnectOptions::new().filename(&path).busy_timeout(BUSY_TIMEOUT);
        let writing = file
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("journal_size_limit", WAL_KEPT)
            // On macOS a plain fsync leaves data in the drive's cache.
            .pragma("fullfsync", "ON");
        let writer = pool(1).connect_with(writing).await.map_err(fault)?;
        migrations().run(&writer).await.map_err(|cause| {
            StoreFault::Failed(format!("{} was not written by this version of the program: {cause}", path.display()))
        })?;
        let readers = pool(READERS).connect_with(file.pragma("query_only", "ON")).await.map_err(fault)?;
        Ok(Self { desk: Desk::open(writer.clone()), writer, readers, limits, _lock: lock })
    }

    /// Finishes what is under way, closes the file and lets another process have it.
    pub async fn close(self) {
        drop(self.desk);
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn pool(connections: u32) -> SqlitePoolOptions {
    // A connection to a file does not go stale: nothing to renew. But on a full disk SQLite rolls back by itself, sqlx's
    // own rollback then fails, and the connection counts as inside a transaction for ever: it is replaced.
    SqlitePoolOptions::new()
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        .max_connections(connections)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
}

fn migrations() -> Migrator {
    let ground = include_str!("migrations/0001_ground.sql").into_sql_str();
    let books = include_str!("migrations/0005_books.sql").into_sql_str();
    let dsp = include_str!("migrations/0030_dsp.sql").into_sql_str();
    let transfers = include_str!("migrations/0035_transfers.sql").into_sql_str();
    let agreements = include_str!("migrations/0036_agreements.sql").into_sql_str();
    Migrator::with_migrations(vec![
        Migration::new(1, "ground".into(), MigrationType::Simple, ground, false),
        Migration::new(5, "books".into(), MigrationType::Simple, books, false),
        Migration::new(30, "dsp".into(), MigrationType::Simple, dsp, false),
        Migration::new(35, "transfers".into(), MigrationType::Simple, transfers, false),
        Migration::new(36, "agreements".into(), MigrationType::Simple, agreements, false),
    ])
}

/// Creates the file where there is none, and takes the lock beside it.
fn seize(path: &Path) -> Result<(PathBuf, File), StoreFault> {
    let failed = |what: &str, cause: io::Error| StoreFault::Failed(format!("{what} {}: {cause}", path.display()));
    private(path).map_err(|cause| failed("cannot open", cause))?;
    // Links to one file share one lock, and the name never reads as a `file:` URI.
    let path = path.canonicalize().map_err(|cause| failed("cannot find", cause))?;
    let mut beside = path.clone().into_os_string();
    beside.push(".lock");
    let lock = private(Path::new(&beside)).map_err(|cause| failed("cannot lock", cause))?;
    match lock.try_lock() {
        Ok(()) => Ok((path, lock)),
        Err(TryLockError::WouldBlock) => Err(StoreFault::Failed(format!(
            "{} is in use by another process (it holds {})",
            path.display(),
            Path::new(&beside).display()
        ))),
        Err(TryLockError::Error(cause)) => Err(failed("cannot lock", cause)),
    }
}

/// Opens a file that only its owner may read and write; SQLite gives the files beside it the same permissions.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
        let file = options.mode(0o600).open(path)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqlSafeStr, SqlitePool, query_scalar};

use super::damage::{damaged, fault};
use super::plain::Desk;
use super::{SealingKey, documents};
use crate::node::StoreFault;

const READERS: u32 = 4;
pub(super) const PAGE: u64 = 4096; // SQLite's own choice, which a file keeps
const MOST_PAGES: u64 = 0xffff_fffe;
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Up to this size a file is looked through before it is used, which takes a fraction of a second; a larger one meanwhile.
const AT_ONCE: u64 = 256 << 20; // bytes
/// What the lock's file says once there was something to lose.
const HELD: &[u8] = b"a store was here\n";
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
    /// The most that its file may take, in bytes.
    pub(super) most: Option<u64>,
    /// Seals the secrets among what is kept.
    pub(super) seal: SealingKey,
    /// What is wrong with the file, once that is known.
    pub(super) damage: Arc<OnceLock<String>>,
    _lock: File,
}

impl Sqlite {
    /// Opens the store in the file at `path`; creates it, readable by its owner alone, where there is none. The secrets
    /// in it are sealed with `seal`.
    ///
    /// # Errors
    /// [`StoreFault::Failed`] when the file cannot be opened, another process holds it (`<path>.lock`) or a newer
    /// version of the program wrote it; [`StoreFault::Damaged`] when it is no whole database, or is gone although there
    /// was one.
    pub async fn open(path: &Path, seal: SealingKey) -> Result<Self, StoreFault> {
        Self::open_within(path, seal, InboxLimits::default(), None).await
    }

    /// Opens the store with an inbox of another size, in a file of at most so many bytes.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub async fn open_within(
        path: &Path,
        seal: SealingKey,
        limits: InboxLimits,
        most: Option<u64>,
    ) -> Result<Self, StoreFault> {
        let wanted = path.to_owned();
        let (path, mut lock, size) = tokio::task::spawn_blocking(move || seize(&wanted))
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
            .pragma("fullfsync", "ON")
            // As good as without a limit where none is wanted; never 0, which would only ask.
            .pragma("max_page_count", most.map_or(MOST_PAGES, |bytes| (bytes / PAGE).clamp(1, MOST_PAGES)).to_string());
        let writer = pool(1).connect_with(writing).await.map_err(fault)?;
        if size <= AT_ONCE {
            look_through(&writer).await?;
        }
        migrations().run(&writer).await.map_err(|cause| match cause {
            MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => fault(cause),
            cause => StoreFault::Failed(format!(
                "{} was not written by this version of the program: {cause}",
                path.display()
            )),
        })?;
        let readers = pool(READERS).connect_with(file.pragma("query_only", "ON")).await.map_err(fault)?;
        if lock.metadata().is_ok_and(|it| it.len() == 0) {
            let held = lock.write_all(HELD).and_then(|()| lock.sync_all());
            held.map_err(|cause| StoreFault::Failed(format!("cannot write beside {}: {cause}", path.display())))?;
        }
        let damage = Arc::new(OnceLock::new());
        if size > AT_ONCE {
            let (file, found) = (readers.clone(), Arc::clone(&damage));
            tokio::spawn(async move {
                if let Err(fault) = look_through(&file).await {
                    tracing::error!(%fault, "the store takes nothing in any more: restore the latest backup");
                    let _ = found.set(fault.to_string());
                }
            });
        }
        let desk = Desk::open(writer.clone(), Arc::clone(&damage));
        let store = Self { desk, writer, readers, limits, most, seal, damage, _lock: lock };
        documents::try_seal(&mut *store.reading().await?, &store.seal, &path.display().to_string()).await?;
        Ok(store)
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
    let goods = include_str!("migrations/0025_goods.sql").into_sql_str();
    let books = include_str!("migrations/0005_books.sql").into_sql_str();
    let mediator = include_str!("migrations/0010_mediator.sql").into_sql_str();
    let interface = include_str!("migrations/0020_interface.sql").into_sql_str();
    let dsp = include_str!("migrations/0030_dsp.sql").into_sql_str();
    let transfers = include_str!("migrations/0035_transfers.sql").into_sql_str();
    let agreements = include_str!("migrations/0036_agreements.sql").into_sql_str();
    let contracts = include_str!("migrations/0037_contracts.sql").into_sql_str();
    let plain_desk = include_str!("migrations/0040_plain_desk.sql").into_sql_str();
    let tokens = include_str!("migrations/0041_tokens.sql").into_sql_str();
    let evidence = include_str!("migrations/0042_gate_evidence.sql").into_sql_str();
    let total = include_str!("migrations/0043_gate_total.sql").into_sql_str();
    Migrator::with_migrations(vec![
        Migration::new(1, "ground".into(), MigrationType::Simple, ground, false),
        Migration::new(5, "books".into(), MigrationType::Simple, books, false),
        Migration::new(10, "mediator".into(), MigrationType::Simple, mediator, false),
        Migration::new(20, "interface".into(), MigrationType::Simple, interface, false),
        Migration::new(25, "goods".into(), MigrationType::Simple, goods, false),
        Migration::new(30, "dsp".into(), MigrationType::Simple, dsp, false),
        Migration::new(35, "transfers".into(), MigrationType::Simple, transfers, false),
        Migration::new(36, "agreements".into(), MigrationType::Simple, agreements, false),
        Migration::new(37, "contracts".into(), MigrationType::Simple, contracts, false),
        Migration::new(40, "plain desk".into(), MigrationType::Simple, plain_desk, false),
        Migration::new(41, "tokens".into(), MigrationType::Simple, tokens, false),
        Migration::new(42, "gate evidence".into(), MigrationType::Simple, evidence, false),
        Migration::new(43, "gate total".into(), MigrationType::Simple, total, false),
    ])
}

/// Holds that each page of the file is where it belongs and reads back.
async fn look_through(file: &SqlitePool) -> Result<(), StoreFault> {
    let found: String = query_scalar("PRAGMA quick_check(1)").fetch_one(file).await.map_err(fault)?;
    if found == "ok" { Ok(()) } else { Err(damaged("a page", found)) }
}

/// Creates the file where there is none, and takes the lock beside it; the file's size.
fn seize(path: &Path) -> Result<(PathBuf, File, u64), StoreFault> {
    let failed = |what: &str, cause: io::Error| StoreFault::Failed(format!("{what} {}: {cause}", path.display()));
    private(path).map_err(|cause| failed("cannot open", cause))?;
    // Links to one file share one lock, and the name never reads as a `file:` URI.
    let path = path.canonicalize().map_err(|cause| failed("cannot find", cause))?;
    let mut beside = path.clone().into_os_string();
    beside.push(".lock");
    let lock = private(Path::new(&beside)).map_err(|cause| failed("cannot lock", cause))?;
    match lock.try_lock() {
        Ok(()) => {
            let length = |file: &File| file.metadata().map(|it| it.len());
            let size = std::fs::metadata(&path).map(|it| it.len());
            let (size, before) =
                size.and_then(|size| Ok((size, length(&lock)?))).map_err(|it| failed("cannot read", it))?;
            if size == 0 && before > 0 {
                let anew = format!("delete {} to begin with an empty one", Path::new(&beside).display());
                return Err(StoreFault::Damaged(format!("it is gone or empty, and there was one here; {anew}")));
            }
            Ok((path, lock, size))
        }
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

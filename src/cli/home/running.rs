//! One node a home: the lock that the running node holds, and where it says that it listens.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::{Home, durable};

const RUNNING: &str = "running.json";
const LOCK: &str = "lock";
const PORTS: &str = "ports.json";
/// Whoever only looks whether a node runs holds the lock for a moment, and the node that starts waits for that.
const LOOKS: u32 = 20;
const LOOK: Duration = Duration::from_millis(25);

/// Where a running node listens, as it writes it into its home.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Running {
    /// How the world reaches it.
    pub public: String,
    /// How its owner reaches it.
    pub management: String,
    /// Its process.
    pub pid: u32,
}

/// The ports of a node's last run: where any free one will do, others have been told this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Of the public listener.
    pub public: u16,
    /// Of the management listener.
    pub management: u16,
}

/// The right to work on a home; the system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct HomeLock {
    _file: File,
}

impl Home {
    /// Takes the home for this process, and clears away what a killed one left.
    ///
    /// # Errors
    /// When a node runs on it: the message names its process and address.
    pub fn seize(&self) -> Result<HomeLock> {
        if !self.dir().is_dir() {
            let dir = self.dir().display();
            bail!("there is no home at {dir}; `countersign init --home {dir}` makes one");
        }
        let file = self.lock_file()?;
        for look in 0..LOOKS {
            match file.try_lock() {
                Ok(()) => {
                    self.withdraw();
                    return Ok(HomeLock { _file: file });
                }
                Err(TryLockError::WouldBlock) if look + 1 < LOOKS => std::thread::sleep(LOOK),
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(cause)) => {
                    return Err(cause).with_context(|| format!("cannot lock {}", self.path(LOCK).display()));
                }
            }
        }
        let dir = self.dir().display();
        match self.read_announcement() {
            Ok(Some(running)) => bail!(
                "a node runs on {dir} already: process {pid}, management at {}. Use it, or stop it first (kill {pid})",
                running.management,
                pid = running.pid
            ),
            _ => bail!("another process works on {dir}: a node that starts, or a command that changes its keys"),
        }
    }

    /// Writes where the node listens, and for its next run on which ports.
    ///
    /// # Errors
    /// When the home cannot be written.
    pub fn announce(&self, running: &Running, ports: Ports) -> Result<()> {
        if self.last_ports() != Some(ports) {
            durable::replace(&self.path(PORTS), &serde_json::to_vec(&ports)?)?;
        }
        durable::replace(&self.path(RUNNING), &serde_json::to_vec_pretty(running)?)
    }

    /// The ports of the last run, where they are known: they are a wish, and a file that does not read is none.
    pub fn last_ports(&self) -> Option<Ports> {
        serde_json::from_slice(&fs::read(self.path(PORTS)).ok()?).ok()
    }

    /// Where the node listens; `None` while it does not run. What a killed node left counts for nothing: its port may be
    /// another program's by now, and that must not be told the API key.
    ///
    /// # Errors
    /// When the announcement cannot be read.
    pub fn announced(&self) -> Result<Option<Running>> {
        if !self.path(LOCK).exists() || self.lock_file()?.try_lock_shared().is_ok() {
            return Ok(None);
        }
        self.read_announcement()
    }

    fn read_announcement(&self) -> Result<Option<Running>> {
        let path = self.path(RUNNING);
        match fs::read(&path) {
            Ok(bytes) => {
                Ok(Some(serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))?))
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Takes the announcement back.
    pub fn withdraw(&self) {
        let _ = fs::remove_file(self.path(RUNNING));
    }

    fn lock_file(&self) -> Result<File> {
        let path = self.path(LOCK);
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        opened.with_context(|| format!("cannot open {}; is there a home?", path.display()))
    }
}

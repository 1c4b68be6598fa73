//! The chain on disk: one line for each block, enough to execute it again.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use alloy::primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};

/// How the chain began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Beginning {
    pub(super) chain_id: u64,
    pub(super) time: u64,
    pub(super) funded: Vec<(Address, u128)>,
}

/// A block, as far as it cannot be computed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    #[serde(rename = "n")]
    pub(super) number: u64,
    #[serde(rename = "t")]
    pub(super) time: u64,
    #[serde(rename = "tx", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) transactions: Vec<Bytes>,
    /// What the block's hash has to be; left out for empty blocks, of which there are many.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub(super) hash: Option<B256>,
}

/// The file, held alone.
pub(super) struct Journal {
    file: File,
}

impl Journal {
    /// Opens the journal in `dir` or begins one, and hands each of its blocks to `replay`.
    ///
    /// A last line that was not written to its end is dropped: its block was never shown to anybody.
    pub(super) fn open(
        dir: &Path,
        beginning: Beginning,
        mut replay: impl FnMut(Line) -> io::Result<()>,
        begin: impl FnOnce(&Beginning) -> io::Result<()>,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let path = dir.join("chain.jsonl");
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        file.try_lock().map_err(|_| io::Error::other(format!("{} is in use by another chain", path.display())))?;

        let mut reader = BufReader::new(&file);
        let mut text = Vec::new();
        let mut whole = 0;
        let mut begin = Some(begin);
        loop {
            text.clear();
            let length = reader.read_until(b'\n', &mut text)?;
            if length == 0 || text.last() != Some(&b'\n') {
                break;
            }
            let broken = |cause| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {cause}", path.display()));
            match begin.take() {
                Some(begin) => begin(&serde_json::from_slice(&text).map_err(broken)?)?,
                None => replay(serde_json::from_slice(&text).map_err(broken)?)?,
            }
            whole += length as u64;
        }
        file.set_len(whole)?;
        file.seek(SeekFrom::End(0))?;
        let mut journal = Self { file };
        if let Some(begin) = begin.take() {
            begin(&beginning)?;
            journal.append(&beginning, true)?;
            File::open(dir)?.sync_all()?;
        }
        Ok(journal)
    }

    /// Adds a block. Empty ones are synced along with the next that is not.
    pub(super) fn write(&mut self, line: &Line) -> io::Result<()> {
        self.append(line, !line.transactions.is_empty())
    }

    fn append(&mut self, line: &impl Serialize, sync: bool) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.write_all(&text)?;
        if sync { self.file.sync_data() } else { Ok(()) }
    }
}

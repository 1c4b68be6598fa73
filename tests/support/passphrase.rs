//! The passphrase of every home that the tests make, in a file that only its owner reads.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Once;

static MADE: Once = Once::new();

/// The file's path; several test programs may make it at once.
pub fn passphrase_file() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("passphrase");
    MADE.call_once(|| {
        let fresh = path.with_extension(std::process::id().to_string());
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh).unwrap();
        file.write_all(b"correct horse battery staple\n").unwrap();
        fs::rename(&fresh, &path).unwrap();
    });
    path
}

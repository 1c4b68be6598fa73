//! The README's walk, executed line by line with real processes: from nothing to a downloaded asset.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ASSET: &[u8] = include_bytes!("../fixtures/assets/motorway-junction.xodr");
/// What stands in front of each line's number in the walk's log.
const STEP: &str = "walk, line ";
const WITHIN: Duration = Duration::from_secs(180);

/// A shell with everything that it started in the background.
struct Shell(Child);

impl Drop for Shell {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }
}

/// The lines between the two markers, without fences and comments.
fn lines() -> Vec<String> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, rest) = readme.split_once("<!-- walk -->").expect("the README has no walk");
    let (walk, _) = rest.split_once("<!-- /walk -->").expect("the README's walk has no end");
    let code = walk.lines().filter(|line| !line.starts_with("```") && !line.starts_with('#'));
    code.filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_walk_leads_from_nothing_to_a_downloaded_asset() {
    let lines = lines();
    assert!(lines.len() > 20, "{lines:?}");
    let dir = tempfile::tempdir().unwrap();
    symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"), dir.path().join("fixtures")).unwrap();
    let mut script = String::from("set -eu\n");
    for (number, line) in lines.iter().enumerate() {
        script.push_str(&format!("echo '{STEP}{}'\n{line}\n", number + 1));
    }
    script.push_str("echo 'walk, done'\n");
    fs::write(dir.path().join("walk.sh"), script).unwrap();

    let program = Path::new(env!("CARGO_BIN_EXE_countersign")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let log = fs::File::create(dir.path().join("walk.log")).unwrap();
    let mut bash = Command::new("bash");
    bash.arg("walk.sh").current_dir(dir.path()).env("PATH", path).stdin(Stdio::null());
    for inherited in ["HOME", "NODE", "KEY_FILE", "LOG", "PASSPHRASE_FILE", "KEYRING_KEY_FILE"] {
        bash.env_remove(format!("COUNTERSIGN_{inherited}"));
    }
    bash.stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
    let mut shell = Shell(bash.spawn().unwrap());
    let began = Instant::now();
    let status = loop {
        if let Some(status) = shell.0.try_wait().unwrap() {
            break Some(status);
        }
        if began.elapsed() > WITHIN {
            break None;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let said = fs::read_to_string(dir.path().join("walk.log")).unwrap();
    let reached = said.lines().rev().find_map(|line| line.strip_prefix(STEP)?.parse::<usize>().ok());
    let line = reached.and_then(|number| lines.get(number - 1));
    assert!(
        status.is_some_and(|status| status.success()) && said.contains("walk, done"),
        "the walk ended with {status:?} in {line:?}:\n{said}"
    );
    assert_eq!(fs::read(dir.path().join("walk/junction.xodr")).unwrap(), ASSET);
}

//! A home's keys at rest: what opens them, what does not, and what a person is told.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const PASSPHRASE: &str = "correct horse battery staple";

struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { dir: tempfile::tempdir().unwrap() };
        desk.secret("passphrase", PASSPHRASE);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file that only its owner reads.
    fn secret(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs a command on `home`, with the passphrase in a file of that name.
    fn run(&self, home: &str, passphrase: Option<&str>, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        for inherited in ["COUNTERSIGN_PASSPHRASE_FILE", "COUNTERSIGN_KEYRING_KEY_FILE", "COUNTERSIGN_HOME"] {
            command.env_remove(inherited);
        }
        if let Some(passphrase) = passphrase {
            command.env("COUNTERSIGN_PASSPHRASE_FILE", self.path(passphrase));
        }
        command.args(arguments).arg("--home").arg(self.path(home)).stdin(Stdio::null()).output().unwrap()
    }

    fn json(&self, home: &str, passphrase: Option<&str>, arguments: &[&str]) -> Value {
        let output = self.run(home, passphrase, &[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn fails(&self, home: &str, passphrase: Option<&str>, arguments: &[&str]) -> String {
        let output = self.run(home, passphrase, arguments);
        assert!(!output.status.success(), "{arguments:?} succeeded");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn keyring(&self, home: &str) -> PathBuf {
        self.path(home).join("keys/keyring.json")
    }
}

fn change(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

#[test]
fn a_home_without_a_passphrase_is_not_made_and_says_what_to_do() {
    let desk = Desk::new();
    let why = desk.fails("wallet", None, &["init"]);
    assert!(why.contains("--passphrase-file") && why.contains("COUNTERSIGN_PASSPHRASE_FILE"), "{why}");
    assert!(!desk.path("wallet").exists(), "nothing was left behind");
    desk.secret("short", "hunter2\n");
    assert!(desk.fails("wallet", Some("short"), &["init"]).contains("12 at least"));
    desk.secret("empty", "\n");
    assert!(desk.fails("wallet", Some("empty"), &["init"]).contains("is empty"));
    assert!(desk.fails("wallet", Some("missing"), &["init"]).contains("cannot read"));
    fs::set_permissions(desk.path("passphrase"), fs::Permissions::from_mode(0o644)).unwrap();
    let why = desk.fails("wallet", Some("passphrase"), &["init"]);
    assert!(why.contains("can be read by others") && why.contains("chmod 600"), "{why}");
}

#[test]
fn keys_open_with_their_passphrase_alone_and_damage_is_told() {
    let desk = Desk::new();
    let made = desk.json("wallet", Some("passphrase"), &["init"]);
    let shown = desk.json("wallet", Some("passphrase"), &["keys", "show"]);
    assert_eq!((&shown["did"], &shown["recorder"]), (&made["did"], &made["recorder"]));
    assert_eq!((&shown["signing"][0]["id"], &shown["signing"][0]["current"]), (&made["key"], &Value::Bool(true)));
    let file = desk.keyring("wallet");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let kept: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let lock = &kept["lock"];
    assert_eq!(
        (lock["kdf"].as_str(), lock["memory_kib"].as_u64(), lock["passes"].as_u64(), lock["lanes"].as_u64()),
        (Some("argon2id"), Some(19456), Some(2), Some(1))
    );

    desk.secret("other", "another passphrase\n");
    let why = desk.fails("wallet", Some("other"), &["keys", "show"]);
    assert!(why.contains("the passphrase is wrong, or the file was changed"), "{why}");
    let why = desk.fails("wallet", None, &["keys", "show"]);
    assert!(why.contains("no terminal") && why.contains("--passphrase-file"), "{why}");

    // Whatever is changed: the keys do not open, and they are as they were once the file is.
    let whole = fs::read(&file).unwrap();
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 5] = [
        (|file| file["lock"]["salt"] = "AAAAAAAAAAAAAAAAAAAAAA".into(), "the file was changed"),
        (|file| file["lock"]["passes"] = 1.into(), "the file was changed"),
        (|file| file["lock"]["memory_kib"] = 4_000_000.into(), "key derivation"),
        (|file| file["sealed"] = "AA".into(), "the file was changed"),
        (|file| file["format"] = "other".into(), "its format"),
    ];
    for (changed, said) in changes {
        change(&file, changed);
        let why = desk.fails("wallet", Some("passphrase"), &["keys", "show"]);
        assert!(why.contains(said), "{why}");
        fs::write(&file, &whole).unwrap();
    }
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let why = desk.fails("wallet", Some("passphrase"), &["serve"]);
    assert!(why.contains("damaged") && why.contains("countersign restore"), "{why}");
    fs::write(&file, &whole).unwrap();
    assert_eq!(desk.json("wallet", Some("passphrase"), &["keys", "show"]), shown);
}

#[test]
fn the_passphrase_changes_and_a_server_opens_with_a_key() {
    let desk = Desk::new();
    let made = desk.json("wallet", Some("passphrase"), &["init"]);
    let new = desk.secret("new", "a new long passphrase\n");
    let changed = desk.run("wallet", Some("passphrase"), &["keys", "passphrase", "--new-passphrase-file", &new]);
    assert!(changed.status.success(), "{}", String::from_utf8_lossy(&changed.stderr));
    assert!(desk.fails("wallet", Some("passphrase"), &["keys", "show"]).contains("wrong"));
    assert_eq!(desk.json("wallet", Some("new"), &["keys", "show"])["did"], made["did"]);

    let key = desk.secret("key", &"5a".repeat(32));
    let changed = desk.run("wallet", Some("new"), &["keys", "passphrase", "--new-keyring-key-file", &key]);
    assert!(changed.status.success(), "{}", String::from_utf8_lossy(&changed.stderr));
    let why = desk.fails("wallet", Some("new"), &["keys", "show"]);
    assert!(why.contains("--keyring-key-file"), "{why}");
    let shown = desk.json("wallet", None, &["keys", "show", "--keyring-key-file", &key]);
    assert_eq!(shown["did"], made["did"]);
    let other = desk.secret("other-key", &"5b".repeat(32));
    let why = desk.fails("wallet", None, &["keys", "show", "--keyring-key-file", &other]);
    assert!(why.contains("the key is another one"), "{why}");
    let text = desk.secret("no-key", "not hexadecimal");
    assert!(desk.fails("wallet", None, &["keys", "show", "--keyring-key-file", &text]).contains("holds no key"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(desk.fails("wallet", None, &["keys", "show", "--keyring-key-file", &key]).contains("chmod 600"));
}

#[test]
fn a_replaced_key_is_forgotten_oldest_first_and_only_on_purpose() {
    let desk = Desk::new();
    desk.json("wallet", Some("passphrase"), &["init"]);
    let key = |shown: &Value, place: usize| shown["agreement"][place]["id"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        desk.json("wallet", Some("passphrase"), &["keys", "rotate", "--agreement"]);
    }
    let shown = desk.json("wallet", Some("passphrase"), &["keys", "show"]);
    let forget = |key: &str| desk.fails("wallet", Some("passphrase"), &["keys", "forget", key, "--yes"]);
    assert!(forget(&key(&shown, 2)).contains("is in use"));
    assert!(forget(&key(&shown, 1)).contains(&format!("{} is older", key(&shown, 0))));
    assert!(forget(&"A".repeat(43)).contains("countersign keys show"));
    let why = desk.fails("wallet", Some("passphrase"), &["keys", "forget", &key(&shown, 0)]);
    assert!(why.contains("--yes"), "{why}");
    assert_eq!(desk.json("wallet", Some("passphrase"), &["keys", "show"]), shown, "nothing is forgotten by accident");
    let left = desk.json("wallet", Some("passphrase"), &["keys", "forget", &key(&shown, 0), "--yes"]);
    assert_eq!((key(&left, 0), left["did"].clone()), (key(&shown, 1), shown["did"].clone()));
}

#[test]
fn exported_keys_open_under_their_own_passphrase_and_come_back() {
    let desk = Desk::new();
    let made = desk.json("wallet", Some("passphrase"), &["init"]);
    let own = desk.secret("own", "the passphrase of the export\n");
    let (export, pass) = (desk.path("export.json"), ["--export-passphrase-file", &own]);
    let file = export.to_str().unwrap();
    let exported = desk.run("wallet", Some("passphrase"), &[&["keys", "export", file], &pass[..]].concat());
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    assert_eq!(fs::metadata(&export).unwrap().permissions().mode() & 0o777, 0o600);
    let twice = desk.fails("wallet", Some("passphrase"), &[&["keys", "export", file], &pass[..]].concat());
    assert!(twice.contains("is there already"), "{twice}");

    let home = desk.json("elsewhere", Some("passphrase"), &[&["init", "--keys", file], &pass[..]].concat());
    assert_eq!((&home["did"], &home["recorder"]), (&made["did"], &made["recorder"]));
    desk.secret("other", "another passphrase\n");
    let other = desk.path("other");
    let wrong = ["init", "--keys", file, "--export-passphrase-file", other.to_str().unwrap()];
    assert!(desk.fails("third", Some("passphrase"), &wrong).contains("the passphrase is wrong"));
    assert!(!desk.path("third").exists());

    fs::write(desk.keyring("wallet"), "damaged").unwrap();
    let back = desk.json("wallet", Some("passphrase"), &[&["keys", "import", file], &pass[..]].concat());
    assert_eq!(back["did"], made["did"]);
    let aside: Vec<_> = fs::read_dir(desk.path("wallet").join("keys")).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(aside.len(), 2, "what was there was set aside");
    assert!(aside.iter().any(|entry| fs::read(entry.path()).unwrap() == b"damaged"));
}

/// What a command says at a terminal, where each prompt is answered once it stands there.
fn at_a_terminal(command: &str, answers: &[(&str, &str)]) -> (bool, String) {
    let mut script = Command::new("script");
    script.args(["-qec", command, "/dev/null"]).env_remove("COUNTERSIGN_PASSPHRASE_FILE");
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut typing, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut said, mut byte) = (Vec::new(), [0]);
    for (prompt, answer) in answers {
        let from = said.len();
        while !String::from_utf8_lossy(&said[from..]).contains(prompt) {
            assert_eq!(screen.read(&mut byte).unwrap(), 1, "no prompt: {}", String::from_utf8_lossy(&said));
            said.push(byte[0]);
        }
        // The prompt stands there a moment before the terminal stops to echo; nobody types that fast.
        std::thread::sleep(std::time::Duration::from_millis(300));
        writeln!(typing, "{answer}").unwrap();
    }
    screen.read_to_end(&mut said).unwrap();
    (child.wait().unwrap().success(), String::from_utf8(said).unwrap())
}

#[test]
fn a_terminal_is_asked_twice_for_a_new_passphrase_and_shows_none() {
    let desk = Desk::new();
    let command = |arguments: &str| {
        format!("{} {arguments} --home {}", env!("CARGO_BIN_EXE_countersign"), desk.path("wallet").display())
    };
    let other = "correct horse battery stapel";
    let (done, said) = at_a_terminal(&command("init"), &[("New passphrase", PASSPHRASE), ("again: ", other)]);
    assert!(!done && said.contains("not the same") && !desk.path("wallet").exists(), "{said}");
    let (done, said) = at_a_terminal(&command("init"), &[("New passphrase", PASSPHRASE), ("again: ", PASSPHRASE)]);
    assert!(done && said.contains("DID") && !said.contains("battery"), "{said}");
    let (done, said) = at_a_terminal(&command("keys show"), &[("Passphrase of", other)]);
    assert!(!done && said.contains("the passphrase is wrong"), "{said}");
    let (done, said) = at_a_terminal(&command("keys show"), &[("Passphrase of", PASSPHRASE)]);
    assert!(done && said.contains("recorder") && !said.contains("battery"), "{said}");
    // The file that the tests use holds the same, so that both ways open one home.
    desk.json("wallet", Some("passphrase"), &["keys", "show"]);
}

#[test]
fn when_a_key_was_made_is_said_in_the_readers_zone() {
    let desk = Desk::new();
    desk.json("wallet", Some("passphrase"), &["init"]);
    let show = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.env("COUNTERSIGN_PASSPHRASE_FILE", desk.path("passphrase")).env("TZ", "ZON-2");
        let output = command.args(arguments).arg("--home").arg(desk.path("wallet")).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let said = show(&["keys", "show"]);
    assert_eq!(said.matches(" ZON, in use").count(), 2, "{said}");
    let made: Value = serde_json::from_str(&show(&["keys", "show", "--json"])).unwrap();
    assert!(made["signing"][0]["made"].as_str().unwrap().ends_with('Z'), "{made}");
}

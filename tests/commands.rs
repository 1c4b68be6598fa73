//! The command line itself: help with examples, completions, exit codes, and no terminal needed.

use std::process::{Command, Output, Stdio};

#[path = "support/passphrase.rs"]
mod passphrase;

use passphrase::passphrase_file;

const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign");

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    for inherited in ["COUNTERSIGN_HOME", "COUNTERSIGN_NODE", "COUNTERSIGN_KEY_FILE", "COUNTERSIGN_LOG"] {
        command.env_remove(inherited);
    }
    command.env("COUNTERSIGN_PASSPHRASE_FILE", passphrase_file());
    command.args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn walk(command: &clap::Command, path: &str, look: &mut impl FnMut(&str, &clap::Command)) {
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        let path = format!("{path} {}", below.get_name());
        look(&path, below);
        walk(below, &path, look);
    }
}

#[test]
fn every_command_explains_itself_with_an_example_that_reads() {
    let all = countersign::cli::command();
    let (mut lacking, mut examples) = (Vec::new(), 0);
    walk(&all, "countersign", &mut |path, command| {
        let help = command.clone().render_long_help().to_string();
        let flat = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown = flat.contains("Example: countersign ") || flat.contains("Examples: countersign ");
        // An example of a family of commands may show any of them.
        let own = flat.contains(path) || command.has_subcommands();
        if !shown || !own {
            lacking.push(path.to_owned());
        }
        examples += 1;
        for argument in command.get_arguments().filter(|argument| argument.get_id() != "help") {
            assert!(argument.get_help().is_some(), "{path}: {} says nothing of itself", argument.get_id());
        }
    });
    assert!(examples > 40, "{examples} commands");
    assert!(lacking.is_empty(), "without an example of their own: {lacking:?}");
}

#[test]
fn what_a_command_prints_can_be_had_as_json() {
    // These print one thing that a program reads as it is, or write files, or run on.
    let plain = ["serve", "chain", "guard", "completions", "openapi", "keys export", "keys passphrase"];
    let all = countersign::cli::command();
    let mut lacking = Vec::new();
    walk(&all, "countersign", &mut |path, command| {
        let json = command.get_arguments().any(|argument| argument.get_long() == Some("json"));
        let name = path.trim_start_matches("countersign ");
        if !json && !command.has_subcommands() && !plain.contains(&name) {
            lacking.push(path.to_owned());
        }
    });
    assert!(lacking.is_empty(), "no --json: {lacking:?}");
}

#[test]
fn shells_complete_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell]);
        assert!(output.status.success());
        let script = String::from_utf8(output.stdout).unwrap();
        for word in ["fetch", "template", "invite", "--accept-within"] {
            let word = if shell == "fish" { word.trim_start_matches("--") } else { word };
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(run(&["completions", "cmd"]).status.code(), Some(2));
}

#[test]
fn exit_codes_mean_something() {
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    assert!(help.contains("Exit codes: 0 done; 1 refused"), "{help}");
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("alice");
    let home = home.to_str().unwrap();
    let code = |arguments: &[&str]| {
        let output = run(arguments);
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (none, why) = code(&["inbox"]);
    assert!(none == 2 && why.contains("COUNTERSIGN_HOME"), "{why}");
    let (no_home, why) = code(&["inbox", "--home", home]);
    assert!(no_home == 2 && why.contains("countersign init"), "{why}");
    assert_eq!(code(&["init", "--local", "--home", home]).0, 0);
    let (again, why) = code(&["init", "--home", home]);
    assert!(again == 1 && why.contains("is there already"), "{why}");
    for command in [&["inbox"][..], &["ready"], &["members"], &["fetch", "latest"]] {
        let (silent, why) = code(&[command, &["--home", home]].concat());
        assert!(silent == 3 && why.contains("countersign serve --home"), "{command:?}: {silent}: {why}");
    }
    let key = format!("{home}/api-key");
    let (nobody, why) = code(&["inbox", "--node", "http://127.0.0.1:9", "--key-file", &key]);
    assert!(nobody == 3 && why.contains("no node answers"), "{nobody}: {why}");
    assert_eq!(code(&["trust", "--home", home]).0, 2);
    assert_eq!(code(&["trust", "--home", home, "--chain", "nothing.toml"]).0, 2);
    assert_eq!(code(&["deploy", "--rpc", "http://127.0.0.1:9"]).0, 2, "nobody pays");
    assert_eq!(code(&["offer", "x", "--accept-within", "soon", "--home", home]).0, 2);
}

#[test]
fn who_gives_the_wrong_thing_is_told_what_goes_there() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("alice");
    let home = home.to_str().unwrap();
    assert_eq!(run(&["init", "--local", "--home", home]).status.code(), Some(0));
    let contract = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/vectors/true.json");
    let member = dir.path().join("alice.member");
    std::fs::write(&member, "eyJhbGciOiJFUzI1NiJ9.e30.c2ln~").unwrap();
    let (member, key) = (member.to_str().unwrap(), format!("{home}/api-key"));
    let nowhere = dir.path().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    let cases: [(&[&str], &[&str]); 10] = [
        (&["join", contract], &["is a contract file", "countersign verify", "countersign admit"]),
        (&["template", "add", contract], &["is a contract file", "countersign approve"]),
        (&["template", "add", member], &["is a participant credential", "countersign join"]),
        (&["contact", "add", member], &["is a participant credential", "countersign invite"]),
        (&["contact", "add", contract], &["is a contract file", "countersign invite"]),
        (&["contact", "name", "alice"], &["--none", "new name"]),
        (&["download", "latest", "-o", contract], &["is there already", "--force"]),
        (&["inbox", "--node", "nonsense", "--key-file", &key], &["nonsense is no address", "countersign serve"]),
        (&["inbox", "--node", "http://127.0.0.1:9", "--key-file", nowhere], &["cannot read the key file", "api-key"]),
        (&["serve", "--home", nowhere], &["there is no home", "countersign init"]),
    ];
    for (command, words) in cases {
        let more = if command.contains(&"--home") { &[][..] } else { &["--home", home] };
        let output = run(&[command, more].concat());
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{command:?}: {why}");
        for word in words {
            assert!(why.contains(word), "{command:?}: `{word}` is missing: {why}");
        }
    }
}

#[test]
fn whoever_has_read_enough_may_stop_reading() {
    let (read, write) = std::io::pipe().unwrap();
    drop(read);
    let mut command = Command::new(PROGRAM);
    let output = command.args(["completions", "bash"]).stdout(write).stderr(Stdio::piped()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{}: {errors}", output.status);
    let (read, write) = std::io::pipe().unwrap();
    drop(read);
    let output = Command::new(PROGRAM).arg("openapi").stdout(write).stderr(Stdio::piped()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{}: {errors}", output.status);
}

#[test]
fn times_are_the_readers_and_stored_in_utc() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("operator");
    let home = home.to_str().unwrap();
    assert!(run(&["init", "--purpose", "operator", "--local", "--home", home]).status.success());
    let admit = |member: &str| {
        let did =
            countersign::identity::Signer::did(&countersign::identity::SecretKey::p256(&[7; 32]).unwrap()).clone();
        let order = ["admit", "--home", home, "--did", did.as_str(), "--legal-name", member, "--legal-id", "LEI=1"];
        run(&[&order[..], &["--country", "DE", "--until", "2027-07-01", "--json"]].concat())
    };
    let member: serde_json::Value = serde_json::from_slice(&admit("Member").stdout).unwrap();
    assert_eq!(member["exp"], "2027-07-01T00:00:00Z");
}

/// A full disk at the other end is told in a sentence; whoever has read enough is told nothing.
#[test]
fn an_answer_that_cannot_be_written_is_told_without_a_panic() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(PROGRAM).args(["completions", "bash"]).stdout(full).output().unwrap();
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{why}");
    assert!(why.contains("cannot write its answer") && !why.contains("panicked"), "{why}");
}

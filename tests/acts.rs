//! What an operator does on its own machine: admit members and approve templates, without a running node.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use countersign::check::Trail;
use countersign::credential::{ApprovedTemplate, Participant, Trust};
use countersign::encoding::Timestamp;
use countersign::identity::{Did, Documents, SecretKey, Signer as _, Unverified};
use countersign::node::chance;
#[path = "support/passphrase.rs"]
mod passphrase;

use passphrase::passphrase_file;
use serde_json::{Value, json};

fn countersign(arguments: &[&str], home: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(arguments).arg("--home").arg(home).env("COUNTERSIGN_PASSPHRASE_FILE", passphrase_file());
    command.output().unwrap()
}

/// A home of an operator, and what `init` says of it.
fn operator() -> (tempfile::TempDir, Value) {
    let dir = tempfile::tempdir().unwrap();
    let made = countersign(&["init", "--purpose", "operator", "--json"], dir.path());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (dir, serde_json::from_slice(&made.stdout).unwrap())
}

fn trust(operator: &Did) -> Trust {
    serde_json::from_value(json!({ "operators": [operator], "pinned": [], "chains": [] })).unwrap()
}

fn now() -> Timestamp {
    chance::now().unwrap()
}

#[test]
fn an_operator_admits_a_member_that_others_then_believe() {
    let (home, made) = operator();
    let operator: Did = made["did"].as_str().unwrap().parse().unwrap();
    let member = SecretKey::p256(&[7; 32]).unwrap();
    let recorder = "eip155:42793:0x00000000000000000000000000000000000000aa";
    let admitted = countersign(
        &[
            "admit",
            "--did",
            member.did().as_str(),
            "--legal-name",
            "Alice Maps GmbH",
            "--legal-id",
            "LEI=529900T8BM49AURSDO55",
            "--country",
            "DE",
            "--recorder",
            recorder,
        ],
        home.path(),
    );
    assert!(admitted.status.success(), "{}", String::from_utf8_lossy(&admitted.stderr));
    let credential = Unverified::<Participant>::new(String::from_utf8(admitted.stdout).unwrap().trim());
    let (documents, mut trail) = (Documents::default(), Trail::default());
    let read = Participant::verify(&credential, &trust(&operator), &documents, now(), &mut trail).unwrap();
    assert_eq!((&read.did, &read.issuer), (member.did(), &operator));
    assert_eq!(read.keys, [member.public_key().thumbprint()]);
    assert_eq!(read.recorders, [recorder]);
}

#[test]
fn an_operator_approves_a_template_byte_for_byte() {
    let (home, made) = operator();
    let operator: Did = made["did"].as_str().unwrap().parse().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/templates/licence.json");
    let approved = countersign(&["approve", file.to_str().unwrap()], home.path());
    assert!(approved.status.success(), "{}", String::from_utf8_lossy(&approved.stderr));
    let approval = Unverified::<ApprovedTemplate>::new(String::from_utf8(approved.stdout).unwrap().trim());
    let (documents, mut trail) = (Documents::default(), Trail::default());
    let read = ApprovedTemplate::verify(&approval, &trust(&operator), &documents, now(), &mut trail).unwrap();
    assert_eq!(read.hash, countersign::encoding::Digest::of(fs::read(file).unwrap()).b64u());
}

#[test]
fn what_no_wallet_would_believe_is_not_signed() {
    let (home, _) = operator();
    let broken = home.path().join("template.json");
    fs::write(&broken, "{\"id\": \"urn:uuid:1\"}").unwrap();
    let refused = countersign(&["approve", broken.to_str().unwrap()], home.path());
    assert!(!refused.status.success() && refused.stdout.is_empty());
    let web =
        ["admit", "--did", "did:web:alice.example", "--legal-name", "A", "--legal-id", "LEI=1", "--country", "DE"];
    let refused = countersign(&web, home.path());
    assert!(!refused.status.success() && refused.stdout.is_empty());
}

#[test]
fn a_home_is_made_once_and_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let (home, _) = operator();
    for name in ["keys/keyring.json", "api-key", "countersign.toml"] {
        let mode = fs::metadata(home.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let key = fs::read(home.path().join("keys/keyring.json")).unwrap();
    let again = countersign(&["init"], home.path());
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already"));
    assert_eq!(fs::read(home.path().join("keys/keyring.json")).unwrap(), key);
}

#[test]
fn a_configuration_with_a_misspelt_name_says_which() {
    let (home, _) = operator();
    let file = home.path().join("countersign.toml");
    let text = fs::read_to_string(&file).unwrap().replace("pinned = []", "pined = []");
    fs::write(&file, text).unwrap();
    let refused = countersign(&["serve"], home.path());
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("pined") && said.contains("countersign.toml"), "{said}");
}

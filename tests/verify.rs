//! `countersign verify`: contract files of another hand, files that are none, and a contract on a chain.

#[allow(dead_code)]
#[path = "support/forge.rs"]
mod forge;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::Parser as _;
use countersign::cli::verify::{Args, Asked, Outcome, Verdicts, json, table, trusted, verdicts};
use countersign::credential::{Account, ContractFile, Trust};
use countersign::encoding::{Digest, Timestamp};
use countersign::node::port::Registry as _;
use countersign::registry::devchain::{Chain, DevChainConfig};
use countersign::registry::{Client, ClientConfig, account_of, deploy, send_value};
use forge::{CONTRACT, Changes, World};
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

const FILES: [&str; 5] = ["true", "true-minimum", "true-no-account", "true-percentage", "true-rounded-up"];
const RICH: [u8; 32] = [0x11; 32];
const RECORDER: [u8; 32] = [0x22; 32];
const PARTY: [u8; 32] = [0x33; 32];
const XTZ: u128 = 1_000_000_000_000_000_000;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors").join(name)
}

fn trust() -> Trust {
    trusted(Some(&fixture("trust.json")), None).unwrap()
}

fn file(name: &str) -> ContractFile {
    ContractFile::read(&fs::read(fixture(&format!("{name}.json"))).unwrap()).unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_seconds(jiff::Timestamp::now().as_second()).unwrap()
}

fn check(verdict: &countersign::cli::verify::Verdict) -> &'static str {
    verdict.refusal.as_ref().map_or("none", |refusal| refusal.check.id())
}

async fn offline(file: &ContractFile, trust: &Trust) -> Verdicts {
    verdicts(file, trust, &[], Asked::Proven, now()).await
}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

#[test]
fn the_command_line_is_read() {
    let line = |args: &[&str]| Line::try_parse_from([&["verify"], args].concat()).map(|line| line.args);
    let args = line(&["-", "--rpc", "http://127.0.0.1:1/", "--rpc", "http://127.0.0.1:2/", "--trust", "t"]).unwrap();
    assert_eq!((args.file.to_str(), args.rpc.len(), args.json), (Some("-"), 2, false));
    for wrong in [&["f", "--proven", "--concluded"][..], &["f", "--rpc", "nowhere"], &[], &["f", "g"]] {
        assert!(line(wrong).is_err(), "{wrong:?}");
    }
}

/// The exit code of the program, and what it says.
fn code(file: PathBuf, trust: Option<PathBuf>, home: Option<PathBuf>) -> (i32, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_countersign"));
    program.env_remove("COUNTERSIGN_HOME").args(["verify", "--proven", "--json"]).arg(file);
    for (flag, path) in [("--trust", trust), ("--home", home)] {
        program.args(path.iter().flat_map(|path| [flag.as_ref(), path.as_os_str()]));
    }
    let output = program.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

#[test]
fn what_cannot_be_read_is_no_verdict() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str, bytes: &[u8]| {
        let path = place.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let text = fs::read_to_string(fixture("true.json")).unwrap();
    let twice = text.replacen('{', r#"{"format":"countersign-contract-1","#, 1);
    let padded = [text.as_bytes(), &vec![b' '; 4 * 1024 * 1024]].concat();
    for (name, bytes, message) in [
        ("garbage", b"\xff\xfe\0 garbage".to_vec(), "encoding.json:"),
        ("cut", text.as_bytes()[..text.len() / 2].to_vec(), "encoding.json:"),
        ("huge", padded, "encoding.size:"),
        ("deep", "[".repeat(100_000).into_bytes(), "encoding.json.depth:"),
        ("twice", twice.into_bytes(), "encoding.json.duplicate:"),
        ("empty", vec![], "is empty"),
        ("other", b"{}".to_vec(), "file.form:"),
        ("later", text.replace("countersign-contract-1", "countersign-contract-2").into_bytes(), "file.form:"),
    ] {
        let (code, said) = code(path(name, &bytes), Some(fixture("trust.json")), None);
        assert!(code == 2 && said.contains(message) && said.contains(name), "{name}: {code} {said}");
    }
    for path in [place.path().to_owned(), place.path().join("nothing")] {
        let (code, said) = code(path, Some(fixture("trust.json")), None);
        assert!(code == 2 && said.starts_with("countersign verify: /"), "{code} {said}");
    }

    // Nobody is believed unless somebody says so.
    let (nobody, said) = code(fixture("true.json"), None, None);
    assert!(nobody == 2 && said.contains("--trust") && said.contains("--home"), "{nobody} {said}");
    for trust in ["", "{", r#"{"operators": "all"}"#, r#"{"operator": []}"#, r#"{"operators": ["did:example:1"]}"#] {
        assert_eq!(code(fixture("true.json"), Some(path("trust", trust.as_bytes())), None).0, 2, "{trust}");
    }
    assert_eq!(code(fixture("true.json"), None, Some(place.path().to_owned())).0, 2);
    // Trust in nobody is trust too, and proves nothing.
    let (refused, said) = code(fixture("true.json"), Some(path("trust", b"{}")), None);
    assert!(refused == 1 && said.contains("offer.registry"), "{refused} {said}");
    let operator = &trust().operators[0];
    let chain = &trust().chains[0];
    let configuration = format!(
        "inbox_url = \"http://127.0.0.1:1/\"\n[trust]\noperators = [\"{operator}\"]\n[[trust.chains]]\n\
         chain_id = {}\nregistry = \"{}\"\ncode_hash = \"{}\"\n",
        chain.chain_id, chain.registry, chain.code_hash
    );
    path("countersign.toml", configuration.as_bytes());
    assert_eq!(trusted(None, Some(place.path())).unwrap(), trust());
    let (holds, said) = code(fixture("true.json"), None, Some(place.path().to_owned()));
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((holds, &report["proven"]["holds"]), (0, &Value::Bool(true)));
}

#[tokio::test]
async fn a_member_that_is_not_known_changes_nothing() {
    let text = fs::read_to_string(fixture("true.json")).unwrap();
    let file =
        ContractFile::read(text.replacen('{', r#"{"remark": {"of": "another version"},"#, 1).as_bytes()).unwrap();
    assert_eq!(offline(&file, &trust()).await.outcome(), Outcome::Holds);
    assert_eq!(serde_json::to_value(&file).unwrap()["remark"]["of"], "another version");
}

#[tokio::test]
async fn files_of_another_hand_are_proven_and_another_operator_proves_nothing() {
    let mut elsewhere = trust();
    elsewhere.operators = vec!["did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169".parse().unwrap()];
    for name in FILES {
        let good = offline(&file(name), &trust()).await;
        assert_eq!(good.outcome(), Outcome::Holds, "{name}: {}", table(&good));
        assert!(good.proven.held.len() > 40 && good.concluded.is_none() && good.in_force.is_none(), "{name}");

        let bad = offline(&file(name), &elsewhere).await;
        assert_eq!((bad.outcome(), check(&bad.proven)), (Outcome::Refused, "participant.issuer"), "{name}");
        assert!(bad.identities.is_none() && table(&bad).contains("claimed, not proven"), "{name}");
        let document: Value = serde_json::from_str(&json(&bad)).unwrap();
        assert_eq!(document["proven"]["holds"], false);
        assert_eq!(document["proven"]["refusal"]["check"], "participant.issuer");
        let checks = document["proven"]["checks"].as_array().unwrap();
        let failed: Vec<_> = checks.iter().filter(|check| check["held"] == false).collect();
        assert!(failed.len() == 1 && failed[0]["check"] == "participant.issuer", "{failed:?}");
        assert!(checks.len() > 20 && checks.iter().all(|check| check["rule"].is_string()));
    }
}

#[tokio::test]
async fn the_report_says_who_why_and_by_which_checks() {
    let verdicts = offline(&file("true"), &trust()).await;
    let text = table(&verdicts);
    for part in ["PROVEN: yes", "CONCLUDED: not asked", "IN FORCE: not asked", "jws.signature.canonical", "vouched for"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let document: Value = serde_json::from_str(&json(&verdicts)).unwrap();
    assert_eq!(document["contract_id"], serde_json::to_value(verdicts.contract_id).unwrap());
    assert_eq!((&document["concluded"], &document["in_force"]), (&Value::Null, &Value::Null));
    assert_eq!(document["identities"]["provider"]["identity"], "operator");
    assert!(document["proven"]["refusal"].is_null() && document["proven"]["holds"] == true);
}

#[tokio::test]
async fn a_stranger_s_words_do_not_steer_the_terminal() {
    let mut file = file("true");
    file.core = countersign::identity::Unverified::new("~\u{1b}[2J~");
    file.format = "countersign-contract-1".into();
    let text = table(&offline(&file, &trust()).await);
    assert!(!text.contains('\u{1b}'), "{text:?}");

    let world = World::default();
    let changes = Changes {
        provider_paper: Some(|paper| paper.claims["legal_name"] = "Ex\u{1b}[31mample\u{202e}".into()),
        ..Changes::default()
    };
    let made = world.make(&changes);
    let verdicts = offline(&serde_json::from_value(made.file).unwrap(), &made.trust).await;
    assert_eq!(verdicts.outcome(), Outcome::Holds);
    assert!(!table(&verdicts).contains(['\u{1b}', '\u{202e}']));
}

/// A chain with a registry, and a contract that stands in it.
struct OnChain {
    chain: Chain,
    world: World,
    client: Client,
}

impl OnChain {
    async fn new() -> Self {
        let config = DevChainConfig {
            block_time: Duration::from_millis(50),
            funded: vec![(account_of(&RICH).unwrap(), 1_000 * XTZ)],
            ..DevChainConfig::default()
        };
        let chain = Chain::open(config).await.unwrap();
        let deployment = deploy(chain.url(), &RICH).await.unwrap();
        for key in [&RECORDER, &PARTY] {
            send_value(chain.url(), &RICH, account_of(key).unwrap(), XTZ).await.unwrap();
        }
        let world = World {
            offered: now().seconds() - 60,
            registry: deployment.urn,
            code_hash: deployment.code_hash,
            recorder: account_of(&RECORDER).unwrap(),
            withdrawal: Some(account_of(&PARTY).unwrap()),
            ..World::default()
        };
        let mut config = ClientConfig::new(deployment.urn, vec![chain.url().clone()]);
        config.recorder_key = Some(Zeroizing::new(RECORDER));
        let client = Client::connect(config).await.unwrap();
        Self { chain, world, client }
    }

    /// Records the contract; the file states the entry that stands then.
    async fn record(&self) -> (ContractFile, Trust) {
        let mut made = self.world.make(&Changes::default());
        let entry = self.client.record(CONTRACT.parse().unwrap(), Digest::of(&made.core)).await.unwrap();
        made.trust.chains[0].rpc = vec![self.chain.url().to_string()];
        let file = self.world.file(&made, &serde_json::to_value(entry).unwrap(), &Changes::default());
        (serde_json::from_value(file).unwrap(), made.trust)
    }

    async fn until(&self, file: &ContractFile, trust: &Trust, asked: Asked, wanted: Outcome) -> Verdicts {
        for _ in 0..200 {
            let verdicts = verdicts(file, trust, &[], asked, now()).await;
            if verdicts.outcome() == wanted {
                return verdicts;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{}", table(&verdicts(file, trust, &[], asked, now()).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_is_concluded_for_good_and_in_force_until_it_is_ended() {
    let place = OnChain::new().await;
    let (file, trust) = place.record().await;
    let good = place.until(&file, &trust, Asked::InForce, Outcome::Holds).await;
    assert_eq!(good.entry.as_ref(), Some(&file.entry));
    let document: Value = serde_json::from_str(&json(&good)).unwrap();
    for verdict in ["proven", "concluded", "in_force"] {
        assert_eq!(document[verdict]["holds"], true, "{verdict}");
    }

    // The entry is read from the chain; a file that states another is not believed, whoever signed for it.
    let mut lying = file.clone();
    lying.acknowledgements.clear();
    lying.entry.block_time = lying.entry.block_time.plus(-3600);
    let verdicts_of =
        async |file: &ContractFile, trust: &Trust, rpc: &[Url]| verdicts(file, trust, rpc, Asked::InForce, now()).await;
    let bad = verdicts_of(&lying, &trust, &[]).await;
    assert!(bad.proven.holds());
    assert_eq!((bad.outcome(), check(bad.concluded.as_ref().unwrap())), (Outcome::Refused, "entry.stated"));

    // What is trusted decides which chain, which registry, which code; --rpc says where to ask and nothing else.
    let url = [place.chain.url().clone()];
    let changed = |change: fn(&mut Trust)| {
        let mut trust = trust.clone();
        change(&mut trust);
        trust
    };
    for (wrong, id) in [
        (changed(|trust| trust.chains[0].chain_id += 1), "offer.registry"),
        (changed(|trust| trust.chains[0].registry = Account([7; 20])), "offer.registry"),
        (changed(|trust| trust.chains[0].code_hash = Digest::of("other code")), "verify.code"),
    ] {
        for rpc in [&url[..], &[]] {
            let bad = verdicts_of(&file, &wrong, rpc).await;
            assert_eq!((bad.outcome(), check(bad.concluded.as_ref().unwrap())), (Outcome::Refused, id));
            assert!(!bad.in_force.unwrap().holds());
        }
    }

    // An endpoint that does not answer is no verdict; --rpc replaces it.
    let silent = changed(|trust| trust.chains[0].rpc = vec!["http://127.0.0.1:9/".into()]);
    let unanswered = verdicts_of(&file, &silent, &[]).await;
    assert_eq!(unanswered.outcome(), Outcome::Unanswered);
    assert_eq!(check(unanswered.concluded.as_ref().unwrap()), "verify.chain");
    assert!(unanswered.proven.holds());
    assert_eq!(verdicts_of(&file, &silent, &url).await.outcome(), Outcome::Holds);
    let nowhere = changed(|trust| trust.chains[0].rpc.clear());
    assert_eq!(verdicts_of(&file, &nowhere, &[]).await.outcome(), Outcome::Unanswered);

    // A chain that stands still hides an end.
    let tomorrow = verdicts(&file, &trust, &[], Asked::InForce, now().plus(3600)).await;
    assert_eq!((tomorrow.outcome(), check(tomorrow.in_force.as_ref().unwrap())), (Outcome::Unanswered, "verify.head"));
    let late = verdicts(&file, &trust, &[], Asked::InForce, now().plus(300 * forge::DAY)).await;
    assert_eq!((late.outcome(), check(late.in_force.as_ref().unwrap())), (Outcome::Refused, "force.expired"));

    place.client.end(file.contract_id, 1).await.unwrap();
    let ended = place.until(&file, &trust, Asked::InForce, Outcome::Refused).await;
    assert_eq!(check(ended.in_force.as_ref().unwrap()), "force.ended");
    assert!(ended.proven.holds() && ended.concluded.as_ref().unwrap().holds());
    assert_eq!(verdicts(&file, &trust, &[], Asked::Concluded, now()).await.outcome(), Outcome::Holds);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_that_was_never_recorded_is_proven_and_nothing_more() {
    let place = OnChain::new().await;
    let mut made = place.world.make(&Changes::default());
    made.trust.chains[0].rpc = vec![place.chain.url().to_string()];
    let file: ContractFile = serde_json::from_value(made.file).unwrap();
    let bad = verdicts(&file, &made.trust, &[], Asked::InForce, now()).await;
    assert!(bad.proven.holds());
    assert_eq!((bad.outcome(), check(bad.concluded.as_ref().unwrap())), (Outcome::Refused, "rule.entry.missing"));
    assert_eq!(check(bad.in_force.as_ref().unwrap()), "rule.entry.missing", "what does not exist is not in force");

    // The consumer withdraws before the record: the entry comes too late to make a contract.
    place.client.withdraw(&PARTY, place.world.recorder, file.contract_id, 0).await.unwrap();
    let (file, trust) = place.record().await;
    let rule = async || {
        let verdicts = verdicts(&file, &trust, &[], Asked::Concluded, now()).await;
        check(verdicts.concluded.as_ref().unwrap())
    };
    for _ in 0..200 {
        match rule().await {
            "rule.entry.missing" => tokio::time::sleep(Duration::from_millis(50)).await,
            other => return assert_eq!(other, "rule.withdrawn"),
        }
    }
    panic!("the entry is never final");
}

//! Contract files that another implementation made and signed.

use std::fs;
use std::path::PathBuf;

use countersign::check::Check;
use countersign::credential::{ContractFile, Identity, Trust, checks, proven};
use countersign::encoding::parse_json;
use countersign::identity::Documents;
use serde_json::Value;

const FILES: [&str; 5] = ["true", "true-minimum", "true-no-account", "true-percentage", "true-rounded-up"];

fn read(name: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors").join(name)).unwrap()
}

fn trust() -> Trust {
    serde_json::from_slice(&read("trust.json")).unwrap()
}

fn file(name: &str) -> ContractFile {
    ContractFile::read(&read(&format!("{name}.json"))).unwrap()
}

fn refused(file: &ContractFile, trust: &Trust) -> &'static Check {
    proven(file, trust, &Documents::default()).unwrap_err().refusal.check
}

#[test]
fn each_is_proven() {
    for name in FILES {
        let proven = proven(&file(name), &trust(), &Documents::default()).unwrap_or_else(|not| panic!("{name}: {not}"));
        assert_eq!((proven.provider, proven.consumer), (Identity::Operator, Identity::Operator), "{name}");
        assert_eq!(proven.core.hash, file(name).entry.hash, "{name}");
        let account = proven.core.acceptance.withdrawal_account;
        assert_eq!(account.is_none(), name == "true-no-account", "{name}");
    }
}

#[test]
fn each_is_refused_with_another_operator() {
    let mut trust = trust();
    trust.operators = vec!["did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169".parse().unwrap()];
    for name in FILES {
        assert_eq!(refused(&file(name), &trust), &checks::PARTICIPANT_ISSUER, "{name}");
    }
}

#[test]
fn each_is_proven_between_parties_that_are_pinned() {
    for name in FILES {
        let file = file(name);
        let mut trust = trust();
        let offer = proven(&file, &trust, &Documents::default()).unwrap().offer;
        trust.operators.clear();
        trust.pinned = vec![offer.provider.did.clone()];
        assert_eq!(refused(&file, &trust), &checks::PARTICIPANT_ISSUER, "{name}");
        trust.pinned.push(offer.consumer.did.clone());
        let proven = proven(&file, &trust, &Documents::default()).unwrap();
        assert_eq!((proven.provider, proven.consumer), (Identity::Pinned, Identity::Pinned), "{name}");
    }
}

#[test]
fn each_is_refused_on_another_chain_or_with_another_entry() {
    for name in FILES {
        let file = file(name);
        let mut elsewhere = trust();
        elsewhere.chains[0].chain_id += 1;
        assert_eq!(refused(&file, &elsewhere), &checks::OFFER_REGISTRY, "{name}");

        let differs = |change: fn(&mut ContractFile)| {
            let mut changed = file.clone();
            change(&mut changed);
            refused(&changed, &trust())
        };
        assert_eq!(differs(|file| file.entry.chain_id += 1), &checks::FILE_ENTRY_CHAIN);
        assert_eq!(differs(|file| file.entry.registry = file.entry.recorder), &checks::FILE_ENTRY_REGISTRY);
        assert_eq!(differs(|file| file.entry.recorder = file.entry.registry), &checks::FILE_ENTRY_RECORDER);
        assert_eq!(differs(|file| file.entry.hash = file.entry.transaction), &checks::FILE_ENTRY_HASH);
        assert_eq!(
            differs(|file| file.entry.block_time = file.entry.block_time.plus(86_400)),
            &checks::FILE_ENTRY_TIME
        );
        assert_eq!(differs(|file| file.entry.block += 1), &checks::ENTRY_AGREES);
        assert_eq!(differs(|file| file.acknowledgements.reverse()), &checks::ENTRY_CLAIMS);
        assert_eq!(differs(|file| file.disclosures.swap(0, 1)), &checks::FILE_DISCLOSURES);
        assert_eq!(differs(|file| file.disclosures.truncate(8)), &checks::OFFER_DISCLOSURES);
        assert_eq!(differs(|file| file.participants.swap(0, 1)), &checks::OFFER_PARTICIPANTS);
    }
}

#[test]
fn a_reader_keeps_members_that_it_does_not_know() {
    for name in FILES {
        let text = read(&format!("{name}.json"));
        let mut json: Value = parse_json(&text, text.len()).unwrap();
        json["remark"] = "kept".into();
        let file = ContractFile::read(json.to_string().as_bytes()).unwrap();
        assert_eq!(serde_json::to_value(&file).unwrap(), json, "{name}");
    }
}

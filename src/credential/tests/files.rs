use super::*;
use crate::credential::vocabulary::{CONTRACT_FORMAT, TYP_KEY_STATEMENT};

pub(super) fn file(world: &World) -> ContractFile {
    let (offer, core, entry) = (world.offer(), world.core(), world.entry());
    let acknowledge = |signer: &SecretKey| Acknowledgement::sign(&core, &entry, signer).unwrap();
    ContractFile {
        format: CONTRACT_FORMAT.into(),
        contract_id: core.claims.contract_id,
        core: Unverified::new(core.text.clone()),
        disclosures: offer.disclosures.clone(),
        participants: vec![world.provider_paper.clone(), world.consumer_paper.clone()],
        template: TemplatePaper { approval: world.approval.clone(), rest: Map::new() },
        acknowledgements: vec![acknowledge(&world.consumer), acknowledge(&world.provider)],
        entry,
        history: vec![world.statement().into(), kept(world, &world.provider)],
        did_documents: Map::new(),
        rest: Map::new(),
    }
}

/// A message as it comes out of an envelope: general JSON, kid beside the protected header.
fn kept(world: &World, signer: &SecretKey) -> Value {
    let message = json!({"from": world.provider.did(), "type": "urn:countersign:negotiation/1.0/offer"}).to_string();
    let compact = sign_jws(signer, "application/didcomm-signed+json", false, message.as_bytes()).unwrap();
    let parts: Vec<&str> = compact.split('.').collect();
    json!({"payload": parts[1], "signatures": [
        {"protected": parts[0], "signature": parts[2], "header": {"kid": signer.kid()}}]})
}

fn refused(world: &World, change: impl FnOnce(&mut ContractFile)) -> &'static Check {
    let mut file = file(world);
    change(&mut file);
    proven(&file, &world.trust, &world.documents).unwrap_err().refusal.check
}

#[test]
fn a_file_is_proven_from_what_it_holds_and_whom_one_trusts() {
    let world = World::new();
    let written = serde_json::to_vec(&file(&world)).unwrap();
    let file = ContractFile::read(&written).unwrap();
    let proven = proven(&file, &world.trust, &world.documents).unwrap();
    assert_eq!(proven.offer.contents, world.draft().contents);
    assert!(proven.trail.checks().contains(&&checks::FILE_HISTORY));
    assert!(proven.trail.checks().contains(&&checks::ENTRY_AGREES));
}

#[test]
fn what_a_file_holds_is_checked() {
    let world = World::new();
    let stranger = key(9);
    assert_eq!(refused(&world, |file| file.format = "countersign-contract-2".into()), &checks::FILE_FORM);
    assert_eq!(refused(&world, |file| drop(file.participants.pop())), &checks::FILE_FORM);
    assert_eq!(refused(&world, |file| file.contract_id.0 = uuid::Uuid::from_u128(7)), &checks::FILE_CONTRACT);
    let own = file(&world).acknowledgements[0].clone();
    assert_eq!(refused(&world, |file| file.acknowledgements.push(own)), &checks::FILE_ACKNOWLEDGED);
    let sign = |signer: &SecretKey, payload: Value| {
        sign_jws(signer, TYP_KEY_STATEMENT, true, payload.to_string().as_bytes()).unwrap()
    };
    let (foreign, borrowed) = (sign(&stranger, json!({})), sign(&world.consumer, json!({"iss": stranger.did()})));
    assert_eq!(refused(&world, |file| file.history.push(foreign.into())), &checks::FILE_HISTORY);
    assert_eq!(refused(&world, |file| file.history.push(borrowed.into())), &checks::FILE_HISTORY);
    let consumers = kept(&world, &world.consumer);
    assert_eq!(refused(&world, |file| file.history.push(consumers)), &checks::FILE_HISTORY);
    let mut two = kept(&world, &world.provider);
    let second = two["signatures"][0].clone();
    two["signatures"].as_array_mut().unwrap().push(second);
    assert_eq!(refused(&world, |file| file.history.push(two)), &checks::FILE_HISTORY);
    let mut unnamed = kept(&world, &world.provider);
    unnamed["signatures"][0].as_object_mut().unwrap().remove("header");
    assert_eq!(refused(&world, |file| file.history.push(unnamed)), &checks::FILE_HISTORY);
    let read = |json: Value| ContractFile::read(json.to_string().as_bytes()).unwrap_err().check;
    assert_eq!(read(json!({})), &checks::FILE_FORM);
    let mut json = serde_json::to_value(file(&world)).unwrap();
    json["entry"]["block_time"] = json!("2026-11-18T12:08:40+01:00");
    assert_eq!(read(json), &checks::FILE_FORM);
}

#[test]
fn identities_are_judged_at_the_time_of_the_entry() {
    let mut world = World::new();
    let mut short = admission(&world.provider, &[format!("eip155:127823:{}", world.recorder)]);
    short.exp = at(601);
    world.provider_paper = Unverified::new(Participant::admit(&short, &world.operator).unwrap());
    assert!(proven(&file(&world), &world.trust, &world.documents).is_ok());
    short.exp = at(600);
    world.provider_paper = Unverified::new(Participant::admit(&short, &world.operator).unwrap());
    assert_eq!(refused(&world, |_| {}), &checks::PARTICIPANT_WINDOW);
}

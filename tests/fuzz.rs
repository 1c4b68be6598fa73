//! A target for every reader of outside bytes: none of them panics, and none accepts what nobody signed.

mod support {
    #![allow(dead_code, unreachable_pub)]
    pub mod fuzz;
    pub mod parties;
}

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use countersign::check::Trail;
use countersign::credential::{
    Account, Acknowledgement, ApprovedTemplate, ContractFile, ContractId, Core, Entry, KeyStatement, Participant,
    RegistryUrn, Termination, Trust, disclosed, present, proven, sd_jwt, verify_presentation,
};
use countersign::encoding::{Digest, MAX_DEPTH, Timestamp, canonical, decode, encode, parse_json};
use countersign::gate::{
    Answer, ChallengeKey, GatePolicy, GuardedAsset, Known, Proof, Proven, Sums, of_origin, one_reading, path_below,
    recognise,
};
use countersign::identity::{Did, DidUrl, Documents, Jwk, Jws, SecretKey, Signer, Unverified};
use countersign::inbox::mediation::{Action, Answer as Said, Held, Queue, Request, Update, Word};
use countersign::inbox::{
    AgreementKey, Attachment, Contact, Forward, Message, Opened, addressed_to, decrypt, seal_signed, sign,
};
use countersign::negotiation::{Event, Negotiation, Notice, Opening, Role};
use countersign::node::wire;
use countersign::operator::{StatedContract, Statement, StatementClaims};
use countersign::policy::{Facts, Money, Policy, Template};
use serde_json::{Value, json};
use support::fuzz::{fuzz, fuzz_signed};
use support::parties::{CHAIN, DAY, Deal, Parties, RECORDER, REGISTRY, at, entry, key, template};

const FILES: [&str; 5] = ["true", "true-minimum", "true-no-account", "true-percentage", "true-rounded-up"];

fn fixture(name: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)).unwrap()
}

fn world() -> (Parties, Deal) {
    let parties = Parties::new();
    let deal = parties.deal(1, &[(600, 1200)]);
    (parties, deal)
}

fn texts(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn trail() -> Trail {
    Trail::default()
}

fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}

#[test]
fn json_is_read_in_one_way() {
    let mut corpus: Vec<_> = FILES.iter().map(|name| fixture(&format!("vectors/{name}.json"))).collect();
    corpus.extend(texts(&["{\"a\":[1,{\"b\":null}],\"c\":-0.5}", "[]", "\"\\ud834\\udd1e\""]));
    fuzz("json", &corpus, |input| {
        let Ok(value) = parse_json(input, 1 << 20) else { return false };
        fn depth(value: &Value) -> usize {
            match value {
                Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
                Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
                _ => 0,
            }
        }
        assert!(depth(&value) <= MAX_DEPTH);
        if let Ok(text) = canonical(&value) {
            let again = parse_json(text.as_bytes(), text.len()).unwrap();
            assert_eq!(canonical(&again).unwrap(), text);
        }
        true
    });
}

#[test]
fn base64url_has_one_spelling() {
    let corpus: Vec<_> = (0..20_u8).map(|length| encode(vec![length ^ 0xa5; length.into()]).into_bytes()).collect();
    fuzz("base64url", &corpus, |input| {
        let Some(decoded) = text(input).and_then(|text| decode(text).ok()) else { return false };
        assert_eq!(encode(decoded).as_bytes(), input);
        true
    });
}

#[test]
fn names_have_one_spelling() {
    let (parties, deal) = world();
    let did = parties.provider.did().to_string();
    let jwk_did = key(2).as_did_jwk().did().to_string();
    let (url, kid) = (format!("urn:blockchain:eip155:{CHAIN}:contract:{REGISTRY}"), parties.provider.kid().to_string());
    let hash = deal.offers[0].papers[0].hash.hex();
    let id = deal.offers[0].paper.contract_id.to_string();
    let account = RECORDER.to_string();
    let time = at(0).rfc3339();
    let corpus = texts(&[&did, &jwk_did, "did:web:example.com:member", &url, &kid, &hash, &id, &account, &time]);
    fuzz("names", &corpus, |input| {
        let Some(text) = text(input) else { return false };
        let spelled = [
            text.parse::<Did>().map(|did| did.to_string()).ok(),
            text.parse::<DidUrl>().map(|url| url.to_string()).ok(),
            text.parse::<RegistryUrn>().map(|urn| urn.to_string()).ok(),
            text.parse::<ContractId>().map(|id| id.to_string()).ok(),
            text.parse::<Account>().map(|account| account.to_string()).ok(),
            Digest::from_hex(text).map(|digest| digest.hex()),
        ];
        for again in spelled.iter().flatten() {
            assert_eq!(again, text);
        }
        if let Ok(url) = text.parse::<DidUrl>() {
            let _ = Documents::default().key(&url);
        }
        let time = Timestamp::parse_rfc3339(text);
        if let Ok(time) = &time {
            assert_eq!(Timestamp::parse_rfc3339(&time.rfc3339()).as_ref(), Ok(time));
        }
        spelled.iter().any(Option::is_some) || time.is_ok()
    });
}

#[test]
fn keys_are_points() {
    let jwks = [key(1).public_key().jwk(), SecretKey::ed25519(&[7; 32]).unwrap().public_key().jwk()];
    let corpus: Vec<_> = jwks.iter().map(|jwk| json!(jwk).to_string().into_bytes()).collect();
    fuzz("jwk", &corpus, |input| {
        let Ok(value) = parse_json(input, 1 << 16) else { return false };
        let Ok(key) = Jwk::from_json(&value).and_then(|jwk| jwk.public_key()) else { return false };
        assert_eq!(json!(key.jwk()), json!(Jwk::from_json(&value).unwrap()));
        true
    });
}

#[test]
fn a_jws_is_what_was_signed() {
    let (parties, deal) = world();
    let corpus = [deal.request.key_statement, parties.approval];
    let keys = [*parties.consumer.public_key(), *parties.operator.public_key()];
    fuzz_signed("jws", &corpus, |text| {
        Jws::parse(text).is_ok_and(|jws| keys.iter().any(|key| jws.verify(key, &mut trail()).is_ok()))
    });
}

#[test]
fn a_participant_credential_is_what_was_signed() {
    let (parties, _) = world();
    let corpus = [parties.provider_paper.clone(), parties.consumer_paper.clone()];
    fuzz_signed("participant", &corpus, |text| {
        let text = Unverified::new(text);
        Participant::verify(&text, &parties.trust, &parties.documents, at(0), &mut trail()).is_ok()
    });
}

#[test]
fn an_approval_is_what_was_signed() {
    let (parties, _) = world();
    fuzz_signed("approval", std::slice::from_ref(&parties.approval), |text| {
        let text = Unverified::new(text);
        ApprovedTemplate::verify(&text, &parties.trust, &parties.documents, at(0), &mut trail()).is_ok()
    });
}

#[test]
fn a_key_statement_is_what_was_signed() {
    let (parties, deal) = world();
    fuzz_signed("key statement", &[deal.request.key_statement], |text| {
        KeyStatement::verify(&Unverified::new(text), &parties.documents, at(0), &mut trail()).is_ok()
    });
}

#[test]
fn an_offer_is_what_was_signed() {
    let (parties, deal) = world();
    let paper = deal.offers[0].paper.text.clone();
    let nine: Vec<&str> = paper.split('~').collect();
    // The disclosures may come in any order; that is the one freedom an offer leaves.
    let same = |text: &str| {
        let (mut ours, mut theirs) = (nine.clone(), text.split('~').collect::<Vec<_>>());
        ours.sort_unstable();
        theirs.sort_unstable();
        ours == theirs
    };
    fuzz("offer", &[paper.clone().into_bytes()], |input| {
        let Some(text) = text(input) else { return false };
        let verified = parties.verified(text, at(0)).is_ok();
        assert!(!verified || same(text), "accepted, though nobody signed it");
        verified
    });
}

#[test]
fn a_core_is_what_both_signed() {
    let (parties, deal) = world();
    let corpus = deal.offers[0].cores.clone().map(|core| core.text.clone());
    fuzz_signed("core", &corpus, |text| Core::read(&Unverified::new(text), &parties.documents, &mut trail()).is_ok());
}

#[test]
fn a_presentation_is_what_was_signed() {
    let (parties, deal) = world();
    let (core, asset) = (&deal.offers[0].cores[0], &deal.offers[0].paper.asset);
    let shown = [deal.offers[0].paper.disclosures[4].as_str(), deal.offers[0].paper.disclosures[7].as_str()];
    let (aud, nonce) = ("https://data.example", "a-nonce-of-the-gate-a-nonce");
    let presentation = present(core, asset, &shown, aud, nonce, at(5), &key(101)).unwrap();
    fuzz_signed("presentation", &[presentation], |text| {
        verify_presentation(text, core, aud, nonce, at(6), &mut trail()).is_ok()
    });
    let fee = format!("{}~{}~", core.issuer_jwt, deal.offers[0].paper.disclosures[6]);
    fuzz("disclosed", &[fee.into_bytes()], |input| {
        text(input).is_some_and(|text| disclosed(&core.issuer_jwt, &core.claims, text, &mut trail()).is_ok())
    });
    fuzz("sd-jwt", &[deal.offers[0].paper.text.clone().into_bytes()], |input| {
        let Some(text) = text(input) else { return false };
        let _ = sd_jwt::Cut::new(text);
        let _ = text.split('~').map(sd_jwt::Disclosure::read).collect::<Vec<_>>();
        let key = parties.provider.public_key();
        sd_jwt::SdJwt::parse(text).is_ok_and(|sd_jwt| sd_jwt.verify(key, "dc+sd-jwt", at(0), &mut trail()).is_ok())
    });
}

#[test]
fn acknowledgements_and_terminations_are_what_was_signed() {
    let (parties, deal) = world();
    let core = &deal.offers[0].cores[0];
    let seen = entry(core, 7, at(90));
    let acknowledged = parties.acknowledge(core, &seen, &parties.consumer);
    fuzz_signed("acknowledgement", &[acknowledged], |text| {
        Acknowledgement::verify(text, parties.consumer.did(), &parties.documents, &mut trail()).is_ok()
    });
    let termination = Termination {
        signer: parties.provider.did().clone(),
        negotiation: deal.pid.clone(),
        offer_sha256: Some(deal.offers[0].paper.sha256.b64u()),
        reason: "changed plans".into(),
        code: "cancelled".into(),
    };
    fuzz_signed("termination", &[parties.terminate(&termination, &parties.provider)], |text| {
        Termination::verify(text, parties.provider.did(), &parties.documents, &mut trail()).is_ok()
    });
    fuzz("entry", &[json!(seen).to_string().into_bytes()], |input| {
        parse_json(input, 1 << 16).is_ok_and(|value| serde_json::from_value::<Entry>(value).is_ok())
    });
}

#[test]
fn a_contract_file_is_what_was_signed() {
    let trust: Trust = serde_json::from_slice(&fixture("vectors/trust.json")).unwrap();
    let corpus: Vec<_> = FILES.iter().map(|name| fixture(&format!("vectors/{name}.json"))).collect();
    let signed: Vec<_> = corpus.iter().map(|bytes| ContractFile::read(bytes).unwrap()).collect();
    fuzz("contract file", &corpus, |input| {
        let Ok(file) = ContractFile::read(input) else { return false };
        let proven = proven(&file, &trust, &Documents::default()).is_ok();
        let kept = |true_one: &&ContractFile| {
            file.core == true_one.core
                && file.contract_id == true_one.contract_id
                && file.disclosures == true_one.disclosures
                && file.participants == true_one.participants
                && file.template.approval == true_one.template.approval
                && file.entry.hash == true_one.entry.hash
                && file.acknowledgements.iter().all(|word| true_one.acknowledgements.contains(word))
        };
        assert!(!proven || signed.iter().any(|file| kept(&file)), "proven, though nobody signed it");
        proven
    });
}

#[test]
fn templates_terms_and_amounts_are_read_or_refused() {
    let names = ["single-purchase", "licence", "tiered"];
    let corpus: Vec<_> = names.iter().map(|name| fixture(&format!("templates/{name}.json"))).collect();
    fuzz("template", &corpus, |input| Template::parse(input).is_ok());
    let terms = filled(&template()["terms"]).to_string().into_bytes();
    fuzz("terms", &[terms], |input| {
        let Ok(value) = parse_json(input, 1 << 18) else { return false };
        let Ok(policy) = Policy::parse(&value) else { return false };
        let _ = (policy.in_words(), policy.counts_uses(), policy.permits("use", &Facts::at(at(0))));
        true
    });
    let amounts = texts(&[r#"{"amount":"1000.00","currency":"EUR"}"#, r#"{"amount":"0.000001","currency":"XTZ"}"#]);
    fuzz("amounts", &amounts, |input| {
        let Ok(value) = parse_json(input, 1 << 16) else { return false };
        let Ok(money) = serde_json::from_value::<Money>(value.clone()) else { return false };
        assert_eq!(json!(money), value);
        money.plus(money).is_ok() || money.amount.to_string().len() > 14
    });
}

/// Terms with a value wherever a parameter stood.
fn filled(terms: &Value) -> Value {
    match terms {
        Value::Object(members) if members.contains_key("param") => match members["param"].as_str().unwrap() {
            "uses" => json!(3),
            name => json!(format!("urn:example:{name}")),
        },
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), filled(value))).collect(),
        Value::Array(items) => items.iter().map(filled).collect(),
        other => other.clone(),
    }
}

/// A message of the negotiation, its signed form and its envelope, and the key that opens it.
fn letter(parties: &Parties, deal: &Deal) -> (Message, String, Vec<u8>, AgreementKey) {
    let message = Message {
        id: "urn:uuid:00000000-0000-4000-8000-00000000abcd".into(),
        kind: "urn:countersign:negotiation/1.0/offer".into(),
        from: parties.provider.did().clone(),
        to: vec![parties.consumer.did().clone()],
        thid: Some(deal.pid.clone()),
        created_time: Some(at(0)),
        pthid: None,
        expires_time: Some(at(DAY)),
        body: json!({ "@type": "ContractOfferMessage", "consumerPid": deal.pid, "providerPid": "urn:uuid:p" }),
        attachments: vec![Attachment {
            id: "offer".into(),
            media_type: Some("application/dc+sd-jwt".into()),
            text: deal.offers[0].paper.text.clone(),
        }],
    };
    let signed = sign(&message, &parties.provider).unwrap();
    let own = AgreementKey::of_did_key(&parties.consumer).unwrap();
    let mut seed = 7_u8;
    let mut random = |bytes: &mut [u8]| {
        for byte in bytes {
            seed = seed.wrapping_mul(5).wrapping_add(3);
            *byte = seed;
        }
    };
    let envelope = seal_signed(&signed, &[own.public()], &mut random).unwrap();
    (message, signed, envelope, own)
}

#[test]
fn an_envelope_holds_what_its_sender_signed() {
    let (parties, deal) = world();
    let (message, signed, envelope, own) = letter(&parties, &deal);
    let keys = [own];
    let is_ours = |opened: &Opened| {
        let verified = opened.verify(parties.consumer.did(), &parties.documents, at(1), &mut trail());
        verified.is_ok_and(|verified| {
            assert_eq!(*verified, message, "a message that nobody signed");
            true
        })
    };
    fuzz("envelope", &[envelope], |input| {
        let _ = addressed_to(input);
        decrypt(input, &keys).is_ok_and(|opened| is_ours(&opened))
    });
    fuzz("signed message", &[signed.into_bytes()], |input| {
        text(input).and_then(|text| Opened::read(text).ok()).is_some_and(|opened| is_ours(&opened))
    });
    fuzz("plaintext", &[message.write().unwrap().into_bytes()], |input| {
        let Ok(read) = Message::read(input) else { return false };
        if let Ok(written) = read.write() {
            assert_eq!(Message::read(written.as_bytes()).unwrap(), read);
        }
        true
    });
}

#[test]
fn messages_of_the_negotiation_are_read_or_refused() {
    let (parties, deal) = world();
    let offered = &deal.offers[0];
    let seen = entry(&offered.cores[0], 7, at(90));
    let acknowledgement = parties.acknowledge(&offered.cores[0], &seen, &parties.provider);
    let opening = Opening {
        role: Role::Provider,
        us: parties.provider.did().clone(),
        peer: parties.consumer.did().clone(),
        consumer_pid: Some(deal.pid.clone()),
        provider_pid: Some("urn:uuid:p".into()),
        began: Role::Consumer,
    };
    let begun = vec![
        Event::Requested { opening, request: deal.request.clone(), at: at(0) },
        Event::Offered { offer: Box::new(offered.paper.clone()), by: None, at: at(0) },
        Event::Accepted { core: offered.papers[0].clone(), by: None, at: at(0) },
    ];
    let negotiation = Negotiation::replay(begun).unwrap();
    let notices = [
        Notice::Request(Box::new(deal.request.clone())),
        Notice::Offer(Box::new(offered.paper.clone())),
        Notice::Acceptance(offered.papers[0].clone()),
        Notice::Agreement { entry: seen },
        Notice::Verification { acknowledgement: acknowledgement.clone() },
        Notice::Finalization { acknowledgement },
    ];
    let corpus = notices.iter().enumerate().map(|(index, notice)| {
        let message = wire::write(&negotiation, notice, format!("urn:uuid:{index}"), at(0), None, None);
        message.write().unwrap().into_bytes()
    });
    fuzz("wire", &corpus.collect::<Vec<_>>(), |input| {
        Message::read(input).is_ok_and(|message| wire::read(&message).is_ok())
    });
}

#[test]
fn what_a_mediator_is_asked_and_answers_is_read_or_refused() {
    let (parties, deal) = world();
    let (message, ..) = letter(&parties, &deal);
    let did = parties.consumer.did().clone();
    let held = vec![Held { id: "1".into(), envelope: "{}".into() }];
    let said = [
        Request::Mediate { contact: Some("a.b.c".into()), participant: None }.write(),
        Request::Update {
            updates: vec![Update { recipient: did.to_string(), action: Action::Add }],
            words: vec!["a.b.c".into()],
        }
        .write(),
        Request::Query { page: Some((3, 4)) }.write(),
        Request::Deliver { limit: 3, recipient: Some(did.clone()) }.write(),
        Request::Received { ids: vec!["1".into()] }.write(),
        Request::Live { on: true }.write(),
        Said::Granted(vec![did]).write(),
        Said::Status(Queue { message_count: 3, total_bytes: Some(7), ..Queue::default() }).write(),
        Said::Delivery { recipient: None, held }.write(),
    ];
    let corpus = said.into_iter().map(|(kind, body, attachments)| {
        let message = Message { kind, body, attachments, ..message.clone() };
        message.write().unwrap().into_bytes()
    });
    fuzz("mediation", &corpus.collect::<Vec<_>>(), |input| {
        let Ok(message) = Message::read(input) else { return false };
        let asked = Request::read(&message).is_ok_and(|request| request.is_some());
        asked || Said::read(&message).is_ok_and(|answer| answer.is_some())
    });
    let forward = json!({
        "id": "1", "type": "https://didcomm.org/routing/2.0/forward", "body": { "next": parties.consumer.did() },
        "attachments": [{ "id": "0", "data": { "json": { "protected": "", "recipients": [], "ciphertext": "" } } }],
    });
    fuzz("forward", &[forward.to_string().into_bytes()], |input| {
        Forward::read(input).is_ok_and(|forward| forward.is_some())
    });
    let (member, mediator) = (parties.consumer.did().clone(), parties.stranger.did().clone());
    let word = Word {
        recipient: parties.provider.did().clone(),
        member: member.clone(),
        mediator: mediator.clone(),
        exp: at(600),
    };
    fuzz_signed("word", &[word.sign(&parties.provider).unwrap()], |text| {
        Word::verify(text, &member, &mediator, &parties.documents, at(0), &mut trail()).is_ok()
    });
}

#[test]
fn a_contact_is_what_was_signed() {
    let (parties, _) = world();
    let contact = Contact {
        did: parties.provider.did().clone(),
        url: "https://provider.example/inbox".into(),
        key: AgreementKey::of_did_key(&parties.provider).unwrap().public(),
        iat: at(0),
        routing: vec![],
    };
    fuzz_signed("contact", &[contact.sign(&parties.provider).unwrap()], |text| {
        Contact::verify(&Unverified::new(text), &parties.documents, &mut trail()).is_ok()
    });
}

#[test]
fn a_statement_is_what_was_signed() {
    let (parties, deal) = world();
    let core = &deal.offers[0].cores[0];
    let claims = StatementClaims {
        iss: parties.provider.did().clone(),
        from: at(0),
        until: at(DAY),
        iat: at(2 * DAY),
        contracts: vec![StatedContract {
            core: core.text.clone(),
            fee: format!("{}~{}~", core.issuer_jwt, deal.offers[0].paper.disclosures[6]),
        }],
        participant: parties.provider_paper.clone(),
        templates: vec![parties.approval.clone()],
    };
    let operator = parties.operator.did();
    fuzz_signed("statement", &[Statement::sign(&claims, &parties.provider).unwrap()], |text| {
        let text = Unverified::new(text);
        Statement::verify(&text, operator, &parties.documents, at(2 * DAY), &mut trail()).is_ok()
    });
}

#[test]
fn a_gate_recognises_what_was_signed_for_it() {
    let (parties, deal) = world();
    let (core, paper) = (&deal.offers[0].cores[0], &deal.offers[0].paper);
    let policy = GatePolicy {
        origin: "https://data.example".into(),
        providers: vec![parties.provider.did().clone()],
        registry: paper.registry,
        recorders: vec![RECORDER],
        assets: vec![GuardedAsset {
            id: paper.asset.id.clone(),
            sha256: paper.asset.sha256.clone(),
            media_type: paper.asset.media_type.clone(),
            path: "/assets/junction.xodr".into(),
        }],
        max_head_age: 600,
    };
    let challenges = ChallengeKey::new(&[3; 32]);
    let challenge = challenges.challenge(&policy.origin, std::array::from_fn(|_| 9), at(60));
    let shown = [paper.disclosures[4].as_str(), paper.disclosures[7].as_str()];
    let presentation = present(core, &paper.asset, &shown, &policy.origin, &challenge.nonce, at(5), &key(101)).unwrap();
    let answer = Answer { core: core.text.clone(), presentation, purpose: None };
    let known = Arc::new(Known::read(&Unverified::new(&core.text), &parties.documents, &mut trail()).unwrap());
    fuzz("gate answer", &[json!(answer).to_string().into_bytes()], |input| {
        let Ok(value) = parse_json(input, 1 << 18) else { return false };
        let Ok(read) = serde_json::from_value::<Answer>(value) else { return false };
        let fresh = Known::read(&Unverified::new(&read.core), &parties.documents, &mut trail());
        assert!(fresh.is_err() || read.core == answer.core, "a core that nobody signed");
        let recognised = recognise(&read, known.clone(), &policy, &challenges, at(6), &mut trail()).is_ok();
        assert!(!recognised || (&read.core, &read.presentation) == (&answer.core, &answer.presentation));
        recognised
    });
}

#[test]
fn a_proof_of_a_key_is_what_was_signed() {
    let url = "https://data.example/assets/junction.xodr";
    let about = Proven { method: "GET", url, token: Some("token") };
    let sign = |key: &SecretKey| Proof::make(key, &about, "one", at(0), Some("nonce")).unwrap();
    let proofs = [sign(&key(101)), sign(&SecretKey::ed25519(&[7; 32]).unwrap())];
    fuzz_signed("proof", &proofs, |text| Proof::verify(text, &about, at(5), &mut trail()).is_ok());
}

#[test]
fn a_request_that_a_proxy_asks_about_has_one_reading() {
    let paths = texts(&["/assets/junction.xodr?x=/..", "/assets/a%20b/c", "/"]);
    fuzz("forwarded path", &paths, |input| {
        let Some(Ok(path)) = text(input).map(one_reading) else { return false };
        let tidied = url::Url::parse("https://data.example").unwrap().join(path).unwrap();
        assert_eq!(
            (tidied.host_str(), tidied.path()),
            (Some("data.example"), path),
            "another server reads it otherwise"
        );
        true
    });
    let hosts = texts(&["data.example", "DATA.example:443"]);
    fuzz("forwarded host", &hosts, |input| {
        let held = text(input).filter(|host| of_origin("https://data.example", Some("https"), host).is_ok());
        assert!(held.is_none_or(|host| host.to_ascii_lowercase().starts_with("data.example")), "{held:?}");
        held.is_some()
    });
}

#[test]
fn a_directorys_files_stay_in_it() {
    let (one, other) = ("9f".repeat(32), "7c".repeat(32));
    let lists = [format!("{one}  a.xodr\n{other}  tiles/b c.bin\n"), format!("{one} *./ü\n")];
    fuzz("list of files", &texts(&lists.each_ref().map(String::as_str)), |input| {
        let Ok(sums) = Sums::read(input) else { return false };
        assert_eq!(Sums::read(sums.text().as_bytes()).as_ref(), Ok(&sums));
        for file in sums.files() {
            let plain = |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
            assert!(std::path::Path::new(&file.path).components().all(plain), "{:?}", file.path);
            let mut url = url::Url::parse("https://data.example/assets/tiles").unwrap();
            url.path_segments_mut().unwrap().extend(file.path.split('/'));
            assert_eq!(
                path_below(&url.path()["/assets/tiles".len()..]),
                Some(file.path),
                "the gate reads it otherwise"
            );
        }
        true
    });
}

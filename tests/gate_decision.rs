//! The gate's decision: an honest answer opens, and what differs from it in one respect is refused by that check.

mod support {
    pub mod gate_world;
}

use std::sync::Arc;

use countersign::check::{Check, Trail};
use countersign::credential::{Account, Core, RegistryUrn, Sighting, checks as credentials};
use countersign::encoding::{Digest, Timestamp};
use countersign::gate::{
    Answer, ByteRange, ChallengeKey, GatePolicy, Grant, GuardedAsset, Known, KnownCores, Listed, Receipt, Recognised,
    Usage, checks, recognise,
};
use countersign::identity::{Documents, SecretKey, Signer as _, Unverified, checks as signatures, sign_jws};
use countersign::policy::checks as terms;
use serde_json::{Value, json};
use support::gate_world::{Contract, RECORDER, REGISTRY, ScriptedChain, World, free, head, key, under};

const ORIGIN: &str = "https://data.example";
const SHOWN: [&str; 2] = ["asset", "terms"];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds).unwrap()
}

/// A gate and a contract that opens it.
struct Story {
    world: World,
    contract: Contract,
    policy: GatePolicy,
    challenges: ChallengeKey,
}

impl Story {
    fn new(permission: Value) -> Self {
        let world = World::at(at(0));
        let asset = world.asset(ORIGIN, b"roads");
        let guarded = GuardedAsset {
            id: asset.id.clone(),
            sha256: asset.sha256.clone(),
            media_type: asset.media_type.clone(),
            path: "/assets/junction".into(),
        };
        let policy = GatePolicy {
            origin: ORIGIN.into(),
            providers: vec![world.provider.did().clone()],
            registry: REGISTRY,
            recorders: vec![RECORDER],
            assets: vec![guarded],
            max_head_age: 600,
        };
        let contract = world.contract(1, asset, permission);
        Self { world, contract, policy, challenges: ChallengeKey::new(&[8; 32]) }
    }

    fn nonce(&self) -> String {
        self.challenges.challenge(ORIGIN, [1; 16], at(120)).nonce
    }

    fn answer(&self) -> Answer {
        self.contract.answer(ORIGIN, &self.nonce(), &SHOWN, at(0))
    }

    fn recognise(&self, answer: &Answer, now: Timestamp) -> Result<Recognised, &'static Check> {
        let mut trail = Trail::default();
        let known = Known::read(&Unverified::new(answer.core.as_str()), &Documents::default(), &mut trail);
        let known = Arc::new(known.map_err(|refusal| refusal.check)?);
        recognise(answer, known, &self.policy, &self.challenges, now, &mut trail).map_err(|refusal| refusal.check)
    }

    fn recorded(&self) -> (Sighting, Sighting) {
        let entry = self.contract.entry(90, at(-60));
        let finalised = self.contract.sighting(head(100, at(-30)), Some(entry.clone()));
        (finalised, self.contract.sighting(head(110, at(-2)), Some(entry)))
    }

    fn admit(&self, change: impl FnOnce(&mut Sighting, &mut Sighting)) -> Result<Grant, &'static Check> {
        self.admit_at(change, Usage::default(), None, at(0))
    }

    fn admit_at(
        &self,
        change: impl FnOnce(&mut Sighting, &mut Sighting),
        usage: Usage,
        purpose: Option<&str>,
        now: Timestamp,
    ) -> Result<Grant, &'static Check> {
        let recognised = self.recognise(&Answer { purpose: purpose.map(str::to_owned), ..self.answer() }, at(0))?;
        let (mut finalised, mut latest) = self.recorded();
        change(&mut finalised, &mut latest);
        let admitted = recognised.admit(&self.policy, &finalised, &latest, usage, now, &mut Trail::default());
        admitted.map_err(|refusal| refusal.check)
    }
}

#[test]
fn a_contract_opens_the_gate() {
    let story = Story::new(free());
    let grant = story.admit(|_, _| {}).unwrap();
    let claims = &story.contract.core.claims;
    assert_eq!((grant.core, grant.contract_id, grant.exp), (story.contract.core.hash, claims.contract_id, claims.exp));
    assert_eq!(grant.consumer_key, story.contract.key.public_key().thumbprint());
    assert!(!grant.counts_uses);
}

#[test]
fn a_challenge_is_this_gates_and_fresh() {
    let story = Story::new(free());
    let refused = |nonce: &str, now| {
        let answer = story.contract.answer(ORIGIN, nonce, &SHOWN, at(0));
        story.recognise(&answer, now).unwrap_err()
    };
    assert_eq!(refused(&story.nonce(), at(120)), &checks::CHALLENGE_EXPIRED);
    let elsewhere = ChallengeKey::new(&[9; 32]).challenge(ORIGIN, [1; 16], at(120)).nonce;
    let other_aud = story.challenges.challenge("https://other.example", [1; 16], at(120)).nonce;
    let later = story.challenges.challenge(ORIGIN, [1; 16], at(121)).nonce;
    let spliced = format!("{}{}", &later[..32], &story.nonce()[32..]);
    for nonce in [elsewhere.as_str(), &other_aud, &spliced, "bm9uY2Ugb2Ygbm9ib2R5", "", "*"] {
        assert_eq!(refused(nonce, at(0)), &checks::CHALLENGE_UNKNOWN, "{nonce}");
    }
}

#[test]
fn an_answer_is_a_fresh_presentation_by_the_contracts_own_key() {
    let story = Story::new(free());
    let refused = |answer: &Answer| story.recognise(answer, at(0)).unwrap_err();
    let nonce = story.nonce();
    let stranger = story.contract.answer_by(&key(9), ORIGIN, &nonce, &SHOWN, at(0));
    assert_eq!(refused(&stranger), &signatures::JWS_SIGNATURE);
    let other_gate = story.contract.answer(&story.world.gate.did().to_string(), &nonce, &SHOWN, at(0));
    assert_eq!(refused(&other_gate), &credentials::KB_AUD);
    let old = story.contract.answer(ORIGIN, &nonce, &SHOWN, at(-301));
    assert_eq!(refused(&old), &credentials::PRESENTATION_TIME);
    // The acceptance itself, sent as if it were a presentation.
    let core = story.contract.core.text.clone();
    let acceptance = Answer { core: core.clone(), presentation: core, purpose: None };
    assert_eq!(refused(&acceptance), &credentials::KB_AUD);
    let unbound = story.contract.core.issuer_jwt.clone() + "~";
    assert_eq!(refused(&Answer { presentation: unbound, ..story.answer() }), &credentials::KB_PRESENT);
    assert_eq!(refused(&Answer { core: "no core".into(), ..story.answer() }), &credentials::SD_FORM);
    let without = story.contract.answer(ORIGIN, &nonce, &["terms"], at(0));
    assert_eq!(refused(&without), &checks::ASSET_DISCLOSED);
    let without = story.contract.answer(ORIGIN, &nonce, &["asset"], at(0));
    assert_eq!(refused(&without), &checks::TERMS_DISCLOSED);
}

#[test]
fn a_core_that_was_changed_opens_nothing() {
    let story = Story::new(free());
    let core = &story.contract.core;
    // A letter in the middle of each signature.
    for at in [core.issuer_jwt.len() - 40, core.text.len() - 40] {
        let mut bytes = core.text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let answer = Answer { core: String::from_utf8(bytes).unwrap(), ..story.answer() };
        let check = story.recognise(&answer, self::at(0)).unwrap_err();
        assert!([&signatures::JWS_SIGNATURE, &signatures::JWS_CANONICAL].contains(&check), "{check}");
    }
    let other = story.world.contract(2, story.world.asset(ORIGIN, b"roads"), free());
    let swapped = Answer { core: other.core.text.clone(), ..story.answer() };
    assert_eq!(story.recognise(&swapped, self::at(0)).unwrap_err(), &credentials::PRESENTATION_FORM);
}

#[test]
fn the_contract_is_about_what_is_guarded_here() {
    let mut story = Story::new(free());
    let refused = |story: &Story| story.recognise(&story.answer(), at(0)).unwrap_err();
    let honest = story.policy.clone();
    type Change = fn(&mut GatePolicy);
    let changes: [(Change, &'static Check); 6] = [
        (|policy| policy.providers = vec![key(9).did().clone()], &checks::PROVIDER),
        (|policy| policy.assets[0].id = "urn:uuid:other".into(), &checks::ASSET_GUARDED),
        (|policy| policy.assets[0].sha256 = "00".repeat(32), &checks::ASSET_DIGEST),
        (|policy| policy.assets[0].path = "/assets/other".into(), &checks::ASSET_ENDPOINT),
        (|policy| policy.registry = RegistryUrn { chain_id: 1, ..REGISTRY }, &checks::REGISTRY),
        (|policy| policy.recorders = vec![Account([1; 20])], &checks::RECORDER),
    ];
    for (change, check) in changes {
        change(&mut story.policy);
        assert_eq!(refused(&story), check);
        story.policy = honest.clone();
    }
    story.policy.recorders.clear();
    assert!(story.recognise(&story.answer(), at(0)).is_ok());
}

#[test]
fn the_gate_opens_on_what_is_final() {
    let story = Story::new(free());
    let nothing = story.admit(|finalised, latest| (finalised.entry, latest.entry) = (None, None));
    assert_eq!(nothing.unwrap_err(), &credentials::RULE_MISSING);
    assert_eq!(story.admit(|finalised, _| finalised.entry = None).unwrap_err(), &checks::NOT_FINAL);
    let other = |_: &mut Sighting, latest: &mut Sighting| latest.entry.as_mut().unwrap().hash = Digest::of("other");
    let other_lately = story.admit(|finalised, latest| {
        finalised.entry = None;
        other(finalised, latest);
    });
    assert_eq!(other_lately.unwrap_err(), &credentials::RULE_MISSING);
    assert_eq!(story.admit(other).unwrap_err(), &checks::CHAIN_DISAGREEMENT);
    assert_eq!(story.admit(|_, latest| latest.entry = None).unwrap_err(), &checks::CHAIN_DISAGREEMENT);
    assert_eq!(story.admit(|_, latest| latest.head.number = 99).unwrap_err(), &checks::CHAIN_DISAGREEMENT);
    let late = story.admit(|finalised, _| finalised.entry.as_mut().unwrap().block_time = at(7201));
    assert_eq!(late.unwrap_err(), &credentials::RULE_TIME);
    let stale = story.admit(|finalised, _| finalised.head.time = at(-601));
    assert_eq!(stale.unwrap_err(), &checks::HEAD_STALE);
}

#[test]
fn the_gate_closes_on_what_is_newest() {
    let story = Story::new(free());
    let mark = Some(ScriptedChain::mark(105, at(-5)));
    assert_eq!(story.admit(|_, latest| latest.ended = mark).unwrap_err(), &credentials::FORCE_ENDED);
    assert_eq!(story.admit(|_, latest| latest.withdrawn = mark).unwrap_err(), &credentials::FORCE_WITHDRAWN);
    // An endpoint that lags must not open what is known to be shut.
    let mark = Some(ScriptedChain::mark(95, at(-50)));
    assert_eq!(story.admit(|finalised, _| finalised.ended = mark).unwrap_err(), &credentials::FORCE_ENDED);
    let exp = story.contract.core.claims.exp;
    let fresh = |finalised: &mut Sighting, _: &mut Sighting| finalised.head.time = exp;
    let expired = story.admit_at(fresh, Usage::default(), None, exp);
    assert_eq!(expired.unwrap_err(), &credentials::FORCE_EXPIRED);
    // A clock that lags behind the chain keeps nothing open.
    assert_eq!(story.admit(|_, latest| latest.head.time = exp).unwrap_err(), &credentials::FORCE_EXPIRED);
}

#[test]
fn the_terms_are_decided_or_refused() {
    let counted = Story::new(under("count", "lteq", json!(2)));
    let used = |uses| counted.admit_at(|_, _| {}, Usage { uses, first_use: None }, None, at(0));
    assert!(used(1).unwrap().counts_uses);
    assert_eq!(used(2).unwrap_err(), &terms::POLICY_CONSTRAINT);

    let purposeful = Story::new(under("purpose", "eq", json!("https://example.org/research")));
    let declared = |purpose| purposeful.admit_at(|_, _| {}, Usage::default(), purpose, at(0));
    assert!(declared(Some("https://example.org/research")).is_ok());
    assert_eq!(declared(Some("https://example.org/resale")).unwrap_err(), &terms::POLICY_CONSTRAINT);
    assert_eq!(declared(None).unwrap_err(), &terms::POLICY_UNDECIDABLE);

    let elapsing = Story::new(under("elapsedTime", "lteq", json!("P1D")));
    let since = |seconds| elapsing.admit_at(|_, _| {}, Usage { uses: 0, first_use: Some(at(seconds)) }, None, at(0));
    assert!(since(-3600).is_ok());
    assert_eq!(since(-86_401).unwrap_err(), &terms::POLICY_CONSTRAINT);

    let elsewhere = Story::new(under("spatial", "eq", json!("DE")));
    assert_eq!(elsewhere.admit(|_, _| {}).unwrap_err(), &terms::POLICY_UNDECIDABLE);
}

#[test]
fn a_known_core_is_found_by_its_whole_text_and_room_is_bounded() {
    let story = Story::new(free());
    let known = |contract: &Contract| {
        let text = Unverified::<Core>::new(contract.core.text.clone());
        Arc::new(Known::read(&text, &Documents::default(), &mut Trail::default()).unwrap())
    };
    let text = &story.contract.core.text;
    let mut cores = KnownCores::new(1);
    assert!(cores.find(text).is_none());
    cores.keep(known(&story.contract));
    assert!(cores.find(text).is_some());
    // The same acceptance under another offer is another core.
    assert!(cores.find(&text.replacen('e', "f", 1)).is_none());
    let other = story.world.contract(2, story.world.asset(ORIGIN, b"roads"), free());
    cores.keep(known(&other));
    assert!(cores.find(text).is_none() && cores.find(&other.core.text).is_some());
    // Another core than the answer's is never taken for it.
    let swapped =
        recognise(&story.answer(), known(&other), &story.policy, &story.challenges, at(0), &mut Trail::default());
    assert_eq!(swapped.unwrap_err().check, &credentials::CORE_FORM);
}

#[test]
fn what_was_shown_before_is_not_believed_without_a_fresh_signature() {
    let story = Story::new(free());
    let text = Unverified::<Core>::new(story.contract.core.text.clone());
    let known = Arc::new(Known::read(&text, &Documents::default(), &mut Trail::default()).unwrap());
    let judge = |answer: &Answer, now| {
        let known = Arc::clone(&known);
        let recognised = recognise(answer, known, &story.policy, &story.challenges, now, &mut Trail::default());
        recognised.map(|recognised| recognised.shown).map_err(|refusal| refusal.check)
    };
    let nonce = story.nonce();
    let shown = judge(&story.answer(), at(0)).unwrap();
    assert!(Arc::ptr_eq(&judge(&story.answer(), at(0)).unwrap(), &shown));
    let by = |key: &SecretKey, aud: &str, nonce: &str| {
        judge(&story.contract.answer_by(key, aud, nonce, &SHOWN, at(0)), at(0)).unwrap_err()
    };
    let own = &story.contract.key;
    assert_eq!(by(&key(9), ORIGIN, &nonce), &signatures::JWS_SIGNATURE);
    assert_eq!(by(own, "https://other.example", &nonce), &credentials::KB_AUD);
    assert_eq!(by(own, ORIGIN, "another"), &checks::CHALLENGE_UNKNOWN);
    assert_eq!(judge(&story.answer(), at(361)).unwrap_err(), &credentials::PRESENTATION_TIME);
    let unbound = story.answer().presentation.rsplit_once('~').unwrap().0.to_owned() + "~";
    let unbound = Answer { presentation: unbound, ..story.answer() };
    assert_eq!(judge(&unbound, at(0)).unwrap_err(), &credentials::KB_PRESENT);
    // Something else is shown: read anew, and held to what has to be there.
    let more = story.contract.answer(ORIGIN, &nonce, &["asset", "terms", "price"], at(0));
    assert_eq!(judge(&more, at(0)).unwrap().asset, shown.asset);
    let less = story.contract.answer(ORIGIN, &nonce, &["asset"], at(0));
    assert_eq!(judge(&less, at(0)).unwrap_err(), &checks::TERMS_DISCLOSED);
}

#[test]
fn a_receipt_is_the_gates_word_about_one_delivery() {
    let gate = key(5);
    let core = Digest::of("core");
    let honest = Receipt {
        iss: gate.did().clone(),
        core_sha256: core.b64u(),
        asset_sha256: "9f".repeat(32),
        bytes: 100,
        part: Some(Listed { path: "tiles/a.bin".into(), sha256: "7c".repeat(32) }),
        range: Some(ByteRange { first: 0, last: 99 }),
        from: at(0),
        to: at(1),
    };
    let verify = |text: &str| {
        let verified = Receipt::verify(text, gate.did(), &core, &Documents::default(), &mut Trail::default());
        verified.map(countersign::identity::Verified::into_inner).map_err(|refusal| refusal.check)
    };
    assert_eq!(verify(&honest.sign(&gate).unwrap()), Ok(honest.clone()));
    let changes: [fn(&mut Receipt); 6] = [
        |receipt| receipt.iss = key(9).did().clone(),
        |receipt| receipt.core_sha256 = Digest::of("other").b64u(),
        |receipt| receipt.bytes = 99,
        |receipt| receipt.to = at(-1),
        |receipt| receipt.part.as_mut().unwrap().path = "../a".into(),
        |receipt| receipt.part.as_mut().unwrap().sha256 = "7C".repeat(32),
    ];
    for change in changes {
        let mut receipt = honest.clone();
        change(&mut receipt);
        assert_eq!(verify(&receipt.sign(&gate).unwrap()), Err(&checks::RECEIPT_CLAIMS));
    }
    let other_kind = sign_jws(&gate, "countersign-entry+jwt", true, json!(honest).to_string().as_bytes()).unwrap();
    assert_eq!(verify(&other_kind), Err(&signatures::JWS_TYP));
    for range in ["bytes=5-2", "bytes=-5", "0-99", "bytes=00-99"] {
        let mut claims = json!(honest);
        claims["range"] = range.into();
        let text = sign_jws(&gate, "countersign-receipt+jwt", true, claims.to_string().as_bytes()).unwrap();
        assert_eq!(verify(&text), Err(&checks::RECEIPT_CLAIMS), "{range}");
    }
    let whole = Receipt { part: None, range: None, bytes: 48_211, ..honest };
    assert_eq!(verify(&whole.sign(&gate).unwrap()), Ok(whole));
}

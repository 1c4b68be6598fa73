//! What the gate's check costs beside the bare signature verifications that it consists of; the store is left out.
//!
//! Warm: the core was verified before, one signature remains. Cold: three signatures. A ratio is the time of the bare
//! verifications by that of the check: 1 would be a check for nothing.

#[path = "../tests/support/gate_world.rs"]
mod gate_world;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::check::Trail;
use countersign::credential::Sighting;
use countersign::encoding::{Timestamp, decode};
use countersign::gate::{Answer, ChallengeKey, GatePolicy, Grant, GuardedAsset, Known, KnownCores, Usage, recognise};
use countersign::identity::{DidDocument, Documents, PublicKey, Signer as _, Unverified};
use gate_world::{RECORDER, REGISTRY, World, head, under};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

const ORIGIN: &str = "https://data.example";
const ROUNDS: usize = 60;
const BATCH: u32 = 50;

struct Gate {
    policy: GatePolicy,
    challenges: ChallengeKey,
    answer: Answer,
    finalised: Sighting,
    latest: Sighting,
    now: Timestamp,
}

impl Gate {
    fn admit(&self, known: Arc<Known>, trail: &mut Trail) -> Grant {
        let recognised = recognise(&self.answer, known, &self.policy, &self.challenges, self.now, trail).unwrap();
        let usage = Usage { uses: 1, first_use: Some(self.now) };
        recognised.admit(&self.policy, &self.finalised, &self.latest, usage, self.now, trail).unwrap()
    }

    fn warm(&self, cores: &KnownCores) -> Grant {
        self.admit(cores.find(&self.answer.core).unwrap(), &mut Trail::default())
    }

    fn cold(&self, documents: &Documents) -> Grant {
        let mut trail = Trail::default();
        let known = Known::read(&Unverified::new(self.answer.core.as_str()), documents, &mut trail).unwrap();
        self.admit(Arc::new(known), &mut trail)
    }
}

/// A signature as the library takes it.
struct Bare {
    key: [u8; 65],
    message: String,
    signature: Vec<u8>,
}

impl Bare {
    fn new(jws: &str, key: &PublicKey) -> Self {
        let PublicKey::P256(key) = key else { panic!("the contract's keys are P-256") };
        let (message, signature) = jws.rsplit_once('.').unwrap();
        Self { key: *key, message: message.to_owned(), signature: decode(signature).unwrap() }
    }

    fn verify(&self) {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, black_box(&self.key));
        key.verify(self.message.as_bytes(), &self.signature).unwrap();
    }
}

fn time(run: impl Fn()) -> Duration {
    let start = Instant::now();
    for _ in 0..BATCH {
        run();
    }
    start.elapsed() / BATCH
}

fn main() {
    let now = Timestamp::from_seconds(1_800_000_000).unwrap();
    let world = World::at(now);
    let asset = world.asset(ORIGIN, b"roads");
    let guarded = GuardedAsset {
        id: asset.id.clone(),
        sha256: asset.sha256.clone(),
        media_type: asset.media_type.clone(),
        path: "/assets/junction".into(),
    };
    let contract = world.contract(1, asset, under("count", "lteq", 10.into()));
    let challenges = ChallengeKey::new(&[8; 32]);
    let nonce = challenges.challenge(ORIGIN, [1; 16], now.plus(120)).nonce;
    let entry = contract.entry(90, now.plus(-60));
    let gate = Gate {
        policy: GatePolicy {
            origin: ORIGIN.into(),
            providers: vec![world.provider.did().clone()],
            registry: REGISTRY,
            recorders: vec![RECORDER],
            assets: vec![guarded],
            max_head_age: 600,
        },
        challenges,
        answer: contract.answer(ORIGIN, &nonce, &["asset", "terms"], now),
        finalised: contract.sighting(head(100, now.plus(-30)), Some(entry.clone())),
        latest: contract.sighting(head(110, now), Some(entry)),
        now,
    };
    // As a gate holds its providers' documents.
    let mut documents = Documents::default();
    documents.insert(DidDocument::of_key_did(world.provider.did()).unwrap());
    let mut cores = KnownCores::new(16);
    let known = Known::read(&Unverified::new(gate.answer.core.as_str()), &documents, &mut Trail::default());
    cores.keep(Arc::new(known.unwrap()));
    gate.warm(&cores);

    let (_, kb_jwt) = gate.answer.presentation.rsplit_once('~').unwrap();
    let one = Bare::new(kb_jwt, contract.key.public_key());
    let issuer = Bare::new(&contract.core.issuer_jwt, world.provider.public_key());
    let acceptance = Bare::new(&contract.core.acceptance.text, contract.key.public_key());
    let all = [&issuer, &acceptance, &one];

    // Side by side in short batches, the best of each: other work on the machine hits all alike.
    let mut best = [Duration::MAX; 4];
    for _ in 0..ROUNDS {
        let times = [
            time(|| one.verify()),
            time(|| drop(black_box(gate.warm(black_box(&cores))))),
            time(|| all.iter().for_each(|bare| bare.verify())),
            time(|| drop(black_box(gate.cold(black_box(&documents))))),
        ];
        for (best, time) in best.iter_mut().zip(times) {
            *best = time.min(*best);
        }
    }
    let [one, warm, all, cold] = best;
    println!("bare, one signature: {one:?}; gate, warm: {warm:?}");
    println!("bare, all signatures: {all:?}; gate, cold: {cold:?}");
    println!("gate warm of bare verify: {:.2}", one.as_secs_f64() / warm.as_secs_f64());
    println!("gate cold of bare verify: {:.2}", all.as_secs_f64() / cold.as_secs_f64());
}

//! Members by hand: keys from seeds, credentials of an operator, and a courier that keeps what it should post.

#![allow(dead_code)]

use std::sync::Mutex;

use async_trait::async_trait;
use countersign::credential::{Admission, LegalId, Participant};
use countersign::encoding::Timestamp;
use countersign::identity::{SecretKey, Signer as _};
use countersign::inbox::AgreementKey;
use countersign::node::{Courier, NotDelivered};

pub fn key(seed: u8) -> SecretKey {
    SecretKey::p256(&[seed; 32]).unwrap()
}

pub fn agreement(seed: u8) -> AgreementKey {
    AgreementKey::of_did_key(&key(seed)).unwrap()
}

/// Keeps what would have been posted, instead of posting it.
#[derive(Default)]
pub struct Bag(pub Mutex<Vec<Vec<u8>>>);

#[async_trait]
impl Courier for Bag {
    async fn deliver(&self, _inbox: &str, envelope: Vec<u8>) -> Result<(), NotDelivered> {
        self.0.lock().unwrap().push(envelope);
        Ok(())
    }
}

/// A participant credential that `operator` signs for `member` and its recorders, good for an hour.
pub fn credential(member: &SecretKey, operator: &SecretKey, recorders: Vec<String>, now: Timestamp) -> String {
    let admission = Admission {
        did: member.did().clone(),
        legal_name: "Member".into(),
        legal_id: LegalId { scheme: "LEI".into(), value: "529900T8BM49AURSDO55".into() },
        country: "DE".into(),
        keys: vec![member.public_key().thumbprint()],
        recorders,
        iat: now,
        nbf: now.plus(-60),
        exp: now.plus(3600),
    };
    Participant::admit(&admission, operator).unwrap()
}

//! PyPI `didcomm` opens what is sealed here and the other way round.
//!
//! Needs a Python that has `interop/didcomm/requirements.txt` installed:
//! `COUNTERSIGN_PYTHON_DIDCOMM=<its python> cargo test --test interop_didcomm -- --ignored`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use countersign::check::Trail;
use countersign::encoding::{Timestamp, encode};
use countersign::identity::{Documents, SecretKey, Signer as _};
use countersign::inbox::{
    AgreementKey, AgreementSecret, Attachment, Contents, Curve, MAX_ENVELOPE, Message, Sealed, agreement_keys_of, seal,
};
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;

struct Party {
    signing: SecretKey,
    agreement: Vec<(AgreementKey, [u8; 32])>,
}

impl Party {
    /// A did:key with the key agreement key that follows from it, and one that was made beside it.
    fn new(curve: Curve, secret: [u8; 32]) -> Self {
        let (signing, scalar) = match curve {
            Curve::X25519 => {
                let key = ed25519_dalek::SigningKey::from_bytes(&secret);
                (SecretKey::ed25519(&secret).unwrap(), key.to_scalar_bytes())
            }
            Curve::P256 => (SecretKey::p256(&secret).unwrap(), secret),
        };
        let beside = [secret[0] ^ 0x55; 32];
        let second = AgreementKey::beside(signing.did(), AgreementSecret::new(curve, &beside).unwrap());
        let agreement = vec![(AgreementKey::of_did_key(&signing).unwrap(), scalar), (second, beside)];
        Self { signing, agreement }
    }

    /// As `run.py` takes it; secrets go only to the side that plays this party.
    fn json(&self, with_secrets: bool) -> Value {
        let key = |kid: Value, jwk: Value, secret: &[u8; 32]| {
            let mut key = json!({ "kid": kid, "jwk": jwk });
            if with_secrets {
                key["jwk"]["d"] = encode(secret).into();
            }
            key
        };
        let agreement: Vec<Value> = self
            .agreement
            .iter()
            .map(|(agreed, secret)| key(json!(agreed.kid()), json!(agreed.public().jwk), secret))
            .collect();
        json!({
            "did": self.signing.did(),
            "signing": [key(json!(self.signing.kid()), json!(self.signing.public_key().jwk()), &self.signing.secret())],
            "agreement": agreement,
        })
    }
}

fn message(from: &Party, to: &Party) -> Message {
    Message {
        id: "5c1e6c2a-0d5b-4c55-9a53-1f3d6f6a6c11".into(),
        kind: "urn:countersign:negotiation/1.0/offer".into(),
        from: from.signing.did().clone(),
        to: vec![to.signing.did().clone()],
        thid: Some("urn:uuid:0b0e2d3c-6f5a-4a52-9d0e-0c8f6a4f4e11".into()),
        created_time: Some(Timestamp::from_seconds(NOW).unwrap()),
        pthid: None,
        expires_time: Some(Timestamp::from_seconds(NOW + 60).unwrap()),
        body: json!({ "providerPid": "urn:uuid:1", "note": "für Ørsted — 契約" }),
        attachments: vec![Attachment {
            id: "offer".into(),
            media_type: Some("application/dc+sd-jwt".into()),
            text: "a.b.c~ü~".into(),
        }],
    }
}

fn run(python: &str, request: &Value) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/didcomm/run.py");
    let mut child =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
    child.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "run.py failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
#[ignore = "needs COUNTERSIGN_PYTHON_DIDCOMM, a Python with interop/didcomm/requirements.txt"]
fn both_directions_with_pypi_didcomm() {
    let Ok(python) = std::env::var("COUNTERSIGN_PYTHON_DIDCOMM") else {
        // Past the test runner's capture: a run that tested nothing has to be seen.
        let _ = writeln!(std::io::stderr(), "SKIPPED, nothing was tested: COUNTERSIGN_PYTHON_DIDCOMM is not set");
        return;
    };
    let parties = [Party::new(Curve::X25519, [11; 32]), Party::new(Curve::P256, [12; 32])];
    let mut draws = 0_u8;
    let mut random = |buffer: &mut [u8]| {
        draws += 1;
        buffer.fill(draws);
    };

    let (mut open, mut seal_there, mut sent, mut expected) = (vec![], vec![], vec![], vec![]);
    for (sender, recipient) in [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(s, r)| (&parties[s], &parties[r])) {
        let message = message(sender, recipient);
        let recipients: Vec<_> = recipient.agreement.iter().map(|(key, _)| key.public()).collect();
        let envelope = seal(&message, &sender.signing, &recipients, &mut random).unwrap();
        let mut reader = recipient.json(true);
        // The second recipient key alone has to open it.
        reader["agreement"][0]["jwk"].as_object_mut().unwrap().remove("d");
        open.push(json!({
            "envelope": String::from_utf8(envelope).unwrap(), "recipient": reader, "sender": sender.json(false),
        }));

        let mut case = json!({
            "message": serde_json::from_str::<Value>(&message.write().unwrap()).unwrap(),
            "sender": sender.json(true), "recipient": recipient.json(false), "own": recipient.json(true)["agreement"],
        });
        let es256 = matches!(sender.signing.public_key(), countersign::identity::PublicKey::P256(_));
        let canonical = if es256 { "low" } else { "any" };
        let mut variants = vec![
            ("A256CBC-HS512", canonical, None),
            ("A256GCM", canonical, None),
            ("XC20P", "any", Some("inbox.envelope.enc")),
        ];
        if es256 {
            variants.push(("A256CBC-HS512", "high", Some("jws.signature.canonical")));
        }
        for (enc, s, refused) in variants {
            (case["enc"], case["s"]) = (enc.into(), s.into());
            seal_there.push(case.clone());
            expected.push((recipient, message.clone(), refused));
        }
        sent.push((sender, recipient, message));
    }
    // Authcrypt over a signed message, what this stack sends by default, where both keys are of one curve.
    for place in [0, 6] {
        let mut authcrypt = seal_there[place].clone();
        authcrypt["authcrypt"] = true.into();
        seal_there.push(authcrypt);
        let (recipient, message, _) = expected[place].clone();
        expected.push((recipient, message, None));
    }

    let answer = run(&python, &json!({ "open": open, "seal": seal_there }));

    for ((sender, recipient, message), opened) in sent.iter().zip(answer["opened"].as_array().unwrap()) {
        assert_eq!(opened["signed_by"], json!(sender.signing.kid()));
        assert_eq!(opened["enc"], "A256CBC-HS512");
        let kids: Vec<_> = recipient.agreement.iter().map(|(key, _)| json!(key.kid())).collect();
        assert_eq!(opened["sealed_for"], json!(kids));
        assert_eq!(&Message::read(opened["message"].to_string().as_bytes()).unwrap(), message);
    }
    let sealed = answer["sealed"].as_array().unwrap();
    assert_eq!((answer["opened"].as_array().unwrap().len(), sealed.len()), (4, expected.len()));
    for ((recipient, message, refused), envelope) in expected.iter().zip(sealed) {
        let (own, now) = (recipient.signing.did(), Timestamp::from_seconds(NOW).unwrap());
        let keys = parties.each_ref().map(|party| AgreementKey::of_did_key(&party.signing).unwrap());
        let read = Sealed::read(envelope.as_str().unwrap().as_bytes(), MAX_ENVELOPE).and_then(|sealed| {
            let senders = sealed.sender().map(|skid| agreement_keys_of(skid.did()).unwrap().remove(0));
            match sealed.open(&keys, senders.as_ref())? {
                Contents::Signed(opened) => opened.verify(own, &Documents::default(), now, &mut Trail::default()),
                other => panic!("{other:?}"),
            }
        });
        match (read, refused) {
            (Ok(read), None) => assert_eq!(&*read, message),
            (Err(refusal), Some(id)) => assert_eq!(refusal.check.id(), *id),
            (read, refused) => panic!("{read:?}, expected {refused:?}"),
        }
    }
    let counts = format!("didcomm opened {}, sealed {}", sent.len(), expected.len());
    let _ = writeln!(std::io::stderr(), "{counts}");
}

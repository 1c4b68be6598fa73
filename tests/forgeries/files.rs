//! Contract files: what stands around the core.

use countersign::encoding::{Digest, Timestamp};
use serde_json::json;

use super::{Forgery, forgery, hold, reader};
use crate::forge::{OFFERED, Token, Who};

pub(super) const FORGERIES: &[Forgery] = &[
    forgery("file.form", "the file is of a later format", reader, |forge| {
        forge.file = Some(|file| file["format"] = "countersign-contract-2".into());
    }),
    forgery("file.form", "a third participant joins", reader, |forge| {
        forge.file = Some(|file| {
            let third = file["participants"][0].clone();
            file["participants"].as_array_mut().unwrap().push(third);
        });
    }),
    forgery("file.contract", "the file is about another contract", reader, |forge| {
        forge.file = Some(|file| file["contract_id"] = "urn:uuid:5ad1a3a8-1b7b-4f0a-8a36-0f4f4f9d0002".into());
    }),
    forgery("file.disclosures", "the disclosures stand in another order", reader, |forge| {
        forge.file = Some(|file| file["disclosures"].as_array_mut().unwrap().swap(0, 8));
    }),
    forgery("entry.chain", "the stated entry is of another chain", reader, |forge| {
        forge.entry = Some(|entry| entry["chain_id"] = 1.into());
    }),
    forgery("entry.registry", "the stated entry is of another registry", reader, |forge| {
        forge.entry = Some(|entry| entry["registry"] = format!("0x{}", "01".repeat(20)).into());
    }),
    forgery("entry.recorder", "the stated entry is another's", reader, |forge| {
        forge.entry = Some(|entry| entry["recorder"] = format!("0x{}", "01".repeat(20)).into());
    }),
    forgery("entry.hash", "the stated entry is of another core", reader, |forge| {
        forge.entry = Some(|entry| entry["hash"] = Digest::of("another core").hex().into());
    }),
    forgery("entry.time", "the stated entry came a second after record_by", reader, |forge| {
        forge.entry = Some(|entry| {
            entry["block_time"] = Timestamp::from_seconds(OFFERED + 7201).unwrap().rfc3339().into();
        });
    }),
    forgery("acknowledgement.claims", "the consumer's word says more than it may", reader, |forge| {
        forge.consumer_word = Some(|token| token.claims["provided"] = "nothing changes".into());
    }),
    forgery("acknowledgement.claims", "the provider's word comes first", reader, |forge| {
        forge.file = Some(|file| file["acknowledgements"].as_array_mut().unwrap().swap(0, 1));
    }),
    forgery("acknowledgement.entry", "the consumer saw another block", reader, |forge| {
        forge.consumer_word = Some(|token| token.claims["block"] = 101.into());
    }),
    forgery("acknowledgement.entry", "the provider saw another core", reader, |forge| {
        forge.provider_word = Some(|token| token.claims["core_sha256"] = Digest::of("another").b64u().into());
    }),
    forgery("file.acknowledgements", "there is a third word", reader, |forge| {
        forge.file = Some(|file| {
            let third = file["acknowledgements"][1].clone();
            file["acknowledgements"].as_array_mut().unwrap().push(third);
        });
    }),
    forgery("file.history", "a message is a stranger's", reader, |forge| {
        forge.message = Some(|token| {
            token.claims["from"] = json!(Who::Stranger.did());
            token.header["kid"] = json!(Who::Stranger.kid());
            token.by = Who::Stranger;
        });
    }),
    forgery("file.history", "the provider signs a message in the consumer's name", reader, |forge| {
        forge.message = Some(|token| token.claims["from"] = json!(Who::Consumer.did()));
    }),
    forgery("file.history", "a message names two keys", reader, |forge| {
        forge.file = Some(|file| {
            let compact = file["history"][0].as_str().unwrap().to_owned();
            let parts: Vec<&str> = compact.split('.').collect();
            let signature = json!({
                "protected": parts[0], "signature": parts[2], "header": {"kid": Who::Consumer.kid()},
            });
            file["history"][0] = json!({"payload": parts[1], "signatures": [signature]});
        });
    }),
];

#[test]
fn a_file_that_says_otherwise_is_refused() {
    hold(FORGERIES);
}

#[test]
fn a_message_is_kept_as_it_came_out_of_its_envelope() {
    let world = crate::forge::World::default();
    let changes = crate::forge::Changes {
        file: Some(|file| {
            let claims = json!({"from": Who::Consumer.did(), "body": {}});
            let text = Token::new("application/didcomm-signed+json", Who::Consumer, claims).text();
            let parts: Vec<&str> = text.split('.').collect();
            let signature = json!({
                "protected": parts[0], "signature": parts[2], "header": {"kid": Who::Consumer.kid()},
            });
            let general = json!({"payload": parts[1], "signatures": [signature]});
            file["history"].as_array_mut().unwrap().push(general);
        }),
        ..Default::default()
    };
    reader(&world, &world.make(&changes)).unwrap();
}

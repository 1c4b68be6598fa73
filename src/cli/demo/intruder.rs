//! What somebody without a contract can make: everything but the signatures that count.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::town::{ASSET, ASSET_ID, PURCHASE, Town, sha256_hex};
use crate::check::Trail;
use crate::credential::{
    Admission, ApprovedTemplate, Asset, ChainTrust, Contents, ContractId, Core, Draft, KeyStatement, LegalId, Offer,
    Papers, Participant, Party, Trust, accept, offer, present,
};
use crate::encoding::Digest;
use crate::identity::{Documents, SecretKey, Signer as _, Unverified, sign_jws};
use crate::node::{Registry as _, chance};
use crate::policy::{Blanks, Money, Template};
use crate::registry::{self, Client, ClientConfig};

fn key() -> Result<SecretKey> {
    SecretKey::p256(&chance::random()?).context("a random number that is no key")
}

/// Presents another's contract with a key of its own.
pub async fn present_anothers(town: &Town, file: &Value) -> Result<Value> {
    let challenge = town.gate_calls.challenge().await?;
    let core = file["core"].as_str().context("the contract file has no core")?;
    let issuer_jwt = core.split('~').next().unwrap_or_default();
    let text = |index: usize| file["disclosures"][index].as_str().unwrap_or_default();
    let shown = format!("{issuer_jwt}~{}~{}~", text(4), text(7));
    let claims = json!({
        "iat": chance::now()?.seconds(), "aud": challenge["aud"], "nonce": challenge["nonce"],
        "sd_hash": Digest::of(&shown).b64u(),
    });
    let signed = sign_jws(&key()?, "kb+jwt", false, claims.to_string().as_bytes())?;
    Ok(json!({ "core": core, "presentation": format!("{shown}{signed}") }))
}

/// Makes a contract with itself, records it in the registry from its own account, and presents it.
pub async fn record_own(town: &Town) -> Result<Value> {
    let (provider, consumer, contract_key, now) = (key()?, key()?, key()?, chance::now()?);
    let recorder = registry::account_of(&town.intruder_key)?;
    let urn = town.registry.urn;
    let admit = |member: &SecretKey, recorders: Vec<String>| {
        let admission = Admission {
            did: member.did().clone(),
            legal_name: "Mallory".into(),
            legal_id: LegalId { scheme: "LEI".into(), value: "000000000000000000".into() },
            country: "DE".into(),
            keys: vec![member.public_key().thumbprint()],
            recorders,
            iat: now,
            nbf: now,
            exp: now.plus(3600),
        };
        Participant::admit(&admission, &provider)
    };
    let provider_paper = admit(&provider, vec![format!("eip155:{}:{recorder}", urn.chain_id)])?;
    let consumer_paper = admit(&consumer, vec![])?;
    let approval = ApprovedTemplate::approve(PURCHASE.as_bytes(), &provider)?;
    let template = Template::parse(PURCHASE.as_bytes())?;
    let contract_id = ContractId(chance::uuid()?);
    let id = contract_id.to_string();
    let blanks = Blanks { asset: ASSET_ID, provider: provider.did(), consumer: consumer.did(), contract_id: &id };
    let price: Money = serde_json::from_value(json!({ "amount": "0.00", "currency": "EUR" }))?;
    let asset = Asset {
        id: ASSET_ID.into(),
        title: "Motorway junction, OpenDRIVE".into(),
        media_type: "application/xml".into(),
        sha256: sha256_hex(ASSET),
        size: Some(ASSET.len() as u64),
        version: None,
        endpoint: town.endpoint.clone(),
    };
    let statement = KeyStatement::state(
        &consumer,
        provider.did(),
        "urn:uuid:mallory",
        contract_key.public_key(),
        now,
        now.plus(3600),
    )?;
    let party = |did, paper: &str| Party { did, participant: Digest::of(paper).b64u() };
    let draft = Draft {
        iat: now,
        exp: now.plus(7200),
        consumer_key: contract_key.public_key().jwk(),
        contract_id,
        negotiation_nonce: chance::nonce()?,
        accept_by: now.plus(600),
        record_by: now.plus(1200),
        registry: urn,
        recorder,
        template_id: template.id.clone(),
        template_hash: Digest::of(PURCHASE).b64u(),
        contents: Contents {
            provider: party(provider.did().clone(), &provider_paper),
            consumer: party(consumer.did().clone(), &consumer_paper),
            promisor: provider.did().clone(),
            promisee: consumer.did().clone(),
            asset: asset.clone(),
            fee: template.fee(&price)?,
            price,
            terms: template.fill(&blanks, &BTreeMap::from([("uses".to_owned(), json!(3))]))?,
            consumer_key_statement: statement,
        },
    };
    let mut salts = [[0; 16]; 9];
    for salt in &mut salts {
        chance::fill(salt)?;
    }
    let text = offer(&draft, &salts, &provider)?;
    // In a world of its own, where it is its own operator, all of this is in order.
    let trust = Trust {
        operators: vec![provider.did().clone()],
        pinned: vec![],
        keys: vec![],
        chains: vec![ChainTrust {
            chain_id: urn.chain_id,
            registry: urn.address,
            code_hash: town.registry.code_hash,
            rpc: vec![],
        }],
    };
    let (documents, mut trail) = (Documents::default(), Trail::default());
    let papers = Papers {
        provider: &Unverified::new(provider_paper),
        consumer: &Unverified::new(consumer_paper),
        approval: &Unverified::new(approval),
        trust: &trust,
        documents: &documents,
    };
    let made = Offer::verify(&Unverified::new(text), &papers, now, &mut trail)?;
    let acceptance = accept(&made, None, &contract_key, now)?;
    let core = Core::read(&Core::join(&made, &acceptance), &documents, &mut trail)?;
    let mut config = ClientConfig::new(urn, vec![town.rpc.clone()]);
    config.recorder_key = Some(town.intruder_key.clone());
    Client::connect(config).await?.record(contract_id, core.hash).await?;

    let challenge = town.gate_calls.challenge().await?;
    let shown = [made.disclosures[4].as_str(), made.disclosures[7].as_str()];
    let text = |name: &str| challenge[name].as_str().unwrap_or_default();
    let presentation = present(&core, &asset, &shown, text("aud"), text("nonce"), chance::now()?, &contract_key)?;
    Ok(json!({ "core": core.text, "presentation": presentation }))
}

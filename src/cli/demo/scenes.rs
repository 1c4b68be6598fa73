//! The story: what is negotiated, downloaded, refused and audited.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::super::calls::Fetched;
use super::super::calls::Said;
use super::evidence::{ChainFacts, Evidence, GateFacts, Granted, NegotiationFacts, Parties};
use super::refusals;
use super::tell::{Teller, short};
use super::town::{ASSET, ASSET_ID, LICENCE, Party, Town, sha256_hex};
use crate::credential::{ContractFile, proven};
use crate::identity::Documents;
use crate::node::{Depth, Registry as _, chance};
use crate::registry::{Client, ClientConfig};

/// The longest that one step may take.
const PATIENCE: Duration = Duration::from_secs(60);
const PURPOSE: &str = "urn:countersign:purpose:simulation";

/// One negotiation, as both sides file it.
pub struct Pair {
    pub provider: String,
    pub consumer: String,
}

/// Plays every scene; an error where one cannot go on.
pub async fn play(town: &Town, tell: &Teller) -> Result<Evidence> {
    let mut gate = GateFacts::default();
    let mut faults = Vec::new();

    tell.chapter("The consumer asks for the catalog, through the encrypted inbox");
    find(town, tell).await?;

    tell.chapter("A negotiation that its provider will never record (it waits for a confirmation that nobody gives)");
    let lapsing = negotiate(
        town,
        tell,
        &json!({
            "price": { "amount": "25000.00", "currency": "EUR" }, "accept_within": 10, "record_within": 12,
        }),
    )
    .await?;
    accept(town, tell, &lapsing).await?;

    tell.chapter("One contract, from request to access");
    let first = negotiate(town, tell, &json!({})).await?;
    accept(town, tell, &first).await?;
    reach(town, tell, &first, &town.provider, "AGREED").await?;
    gate.refused.push(refusals::not_final(town, tell, &first).await?);
    finish(town, tell, &first).await?;
    let file = contract(town, &first).await?;
    let (granted, used) = download(town, tell, &file, None).await?;
    gate.granted.push(granted);

    tell.chapter("Another negotiation is cancelled by the consumer");
    let cancelled = negotiate(town, tell, &json!({})).await?;
    let why = json!({ "reason": "the project was stopped" });
    town.consumer.desk.post(&format!("/api/negotiations/{}/cancel", cancelled.consumer), &why).await?;
    reach(town, tell, &cancelled, &town.consumer, "TERMINATED").await?;
    reach(town, tell, &cancelled, &town.provider, "TERMINATED").await?;

    tell.chapter("A second contract: a licence for a purpose, its fee a percentage, offered by hand");
    let licence: Value = serde_json::from_str(LICENCE)?;
    let now = chance::now()?;
    let second = negotiate(
        town,
        tell,
        &json!({
            "template": licence["id"], "price": { "amount": "999.80", "currency": "EUR" },
            "parameters": { "from": now.rfc3339(), "until": now.plus(30 * 24 * 3600).rfc3339(), "purpose": PURPOSE },
        }),
    )
    .await?;
    accept(town, tell, &second).await?;
    reach(town, tell, &second, &town.provider, "AGREED").await?;
    finish(town, tell, &second).await?;
    let second_file = contract(town, &second).await?;
    let (granted, _) = download(town, tell, &second_file, Some(PURPOSE)).await?;
    gate.granted.push(granted);

    tell.chapter("Everything that must not work");
    gate.refused.push(refusals::stranger(town, tell, &file).await?);
    gate.refused.push(refusals::no_credential(town, tell).await?);
    gate.refused.push(refusals::tampered(town, tell, &file).await?);
    gate.refused.push(refusals::replayed(town, tell, &used).await?);
    gate.refused.extend(refusals::ended(town, tell, &second_file, PURPOSE).await?);

    tell.chapter("The record that never came");
    reach(town, tell, &lapsing, &town.consumer, "TERMINATED").await?;
    reach(town, tell, &lapsing, &town.provider, "TERMINATED").await?;
    gate.refused.push(refusals::no_entry(town, tell, &lapsing).await?);
    for pair in [&cancelled, &lapsing] {
        nothing_on_chain(town, tell, pair).await?;
    }

    tell.chapter("The operator audits the fees");
    let audit = audit(town, tell, &[&file, &second_file], &mut faults).await?;

    tell.chapter("What is left");
    let mut negotiations = Vec::new();
    for (pair, ended_as) in
        [(&lapsing, "TERMINATED"), (&first, "FINALIZED"), (&cancelled, "TERMINATED"), (&second, "FINALIZED")]
    {
        negotiations.push(facts(town, pair, ended_as, &mut faults).await?);
    }
    for case in ["stranger", "no-entry", "no-credential", "not-final", "tampered", "replayed", "ended"] {
        if !gate.refused.iter().any(|refused| refused.case == case) {
            faults.push(format!("the case {case} was not refused"));
        }
    }
    let mut contracts = Vec::new();
    for pair in [&first, &second] {
        contracts.push(same_contract(town, tell, pair, &mut faults).await?);
    }
    Ok(Evidence {
        held: faults.is_empty(),
        faults,
        trust: town.trust_file(),
        parties: Parties {
            provider: town.provider.did.clone(),
            consumer: town.consumer.did.clone(),
            operator: town.operator.did.clone(),
            gate: town.gate.did.clone(),
        },
        chain: ChainFacts {
            rpc: town.rpc.to_string(),
            chain_id: town.registry.urn.chain_id,
            registry: town.registry.urn.address,
            recorder: town.provider.recorder,
            code_hash: town.registry.code_hash.hex(),
            kind: "development chain",
        },
        contracts,
        negotiations,
        gate,
        audit,
    })
}

/// The consumer finds the asset in the provider's catalog.
async fn find(town: &Town, tell: &Teller) -> Result<()> {
    let asked = town.consumer.desk.post("/api/catalogs", &json!({ "provider": town.provider.did })).await?;
    let path = format!("/api/catalogs/{}", asked["id"].as_str().context("the question has no id")?);
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = town.consumer.desk.get(&path).await?;
        if let Some(found) = answer.pointer("/catalog/dataset/0") {
            let (title, price) = (text(found, "/countersign/asset/title"), text(found, "/countersign/price/amount"));
            tell.step(
                "consumer",
                &format!("finds “{title}” for {price} {}", text(found, "/countersign/price/currency")),
            );
            return Ok(());
        }
        if Instant::now() > until {
            bail!("the catalog did not come within {PATIENCE:?}");
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Request and offer: the consumer's desk asks, the provider's desk decides.
async fn negotiate(town: &Town, tell: &Teller, offer: &Value) -> Result<Pair> {
    let order = json!({ "provider": town.provider.did, "asset": ASSET_ID });
    let asked = town.consumer.desk.post("/api/requests", &order).await?;
    let consumer = asked["id"].as_str().context("the request has no id")?.to_owned();
    tell.step(
        "consumer",
        &format!("REQUESTED  asks for the asset, with a fresh key that its DID vouches for ({})", short(&consumer)),
    );
    let provider = town.provider.desk.counterpart(&consumer, PATIENCE).await?;
    tell.step("provider", "REQUESTED  the sealed request arrived in its inbox; the offer waits for a person");
    let view = town.provider.desk.post(&format!("/api/negotiations/{provider}/offer"), offer).await?;
    let made = &view["offer"];
    tell.step(
        "provider",
        &format!(
            "OFFERED    signs the offer {}: {} {}, fee {} {}, accept by {}",
            short(made["sha256"].as_str().unwrap_or_default()),
            text(made, "/price/amount"),
            text(made, "/price/currency"),
            text(made, "/fee/amount"),
            text(made, "/fee/currency"),
            text(made, "/accept_by"),
        ),
    );
    let pair = Pair { provider, consumer };
    reach(town, tell, &pair, &town.consumer, "OFFERED").await?;
    Ok(pair)
}

/// The consumer's desk decides.
async fn accept(town: &Town, tell: &Teller, pair: &Pair) -> Result<()> {
    let view = town.consumer.desk.post(&format!("/api/negotiations/{}/accept", pair.consumer), &json!({})).await?;
    let hash = view["hash"].as_str().unwrap_or_default();
    tell.step(
        "consumer",
        &format!("ACCEPTED   countersigns with the fresh key; the contract's hash is {}", short(hash)),
    );
    reach(town, tell, pair, &town.provider, "ACCEPTED").await
}

/// From the entry to the finished contract, on both sides.
async fn finish(town: &Town, tell: &Teller, pair: &Pair) -> Result<()> {
    reach(town, tell, pair, &town.consumer, "VERIFIED").await?;
    reach(town, tell, pair, &town.provider, "FINALIZED").await?;
    reach(town, tell, pair, &town.consumer, "FINALIZED").await
}

/// Waits until a side of the negotiation has been in `state`, and tells what it rests on.
async fn reach(town: &Town, tell: &Teller, pair: &Pair, party: &Party, state: &str) -> Result<()> {
    let id = if party.name == town.provider.name { &pair.provider } else { &pair.consumer };
    let until = Instant::now() + PATIENCE;
    loop {
        let view = party.desk.negotiation(id).await?;
        let states = view["history"].as_array().into_iter().flatten();
        if states.filter_map(|moved| moved["state"].as_str()).any(|entered| entered == state) {
            tell.step(party.name, &format!("{state:<10} {}", because(&view, state)));
            return Ok(());
        }
        let now = view["state"].as_str().unwrap_or_default();
        if matches!(now, "TERMINATED" | "FINALIZED") || Instant::now() > until {
            bail!("{}'s negotiation is {now} ({}), expected {state}", party.name, view["ending"]);
        }
        sleep(Duration::from_millis(60)).await;
    }
}

fn because(view: &Value, state: &str) -> String {
    let entry = &view["entry"];
    match state {
        "OFFERED" => "its node verified signatures, members, template, terms and fee; a person decides".into(),
        "ACCEPTED" => "its node verified the acceptance and its binding to the offer".into(),
        "AGREED" => format!(
            "recorded in block {} ({}), transaction {}",
            entry["block"],
            text(entry, "/block_time"),
            short(text(entry, "/transaction")),
        ),
        "VERIFIED" => {
            format!("its own node read the entry in finalised block {} and signs that it did", entry["block"])
        }
        "FINALIZED" => "both acknowledgements are signed; both hold the contract".into(),
        _ => format!("{}: {}", text(view, "/ending/code"), text(view, "/ending/reason")),
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The consumer's contract file.
pub async fn contract(town: &Town, pair: &Pair) -> Result<Value> {
    town.consumer.desk.get(&format!("/api/negotiations/{}/contract", pair.consumer)).await
}

/// Challenge, presentation, token, data, receipt. Also returns the answer that was used, for the replay.
pub async fn download(town: &Town, tell: &Teller, file: &Value, purpose: Option<&str>) -> Result<(Granted, Value)> {
    let id = text(file, "/contract_id").to_owned();
    let answer = present(town, &id, purpose).await?;
    let token = match town.gate_calls.answer(&answer).await? {
        Said::Token(token) => token,
        Said::Slowed { declined, .. } => bail!("the gate asks for patience: {declined}"),
        Said::Denied { check, reason } => bail!("the gate refused a valid contract: {check}: {reason}"),
    };
    tell.step("gate", "opens: presentation, signatures, entry at finality and terms hold");
    match town.gate_calls.fetch(&town.endpoint, &token).await? {
        Fetched::Data { bytes, receipt } => {
            let sha256 = sha256_hex(&bytes);
            if bytes != ASSET {
                bail!("the gate delivered other bytes: sha256 {sha256}");
            }
            town.consumer.desk.post(&format!("/api/contracts/{id}/receipts"), &json!({ "receipt": receipt })).await?;
            tell.step(
                "consumer",
                &format!(
                    "downloads {} bytes, sha256 {}, and holds the gate's signed receipt",
                    bytes.len(),
                    short(&sha256)
                ),
            );
            Ok((Granted { contract_id: id, bytes: bytes.len() as u64, sha256, receipt }, answer))
        }
        Fetched::Denied { check, reason } => bail!("the gate took its token back: {check}: {reason}"),
    }
}

/// The consumer's wallet answers a fresh challenge of the gate.
pub async fn present(town: &Town, contract_id: &str, purpose: Option<&str>) -> Result<Value> {
    let challenge = town.gate_calls.challenge().await?;
    let path = format!("/api/contracts/{contract_id}/presentation");
    let mut answer = town.consumer.desk.post(&path, &challenge).await?;
    if let Some(purpose) = purpose {
        answer["purpose"] = purpose.into();
    }
    Ok(answer)
}

async fn nothing_on_chain(town: &Town, tell: &Teller, pair: &Pair) -> Result<()> {
    let view = town.consumer.desk.negotiation(&pair.consumer).await?;
    let (id, made) = (text(&view, "/offer/contract_id"), text(&view, "/offer/made"));
    let (id, since) = match (id.parse(), crate::encoding::Timestamp::parse_rfc3339(made)) {
        (Ok(id), Ok(since)) => (id, since),
        // A cancelled negotiation no longer shows its offer; its contract id was never more than a proposal.
        _ => return Ok(()),
    };
    let mut config = ClientConfig::new(town.registry.urn, vec![town.rpc.clone()]);
    config.code_hash = Some(town.registry.code_hash);
    let client = Client::connect(config).await?;
    let sighting = client.sighting(Depth::Latest, town.provider.recorder, id, None, since).await?;
    if sighting.entry.is_some() || sighting.ended.is_some() {
        bail!("the chain holds something of a negotiation that was terminated: {sighting:?}");
    }
    tell.step("chain", &format!("holds nothing of {} at block {}", short(&id.to_string()), sighting.head.number));
    Ok(())
}

/// The provider states its fees; the operator audits what it was given against the chain.
async fn audit(town: &Town, tell: &Teller, files: &[&Value], faults: &mut Vec<String>) -> Result<Value> {
    let made = town.provider.desk.post("/api/statements", &json!({ "operator_url": town.operator.public })).await?;
    tell.step(
        "provider",
        &format!("states the fees of {} contracts, each with its core and the one disclosure “fee”", made["contracts"]),
    );
    let id = made["id"].as_str().context("the statement has no id")?;
    let found = town.operator.desk.get(&format!("/api/audits/{id}")).await?;
    let audit = found["audit"].clone();
    for entry in audit["entries"].as_array().into_iter().flatten() {
        let disclosures = entry["disclosures"].as_array().map_or(0, Vec::len);
        tell.step(
            "operator",
            &format!(
                "{}  fee {} {} ({}), from {disclosures} disclosure",
                short(text(entry, "/contract_id")),
                text(entry, "/fee/amount"),
                text(entry, "/fee/currency"),
                text(entry, "/rule"),
            ),
        );
        if disclosures != 1 {
            faults.push(format!("the operator was given {disclosures} disclosures of one contract, expected 1"));
        }
    }
    for total in audit["totals"].as_array().into_iter().flatten() {
        tell.step(
            "operator",
            &format!(
                "total {} {}; it saw no asset, consumer or terms, and no price but the base of a percentage",
                text(total, "/amount"),
                text(total, "/currency")
            ),
        );
    }
    let entries = audit["entries"].as_array().map_or(0, Vec::len);
    if entries != files.len() || audit["problems"] != json!([]) {
        faults.push(format!("the audit has {entries} entries and the problems {}", audit["problems"]));
    }
    if text(&audit, "/totals/0/amount") != "50.00" {
        faults.push(format!("the fees add up to {}, expected 50.00", audit["totals"]));
    }
    Ok(audit)
}

async fn facts(town: &Town, pair: &Pair, ended_as: &str, faults: &mut Vec<String>) -> Result<NegotiationFacts> {
    let provider = town.provider.desk.negotiation(&pair.provider).await?;
    let consumer = town.consumer.desk.negotiation(&pair.consumer).await?;
    for (name, view) in [("provider", &provider), ("consumer", &consumer)] {
        if view["state"] != ended_as {
            faults.push(format!("{name}'s negotiation {} is {}, expected {ended_as}", pair.consumer, view["state"]));
        }
    }
    let ending = [&consumer, &provider].map(|view| view["ending"].clone()).into_iter().find(|ending| !ending.is_null());
    let reason = ending.map(|ending| format!("{}: {}", text(&ending, "/code"), text(&ending, "/reason")));
    Ok(NegotiationFacts {
        id: pair.consumer.clone(),
        ended_as: ended_as.into(),
        reason,
        provider: provider["history"].clone(),
        consumer: consumer["history"].clone(),
    })
}

/// Both sides hold the same contract, and it proves.
async fn same_contract(town: &Town, tell: &Teller, pair: &Pair, faults: &mut Vec<String>) -> Result<Value> {
    let consumers = contract(town, pair).await?;
    let providers = town.provider.desk.get(&format!("/api/negotiations/{}/contract", pair.provider)).await?;
    if consumers != providers {
        faults.push("the two sides hold different contract files".into());
    }
    let file = ContractFile::read(consumers.to_string().as_bytes())?;
    let trust = serde_json::from_slice(&std::fs::read(town.trust_file())?)?;
    match proven(&file, &trust, &Documents::default()) {
        Ok(proven) => tell.step(
            "both",
            &format!(
                "hold the same contract file {}; {} checks prove it offline",
                short(&file.contract_id.to_string()),
                proven.trail.checks().len()
            ),
        ),
        Err(refused) => faults.push(format!("a finished contract does not prove: {}", refused.refusal)),
    }
    Ok(consumers)
}

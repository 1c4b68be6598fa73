//! What must not work: each case sends real bytes to the gate, which is the same gate for everybody.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::super::calls::{Fetched, Said};
use super::evidence::Refused;
use super::intruder;
use super::scenes::{Pair, present};
use super::tell::Teller;
use super::town::Town;
use crate::encoding::{decode, encode};

/// Hands an answer in that the gate has to refuse.
async fn must_be_refused(town: &Town, tell: &Teller, case: &'static str, answer: &Value) -> Result<Refused> {
    match town.gate_calls.answer(answer).await? {
        Said::Token(_) => bail!("the gate opened for the case {case}"),
        Said::Slowed { declined, .. } => bail!("the gate asks for patience: {declined}"),
        Said::Denied { check, reason } => {
            tell.refused(case, &check, &reason);
            Ok(Refused { case, check, reason })
        }
    }
}

/// The entry stands, but its block is not final yet.
pub async fn not_final(town: &Town, tell: &Teller, pair: &Pair) -> Result<Refused> {
    let id = contract_id(town, pair).await?;
    must_be_refused(town, tell, "not-final", &present(town, &id, None).await?).await
}

/// Countersigned by both, never recorded.
pub async fn no_entry(town: &Town, tell: &Teller, pair: &Pair) -> Result<Refused> {
    let id = contract_id(town, pair).await?;
    must_be_refused(town, tell, "no-entry", &present(town, &id, None).await?).await
}

async fn contract_id(town: &Town, pair: &Pair) -> Result<String> {
    let view = town.consumer.desk.negotiation(&pair.consumer).await?;
    Ok(view["offer"]["contract_id"].as_str().context("the negotiation has no offer")?.to_owned())
}

/// Somebody got hold of the whole contract file, but not of the consumer's key.
pub async fn stranger(town: &Town, tell: &Teller, file: &Value) -> Result<Refused> {
    let answer = intruder::present_anothers(town, file).await?;
    must_be_refused(town, tell, "stranger", &answer).await
}

/// Somebody made a contract for the asset with itself and recorded it, so that there is an entry.
pub async fn no_credential(town: &Town, tell: &Teller) -> Result<Refused> {
    let answer = intruder::record_own(town).await?;
    must_be_refused(town, tell, "no-credential", &answer).await
}

/// The consumer itself gives itself more uses than were agreed.
pub async fn tampered(town: &Town, tell: &Teller, file: &Value) -> Result<Refused> {
    let id = file["contract_id"].as_str().unwrap_or_default();
    let mut answer = present(town, id, None).await?;
    let presentation = answer["presentation"].as_str().unwrap_or_default();
    let mut changed = false;
    let parts: Vec<String> = presentation
        .split('~')
        .map(|part| match decode(part).ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
            Some(text) if text.contains("\"rightOperand\":3") => {
                changed = true;
                encode(text.replace("\"rightOperand\":3", "\"rightOperand\":3000000"))
            }
            _ => part.to_owned(),
        })
        .collect();
    if !changed {
        bail!("there was nothing to tamper with in the presentation");
    }
    answer["presentation"] = parts.join("~").into();
    must_be_refused(town, tell, "tampered", &answer).await
}

/// An answer that opened the gate before is handed in again.
pub async fn replayed(town: &Town, tell: &Teller, used: &Value) -> Result<Refused> {
    must_be_refused(town, tell, "replayed", used).await
}

/// A contract that its provider ends: the token that was given before is shut out, and a new presentation is refused.
pub async fn ended(town: &Town, tell: &Teller, file: &Value, purpose: &str) -> Result<Vec<Refused>> {
    let id = file["contract_id"].as_str().unwrap_or_default();
    let token = match town.gate_calls.answer(&present(town, id, Some(purpose)).await?).await? {
        Said::Token(token) => token,
        Said::Slowed { declined, .. } => bail!("the gate asks for patience: {declined}"),
        Said::Denied { check, reason } => bail!("the gate refused a contract in force: {check}: {reason}"),
    };
    let done = town.provider.desk.post(&format!("/api/contracts/{id}/end"), &json!({ "reason": 1 })).await?;
    tell.step(
        "provider",
        &format!("ends the second contract, transaction {}", done["transaction"].as_str().unwrap_or_default()),
    );
    let until = Instant::now() + Duration::from_secs(15);
    let by_token = loop {
        match town.gate_calls.fetch(&town.endpoint, &token).await? {
            Fetched::Denied { check, reason } => {
                tell.refused("ended (token)", &check, &reason);
                break Refused { case: "ended", check, reason };
            }
            Fetched::Data { .. } if Instant::now() > until => {
                bail!("the gate still honours a token of an ended contract")
            }
            Fetched::Data { .. } => sleep(Duration::from_millis(100)).await,
        }
    };
    let anew = must_be_refused(town, tell, "ended", &present(town, id, Some(purpose)).await?).await?;
    Ok(vec![by_token, anew])
}

//! What a desk is told, in one series that outlives the node: what happened to negotiations, contracts and messages.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use super::dsp::{Logs, PlainStood};
use super::store::News;
use super::{Due, Node, NodeFault, StoreFault};
use crate::credential::{ContractId, rfc3339};
use crate::encoding::{Digest, Timestamp};
use crate::identity::Did;
use crate::negotiation::{Decided, Ending, Event, Negotiation, Role, State, StateName};

/// Something that a desk is told.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// Its place in the series; a later one is larger.
    pub id: u64,
    /// What kind of thing it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// When, by this node's clock.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// The negotiation that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negotiation: Option<String>,
    /// How the negotiation stood then.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub stood: Option<Stood>,
    /// The same, of a plain negotiation.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub plain: Option<Box<PlainStood>>,
    /// The counterparty of a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The message's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The contract that was ended or withdrawn from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
    /// The check that a refused message broke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Why, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// How a negotiation stood after an event.
#[derive(Clone, Debug, Serialize)]
pub struct Stood {
    /// `credential`: it is on the way to a contract.
    pub mode: &'static str,
    /// This node's side.
    pub role: Role,
    /// The counterparty.
    pub counterparty: Did,
    /// The counterparty's name among the contacts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterparty_name: Option<String>,
    /// The asset.
    pub asset: String,
    /// The state.
    pub state: StateName,
    /// The offer that stood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer_sha256: Option<Digest>,
    /// The contract that it is about, once an offer stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
    /// The decision of this side that the event was: by whom, on which text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
    /// What waits for this side since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Due>,
    /// Why it ended without a contract.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// The consumer's wish to cancel what it accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_asked: Option<String>,
}

impl Node {
    /// What a desk is told after a place in the series, oldest first; of one negotiation only, where one is named.
    ///
    /// # Errors
    /// When the store fails or does not read back.
    pub async fn told(&self, after: u64, negotiation: Option<&str>, limit: u32) -> Result<Vec<Told>, NodeFault> {
        let news = self.store.news(after, negotiation, limit).await?;
        let (mut logs, mut plain) = (HashMap::new(), Logs::default());
        let mut told = Vec::with_capacity(news.len());
        for one in news {
            told.push(match (one.place, one.negotiation.clone()) {
                (Some(place), Some(id)) if one.kind == "plain" => self.plain_told(one, &id, place, &mut plain).await?,
                (Some(place), Some(id)) => self.event_told(one.number, &id, place, &mut logs).await?,
                _ => other_told(one)?,
            });
        }
        Ok(told)
    }

    /// The place of what was told last.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn last_told(&self) -> Result<u64, NodeFault> {
        Ok(self.store.last_news().await?)
    }

    /// Rings when there may be something new to tell.
    pub fn newsbell(&self) -> tokio::sync::watch::Receiver<()> {
        self.bells.news.subscribe()
    }

    /// Lets everybody who is told things look whether there is something.
    pub(super) fn ring(&self) {
        self.bells.news.send_replace(());
    }

    async fn plain_told(&self, one: News, id: &str, place: usize, logs: &mut Logs) -> Result<Told, NodeFault> {
        // Without the table `[dsp]` the negotiation stays where it was, and only this much is told of it.
        let Some(connector) = self.connector() else { return Ok(other_told(one)?) };
        let told = connector.told(id, place, logs).await?;
        Ok(Told {
            id: one.number,
            kind: told.kind.to_owned(),
            at: told.at,
            negotiation: one.negotiation,
            stood: None,
            plain: Some(Box::new(told.stood)),
            peer: None,
            message: None,
            contract: None,
            check: None,
            detail: None,
        })
    }

    async fn event_told(
        &self,
        number: u64,
        id: &str,
        place: usize,
        logs: &mut HashMap<String, Vec<Event>>,
    ) -> Result<Told, NodeFault> {
        if !logs.contains_key(id) {
            let log = self.store.log(id).await?.ok_or_else(|| NodeFault::unknown("negotiation", id))?;
            logs.insert(id.to_owned(), log);
        }
        let log = logs.get(id).map(Vec::as_slice).unwrap_or_default();
        let missing = || StoreFault::Damaged(format!("event {place} of negotiation {id} is missing"));
        let upto = log.get(..=place).ok_or_else(missing)?;
        let event = upto.last().ok_or_else(missing)?;
        let negotiation = Negotiation::replay(upto.iter().cloned())?;
        // Learning the counterparty's id has no time of its own: it came with what is told before or after it.
        let at = upto.iter().rev().find_map(Event::at).unwrap_or_else(|| negotiation.began_at());
        let before = Negotiation::replay(upto.iter().take(place).cloned()).ok();
        let known = before.map_or(0, |before| before.decisions().len());
        let opening = negotiation.opening();
        let stood = Stood {
            mode: "credential",
            role: opening.role,
            counterparty: opening.peer.clone(),
            counterparty_name: self.name_of(&opening.peer).await?,
            asset: negotiation.asset().to_owned(),
            state: negotiation.state().name(),
            offer_sha256: negotiation.offer().map(|offer| offer.sha256),
            contract_id: negotiation.offer().map(|offer| offer.contract_id),
            decided: negotiation.decisions().get(known).cloned(),
            waits_for: self.due(id, &negotiation).await?,
            ending: match negotiation.state() {
                State::Terminated(ending, _) => Some(ending.clone()),
                _ => None,
            },
            cancel_asked: negotiation.cancel_asked().map(str::to_owned),
        };
        Ok(Told {
            id: number,
            kind: event.name().to_owned(),
            at,
            negotiation: Some(id.to_owned()),
            stood: Some(stood),
            plain: None,
            peer: None,
            message: None,
            contract: None,
            check: None,
            detail: None,
        })
    }
}

/// What is no event of a negotiation.
fn other_told(one: News) -> Result<Told, StoreFault> {
    let text = |name: &str| one.detail.get(name).and_then(Value::as_str).map(str::to_owned);
    let kind = match one.kind.as_str() {
        "failing" => "delivery-failing",
        "turned-down" => "message-turned-down",
        "refused" => "message-refused",
        "ended" => "contract-ended",
        "withdrawn" => "contract-withdrawn",
        other => other,
    };
    let untimed = || StoreFault::Damaged(format!("row {} of news: `at`: missing", one.number));
    Ok(Told {
        id: one.number,
        kind: kind.to_owned(),
        at: one.at.ok_or_else(untimed)?,
        peer: text("to"),
        message: text("message"),
        contract: text("contract"),
        check: text("check"),
        detail: text("why").or_else(|| text("detail")),
        negotiation: one.negotiation,
        stood: None,
        plain: None,
    })
}

use serde::Deserialize;
use serde_json::{Value, json};

use super::{COORDINATION, PICKUP};
use crate::check::Refusal;
use crate::identity::Did;
use crate::inbox::{Attachment, Message, checks};

/// How many envelopes one delivery holds at most.
pub const MAX_HELD: usize = 16;
/// How many recipients one update changes at most.
pub const MAX_UPDATES: usize = 32;
/// How many recipients one answer names at most.
pub const MAX_PAGE: usize = 100;

const MAX_IDS: usize = 256;
const MAX_ID: usize = 128;
const CONTACT: &str = "contact";
const PARTICIPANT: &str = "participant";

/// What a recipient asks of its mediator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// `mediate-request`: to keep envelopes for it. The attachments are this wallet's own: another's mediator passes over
    /// them.
    Mediate {
        /// The recipient's signed contact: with which key it writes.
        contact: Option<String>,
        /// Its participant credential: that an operator vouches for it.
        participant: Option<String>,
    },
    /// `recipient-update`: for which DIDs.
    Update {
        /// The changes, in order.
        updates: Vec<Update>,
        /// The signed words of DIDs other than the sender's ([`super::Word`]).
        words: Vec<String>,
    },
    /// `recipient-query`: for which DIDs it keeps them.
    Query {
        /// How many are named, and how many are left out first; everything that fits when absent.
        page: Option<(usize, usize)>,
    },
    /// `status-request`: how much waits.
    Status {
        /// Only what is for this DID.
        recipient: Option<Did>,
    },
    /// `delivery-request`: what waits, oldest first.
    Deliver {
        /// How many at most.
        limit: usize,
        /// Only what is for this DID.
        recipient: Option<Did>,
    },
    /// `messages-received`: what the recipient has stored, and the mediator may forget.
    Received {
        /// The ids of the attachments in deliveries.
        ids: Vec<String>,
    },
    /// `live-delivery-change`: whether what comes is sent at once, over this connection.
    Live {
        /// Whether.
        on: bool,
    },
}

/// One change of `recipient-update`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The DID as the recipient wrote it; perhaps of a method that is not known here.
    pub recipient: String,
    /// What is to be done.
    pub action: Action,
}

/// What `recipient-update` does with a DID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Envelopes are kept for it from now on.
    Add,
    /// No longer; what waits for it is given up.
    Remove,
}

impl Action {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Add, Self::Remove].into_iter().find(|action| action.name() == name)
    }
}

#[derive(Deserialize)]
struct WireUpdate {
    recipient_did: String,
    action: String,
}

#[derive(Deserialize)]
struct WirePage {
    limit: usize,
    offset: usize,
}

impl Request {
    /// Reads what a mediator is asked; `None` for another kind of message.
    ///
    /// # Errors
    /// `mediation.message`.
    pub fn read(message: &Message) -> Result<Option<Self>, Refusal> {
        let body = &message.body;
        let attached = |id: &str| message.attachment(id).map(str::to_owned);
        Ok(Some(match split(&message.kind) {
            (COORDINATION, "mediate-request") => {
                Self::Mediate { contact: attached(CONTACT), participant: attached(PARTICIPANT) }
            }
            (COORDINATION, "recipient-update") => {
                let wire: Vec<WireUpdate> = member(body, "updates")?;
                few(wire.len(), MAX_UPDATES, "updates")?;
                let updates = wire.into_iter().map(Update::read).collect::<Result<_, _>>()?;
                let words = message.attachments.iter().map(|attachment| attachment.text.clone()).collect();
                Self::Update { updates, words }
            }
            (COORDINATION, "recipient-query") => {
                let page: Option<WirePage> = optional(body, "paginate")?;
                Self::Query { page: page.map(|page| (page.limit.clamp(1, MAX_PAGE), page.offset)) }
            }
            (PICKUP, "status-request") => Self::Status { recipient: optional(body, "recipient_did")? },
            (PICKUP, "delivery-request") => {
                let limit: usize = member(body, "limit")?;
                checks::MEDIATION.hold(limit > 0, || "limit is 0".into())?;
                Self::Deliver { limit: limit.min(MAX_HELD), recipient: optional(body, "recipient_did")? }
            }
            (PICKUP, "messages-received") => {
                let ids: Vec<String> = member(body, "message_id_list")?;
                few(ids.len(), MAX_IDS, "message_id_list")?;
                let short = ids.iter().all(|id| (1..=MAX_ID).contains(&id.len()));
                checks::MEDIATION.hold(short, || "an id in message_id_list is none that was given out".into())?;
                Self::Received { ids }
            }
            (PICKUP, "live-delivery-change") => Self::Live { on: member(body, "live_delivery")? },
            _ => return Ok(None),
        }))
    }

    /// Type, body and attachments of the message that asks this.
    pub fn write(&self) -> (String, Value, Vec<Attachment>) {
        let named = |recipient: &Option<Did>| match recipient {
            Some(recipient) => json!({ "recipient_did": recipient }),
            None => json!({}),
        };
        let plain = |protocol: &str, name: &str, body: Value| (format!("{protocol}{name}"), body, vec![]);
        match self {
            Self::Mediate { contact, participant } => {
                let papers =
                    [(CONTACT, "application/jwt", contact), (PARTICIPANT, "application/dc+sd-jwt", participant)];
                let papers = papers.into_iter().filter_map(|(id, media_type, text)| {
                    Some(Attachment { id: id.into(), media_type: Some(media_type.into()), text: text.clone()? })
                });
                (format!("{COORDINATION}mediate-request"), json!({}), papers.collect())
            }
            Self::Update { updates, words } => {
                let updates: Vec<Value> = updates
                    .iter()
                    .map(|update| json!({ "recipient_did": update.recipient, "action": update.action.name() }))
                    .collect();
                let word = |(place, text): (usize, &String)| Attachment {
                    id: format!("word-{place}"),
                    media_type: Some("application/jwt".into()),
                    text: text.clone(),
                };
                let words = words.iter().enumerate().map(word).collect();
                (format!("{COORDINATION}recipient-update"), json!({ "updates": updates }), words)
            }
            Self::Query { page } => {
                let body = match page {
                    Some((limit, offset)) => json!({ "paginate": { "limit": limit, "offset": offset } }),
                    None => json!({}),
                };
                plain(COORDINATION, "recipient-query", body)
            }
            Self::Status { recipient } => plain(PICKUP, "status-request", named(recipient)),
            Self::Deliver { limit, recipient } => {
                let mut body = named(recipient);
                body["limit"] = (*limit).into();
                plain(PICKUP, "delivery-request", body)
            }
            Self::Received { ids } => plain(PICKUP, "messages-received", json!({ "message_id_list": ids })),
            Self::Live { on } => plain(PICKUP, "live-delivery-change", json!({ "live_delivery": on })),
        }
    }
}

impl Update {
    fn read(wire: WireUpdate) -> Result<Self, Refusal> {
        let action = Action::named(&wire.action);
        let action = action.ok_or_else(|| checks::MEDIATION.refuse("an action is neither add nor remove"))?;
        let short = (1..=2048).contains(&wire.recipient_did.len());
        checks::MEDIATION.hold(short, || "a recipient_did is no DID".into())?;
        Ok(Self { recipient: wire.recipient_did, action })
    }
}

/// The protocol and the name of a message type.
pub(super) fn split(kind: &str) -> (&'static str, &str) {
    for protocol in [COORDINATION, PICKUP] {
        if let Some(name) = kind.strip_prefix(protocol) {
            return (protocol, name);
        }
    }
    ("", kind)
}

pub(super) fn few(found: usize, most: usize, what: &str) -> Result<(), Refusal> {
    checks::MEDIATION.hold(found <= most, || format!("{found} entries in {what}, at most {most}"))
}

pub(super) fn member<T: for<'de> Deserialize<'de>>(body: &Value, name: &str) -> Result<T, Refusal> {
    optional(body, name)?.ok_or_else(|| checks::MEDIATION.refuse(format!("{name} is missing")))
}

pub(super) fn optional<T: for<'de> Deserialize<'de>>(body: &Value, name: &str) -> Result<Option<T>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            T::deserialize(value).map(Some).map_err(|cause| checks::MEDIATION.refuse(format!("{name}: {cause}")))
        }
    }
}

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::request::{Action, MAX_HELD, MAX_PAGE, MAX_UPDATES, few, member, optional, split};
use super::{COORDINATION, PICKUP, PROBLEM};
use crate::check::Refusal;
use crate::identity::Did;
use crate::inbox::{Attachment, Message, checks};

/// What a mediator answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `mediate-grant`: senders wrap what they send for these DIDs, which are the mediator's.
    Granted(Vec<Did>),
    /// `mediate-deny`.
    Denied,
    /// `recipient-update-response`: what became of each change.
    Updated(Vec<Updated>),
    /// `recipient`: for which DIDs envelopes are kept.
    Recipients(Vec<Did>, Option<Page>),
    /// `status`: how much waits.
    Status(Queue),
    /// `delivery`: envelopes, still sealed.
    Delivery {
        /// The DID that was asked for, where one was.
        recipient: Option<Did>,
        /// The envelopes, oldest first.
        held: Vec<Held>,
    },
    /// A problem report (report-problem 2.0).
    Problem {
        /// For example `e.m.live-mode-not-supported`.
        code: String,
        /// In words.
        comment: String,
    },
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updated {
    /// The DID as it was written.
    pub recipient: String,
    /// What was to be done.
    pub action: Action,
    /// What was done.
    pub result: Outcome,
}

/// What was done about a change of recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was so before.
    NoChange,
    /// It is not for this recipient to ask.
    ClientError,
    /// The mediator failed.
    ServerError,
}

/// Which part of a list an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// How many it names.
    pub count: usize,
    /// How many stand before them.
    pub offset: usize,
    /// How many stand behind them.
    pub remaining: usize,
}

/// How much waits for a recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// The DID that was asked for, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_did: Option<Did>,
    /// How many envelopes.
    pub message_count: u64,
    /// How long the oldest has waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_waited_seconds: Option<i64>,
    /// When the newest came, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_received_time: Option<i64>,
    /// When the oldest came, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_received_time: Option<i64>,
    /// Their size together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// Whether what comes is sent over this connection at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_delivery: Option<bool>,
}

/// An envelope that a mediator keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The mediator's name for it.
    pub id: String,
    /// The envelope, sealed for its recipient.
    pub envelope: String,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Success, Self::NoChange, Self::ClientError, Self::ServerError];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::NoChange => "no_change",
            Self::ClientError => "client_error",
            Self::ServerError => "server_error",
        }
    }
}

#[derive(Deserialize)]
struct WireUpdated {
    recipient_did: String,
    action: String,
    result: String,
}

#[derive(Deserialize)]
struct Named {
    recipient_did: Did,
}

impl Answer {
    /// Reads what a mediator says; `None` for another kind of message.
    ///
    /// # Errors
    /// `mediation.message`.
    pub fn read(message: &Message) -> Result<Option<Self>, Refusal> {
        let body = &message.body;
        Ok(Some(match split(&message.kind) {
            (COORDINATION, "mediate-grant") => {
                let routing: Vec<Did> = member(body, "routing_did")?;
                checks::MEDIATION.hold((1..=2).contains(&routing.len()), || "not one or two routing DIDs".into())?;
                Self::Granted(routing)
            }
            (COORDINATION, "mediate-deny") => Self::Denied,
            (COORDINATION, "recipient-update-response") => {
                let wire: Vec<WireUpdated> = member(body, "updated")?;
                few(wire.len(), MAX_UPDATES, "updated")?;
                Self::Updated(wire.into_iter().map(Updated::read).collect::<Result<_, _>>()?)
            }
            (COORDINATION, "recipient") => {
                let named: Vec<Named> = member(body, "dids")?;
                few(named.len(), MAX_PAGE, "dids")?;
                let dids = named.into_iter().map(|named| named.recipient_did).collect();
                Self::Recipients(dids, optional(body, "pagination")?)
            }
            (PICKUP, "status") => Self::Status(
                Queue::deserialize(body).map_err(|cause| checks::MEDIATION.refuse(format!("status: {cause}")))?,
            ),
            (PICKUP, "delivery") => {
                let held = message.attachments.iter();
                let held = held.map(|held| Held { id: held.id.clone(), envelope: held.text.clone() }).collect();
                Self::Delivery { recipient: optional(body, "recipient_did")?, held }
            }
            ("", PROBLEM) => {
                let short = |text: String| text.chars().filter(|c| !c.is_control()).take(300).collect();
                Self::Problem {
                    code: short(member(body, "code")?),
                    comment: short(optional(body, "comment")?.unwrap_or_default()),
                }
            }
            _ => return Ok(None),
        }))
    }

    /// Type, body and attachments of the message that says this.
    pub fn write(&self) -> (String, Value, Vec<Attachment>) {
        let plain = |protocol: &str, name: &str, body: Value| (format!("{protocol}{name}"), body, vec![]);
        match self {
            Self::Granted(routing) => plain(COORDINATION, "mediate-grant", json!({ "routing_did": routing })),
            Self::Denied => plain(COORDINATION, "mediate-deny", json!({})),
            Self::Updated(updated) => {
                let updated: Vec<Value> = updated.iter().map(Updated::to_json).collect();
                plain(COORDINATION, "recipient-update-response", json!({ "updated": updated }))
            }
            Self::Recipients(dids, page) => {
                let dids: Vec<Value> = dids.iter().map(|did| json!({ "recipient_did": did })).collect();
                let mut body = json!({ "dids": dids });
                if let Some(page) = page {
                    body["pagination"] = json!(page);
                }
                plain(COORDINATION, "recipient", body)
            }
            Self::Status(queue) => plain(PICKUP, "status", json!(queue)),
            Self::Delivery { recipient, held } => {
                let mut body = json!({});
                if let Some(recipient) = recipient {
                    body["recipient_did"] = json!(recipient);
                }
                let held = held.iter().map(|held| Attachment {
                    id: held.id.clone(),
                    media_type: Some("application/didcomm-encrypted+json".into()),
                    text: held.envelope.clone(),
                });
                (format!("{PICKUP}delivery"), body, held.take(MAX_HELD).collect())
            }
            Self::Problem { code, comment } => {
                (PROBLEM.to_owned(), json!({ "code": code, "comment": comment }), vec![])
            }
        }
    }
}

impl Updated {
    fn read(wire: WireUpdated) -> Result<Self, Refusal> {
        let refuse = || checks::MEDIATION.refuse("an entry of updated has no known action and result");
        let result = Outcome::ALL.into_iter().find(|outcome| outcome.name() == wire.result).ok_or_else(refuse)?;
        Ok(Self { recipient: wire.recipient_did, action: Action::named(&wire.action).ok_or_else(refuse)?, result })
    }

    fn to_json(&self) -> Value {
        json!({ "recipient_did": self.recipient, "action": self.action.name(), "result": self.result.name() })
    }
}

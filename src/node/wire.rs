//! Messages on the wire: the Dataspace Protocol's bodies with the contract's papers attached (`protocol.md` 11).

mod proposal;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::checks;
use crate::check::Refusal;
use crate::credential::{Entry, vocabulary};
use crate::encoding::{Timestamp, parse_json};
use crate::identity::{Did, Jwk};
use crate::inbox::{Attachment, Message};
use crate::negotiation::{Kind, Negotiation, Notice, OfferPaper, RequestPaper, StateName};
use crate::policy::Money;
pub use proposal::Proposed;

/// The context of the Dataspace Protocol's messages.
pub const DSP_CONTEXT: &str = "https://w3id.org/dspace/2025/1/context.jsonld";

/// A message of this protocol, read but not believed.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// What it says.
    pub content: Content,
    /// The consumer's pid, where the sender knows it.
    pub consumer_pid: Option<String>,
    /// The provider's pid, where the sender knows it.
    pub provider_pid: Option<String>,
    /// The sender's contact, if it brought one.
    pub contact: Option<String>,
}

/// What a message says.
#[derive(Clone, Debug)]
pub enum Content {
    /// A request.
    Request(Box<RequestPaper>),
    /// Terms that a provider proposes of its own accord.
    Proposal(Box<Proposed>),
    /// An offer, with the provider's credential and the template's approval.
    Offer {
        /// `<issuer JWT>~D…~`.
        offer: String,
        /// The provider's participant credential.
        participant: String,
        /// The template's approval.
        approval: String,
    },
    /// An acceptance KB-JWT.
    Acceptance(String),
    /// The provider says where the entry stands.
    Agreement(Entry),
    /// The consumer's acknowledgement.
    Verification(String),
    /// The provider's acknowledgement.
    Finalization(String),
    /// A signed termination.
    Termination(String),
    /// The answer to a message.
    State {
        /// The id of the message that is answered.
        answers: String,
        /// Where the other side stands.
        state: StateName,
        /// Why it was refused, if it was.
        refused: Option<String>,
    },
}

impl Content {
    /// The kind, unless it is an answer.
    pub fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Request(_) => Kind::Request,
            Self::Proposal(_) | Self::Offer { .. } => Kind::Offer,
            Self::Acceptance(_) => Kind::Acceptance,
            Self::Agreement(_) => Kind::Agreement,
            Self::Verification(_) => Kind::Verification,
            Self::Finalization(_) => Kind::Finalization,
            Self::Termination(_) => Kind::Termination,
            Self::State { .. } => return None,
        })
    }
}

/// The message type of a kind.
pub fn message_type(name: &str) -> String {
    format!("{}{name}", vocabulary::NEGOTIATION)
}

/// The kind behind a message type of ours, `state` included.
pub fn type_name(kind: &str) -> Option<&str> {
    kind.strip_prefix(vocabulary::NEGOTIATION)
}

/// Puts a notice into a message. `termination` is its signed statement where the notice is one; `contact` goes along
/// with what opens a negotiation.
pub fn write(
    negotiation: &Negotiation,
    notice: &Notice,
    id: String,
    now: Timestamp,
    termination: Option<String>,
    contact: Option<String>,
) -> Message {
    let opening = negotiation.opening();
    let mut attachments = Vec::new();
    let mut attach = |id: &str, media_type: &str, text: &str| {
        attachments.push(Attachment { id: id.into(), media_type: Some(media_type.into()), text: text.to_owned() });
    };
    let mut body = match notice {
        Notice::Request(request) => {
            attach("key-statement", "application/jwt", &request.key_statement);
            attach("participant", "application/dc+sd-jwt", &request.participant);
            if let Some(contact) = &contact {
                attach("contact", "application/jwt", contact);
            }
            request_body(request, opening.provider_pid.is_none().then_some(&opening.us))
        }
        Notice::Proposal(proposal) => {
            attach("participant", "application/dc+sd-jwt", &proposal.participant);
            attach("template", "application/jwt", &proposal.approval);
            if let Some(contact) = &contact {
                attach("contact", "application/jwt", contact);
            }
            proposal::body(proposal, &opening.us)
        }
        Notice::Offer(offer) => {
            attach("offer", "application/dc+sd-jwt", &offer.text);
            attach("participant", "application/dc+sd-jwt", &offer.provider_participant);
            attach("template", "application/jwt", &offer.approval);
            if let Some(contact) = &contact {
                attach("contact", "application/jwt", contact);
            }
            offer_body(offer)
        }
        Notice::Acceptance(core) => {
            let acceptance = core.text.split_once('~').map_or("", |(_, acceptance)| acceptance);
            attach("acceptance", "application/kb+jwt", acceptance);
            json!({ "@type": "ContractNegotiationEventMessage", "eventType": "ACCEPTED" })
        }
        Notice::Agreement { entry } => {
            attach("entry", "application/json", &json!(entry).to_string());
            agreement_body(negotiation, entry)
        }
        Notice::Verification { acknowledgement } => {
            attach("entry", "application/jwt", acknowledgement);
            json!({ "@type": "ContractAgreementVerificationMessage" })
        }
        Notice::Finalization { acknowledgement } => {
            attach("entry", "application/jwt", acknowledgement);
            json!({ "@type": "ContractNegotiationEventMessage", "eventType": "FINALIZED" })
        }
        Notice::Termination { ending, .. } => {
            attach("termination", "application/jwt", termination.as_deref().unwrap_or_default());
            json!({
                "@type": "ContractNegotiationTerminationMessage", "code": ending.code, "reason": [ending.reason],
            })
        }
    };
    address(&mut body, opening.consumer_pid.as_deref(), opening.provider_pid.as_deref());
    Message {
        id,
        kind: message_type(notice.kind().name()),
        from: opening.us.clone(),
        to: vec![opening.peer.clone()],
        thid: Some(negotiation.thread().to_owned()),
        created_time: Some(now),
        pthid: None,
        expires_time: None,
        body,
        attachments,
    }
}

/// The answer to a message: where this side stands, and why it refused, if it did.
pub struct Answer<'a> {
    /// Who answers.
    pub from: &'a Did,
    /// Whom.
    pub to: &'a Did,
    /// The thread.
    pub thread: &'a str,
    /// The message that is answered.
    pub answers: &'a str,
    /// The consumer's pid, where it is known.
    pub consumer_pid: Option<&'a str>,
    /// The provider's pid.
    pub provider_pid: Option<&'a str>,
    /// Where this side stands.
    pub state: StateName,
    /// Why it was refused.
    pub refused: Option<&'a Refusal>,
}

impl Answer<'_> {
    /// The `state` message.
    pub fn write(&self, id: String, now: Timestamp) -> Message {
        let mut body = json!({ "@type": "ContractNegotiation", "state": self.state });
        body["countersign"] = json!({ "answers": self.answers });
        if let Some(refusal) = self.refused {
            body["countersign"]["refused"] = json!({ "check": refusal.check.id(), "detail": refusal.detail });
        }
        address(&mut body, self.consumer_pid, self.provider_pid);
        Message {
            id,
            kind: message_type("state"),
            from: self.from.clone(),
            to: vec![self.to.clone()],
            thid: Some(self.thread.to_owned()),
            created_time: Some(now),
            pthid: None,
            expires_time: None,
            body,
            attachments: vec![],
        }
    }
}

fn address(body: &mut Value, consumer_pid: Option<&str>, provider_pid: Option<&str>) {
    body["@context"] = json!([DSP_CONTEXT]);
    for (member, pid) in [("consumerPid", consumer_pid), ("providerPid", provider_pid)] {
        if let Some(pid) = pid {
            body[member] = pid.into();
        }
    }
}

fn request_body(request: &RequestPaper, callback: Option<&Did>) -> Value {
    let mut body = json!({
        "@type": "ContractRequestMessage",
        "offer": {
            "@type": "Offer",
            "@id": request.offer_id.as_ref().or(request.template.as_ref()).unwrap_or(&request.asset),
            "target": request.asset,
            "permission": [{ "action": "use" }],
        },
        "countersign": {
            "mode": "credential",
            "key": request.consumer_key,
            "parameters": request.parameters,
            "template": request.template,
            "price": request.price,
            "promisor": request.promisor,
            "promisee": request.promisee,
        },
    });
    if let Some(id) = &request.offer_id {
        body["countersign"]["offer"] = id.as_str().into();
    }
    if let Some(did) = callback {
        body["callbackAddress"] = did.as_str().into();
    }
    body
}

fn offer_body(offer: &OfferPaper) -> Value {
    let mut terms = offer.terms.clone();
    if let Some(object) = terms.as_object_mut() {
        object.remove("@context");
    }
    json!({ "@type": "ContractOfferMessage", "offer": terms })
}

fn agreement_body(negotiation: &Negotiation, entry: &Entry) -> Value {
    let mut agreement = negotiation.offer().map(|offer| offer.terms.clone()).unwrap_or_default();
    if let Some(object) = agreement.as_object_mut() {
        object.remove("@context");
        object.insert("@type".into(), "Agreement".into());
        object.insert("timestamp".into(), entry.block_time.rfc3339().into());
    }
    json!({ "@type": "ContractAgreementMessage", "agreement": agreement })
}

/// Reads a message of ours: type, body and the attachments of its kind.
///
/// # Errors
/// `message.form`, `message.mode`, `encoding.*`.
pub fn read(message: &Message) -> Result<Incoming, Refusal> {
    let form = |what: String| checks::MESSAGE.refuse(what);
    let name = type_name(&message.kind).ok_or_else(|| form(format!("unknown message type {}", message.kind)))?;
    let text = |member: &str| message.body.get(member).and_then(Value::as_str).map(str::to_owned);
    let attached = |id: &str| {
        message.attachment(id).map(str::to_owned).ok_or_else(|| form(format!("attachment `{id}` is missing")))
    };
    let expect = |kind: &str, event: Option<&str>| {
        let found = (text("@type"), text("eventType"));
        checks::MESSAGE.hold(found.0.as_deref() == Some(kind) && found.1.as_deref() == event, || {
            format!("a body {found:?}, expected {kind} {}", event.unwrap_or_default())
        })
    };
    let content = match name {
        "request" => {
            expect("ContractRequestMessage", None)?;
            Content::Request(Box::new(read_request(message, attached("key-statement")?, attached("participant")?)?))
        }
        "offer" if message.attachment("offer").is_none() && message.body.get("countersign").is_some() => {
            expect("ContractOfferMessage", None)?;
            Content::Proposal(Box::new(proposal::read(message, attached("participant")?, attached("template")?)?))
        }
        "offer" => {
            expect("ContractOfferMessage", None)?;
            let (offer, participant) = (attached("offer")?, attached("participant")?);
            Content::Offer { offer, participant, approval: attached("template")? }
        }
        "acceptance" => {
            expect("ContractNegotiationEventMessage", Some("ACCEPTED"))?;
            Content::Acceptance(attached("acceptance")?)
        }
        "agreement" => {
            expect("ContractAgreementMessage", None)?;
            let entry = parse_json(attached("entry")?.as_bytes(), 4096)?;
            Content::Agreement(Entry::deserialize(entry).map_err(|cause| form(format!("entry: {cause}")))?)
        }
        "verification" => {
            expect("ContractAgreementVerificationMessage", None)?;
            Content::Verification(attached("entry")?)
        }
        "finalization" => {
            expect("ContractNegotiationEventMessage", Some("FINALIZED"))?;
            Content::Finalization(attached("entry")?)
        }
        "termination" => {
            expect("ContractNegotiationTerminationMessage", None)?;
            Content::Termination(attached("termination")?)
        }
        "state" => read_state(message)?,
        other => return Err(form(format!("unknown message type {other}"))),
    };
    let (consumer_pid, provider_pid) = (text("consumerPid"), text("providerPid"));
    checks::MESSAGE
        .hold(consumer_pid.is_some() || provider_pid.is_some(), || "consumerPid and providerPid are missing".into())?;
    for pid in [consumer_pid.as_ref(), provider_pid.as_ref()].into_iter().flatten() {
        checks::MESSAGE.hold(!pid.is_empty() && pid.len() <= 256, || "a pid is 1 to 256 characters long".into())?;
    }
    let contact = message.attachment("contact").map(str::to_owned);
    Ok(Incoming { content, consumer_pid, provider_pid, contact })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wishes {
    mode: String,
    key: Jwk,
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    template: Option<String>,
    price: Option<Money>,
    promisor: Option<Did>,
    promisee: Option<Did>,
    offer: Option<String>,
}

fn read_request(message: &Message, key_statement: String, participant: String) -> Result<RequestPaper, Refusal> {
    let wishes = message.body.get("countersign").cloned().unwrap_or_default();
    checks::MODE.hold(wishes.get("mode").and_then(Value::as_str) == Some("credential"), || {
        "only requests in mode `credential` are taken from the inbox".into()
    })?;
    let wishes =
        Wishes::deserialize(wishes).map_err(|cause| checks::MESSAGE.refuse(format!("countersign: {cause}")))?;
    debug_assert_eq!(wishes.mode, "credential");
    let asset = message.body.pointer("/offer/target").and_then(Value::as_str);
    let asset = asset.filter(|asset| !asset.is_empty() && asset.len() <= 2048);
    let id_fits = wishes.offer.as_ref().is_none_or(|id| !id.is_empty() && id.len() <= 256);
    checks::MESSAGE.hold(id_fits, || "an offer's id is 1 to 256 characters long".into())?;
    Ok(RequestPaper {
        asset: asset.ok_or_else(|| checks::MESSAGE.refuse("offer.target is missing"))?.to_owned(),
        template: wishes.template,
        parameters: wishes.parameters,
        price: wishes.price,
        promisor: wishes.promisor,
        promisee: wishes.promisee,
        offer_id: wishes.offer,
        consumer_key: wishes.key,
        key_statement,
        participant,
    })
}

fn read_state(message: &Message) -> Result<Content, Refusal> {
    let form = |what: &str| checks::MESSAGE.refuse(what);
    let state = message.body.get("state").cloned().unwrap_or_default();
    let answers = message.body.pointer("/countersign/answers").and_then(Value::as_str);
    let refused = message.body.pointer("/countersign/refused").map(|refused| {
        let text = |name: &str| refused.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        format!("{}: {}", text("check"), text("detail")).chars().take(500).collect()
    });
    Ok(Content::State {
        answers: answers.ok_or_else(|| form("countersign.answers is missing"))?.to_owned(),
        state: StateName::deserialize(state).map_err(|_| form("state is none of the seven"))?,
        refused,
    })
}

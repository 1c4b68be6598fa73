use serde_json::{Map, Value, json};

use super::{CONTEXT, NOBODY, checks, hold, is_id, tolerate};
use crate::check::{Check, Refusal};
use crate::encoding::parse_json;
use crate::negotiation::plain::{Negotiation, Opening, ParticipantId, Parties, Said, Word};
use crate::negotiation::{Kind, Role};

/// The longest message of a negotiation, in bytes.
pub const MAX_MESSAGE: usize = 256 * 1024;

/// The forms in which messages come; one endpoint takes one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// ContractRequestMessage.
    Request,
    /// ContractOfferMessage.
    Offer,
    /// ContractAgreementMessage.
    Agreement,
    /// ContractAgreementVerificationMessage.
    Verification,
    /// ContractNegotiationEventMessage.
    Event,
    /// ContractNegotiationTerminationMessage.
    Termination,
}

impl Form {
    /// Its `@type`, which is its schema's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "ContractRequestMessage",
            Self::Offer => "ContractOfferMessage",
            Self::Agreement => "ContractAgreementMessage",
            Self::Verification => "ContractAgreementVerificationMessage",
            Self::Event => "ContractNegotiationEventMessage",
            Self::Termination => "ContractNegotiationTerminationMessage",
        }
    }

    /// The form of a kind of message.
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Request => Self::Request,
            Kind::Offer => Self::Offer,
            Kind::Agreement => Self::Agreement,
            Kind::Verification => Self::Verification,
            Kind::Acceptance | Kind::Finalization => Self::Event,
            Kind::Termination => Self::Termination,
        }
    }
}

/// A message that was read: what it says, and to which negotiation.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// Its own id.
    pub id: Option<String>,
    /// The consumer's id of the negotiation.
    pub consumer_pid: Option<String>,
    /// The provider's.
    pub provider_pid: Option<String>,
    /// Where the sender takes answers, in a first message.
    pub callback: Option<String>,
    /// What it says.
    pub word: Word,
    /// Who promises what to whom, where it says so.
    pub parties: Option<Parties>,
    /// The members that the protocol does not know.
    pub extra: Map<String, Value>,
}

/// The ids that a text names, as far as it does; for an answer to what was not understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The consumer's id of the negotiation.
    pub consumer_pid: Option<String>,
    /// The provider's.
    pub provider_pid: Option<String>,
}

/// Parses a message.
///
/// # Errors
/// `encoding.*`.
pub fn parse(bytes: &[u8]) -> Result<Value, Refusal> {
    parse_json(bytes, MAX_MESSAGE)
}

/// Reads a message strictly, as one of a form.
///
/// # Errors
/// `dsp.message`; with the ids that it names.
pub fn read(mut value: Value, form: Form) -> Result<Letter, (Refusal, Named)> {
    tolerate(&mut value);
    if let Err(refusal) = hold(form.name(), &value).and_then(|()| hold_day(&value)) {
        let pid = |name: &str| {
            let named = value.get(name).and_then(Value::as_str);
            named.map(str::to_owned)
        };
        return Err((refusal, Named { consumer_pid: pid("consumerPid"), provider_pid: pid("providerPid") }));
    }
    // The schema has just held that it is an object with members of these types.
    let Value::Object(members) = value else {
        return Err((checks::MESSAGE.refuse("not an object"), Named::default()));
    };
    Ok(Letter::of(members, form))
}

impl Letter {
    fn of(mut members: Map<String, Value>, form: Form) -> Self {
        let mut text = |name: &str| match members.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (id, callback) = (text("@id"), text("callbackAddress"));
        let (consumer_pid, provider_pid) = (text("consumerPid"), text("providerPid"));
        let (event, code) = (text("eventType"), text("code"));
        let mut own = match members.remove("countersign") {
            Some(Value::Object(own)) => own,
            _ => Map::new(),
        };
        // The schema holds that there are all four or none, each somebody's id; with other forms they mean nothing, and stay.
        let parties = match form {
            Form::Request | Form::Offer | Form::Agreement => take_parties(&mut own),
            Form::Verification | Form::Event | Form::Termination => None,
        };
        let mut policy = |name: &str| members.remove(name).unwrap_or_default();
        let word = match form {
            Form::Request => Word::Request { offer: policy("offer") },
            Form::Offer => Word::Offer { offer: policy("offer") },
            Form::Agreement => Word::Agreement { agreement: policy("agreement") },
            Form::Verification => Word::Verification,
            Form::Event if event.as_deref() == Some("FINALIZED") => Word::Finalization,
            Form::Event => {
                let offer = match own.remove("offer") {
                    Some(Value::String(offer)) => Some(offer),
                    _ => None,
                };
                Word::Acceptance { offer }
            }
            Form::Termination => {
                let reason = match policy("reason") {
                    Value::Array(reason) => reason,
                    _ => vec![],
                };
                Word::Termination { code, reason }
            }
        };
        if !own.is_empty() {
            members.insert("countersign".into(), Value::Object(own));
        }
        members.shift_remove("@context");
        members.shift_remove("@type");
        Self { id, consumer_pid, provider_pid, callback, word, parties, extra: members }
    }
}

const ROLES: [&str; 4] = ["provider", "consumer", "promisor", "promisee"];

fn take_parties(own: &mut Map<String, Value>) -> Option<Parties> {
    let named: Option<Vec<ParticipantId>> = ROLES.iter().map(|role| own.get(*role)?.as_str()?.parse().ok()).collect();
    let [provider, consumer, promisor, promisee] = <[ParticipantId; 4]>::try_from(named?).ok()?;
    for role in ROLES {
        own.shift_remove(role);
    }
    Some(Parties { provider, consumer, promisor, promisee })
}

/// The day of an agreement is one: a pattern knows no months.
fn hold_day(message: &Value) -> Result<(), Refusal> {
    let Some(timestamp) = message.pointer("/agreement/timestamp").and_then(Value::as_str) else { return Ok(()) };
    // Years of more than four digits, or before the first, are nobody's.
    let day = timestamp.get(..10).and_then(|day| day.parse::<jiff::civil::Date>().ok());
    checks::MESSAGE.hold(day.is_some(), || format!("the agreement's timestamp {timestamp} is no time"))
}

/// Holds what this side is about to say as its counterparty will: to its schema, and to the longest message. The
/// counterparty's id of the negotiation, where it is not known yet, will be filled in.
///
/// # Errors
/// `dsp.message`.
pub fn hold_said(opening: &Opening, said: &Said, first: Option<&str>) -> Result<(), Refusal> {
    let kind = said.word.kind();
    let message = if first.is_some() || opening.peer_pid.is_some() {
        write(opening, said, first)
    } else {
        write(&Opening { peer_pid: Some(NOBODY.into()), ..opening.clone() }, said, first)
    };
    hold(Form::of(kind).name(), &message)?;
    // The others are some ids, none of them longer than 2 KiB.
    if matches!(kind, Kind::Request | Kind::Offer | Kind::Agreement | Kind::Termination) {
        let length = message.to_string().len();
        checks::MESSAGE.hold(length <= MAX_MESSAGE, || format!("{length} bytes are too long, {MAX_MESSAGE} fit"))?;
    }
    Ok(())
}

/// A message as it travels. `first` carries the address for answers, and no id of the counterparty's.
pub fn write(opening: &Opening, said: &Said, first: Option<&str>) -> Value {
    let kind = said.word.kind();
    let mut message = json!({ "@context": [CONTEXT], "@type": Form::of(kind).name() });
    if let Some(id) = &said.id {
        message["@id"] = json!(id);
    }
    for (member, pid) in [("providerPid", opening.provider_pid()), ("consumerPid", opening.consumer_pid())] {
        let own = (member == "consumerPid") == (opening.role == Role::Consumer);
        if let Some(pid) = pid.filter(|_| own || first.is_none()) {
            message[member] = json!(pid);
        }
    }
    if let Some(callback) = first {
        message["callbackAddress"] = json!(callback);
    }
    let mut own = said.extra.get("countersign").and_then(Value::as_object).cloned().unwrap_or_default();
    match &said.word {
        Word::Request { offer } | Word::Offer { offer } => message["offer"] = offer.clone(),
        Word::Agreement { agreement } => message["agreement"] = agreement.clone(),
        Word::Acceptance { offer } => {
            message["eventType"] = json!("ACCEPTED");
            if let Some(offer) = offer {
                own.insert("offer".into(), json!(offer));
            }
        }
        Word::Finalization => message["eventType"] = json!("FINALIZED"),
        Word::Verification => {}
        Word::Termination { code, reason } => {
            if let Some(code) = code {
                message["code"] = json!(code);
            }
            if !reason.is_empty() {
                message["reason"] = json!(reason);
            }
        }
    }
    if let Some(Parties { provider, consumer, promisor, promisee }) = &said.parties {
        for (role, party) in ROLES.into_iter().zip([provider, consumer, promisor, promisee]) {
            own.insert(role.into(), json!(party));
        }
    }
    for (name, value) in said.extra.iter().filter(|(name, _)| *name != "countersign") {
        message[name] = value.clone();
    }
    if !own.is_empty() {
        message["countersign"] = Value::Object(own);
    }
    message
}

/// Writes numbers and truth values among a policy's operands as texts: the protocol's schema has no others.
pub fn spell_operands(policy: &mut Value) {
    match policy {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::Number(_) | Value::Bool(_) if name == "rightOperand" => *value = json!(value.to_string()),
                    value => spell_operands(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(spell_operands),
        _ => {}
    }
}

/// The answer to a first message, and to whoever asks where a negotiation stands.
pub fn acknowledge(negotiation: &Negotiation) -> Value {
    let opening = negotiation.opening();
    json!({
        "@context": [CONTEXT],
        "@type": "ContractNegotiation",
        "providerPid": opening.provider_pid().unwrap_or(NOBODY),
        "consumerPid": opening.consumer_pid().unwrap_or(NOBODY),
        "state": negotiation.state().name(),
    })
}

/// The answer to a message that was not taken.
pub fn negotiation_error(named: &Named, check: Option<&Check>, reason: &str) -> Value {
    // What was named may be what was wrong.
    let id = |pid: &Option<String>| json!(pid.as_deref().filter(|pid| is_id(pid)).unwrap_or(NOBODY));
    let mut error = json!({
        "@context": [CONTEXT],
        "@type": "ContractNegotiationError",
        "providerPid": id(&named.provider_pid),
        "consumerPid": id(&named.consumer_pid),
        "reason": [reason],
    });
    if let Some(check) = check {
        error["code"] = json!(check.id());
    }
    error
}

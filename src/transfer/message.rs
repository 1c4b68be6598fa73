use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{DataAddress, Kind, PULL, StateName, checks};
use crate::check::Refusal;

/// The context that every message of the Dataspace Protocol 2025-1 names.
pub const CONTEXT: &str = "https://w3id.org/dspace/2025/1/context.jsonld";

/// Why somebody suspends or terminates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// A short code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// For people; connectors put texts or objects here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reason: Vec<Value>,
}

impl Reason {
    /// A code with one sentence.
    pub fn new(code: &str, sentence: &str) -> Self {
        Self { code: Some(code.to_owned()), reason: vec![sentence.into()] }
    }

    fn read(message: &Map<String, Value>) -> Result<Self, Refusal> {
        let code = match message.get("code") {
            None => None,
            Some(code) => {
                let text = code.as_str().ok_or_else(|| checks::MESSAGE.refuse("`code` is not a string"))?;
                Some(text.to_owned())
            }
        };
        let reason = match message.get("reason") {
            None => vec![],
            Some(reason) => {
                let list = reason.as_array().filter(|list| !list.is_empty());
                list.ok_or_else(|| checks::MESSAGE.refuse("`reason` is not a list, or it is empty"))?.clone()
            }
        };
        Ok(Self { code, reason })
    }

    fn write(&self, message: &mut Value) {
        if let Some(code) = &self.code {
            message["code"] = json!(code);
        }
        if !self.reason.is_empty() {
            message["reason"] = json!(self.reason);
        }
    }
}

/// A message about a transfer, with exactly what moves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: Kind,
    /// The sender's id of the message, if it gave one: a repetition carries it again.
    pub id: Option<String>,
    /// The consumer's id of the transfer.
    pub consumer_pid: String,
    /// The provider's id of it; absent in a request.
    pub provider_pid: Option<String>,
    /// In a request: the agreement.
    pub agreement: Option<String>,
    /// In a request: where the consumer hears.
    pub callback: Option<String>,
    /// In a provider's start: where the data is.
    pub address: Option<DataAddress>,
    /// In a suspension or a termination: why.
    pub reason: Reason,
}

impl Message {
    /// Reads a message that came to the door of `kind`.
    ///
    /// # Errors
    /// `transfer.message`, `transfer.format`, `transfer.address`.
    pub fn read(kind: Kind, value: &Value) -> Result<Self, Refusal> {
        let message = value.as_object().ok_or_else(|| checks::MESSAGE.refuse("the message is not an object"))?;
        let text = |member: &str| match message.get(member) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(checks::MESSAGE.refuse(format!("`{member}` is not a string, or it is empty"))),
        };
        let needed = |member: &str| text(member)?.ok_or_else(|| checks::MESSAGE.refuse(format!("no `{member}`")));
        let named = message.get("@context").and_then(Value::as_array);
        let ours = named.is_some_and(|list| list.iter().any(|context| context == CONTEXT));
        checks::MESSAGE.hold(ours, || format!("`@context` is a list with {CONTEXT}"))?;
        let found = needed("@type")?;
        let wanted = kind.message_type();
        checks::MESSAGE.hold(found == wanted, || format!("`@type` is `{found}`, expected is {wanted}"))?;
        let mut read = Self {
            kind,
            id: text("@id")?,
            consumer_pid: needed("consumerPid")?,
            provider_pid: None,
            agreement: None,
            callback: None,
            address: None,
            reason: Reason::default(),
        };
        if kind == Kind::Request {
            let format = needed("format")?;
            checks::FORMAT.hold(format == PULL, || format!("`{format}`, this node transfers by {PULL}"))?;
            let push = message.contains_key("dataAddress");
            checks::FORMAT.hold(!push, || "a pull has no `dataAddress` in its request".into())?;
            read.agreement = Some(needed("agreementId")?);
            read.callback = Some(needed("callbackAddress")?);
            return Ok(read);
        }
        read.provider_pid = Some(needed("providerPid")?);
        match kind {
            Kind::Start => read.address = DataAddress::read(message.get("dataAddress"))?,
            Kind::Suspension | Kind::Termination => read.reason = Reason::read(message)?,
            Kind::Request | Kind::Completion => {}
        }
        Ok(read)
    }

    /// The message as it goes out.
    pub fn body(&self) -> Value {
        let mut body = json!({ "@context": [CONTEXT] });
        if let Some(id) = &self.id {
            body["@id"] = json!(id);
        }
        body["@type"] = json!(self.kind.message_type());
        body["consumerPid"] = json!(self.consumer_pid);
        if let Some(pid) = &self.provider_pid {
            body["providerPid"] = json!(pid);
        }
        if let (Some(agreement), Some(callback)) = (&self.agreement, &self.callback) {
            body["agreementId"] = json!(agreement);
            body["format"] = json!(PULL);
            body["callbackAddress"] = json!(callback);
        }
        if let Some(address) = &self.address {
            body["dataAddress"] = address.body();
        }
        self.reason.write(&mut body);
        body
    }
}

/// A TransferProcess: what a transfer's door answers.
pub fn process_body(consumer_pid: &str, provider_pid: Option<&str>, state: StateName) -> Value {
    json!({
        "@context": [CONTEXT],
        "@type": "TransferProcess",
        // The consumer does not know the provider's id before the first answer; the schema wants a string all the same.
        "providerPid": provider_pid.unwrap_or_default(),
        "consumerPid": consumer_pid,
        "state": state.name(),
    })
}

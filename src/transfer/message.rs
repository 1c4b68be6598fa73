use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{DataAddress, Kind, PULL, StateName, checks};
use crate::check::Refusal;
use crate::dsp::{CONTEXT, NOBODY, hold_by};

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

    fn read(message: &Value) -> Self {
        let code = message.get("code").and_then(Value::as_str).map(str::to_owned);
        Self { code, reason: message.get("reason").and_then(Value::as_array).cloned().unwrap_or_default() }
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
        hold_by(&checks::MESSAGE, kind.message_type(), value)?;
        let text = |member: &str| value.get(member).and_then(Value::as_str).map(str::to_owned);
        // The schema has just held that it is there, where the kind needs it.
        let needed = |member: &str| text(member).ok_or_else(|| checks::MESSAGE.refuse(format!("no `{member}`")));
        let mut read = Self {
            kind,
            id: text("@id"),
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
            let push = value.get("dataAddress").is_some();
            checks::FORMAT.hold(!push, || "a pull has no `dataAddress` in its request".into())?;
            read.agreement = Some(needed("agreementId")?);
            read.callback = Some(needed("callbackAddress")?);
            return Ok(read);
        }
        read.provider_pid = Some(needed("providerPid")?);
        match kind {
            Kind::Start => read.address = value.get("dataAddress").map(DataAddress::read).transpose()?,
            Kind::Suspension | Kind::Termination => read.reason = Reason::read(value),
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
        // The consumer does not know the provider's id before the first answer; the schema wants one all the same.
        "providerPid": provider_pid.unwrap_or(NOBODY),
        "consumerPid": consumer_pid,
        "state": state.name(),
    })
}

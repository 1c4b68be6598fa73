use serde_json::{Map, Value};

use super::{asks_a_mediator, checks};
use crate::check::Refusal;
use crate::encoding::{self, Timestamp};
use crate::identity::Did;

/// The longest plaintext that is written or read, in bytes; with signature and envelope it stays below the envelope's limit.
pub const MAX_PLAINTEXT: usize = 128 * 1024;

const PLAIN: &str = "application/didcomm-plain+json";
const MAX_LIST: usize = 16;
const MAX_TEXT: usize = 512;

/// A DIDComm v2.1 plaintext message, the members that countersign uses (Messaging 2.1, "Plaintext Message Structure").
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Unique for its sender; a repeated message has the same id.
    pub id: String,
    /// `type`: the message type URI.
    pub kind: String,
    /// Who writes and signs.
    pub from: Did,
    /// Whom it is for.
    pub to: Vec<Did>,
    /// The thread: the pid of whoever began the negotiation.
    pub thid: Option<String>,
    /// The thread that this one was caused by: of an invitation, or of the message that a problem report is about.
    pub pthid: Option<String>,
    /// When it was written.
    pub created_time: Option<Timestamp>,
    /// From when on it is not read any more.
    pub expires_time: Option<Timestamp>,
    /// The content, a JSON object.
    pub body: Value,
    /// What travels with it.
    pub attachments: Vec<Attachment>,
}

/// A text that travels with a message, for example an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Names the attachment within its message.
    pub id: String,
    /// For example `application/dc+sd-jwt`.
    pub media_type: Option<String>,
    /// The text of `data.base64`, or `data.json` as compact JSON.
    pub text: String,
}

impl Message {
    /// The text of the attachment with this id.
    pub fn attachment(&self, id: &str) -> Option<&str> {
        self.attachments.iter().find(|attachment| attachment.id == id).map(|attachment| attachment.text.as_str())
    }

    /// The message as plaintext JSON.
    ///
    /// # Errors
    /// What [`Message::read`] would refuse: nothing is sent that a strict reader does not take.
    pub fn write(&self) -> Result<String, Refusal> {
        self.write_within(MAX_PLAINTEXT)
    }

    pub(super) fn write_within(&self, limit: usize) -> Result<String, Refusal> {
        let mut members = Map::new();
        members.insert("id".into(), self.id.as_str().into());
        members.insert("typ".into(), PLAIN.into());
        members.insert("type".into(), self.kind.as_str().into());
        members.insert("from".into(), self.from.as_str().into());
        members.insert("to".into(), self.to.iter().map(Did::as_str).collect::<Vec<_>>().into());
        for (name, thread) in [("thid", &self.thid), ("pthid", &self.pthid)] {
            if let Some(thread) = thread {
                members.insert(name.into(), thread.as_str().into());
            }
        }
        for (name, time) in [("created_time", self.created_time), ("expires_time", self.expires_time)] {
            if let Some(time) = time {
                members.insert(name.into(), time.seconds().into());
            }
        }
        members.insert("body".into(), self.body.clone());
        if !self.attachments.is_empty() {
            members.insert("attachments".into(), self.attachments.iter().map(Attachment::to_json).collect());
        }
        // Whoever asks a mediator has perhaps no other way to be answered.
        if asks_a_mediator(&self.kind) {
            members.insert("return_route".into(), "all".into());
        }
        let text = Value::Object(members).to_string();
        Self::read_within(text.as_bytes(), limit)?;
        Ok(text)
    }

    /// Reads a plaintext message strictly; members that DIDComm lets others add are passed over.
    ///
    /// # Errors
    /// `inbox.nesting`, `inbox.plaintext*`, `inbox.attachment`, `encoding.*`.
    pub fn read(plaintext: &[u8]) -> Result<Self, Refusal> {
        Self::read_within(plaintext, MAX_PLAINTEXT)
    }

    pub(super) fn read_within(plaintext: &[u8], limit: usize) -> Result<Self, Refusal> {
        let Value::Object(mut members) = encoding::parse_json(plaintext, limit)? else {
            return Err(checks::PLAINTEXT.refuse("the plaintext is not a JSON object"));
        };
        let wrapped = members.contains_key("payload") || members.contains_key("ciphertext");
        checks::NESTING.hold(!wrapped, || "another envelope where a plaintext is expected".into())?;
        checks::ROTATION.hold(!members.contains_key("from_prior"), || "from_prior is present".into())?;
        if let Some(typ) = members.get("typ") {
            checks::PLAINTEXT_TYP.hold(is_media_type(typ, PLAIN), || format!("typ {typ}, expected {PLAIN}"))?;
        }
        let asks = members.get("type").and_then(Value::as_str).is_some_and(asks_a_mediator);
        // Their specifications show some without a body.
        let none = if asks { Value::Object(Map::new()) } else { Value::Null };
        let body = members.remove("body").unwrap_or(none);
        checks::PLAINTEXT.hold(body.is_object(), || "body is not a JSON object".into())?;
        Ok(Self {
            id: text(&members, "id")?,
            kind: text(&members, "type")?,
            from: did(members.get("from"))?,
            to: list(&members, "to", &checks::PLAINTEXT)?.iter().map(|to| did(Some(to))).collect::<Result<_, _>>()?,
            thid: members.contains_key("thid").then(|| text(&members, "thid")).transpose()?,
            pthid: members.contains_key("pthid").then(|| text(&members, "pthid")).transpose()?,
            created_time: time(&members, "created_time")?,
            expires_time: time(&members, "expires_time")?,
            body,
            attachments: attachments(&members)?,
        })
    }
}

/// Whether a plaintext asks for its answer on the way that it came (DIDComm v2.1, `return_route`).
pub(super) fn returns(plaintext: &[u8], limit: usize) -> bool {
    let read = encoding::parse_json(plaintext, limit);
    read.is_ok_and(|value| matches!(value.get("return_route").and_then(Value::as_str), Some("all" | "thread")))
}

/// Whether `typ` is this media type; JOSE lets `application/` be left out (RFC 7515 section 4.1.9).
pub(super) fn is_media_type(typ: &Value, media_type: &str) -> bool {
    typ.as_str().is_some_and(|typ| typ == media_type || Some(typ) == media_type.strip_prefix("application/"))
}

fn text(members: &Map<String, Value>, name: &str) -> Result<String, Refusal> {
    match members.get(name).and_then(Value::as_str) {
        Some(text) if (1..=MAX_TEXT).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(text.to_owned())
        }
        _ => Err(checks::PLAINTEXT.refuse(format!("{name} is not a text of 1 to {MAX_TEXT} visible ASCII letters"))),
    }
}

fn did(value: Option<&Value>) -> Result<Did, Refusal> {
    value.and_then(Value::as_str).ok_or_else(|| checks::PLAINTEXT.refuse("from and to are DIDs"))?.parse()
}

fn time(members: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let seconds = |value: &Value| value.as_i64().ok_or_else(|| checks::PLAINTEXT.refuse(format!("{name} {value}")));
    members.get(name).map(|value| Timestamp::from_seconds(seconds(value)?)).transpose()
}

fn list<'a>(
    members: &'a Map<String, Value>,
    name: &str,
    check: &'static crate::check::Check,
) -> Result<&'a [Value], Refusal> {
    match members.get(name) {
        None => Ok(&[]),
        Some(Value::Array(items)) if items.len() <= MAX_LIST => Ok(items),
        Some(_) => Err(check.refuse(format!("{name} is not a list of at most {MAX_LIST}"))),
    }
}

fn attachments(members: &Map<String, Value>) -> Result<Vec<Attachment>, Refusal> {
    let mut read: Vec<Attachment> = Vec::new();
    for value in list(members, "attachments", &checks::ATTACHMENT)? {
        let attachment = Attachment::from_json(value)?;
        let twice = read.iter().any(|earlier| earlier.id == attachment.id);
        checks::ATTACHMENT.hold(!twice, || format!("two attachments with the id `{}`", attachment.id))?;
        read.push(attachment);
    }
    Ok(read)
}

impl Attachment {
    fn to_json(&self) -> Value {
        let mut members = Map::new();
        members.insert("id".into(), self.id.as_str().into());
        if let Some(media_type) = &self.media_type {
            members.insert("media_type".into(), media_type.as_str().into());
        }
        members.insert("data".into(), serde_json::json!({ "base64": encoding::encode(&self.text) }));
        Value::Object(members)
    }

    fn from_json(value: &Value) -> Result<Self, Refusal> {
        let refuse = |detail: &str| checks::ATTACHMENT.refuse(detail);
        let members = value.as_object().ok_or_else(|| refuse("an attachment is not a JSON object"))?;
        let short =
            |value: &Value| value.as_str().filter(|text| (1..=MAX_TEXT).contains(&text.len())).map(str::to_owned);
        let id = members.get("id").and_then(short).ok_or_else(|| refuse("an attachment has no id"))?;
        let media_type = match members.get("media_type") {
            None => None,
            Some(value) => Some(short(value).ok_or_else(|| refuse("media_type is not a short text"))?),
        };
        let data = members.get("data").and_then(Value::as_object).ok_or_else(|| refuse("an attachment has no data"))?;
        if let Some(name) = data.keys().find(|name| !matches!(name.as_str(), "base64" | "json")) {
            return Err(refuse(&format!("data.{name} in attachment `{id}`, expected base64 or json")));
        }
        let text = match (data.get("base64"), data.get("json")) {
            (Some(Value::String(text)), None) => String::from_utf8(encoding::decode(text)?)
                .map_err(|_| refuse(&format!("data.base64 of attachment `{id}` is not UTF-8 text")))?,
            (None, Some(json)) => json.to_string(),
            _ => return Err(refuse(&format!("attachment `{id}` has not exactly one of data.base64 and data.json"))),
        };
        Ok(Self { id, media_type, text })
    }
}

use serde_json::{Value, json};

use super::envelope::seal_text;
use super::message::is_media_type;
use super::{AgreementPublic, MAX_ENVELOPE, MAX_OUTER, checks};
use crate::check::Refusal;
use crate::encoding::{self, Timestamp};
use crate::identity::{Did, DidUrl};

/// How many mediators a message passes at most.
pub const MAX_HOPS: usize = 2;

const FORWARD: &str = "https://didcomm.org/routing/2.0/forward";
const PLAIN: &str = "application/didcomm-plain+json";

/// A request to pass an envelope on (routing 2.0): what a mediator finds when it opens its own envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Whom it is for: a DID, or one of its keys.
    pub next: String,
    /// The envelope, as it is kept and delivered.
    pub envelope: Vec<u8>,
    /// From when on it need not be passed on any more.
    pub expires_time: Option<Timestamp>,
}

impl Forward {
    /// Reads a forward strictly; `None` when the plaintext is another message.
    ///
    /// # Errors
    /// `inbox.forward`, `encoding.*`.
    pub fn read(plaintext: &[u8]) -> Result<Option<Self>, Refusal> {
        let value = encoding::parse_json(plaintext, MAX_OUTER)?;
        if value.get("type").and_then(Value::as_str) != Some(FORWARD) {
            return Ok(None);
        }
        let refuse = |what: &str| checks::FORWARD.refuse(what);
        let typ = value.get("typ").is_none_or(|typ| is_media_type(typ, PLAIN));
        checks::FORWARD.hold(typ, || format!("typ {:?}, expected {PLAIN}", value.get("typ")))?;
        let next = value.pointer("/body/next").and_then(Value::as_str).unwrap_or_default();
        let named = next.parse::<Did>().is_ok() || next.parse::<DidUrl>().is_ok();
        checks::FORWARD.hold(named, || "body.next is neither a DID nor a key of one".into())?;
        let data = match value.get("attachments").and_then(Value::as_array).map(Vec::as_slice) {
            Some([attachment]) => attachment.get("data").and_then(Value::as_object),
            _ => return Err(refuse("not exactly one attachment")),
        };
        let data = data.ok_or_else(|| refuse("the attachment has no data"))?;
        let envelope = match (data.get("json"), data.get("base64")) {
            (Some(json @ Value::Object(_)), None) => json.to_string().into_bytes(),
            (None, Some(Value::String(text))) => encoding::decode(text)?,
            _ => return Err(refuse("the attachment has not exactly one of data.json and data.base64")),
        };
        // Only its shape: whoever passes it on need not know the algorithms of those who seal and open it.
        let inner = encoding::parse_json(&envelope, MAX_OUTER)?;
        let text = |name: &str| inner.get(name).is_some_and(Value::is_string);
        let sealed = text("protected") && text("ciphertext") && inner.get("recipients").is_some_and(Value::is_array);
        checks::FORWARD.hold(sealed, || "the attachment is no envelope".into())?;
        let expires_time = match value.get("expires_time") {
            None | Some(Value::Null) => None,
            Some(time) => {
                let seconds = time.as_i64().ok_or_else(|| refuse("expires_time is no number of seconds"))?;
                Some(Timestamp::from_seconds(seconds)?)
            }
        };
        Ok(Some(Self { next: next.to_owned(), envelope, expires_time }))
    }
}

/// Wraps an envelope for `next` once for each routing key, the last one innermost, as routing 2.0 has it: the first key
/// is that of the mediator to whose inbox the outcome is posted.
///
/// # Errors
/// `inbox.hops` for more than [`MAX_HOPS`] keys, `inbox.size`, `inbox.envelope.*`, `inbox.agreement`.
pub fn wrap(
    envelope: Vec<u8>,
    next: &Did,
    via: &[AgreementPublic],
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Vec<u8>, Refusal> {
    checks::HOPS.hold(via.len() <= MAX_HOPS, || format!("{} routing keys, at most {MAX_HOPS}", via.len()))?;
    checks::SIZE.hold(envelope.len() <= MAX_ENVELOPE, || format!("an envelope of {} bytes", envelope.len()))?;
    let (mut envelope, mut next) = (envelope, next.to_string());
    for hop in via.iter().rev() {
        let mut id = [0; 16];
        random(&mut id);
        let inner: Value = encoding::parse_json(&envelope, MAX_OUTER)?;
        let forward = json!({
            "id": encoding::encode(id), "typ": PLAIN, "type": FORWARD, "to": [hop.kid.did()],
            "body": { "next": next }, "attachments": [{ "id": "0", "data": { "json": inner } }],
        });
        envelope = seal_text(&forward.to_string(), None, std::slice::from_ref(hop), MAX_OUTER, random)?;
        next = hop.kid.did().to_string();
    }
    Ok(envelope)
}

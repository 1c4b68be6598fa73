//! Invitations: DIDComm out-of-band 2.0, with the signed contact inside, so that nothing has to be looked up.

use serde_json::{Value, json};

use super::{Attachment, Message, checks};
use crate::check::Refusal;
use crate::encoding::{self, Timestamp};
use crate::identity::Did;

const KIND: &str = "https://didcomm.org/out-of-band/2.0/invitation";
const CONTACT: &str = "contact";
const ACCEPTED: &str = "didcomm/v2";
/// The longest link or file that is read, in bytes.
const MAX_LINK: usize = 64 * 1024;

/// An invitation to reach somebody. Only the contact in it is signed: whom it is for and how long it lasts bind honest
/// wallets, and prove nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Unique for its maker.
    pub id: String,
    /// Who invites.
    pub from: Did,
    /// Whom it is for; anybody when absent.
    pub to: Option<Did>,
    /// What for, in a sentence.
    pub goal: Option<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Until when it is taken.
    pub expires: Option<Timestamp>,
    /// The inviter's signed contact.
    pub contact: String,
}

impl Invitation {
    /// The invitation as JSON.
    ///
    /// # Errors
    /// What [`Invitation::read`] would refuse.
    pub fn write(&self) -> Result<String, Refusal> {
        let mut body = json!({ "accept": [ACCEPTED] });
        if let Some(goal) = &self.goal {
            body["goal"] = goal.as_str().into();
        }
        Message {
            id: self.id.clone(),
            kind: KIND.into(),
            from: self.from.clone(),
            to: self.to.iter().cloned().collect(),
            thid: None,
            pthid: None,
            created_time: self.created,
            expires_time: self.expires,
            body,
            attachments: vec![Attachment {
                id: CONTACT.into(),
                media_type: Some("application/jwt".into()),
                text: self.contact.clone(),
            }],
        }
        .write()
    }

    /// The link that carries it whole: below `base`, an https URL, or as `countersign:` without one.
    ///
    /// # Errors
    /// As [`Invitation::write`].
    pub fn link(&self, base: Option<&str>) -> Result<String, Refusal> {
        let base = base.map_or_else(|| "countersign:invitation".to_owned(), |base| format!("{base}/invitation"));
        Ok(format!("{base}?_oob={}", encoding::encode(self.write()?)))
    }

    /// Reads an invitation: a link with `_oob` of any scheme and host, or its JSON.
    ///
    /// # Errors
    /// `invitation.link`, `invitation.form`, `invitation.protocol`, and what a plaintext message is held to.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        checks::INVITATION_LINK.hold(text.len() <= MAX_LINK, || format!("{} bytes, at most {MAX_LINK}", text.len()))?;
        // Mail programs break long lines.
        let joined: String = text.split_ascii_whitespace().collect();
        let json = if joined.starts_with('{') { text.trim().as_bytes().to_vec() } else { carried(&joined)? };
        Self::of(&json)
    }

    fn of(json: &[u8]) -> Result<Self, Refusal> {
        let damaged = |cause: Refusal| {
            checks::INVITATION.refuse(format!("it is cut short or damaged, copy all of it: {}", cause.detail))
        };
        let members = encoding::parse_json(json, MAX_LINK).map_err(damaged)?;
        let kind = members.get("type").or_else(|| members.get("@type")).and_then(Value::as_str).unwrap_or_default();
        let shown: String = kind.chars().take(100).collect();
        checks::INVITATION_PROTOCOL.hold(kind == KIND, || {
            format!(
                "its type is `{shown}`, and this wallet takes {KIND}: it is an invitation of another kind of wallet"
            )
        })?;
        let message = Message::read(json).map_err(|refusal| checks::INVITATION.refuse(refusal.detail.clone()))?;
        let accepts = match message.body.get("accept") {
            None => true,
            Some(Value::Array(profiles)) => profiles.iter().any(|profile| profile == ACCEPTED),
            Some(_) => false,
        };
        checks::INVITATION_PROTOCOL.hold(accepts, || format!("whoever invites does not take {ACCEPTED}"))?;
        let contact = message.attachment(CONTACT).map(str::to_owned).ok_or_else(|| {
            checks::INVITATION_PROTOCOL.refuse("it brings no signed contact: it is not of a countersign wallet")
        })?;
        checks::INVITATION.hold(message.to.len() <= 1, || "it is for more than one".into())?;
        Ok(Self {
            goal: message.body.get("goal").and_then(Value::as_str).map(|goal| goal.chars().take(500).collect()),
            id: message.id,
            from: message.from,
            to: message.to.into_iter().next(),
            created: message.created_time,
            expires: message.expires_time,
            contact,
        })
    }

    /// Holds the invitation to its own words: whom it is for, and until when.
    ///
    /// # Errors
    /// `invitation.for`, `invitation.expired`.
    pub fn hold(&self, own: &Did, now: Timestamp) -> Result<(), Refusal> {
        checks::INVITATION_FOR
            .hold(self.from != *own, || "this wallet made it itself: give it to somebody else".into())?;
        checks::INVITATION_FOR.hold(self.to.as_ref().is_none_or(|to| to == own), || {
            format!("it is for {}, and this wallet is {own}", self.to.as_ref().map_or("", Did::as_str))
        })?;
        checks::INVITATION_EXPIRED.hold(self.expires.is_none_or(|expires| now < expires), || {
            format!("it was good until {}; ask for another", self.expires.map_or_else(String::new, |at| at.rfc3339()))
        })
    }
}

/// What a link's `_oob` carries.
fn carried(link: &str) -> Result<Vec<u8>, Refusal> {
    let query = link.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let member = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let Some(carried) = member("_oob") else {
        let other = ["oob", "c_i", "d_m"].into_iter().any(|name| member(name).is_some());
        checks::INVITATION_PROTOCOL.hold(!other, || "a link of DIDComm v1, and this wallet speaks v2".into())?;
        let short = member("_oobid").is_some();
        return Err(checks::INVITATION_LINK.refuse(if short {
            "a short link that would have to be fetched; ask for the whole one, with `_oob`"
        } else {
            "no link with `_oob` in it; `countersign invite` makes one"
        }));
    };
    let carried = carried.trim_end_matches("%3D").trim_end_matches("%3d").trim_end_matches('=');
    encoding::decode(carried).map_err(|cause| {
        checks::INVITATION_LINK.refuse(format!("it is cut short or damaged, copy all of it: {}", cause.detail))
    })
}

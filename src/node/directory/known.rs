use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::credential::rfc3339;
use crate::encoding::Timestamp;
use crate::identity::{Did, DidDocument, FormerKey};

/// How many changes are told, and how many former keys are remembered.
const CHANGES: usize = 10;
const FORMER: usize = 64;

/// What is known of a did:web.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its document as it was served last, with every key that it listed before.
    pub document: Arc<DidDocument>,
    /// When it was last served.
    pub asked: Timestamp,
    /// Since when it says what it says.
    pub since: Timestamp,
    /// What changed, oldest first.
    pub changes: Vec<Alteration>,
    /// Whether the owner has seen the changes.
    pub confirmed: bool,
    /// Whether it is nobody in particular, of whom nothing is kept.
    pub stranger: bool,
}

/// A change of a DID document, or of a signed contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alteration {
    /// When it was noticed.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// What is another now than before, each as a line for people.
    pub what: Vec<String>,
}

impl Known {
    /// A document that was never seen before.
    pub(super) fn new(document: DidDocument, stranger: bool, now: Timestamp) -> Self {
        Self { document: Arc::new(document), asked: now, since: now, changes: vec![], confirmed: true, stranger }
    }

    /// What is known after `fresh` was served.
    pub(super) fn after(&self, fresh: DidDocument, stranger: bool, now: Timestamp) -> Self {
        let what = differences(&self.document, &fresh);
        let mut changes = self.changes.clone();
        if !what.is_empty() {
            changes.push(Alteration { at: now, what });
            changes.drain(..changes.len().saturating_sub(CHANGES));
        }
        let changed = changes.len() != self.changes.len() || changes.last() != self.changes.last();
        Self {
            document: Arc::new(remembering(&self.document, fresh, self.asked)),
            asked: now,
            since: if changed { now } else { self.since },
            confirmed: self.confirmed && !changed,
            changes,
            stranger: self.stranger && stranger,
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "document": self.document.to_json(), "asked": self.asked, "since": self.since, "changes": self.changes,
            "confirmed": self.confirmed,
        })
    }

    pub(super) fn of_json(did: &Did, json: &Value) -> Option<Self> {
        let time = |name: &str| Timestamp::from_seconds(json.get(name)?.as_i64()?).ok();
        Some(Self {
            document: Arc::new(DidDocument::of_json(did, json.get("document")?).ok()?),
            asked: time("asked")?,
            since: time("since")?,
            changes: serde_json::from_value(json.get("changes")?.clone()).ok()?,
            confirmed: json.get("confirmed")?.as_bool()?,
            stranger: false,
        })
    }
}

/// `fresh` with the keys that `before` knew and it does not: they signed until `seen` at least.
fn remembering(before: &DidDocument, mut fresh: DidDocument, seen: Timestamp) -> DidDocument {
    let lists = |fresh: &DidDocument, kid, key| fresh.keys.iter().any(|(name, listed)| (name, listed) == (kid, key));
    let once = before.keys.iter().map(|(kid, key)| (kid, key, Some(seen)));
    let former = before.former.iter().map(|former| (&former.kid, &former.key, former.until));
    for (kid, key, until) in once.chain(former) {
        if lists(&fresh, kid, key) {
            continue;
        }
        if let Some(told) = fresh.former.iter_mut().find(|former| (&former.kid, &former.key) == (kid, key)) {
            // What the document itself says about the end comes first.
            told.until = told.until.or(until);
        } else if fresh.former.len() < FORMER {
            fresh.former.push(FormerKey { kid: kid.clone(), key: *key, until });
        }
    }
    // One name, one key: a name that was used again means its new key.
    let keys = fresh.keys.clone();
    fresh.former.retain(|former| keys.iter().all(|(kid, _)| *kid != former.kid));
    fresh
}

/// What is another in `after` than in `before`, in words.
fn differences(before: &DidDocument, after: &DidDocument) -> Vec<String> {
    let mut what = Vec::new();
    let mut compare = |name: &str, before: Vec<String>, after: Vec<String>| {
        let shown = |texts: &[String]| if texts.is_empty() { "none".to_owned() } else { texts.join(", ") };
        if before != after {
            what.push(format!("{name}: {} -> {}", shown(&before), shown(&after)));
        }
    };
    let inboxes = |document: &DidDocument| {
        let named = document.services.iter().map(|service| match &service.routing_keys[..] {
            [] => service.uri.clone(),
            by => format!("{} by way of {}", service.uri, by.join(" and ")),
        });
        named.collect::<Vec<_>>()
    };
    compare("inbox", inboxes(before), inboxes(after));
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names
    };
    let signing =
        |document: &DidDocument| sorted(document.keys.iter().map(|(_, key)| key.thumbprint().to_string()).collect());
    compare("signing key", signing(before), signing(after));
    let agreement = |document: &DidDocument| {
        sorted(document.agreement.iter().map(|(_, jwk)| jwk.thumbprint().to_string()).collect())
    };
    compare("key that messages are sealed for", agreement(before), agreement(after));
    what
}

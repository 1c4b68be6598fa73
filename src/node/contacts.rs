//! Where counterparties are reached.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::acquaint::agreement_keys;
use super::{Acquaintance, Alteration, Node, NodeFault, chance, checks, kind};
use crate::check::Trail;
use crate::encoding::Timestamp;
use crate::identity::{Did, DidUrl, Jws, Method, Unverified, Verified};
use crate::inbox::{self, AgreementPublic, Contact, agreement_keys_of};

/// How many changes of a contact are told.
const CHANGES: usize = 10;

/// Where a party's messages go, and for whom they are sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The inbox: its own, or the first mediator's.
    pub inbox: String,
    /// The keys that its envelopes are sealed for, all its own; those of the first one's curve are used.
    pub keys: Vec<AgreementPublic>,
    /// The routing keys that an envelope is wrapped for, first that of the mediator whose inbox it is; mostly none.
    pub via: Vec<AgreementPublic>,
}

/// A contact that the owner adds: signed by the DID that it is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewContact {
    /// The contact, a JWS of typ `countersign-contact+jwt`.
    pub contact: String,
}

/// Somebody whom this node knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PersonView {
    /// The DID: what evidence names.
    pub did: Did,
    /// The owner's name for it.
    pub name: Option<String>,
    /// Where it is reached, where a signed contact or its DID document says so.
    pub inbox: Option<String>,
    /// Since when it is reached there, by these keys.
    #[serde(serialize_with = "optional")]
    pub since: Option<Timestamp>,
    /// What changed since it was met, oldest first.
    pub changes: Vec<Alteration>,
    /// Whether the owner has seen these changes.
    pub confirmed: bool,
}

fn optional<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => crate::credential::rfc3339::serialize(at, serializer),
        None => serializer.serialize_none(),
    }
}

impl Node {
    /// This node's own contact, signed.
    ///
    /// # Errors
    /// When the key cannot be used, no key agreement key is configured, or the mediator has not granted mediation yet.
    pub fn contact(&self) -> Result<String, NodeFault> {
        Ok(self.own_contact()?.sign(&*self.signer)?)
    }

    /// The same with the time of now, for an invitation: it is believed by whoever has heard anything else before, also
    /// what this node does not remember to have said.
    pub(super) fn contact_anew(&self) -> Result<String, NodeFault> {
        let own = self.said.anew(self.present_contact()?);
        // It is kept there.
        self.bells.moved.notify_one();
        Ok(own.sign(&*self.signer)?)
    }

    /// Where this node is reached, as it says itself.
    pub(super) fn own_contact(&self) -> Result<Contact, NodeFault> {
        Ok(self.said.now(self.present_contact()?))
    }

    fn present_contact(&self) -> Result<Contact, NodeFault> {
        let key = self.agreement.first().ok_or_else(|| NodeFault::Key("no key agreement key".into()))?.public();
        let (url, routing) = self.reached_at()?;
        Ok(Contact { did: self.did().clone(), url, key, iat: chance::now()?, routing })
    }

    /// Adds a contact; a newer one of the same DID takes the place of an older.
    ///
    /// # Errors
    /// `contact.*`, `jws.*` when it is not what it claims to be.
    pub async fn add_contact(&self, new: &NewContact) -> Result<Did, NodeFault> {
        self.acquaint_with_signer(&new.contact).await?;
        let contact = self.read_contact(&new.contact)?;
        self.keep_contact(&contact, &new.contact).await?;
        Ok(contact.did.clone())
    }

    /// Refuses a contact that would change nothing, since its party has said something else later: whoever adds it must
    /// not take it for added.
    pub(super) async fn hold_newest(&self, contact: &str) -> Result<(), NodeFault> {
        let contact = self.read_contact(contact)?;
        if contact.did.method() == Method::Web {
            return Ok(());
        }
        let Some(known) = self.contact_of(&contact.did).await? else { return Ok(()) };
        let takes = known.iat < contact.iat || known.says(&contact);
        Ok(checks::NEWEST.hold(takes, || {
            format!(
                "it says {}, and on {} this party said {}; ask it for a new invitation (countersign invite)",
                contact.url,
                known.iat.rfc3339(),
                known.url,
            )
        })?)
    }

    /// Looks up whoever signed a contact that the owner turns to; one that does not read is refused when it is verified.
    pub(super) async fn acquaint_with_signer(&self, contact: &str) -> Result<(), NodeFault> {
        match Jws::parse(contact).ok().and_then(|signed| signed.header().kid.clone()) {
            Some(kid) => Ok(self.directory.acquaint_with(&kid, Acquaintance::Known).await?),
            None => Ok(()),
        }
    }

    /// Whom this node knows, by name, then by DID.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn people(&self) -> Result<Vec<PersonView>, NodeFault> {
        let mut people = Vec::new();
        for (did, kept) in self.store.all(kind::CONTACT).await? {
            let Ok(did) = did.parse::<Did>() else { continue };
            let name = kept.get("name").and_then(serde_json::Value::as_str).map(str::to_owned);
            people.push(self.person(did, name, &kept).await?);
        }
        people.sort_by(|one, other| (one.name.is_none(), &one.name).cmp(&(other.name.is_none(), &other.name)));
        Ok(people)
    }

    pub(super) async fn learn_contact(&self, from: &Did, contact: &str) -> Result<(), NodeFault> {
        let verified = self.read_contact(contact)?;
        inbox::checks::FROM
            .hold(verified.did == *from, || format!("the contact is {}'s, the message {from}'s", verified.did))?;
        self.keep_contact(&verified, contact).await
    }

    fn read_contact(&self, text: &str) -> Result<Verified<Contact>, NodeFault> {
        Ok(Contact::verify(&Unverified::new(text), &self.documents(), &mut Trail::default())?)
    }

    async fn keep_contact(&self, contact: &Verified<Contact>, text: &str) -> Result<(), NodeFault> {
        if contact.did.method() == Method::Web {
            // Where it is reached, its document says; that it is known is all that is kept.
            return self.know_web(&contact.did).await;
        }
        let known = self.contact_of(&contact.did).await?;
        // An older one that comes again replaces nothing, and neither does one of the same second.
        if known.as_ref().is_none_or(|known| known.iat < contact.iat) {
            let mut kept = self.store.one(kind::CONTACT, contact.did.as_str()).await?.unwrap_or_else(|| json!({}));
            // The name that the owner gave stays, wherever the contact moves.
            kept["contact"] = text.into();
            let (now, before) = (chance::now()?, changes(&kept).last().map(|change| change.at));
            let moved = known.is_none_or(|known| note_change(&mut kept, &known, contact, now));
            self.store.put(kind::CONTACT, contact.did.as_str(), &kept).await?;
            if moved {
                self.send_after(&contact.did, before).await?;
            }
            if self.settings.mediator.as_ref().is_some_and(|by| by.did.as_ref() == Some(&contact.did)) {
                self.mediated.bell.notify_one();
            }
        }
        Ok(())
    }

    pub(super) async fn contact_of(&self, did: &Did) -> Result<Option<Contact>, NodeFault> {
        let Some(kept) = self.store.one(kind::CONTACT, did.as_str()).await? else { return Ok(None) };
        let Some(text) = kept.get("contact").and_then(serde_json::Value::as_str) else { return Ok(None) };
        Ok(Some(self.read_contact(text)?.into_inner()))
    }

    /// Where `did` is reached.
    pub(super) async fn reach(&self, did: &Did) -> Result<Option<Reach>, NodeFault> {
        if did.method() == Method::Web {
            return self.web_reach(did).await;
        }
        let contact = self.contact_of(did).await?;
        Ok(contact.map(|contact| Reach { inbox: contact.url, keys: vec![contact.key], via: contact.routing }))
    }

    /// The public half of a key that an envelope says it was sealed with: named by its DID itself, or in the contact that
    /// its DID signed.
    ///
    /// # Errors
    /// `inbox.sender-key` when neither knows it.
    pub(super) async fn sender_key(&self, skid: &DidUrl) -> Result<AgreementPublic, NodeFault> {
        let mut known = match skid.did().method() {
            Method::Key => agreement_keys_of(skid.did())?,
            Method::Web => {
                let known = self.directory.known(skid.did());
                known.map(|known| agreement_keys(&known.document)).unwrap_or_default()
            }
            Method::Jwk => vec![],
        };
        if skid.did().method() != Method::Web {
            known.extend(self.reach(skid.did()).await?.into_iter().flat_map(|reach| reach.keys));
        }
        let found = known.into_iter().find(|key| key.kid == *skid);
        Ok(found
            .ok_or_else(|| inbox::checks::SENDER_KEY.refuse(format!("{skid} is not known to be a key of its DID")))?)
    }
}

/// What changed about a contact, as it is kept.
pub(super) fn changes(kept: &serde_json::Value) -> Vec<Alteration> {
    kept.get("changes").and_then(|changes| serde_json::from_value(changes.clone()).ok()).unwrap_or_default()
}

/// Notes what a newer contact says otherwise, for its owner to see; whether there is anything.
fn note_change(kept: &mut serde_json::Value, known: &Contact, contact: &Contact, now: Timestamp) -> bool {
    let mut what = Vec::new();
    let by = |contact: &Contact| match contact.routing.len() {
        0 => contact.url.clone(),
        hops => format!("{} by way of {hops} mediators", contact.url),
    };
    if by(known) != by(contact) || known.routing != contact.routing {
        what.push(format!("inbox: {} -> {}", by(known), by(contact)));
    }
    if known.key != contact.key {
        let (before, after) = (known.key.jwk.thumbprint(), contact.key.jwk.thumbprint());
        what.push(format!("key that messages are sealed for: {before} -> {after}"));
    }
    if what.is_empty() {
        return false;
    }
    let mut changes = changes(kept);
    changes.push(Alteration { at: now, what });
    changes.drain(..changes.len().saturating_sub(CHANGES));
    (kept["changes"], kept["confirmed"]) = (json!(changes), false.into());
    true
}

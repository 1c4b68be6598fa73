//! did:web parties: looking their documents up before something rests on them, and where they are reached.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::contacts::{Reach, changes};
use super::{Acquaintance, Node, NodeFault, PersonView, checks, kind};
use crate::credential::Participant;
use crate::encoding::Timestamp;
use crate::identity::{Did, DidDocument, DidUrl, Method, Service, checks as signing};
use crate::inbox::{AgreementPublic, Contact, MAX_HOPS, Opened, agreement_keys_of, sign};

/// How long the messages behind it wait for a stranger's document.
const PATIENCE: Duration = Duration::from_millis(500);
const PROFILE: &str = "didcomm/v2";
const DIDCOMM: &str = "DIDCommMessaging";

impl Node {
    /// This node's DID document as it is served: `keys` with where it is reached, once a mediator has granted that.
    ///
    /// # Errors
    /// When no key agreement key is configured.
    pub fn did_document(&self, keys: &DidDocument) -> Result<DidDocument, NodeFault> {
        match self.own_contact() {
            Ok(contact) => Ok(reached(keys, contact)),
            Err(NodeFault::Unready(_)) => {
                let agreement = self.agreement.iter().map(|key| key.public()).take(1);
                Ok(DidDocument { agreement: agreement.map(|key| (key.kid, key.jwk)).collect(), ..keys.clone() })
            }
            Err(fault) => Err(fault),
        }
    }

    /// Looks up whoever `kid` is of, before something that it signed or sealed is verified.
    pub(super) async fn acquaint_with(&self, kid: &DidUrl) -> Result<(), NodeFault> {
        if kid.did().method() != Method::Web {
            return Ok(());
        }
        let did = kid.did();
        let trusted = self.settings.trust.operators.contains(did) || self.settings.trust.pinned.contains(did);
        let known = trusted || self.store.one(kind::CONTACT, did.as_str()).await?.is_some();
        if known {
            return Ok(self.directory.acquaint_with(kid, Acquaintance::Known).await?);
        }
        // A stranger's server that takes its time holds up nobody else's messages: what comes again is heard then.
        let (directory, stranger) = (Arc::clone(&self.directory), kid.clone());
        let asked = tokio::spawn(async move { directory.acquaint_with(&stranger, Acquaintance::Stranger).await });
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(looked_up)) => Ok(looked_up?),
            _ => Err(signing::DID_RESOLVED.refuse(format!("{did} is still being looked up; send it again")).into()),
        }
    }

    /// Looks up the operators and pinned parties that are did:web. One that is not to be had is told when something
    /// rests on it.
    pub(super) async fn acquaint_trusted(&self) {
        let trust = &self.settings.trust;
        for did in trust.operators.iter().chain(&trust.pinned).filter(|did| did.method() == Method::Web) {
            if let Err(refusal) = self.directory.acquaint(did, Acquaintance::Known).await {
                tracing::warn!(%did, %refusal, "a trusted party could not be looked up");
            }
        }
    }

    /// Makes a did:web a contact, since the owner turns to it; others have to be contacts already, or become some.
    pub(super) async fn look_up(&self, did: &Did) -> Result<(), NodeFault> {
        if did.method() != Method::Web || *did == *self.did() {
            return Ok(());
        }
        self.directory.acquaint(did, Acquaintance::Known).await?;
        self.reachable(did).await
    }

    /// As [`Node::look_up`], with the document as it is served at this moment.
    pub(super) async fn look_up_now(&self, did: &Did) -> Result<(), NodeFault> {
        self.directory.ask_now(did).await?;
        self.reachable(did).await
    }

    /// Looks a did:web up again that says that it has moved, and sends what waits for it there.
    pub(super) async fn look_again(&self, did: &Did) -> Result<(), NodeFault> {
        // What is not to be had now is asked for again when something is sent.
        if let Err(refusal) = self.directory.ask_again(did).await {
            tracing::debug!(%did, %refusal, "it says that it has moved, and its document was not to be had");
        }
        let Some(since) = self.directory.known(did).map(|known| known.since) else { return Ok(()) };
        let mut kept = self.store.one(kind::CONTACT, did.as_str()).await?.unwrap_or_else(|| json!({}));
        let before = kept.get("sent_since").and_then(Value::as_i64);
        if before == Some(since.seconds()) {
            return Ok(());
        }
        // The document may have been asked for a moment ago already, to verify what says so.
        kept["sent_since"] = since.seconds().into();
        self.store.put(kind::CONTACT, did.as_str(), &kept).await?;
        self.send_after(did, before.and_then(|before| Timestamp::from_seconds(before).ok())).await
    }

    async fn reachable(&self, did: &Did) -> Result<(), NodeFault> {
        let reach = self.web_reach(did).await?;
        checks::REACH
            .hold(reach.is_some(), || format!("the document of {did} names no DIDComm inbox, or no key for it"))?;
        self.know_web(did).await
    }

    /// A did:web is reached where its document says; what is kept is that the owner knows it.
    pub(super) async fn know_web(&self, did: &Did) -> Result<(), NodeFault> {
        if self.store.one(kind::CONTACT, did.as_str()).await?.is_none() {
            self.store.put(kind::CONTACT, did.as_str(), &json!({})).await?;
        }
        self.directory.remember(did).await
    }

    /// Where a did:web is reached, by its document as it is known.
    pub(super) async fn web_reach(&self, did: &Did) -> Result<Option<Reach>, NodeFault> {
        let Some(known) = self.directory.known(did) else { return Ok(None) };
        let speaks = |service: &&Service| service.accept.is_empty() || service.accept.iter().any(|it| it == PROFILE);
        let Some(service) = known.document.services.iter().find(speaks) else { return Ok(None) };
        let keys = agreement_keys(&known.document);
        let mut via = Vec::new();
        let inbox = match service.uri.parse::<Did>() {
            // A mediator by its DID: its own document says where it is, and one step is enough.
            Ok(mediator) => {
                let found = self.mediator(&mediator).await?;
                via.extend(agreement_keys(&found).into_iter().next());
                match found.services.iter().find(speaks).filter(|service| service.uri.parse::<Did>().is_err()) {
                    Some(service) => service.uri.clone(),
                    None => return Ok(None),
                }
            }
            Err(_) => service.uri.clone(),
        };
        for name in &service.routing_keys {
            via.push(self.routing_key(name).await?);
        }
        checks::REACH.hold(via.len() <= MAX_HOPS, || format!("{} mediators on the way to {did}", via.len()))?;
        Ok((!keys.is_empty()).then_some(Reach { inbox, keys, via }))
    }

    async fn mediator(&self, did: &Did) -> Result<DidDocument, NodeFault> {
        if did.method() != Method::Web {
            return Err(checks::REACH.refuse(format!("the mediator {did} does not say by itself where it is")).into());
        }
        self.directory.acquaint(did, Acquaintance::Stranger).await?;
        let known = self.directory.known(did);
        known.map(|known| (*known.document).clone()).ok_or_else(|| NodeFault::unknown("mediator", did.as_str()))
    }

    /// The key that a routing key's name stands for.
    async fn routing_key(&self, name: &str) -> Result<AgreementPublic, NodeFault> {
        let refuse = || checks::REACH.refuse("a routing key is no DID URL of a key that is known");
        let (did, kid) = match name.parse::<DidUrl>() {
            Ok(kid) => (kid.did().clone(), Some(kid)),
            Err(_) => (name.parse::<Did>().map_err(|_| refuse())?, None),
        };
        let keys = match did.method() {
            Method::Key => agreement_keys_of(&did)?,
            Method::Web => agreement_keys(&self.mediator(&did).await?),
            Method::Jwk => vec![],
        };
        let wanted = |key: &AgreementPublic| kid.as_ref().is_none_or(|kid| key.kid == *kid);
        Ok(keys.into_iter().find(wanted).ok_or_else(refuse)?)
    }

    /// Holds a message's signer to its participant credential: whoever serves a member's DID document alone is not it.
    pub(super) fn signed_by_member(&self, kid: &DidUrl, member: &Participant) -> Result<(), NodeFault> {
        let key = self.documents().key(kid)?.thumbprint();
        Ok(checks::SENDER.hold(member.signs_with(&key), || {
            format!("{} signed with {key}, which its participant credential does not list", member.did)
        })?)
    }

    /// A signed message as it goes out now: signed anew if this party has rotated its key since it was queued.
    pub(super) fn signed_now(&self, signed: &str) -> Result<String, NodeFault> {
        if self.did().method() != Method::Web {
            return Ok(signed.to_owned());
        }
        let opened = Opened::read(signed)?;
        if opened.signer_kid() == self.signer.kid() {
            return Ok(signed.to_owned());
        }
        let message = opened.verify_kept(&self.documents_ever(), &mut crate::check::Trail::default())?;
        Ok(sign(&message, &*self.signer)?)
    }

    /// Somebody whom this node knows, with what changed about it.
    pub(super) async fn person(&self, did: Did, name: Option<String>, kept: &Value) -> Result<PersonView, NodeFault> {
        if did.method() == Method::Web {
            let known = self.directory.known(&did);
            let inbox = known.as_ref().and_then(|known| known.document.services.first()).map(|it| it.uri.clone());
            let since = known.as_ref().map(|known| known.since);
            let confirmed = known.as_ref().is_none_or(|known| known.confirmed);
            let changes = known.map(|known| known.changes).unwrap_or_default();
            return Ok(PersonView { did, name, inbox, since, changes, confirmed });
        }
        let contact = self.contact_of(&did).await?;
        let changes = changes(kept);
        let said = contact.as_ref().map(|contact| contact.iat);
        let since = changes.last().map(|change| change.at).or(said);
        let confirmed = kept.get("confirmed").and_then(Value::as_bool).unwrap_or(true);
        Ok(PersonView { did, name, inbox: contact.map(|contact| contact.url), since, changes, confirmed })
    }

    /// The owner has seen what changed about a contact.
    ///
    /// # Errors
    /// `Unknown` for somebody who is no contact.
    pub async fn confirm_contact(&self, did: &Did) -> Result<(), NodeFault> {
        let kept = self.store.one(kind::CONTACT, did.as_str()).await?;
        let mut kept = kept.ok_or_else(|| NodeFault::unknown("contact", did.as_str()))?;
        if did.method() == Method::Web {
            return self.directory.confirm(did).await;
        }
        kept["confirmed"] = true.into();
        Ok(self.store.put(kind::CONTACT, did.as_str(), &kept).await?)
    }
}

/// A document that says as well where its subject is reached.
pub(super) fn reached(keys: &DidDocument, contact: Contact) -> DidDocument {
    let service = Service {
        kind: DIDCOMM.into(),
        uri: contact.url,
        accept: vec![PROFILE.into()],
        routing_keys: contact.routing.iter().map(|key| key.kid.to_string()).collect(),
    };
    DidDocument { agreement: vec![(contact.key.kid, contact.key.jwk)], services: vec![service], ..keys.clone() }
}

/// The keys of a document that envelopes can be sealed for.
pub(super) fn agreement_keys(document: &DidDocument) -> Vec<AgreementPublic> {
    let named = document.agreement.iter().map(|(kid, jwk)| AgreementPublic { kid: kid.clone(), jwk: jwk.clone() });
    named.filter(|key| key.curve().is_ok()).collect()
}

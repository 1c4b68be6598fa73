//! Whose keys are which, for a mediator: what DIDs spell themselves, what members' contacts name, and what the documents of
//! did:web list.

use super::{Mediator, NodeFault};
use crate::check::{Refusal, Trail};
use crate::identity::{Did, DidDocument, DidUrl, Documents, Jws, Method, Unverified};
use crate::inbox::mediation::Request;
use crate::inbox::{self, AgreementPublic, Contact, Message, agreement_keys_of};
use crate::node::Acquaintance;
use crate::node::acquaint::{agreement_keys, reached};

impl Mediator {
    /// Its DID document as it is served: `keys` with where it is reached.
    ///
    /// # Errors
    /// When no key agreement key is configured.
    pub fn did_document(&self, keys: &DidDocument) -> Result<DidDocument, NodeFault> {
        Ok(reached(keys, self.own_contact()?))
    }

    /// Looks a did:web up before something that it signed or sealed is verified: whoever the mediator knows as often as
    /// needed, others at the rate that the directory has for strangers.
    pub(super) async fn acquaint_with(&self, kid: &DidUrl) -> Result<(), NodeFault> {
        let did = kid.did();
        if did.method() != Method::Web {
            return Ok(());
        }
        let known = self.settings.dids.contains(did) || self.store.member(did).await?.is_some();
        let who = if known { Acquaintance::Known } else { Acquaintance::Stranger };
        Ok(self.directory.acquaint_with(kid, who).await?)
    }

    /// Looks up the operators that are did:web; one that is not to be had vouches for nobody.
    pub(super) async fn acquaint_operators(&self) {
        for did in self.trust.operators.iter().filter(|did| did.method() == Method::Web) {
            if let Err(refusal) = self.directory.acquaint(did, Acquaintance::Known).await {
                tracing::warn!(%did, %refusal, "an operator could not be looked up");
            }
        }
    }

    /// Looks up who signed a word; one that does not read is refused when it is verified.
    pub(super) async fn acquaint_with_word(&self, word: &str) -> Result<(), NodeFault> {
        match Jws::parse(word).ok().and_then(|word| word.header().kid.clone()) {
            Some(kid) => self.acquaint_with(&kid).await,
            None => Ok(()),
        }
    }

    /// The public half of the key that an envelope says it was sealed with.
    pub(super) async fn key_of(&self, skid: &DidUrl) -> Result<AgreementPublic, NodeFault> {
        self.acquaint_with(skid).await?;
        let known = self.keys_of(skid.did()).await?.into_iter().find(|key| key.kid == *skid);
        Ok(known
            .ok_or_else(|| inbox::checks::SENDER_KEY.refuse(format!("{skid} is not known to be a key of its DID")))?)
    }

    /// The key that the answer to a signed message is sealed for.
    pub(super) async fn key_for(&self, message: &Message) -> Result<AgreementPublic, NodeFault> {
        // What does not read is answered, so that somebody has to be there to answer.
        if let Ok(Some(Request::Mediate { contact: Some(contact), .. })) = Request::read(message) {
            return Ok(vet(&contact, &message.from, &self.directory.documents())?.key);
        }
        let known = self.keys_of(&message.from).await?.into_iter().next();
        Ok(known.ok_or_else(|| inbox::checks::SENDER_KEY.refuse(format!("no key of {} is known", message.from)))?)
    }

    /// The keys of a DID: those that the document of a did:web lists, those that its contact names, or that it spells.
    async fn keys_of(&self, did: &Did) -> Result<Vec<AgreementPublic>, NodeFault> {
        let document = self.directory.known(did).map(|known| agreement_keys(&known.document));
        let mut keys = document.unwrap_or_default();
        keys.extend(self.contact_of(did).await?.map(|contact| contact.key));
        if did.method() == Method::Key {
            keys.extend(agreement_keys_of(did)?);
        }
        Ok(keys)
    }

    /// Where a member has said that it is reached.
    pub(super) async fn contact_of(&self, did: &Did) -> Result<Option<Contact>, NodeFault> {
        let granted = self.store.member(did).await?;
        let documents = self.directory.documents_ever();
        Ok(granted.and_then(|granted| granted.contact).map(|contact| vet(&contact, did, &documents)).transpose()?)
    }
}

/// A contact that is `did`'s own.
pub(super) fn vet(contact: &str, did: &Did, documents: &Documents) -> Result<Contact, Refusal> {
    let contact = Contact::verify(&Unverified::new(contact), documents, &mut Trail::default())?;
    inbox::checks::FROM
        .hold(contact.did == *did, || format!("the contact is {}'s, the message {did}'s", contact.did))?;
    Ok(contact.into_inner())
}

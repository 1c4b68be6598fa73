//! Catalogs through the inbox: what a provider lists, for members that ask (`catalog-request`, `catalog`).

use serde_json::{Value, json};

use super::store::{Mark, Outgoing};
use super::wire::{DSP_CONTEXT, message_type};
use super::{Listing, Node, NodeFault, chance, checks, kind};
use crate::check::Refusal;
use crate::identity::{Did, DidUrl};
use crate::inbox::{self, Attachment, Message};
use crate::policy::Fee;

/// How many assets one catalog names; a sealed message has its limits.
const MOST: usize = 200;

impl Node {
    /// Asks a provider for its catalog; the id under which the answer will be kept.
    ///
    /// # Errors
    /// `Unready` without a participant credential.
    pub async fn ask_for_catalog(&self, provider: &Did) -> Result<String, NodeFault> {
        self.look_up(provider).await?;
        let id = chance::urn_uuid()?;
        let attach = |id: &str, media_type: &str, text: String| Attachment {
            id: id.into(),
            media_type: Some(media_type.into()),
            text,
        };
        let body = json!({ "@context": [DSP_CONTEXT], "@type": "CatalogRequestMessage" });
        let attachments = vec![
            attach("participant", "application/dc+sd-jwt", self.own_membership(chance::now()?).await?.text.clone()),
            attach("contact", "application/jwt", self.contact()?),
        ];
        let message = self.unrelated("catalog-request", id.clone(), provider, &id, body, attachments)?;
        self.store.put(kind::CATALOG, &id, &json!({ "provider": provider })).await?;
        self.post(&message, None).await?;
        Ok(id)
    }

    /// A catalog that was asked for; `None` while the answer is on its way.
    ///
    /// # Errors
    /// `Unknown` when it was never asked for.
    pub async fn catalog(&self, id: &str) -> Result<Option<Value>, NodeFault> {
        let kept = self.store.one(kind::CATALOG, id).await?.ok_or_else(|| NodeFault::unknown("catalog", id))?;
        Ok(kept.get("catalog").cloned())
    }

    /// Answers a member that asks for the catalog.
    pub(super) async fn show_catalog(&self, message: &Message, signer: &DidUrl) -> Result<(), NodeFault> {
        let attached = |id: &str| message.attachment(id).ok_or_else(|| missing(id));
        let participant = self.participant_of(attached("participant")?, chance::now()?)?;
        checks::SENDER.hold(participant.did == message.from, || format!("the credential is {}'s", participant.did))?;
        self.signed_by_member(signer, &participant)?;
        self.learn_contact(&message.from, attached("contact")?).await?;
        let mut listings = self.listings().await?;
        listings.retain(|listing| listing.cataloged);
        listings.truncate(MOST);
        let mut body = json!({
            "@context": [DSP_CONTEXT], "@type": "Catalog", "@id": chance::urn_uuid()?, "participantId": self.did(),
        });
        let mut sets = Vec::new();
        for listing in &listings {
            sets.push(dataset(listing, self.did(), self.fee_of(listing).await));
        }
        if !sets.is_empty() {
            body["dataset"] = sets.into();
        }
        let answer = self.unrelated("catalog", chance::urn_uuid()?, &message.from, &message.id, body, vec![])?;
        self.post(&answer, Some(message)).await
    }

    /// Keeps a catalog that this node has asked this provider for; any other is dropped.
    pub(super) async fn keep_catalog(&self, message: &Message) -> Result<(), NodeFault> {
        let asked = message.thid.as_deref().unwrap_or_default();
        let kept = self.store.one(kind::CATALOG, asked).await?;
        let provider = kept.as_ref().and_then(|kept| kept.get("provider")).and_then(Value::as_str);
        checks::THREAD.hold(provider == Some(message.from.as_str()), || "nobody here asked for this catalog".into())?;
        let is_catalog = message.body.get("@type").and_then(Value::as_str) == Some("Catalog");
        checks::MESSAGE.hold(is_catalog, || "a body that is no Catalog".into())?;
        let kept = json!({ "provider": message.from, "catalog": message.body });
        self.store.put(kind::CATALOG, asked, &kept).await?;
        self.shelve(&message.from, &message.body, MOST).await?;
        // What was seen last is what "cataloged" means to this consumer.
        self.store.put(kind::SHELF, message.from.as_str(), &kept).await?;
        // What waited for it can be decided now.
        self.bells.watch.notify_one();
        Ok(self.store.acknowledged(asked, &message.from, None).await?)
    }

    /// A message that belongs to no negotiation.
    pub(super) fn unrelated(
        &self,
        name: &str,
        id: String,
        to: &Did,
        thread: &str,
        body: Value,
        attachments: Vec<Attachment>,
    ) -> Result<Message, NodeFault> {
        Ok(Message {
            id,
            kind: message_type(name),
            from: self.did().clone(),
            to: vec![to.clone()],
            thid: Some(thread.to_owned()),
            created_time: Some(chance::now()?),
            pthid: None,
            expires_time: None,
            body,
            attachments,
        })
    }

    /// Queues a message that belongs to no negotiation: a question, or the answer to one.
    pub(super) async fn post(&self, message: &Message, answers: Option<&Message>) -> Result<(), NodeFault> {
        let [to] = &message.to[..] else { return Err(missing("to").into()) };
        let outgoing = Outgoing {
            id: message.id.clone(),
            negotiation: None,
            to: to.clone(),
            signed: inbox::sign(message, &*self.signer)?,
            wants_answer: answers.is_none(),
            attempts: 0,
            due: Some(chance::now()?),
            note: None,
        };
        let mark = answers.map(|question| Mark {
            from: question.from.clone(),
            message: question.id.clone(),
            signed: None,
            answer: outgoing.clone(),
        });
        self.store.queue(outgoing, mark).await?;
        self.bells.outbox.notify_one();
        Ok(())
    }
}

fn missing(what: &str) -> Refusal {
    checks::MESSAGE.refuse(format!("`{what}` is missing"))
}

/// A listing as a DCAT dataset of the Dataspace Protocol; what a contract is made of goes into the member `countersign`.
/// Provider and promisor stand in its policy, with the fee that a contract would have and what the template is called;
/// consumer and promisee are whoever negotiates.
fn dataset(listing: &Listing, provider: &Did, fee: Option<(Fee, String)>) -> Value {
    let mut policy = json!({ "provider": provider, "promisor": provider });
    if let Some((fee, title)) = fee {
        policy["fee"] = json!(fee);
        policy["template_title"] = title.into();
    }
    json!({
        "@id": listing.asset.id,
        "@type": "Dataset",
        "hasPolicy": [{
            "@id": listing.template, "@type": "Offer", "permission": [{ "action": "use" }],
            "countersign": policy,
        }],
        "distribution": [{ "@type": "Distribution", "format": listing.asset.media_type, "accessService": listing.asset.endpoint }],
        "countersign": listing,
    })
}

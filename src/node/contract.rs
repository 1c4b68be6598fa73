//! The finished contract as a file.

use std::collections::BTreeMap;

use serde_json::Value;

use super::wire::{self, Content};
use super::{Node, NodeFault};
use crate::check::Trail;
use crate::credential::{ContractFile, Participant, TemplatePaper, vocabulary};
use crate::identity::{Did, DidUrl, Jws, Method, Unverified, Verified};
use crate::inbox::Opened;
use crate::negotiation::{Negotiation, checks};

impl Node {
    /// The contract file of a negotiation that has an entry (`protocol.md` 7).
    ///
    /// # Errors
    /// `negotiation.state` when there is no entry yet.
    pub async fn contract_file(&self, id: &str) -> Result<ContractFile, NodeFault> {
        let negotiation = self.negotiation(id).await?;
        let state = negotiation.state().name();
        let (Some(countersigned), Some(entry)) = (negotiation.countersigned(), negotiation.entry()) else {
            return Err(checks::STATE.refuse(format!("there is no contract in {state}: it has no entry")).into());
        };
        let offer = &countersigned.offer;
        let papers = [&offer.provider_participant, &offer.consumer_participant];
        let members: Vec<_> =
            papers.into_iter().filter_map(|text| self.participant_kept(text, entry.block_time).ok()).collect();
        // Whoever rotated its key on the way signed the rest with one that its credential in this file does not list.
        let listed = |kid: &DidUrl| self.listed(kid, &members);
        let signer = |text: &String| Jws::parse(text).ok()?.header().kid.clone();
        let acknowledgements = negotiation.acknowledgements().iter();
        let acknowledgements: Vec<String> =
            acknowledgements.take_while(|text| signer(text).is_some_and(|kid| listed(&kid))).cloned().collect();
        let mut history = self.history(id, &negotiation).await?;
        history.retain(|signed| Opened::read(&signed.to_string()).is_ok_and(|opened| listed(opened.signer_kid())));
        let did_documents = self.documents_shown(&negotiation, &history);
        Ok(ContractFile {
            format: vocabulary::CONTRACT_FORMAT.into(),
            contract_id: countersigned.core.contract_id,
            core: Unverified::new(&countersigned.core.text),
            disclosures: countersigned.offer.disclosures.clone(),
            participants: vec![
                Unverified::new(&countersigned.offer.provider_participant),
                Unverified::new(&countersigned.offer.consumer_participant),
            ],
            template: TemplatePaper {
                approval: Unverified::new(&countersigned.offer.approval),
                rest: serde_json::Map::new(),
            },
            entry: entry.clone(),
            acknowledgements,
            history,
            did_documents,
            rest: serde_json::Map::new(),
        })
    }

    /// Whether a key is one that the credential of its party lists; the key of a did:key or did:jwk always is.
    fn listed(&self, kid: &DidUrl, members: &[Verified<Participant>]) -> bool {
        let own = |member: &&Verified<Participant>| member.did == *kid.did();
        kid.did().method() != Method::Web
            || self
                .documents_ever()
                .key(kid)
                .is_ok_and(|key| members.iter().find(own).is_some_and(|member| member.signs_with(&key.thumbprint())))
    }

    /// The keys of did:web parties that signed what the file holds, as their documents had them: so that it can be
    /// verified when they have rotated, by the thumbprints in the participant credentials.
    fn documents_shown(&self, negotiation: &Negotiation, history: &[Value]) -> serde_json::Map<String, Value> {
        let opening = negotiation.opening();
        let mut parties = [&opening.us, &opening.peer];
        // In the same order on both sides.
        parties.sort();
        let web = parties.into_iter().filter(|did| did.method() == Method::Web);
        let signed = negotiation.countersigned().map(|signed| &signed.offer);
        let texts = signed.map(|offer| offer.text.split('~').next().unwrap_or_default());
        let statement = negotiation.request().map(|request| request.key_statement.as_str());
        let acknowledged = negotiation.acknowledgements().iter().map(String::as_str);
        let compact = texts.into_iter().chain(statement).chain(acknowledged);
        let mut kids: Vec<DidUrl> = compact.filter_map(|text| Jws::parse(text).ok()?.header().kid.clone()).collect();
        kids.extend(
            history
                .iter()
                .filter_map(|signed| Opened::read(&signed.to_string()).ok().map(|opened| opened.signer_kid().clone())),
        );
        let shown = |did: &Did| (did.to_string(), self.directory.shown(did, &kids).to_json());
        web.map(shown).collect()
    }

    /// The signed messages that made the contract, one of each kind, in their order: the same on both sides.
    async fn history(&self, id: &str, negotiation: &Negotiation) -> Result<Vec<Value>, NodeFault> {
        let sent = self.store.sent(id).await?.into_iter().filter(|sent| sent.wants_answer).map(|sent| sent.signed);
        let mut history = BTreeMap::new();
        for signed in sent.chain(self.store.received(id).await?) {
            let message = Opened::read(&signed)?.verify_kept(&self.documents_ever(), &mut Trail::default())?;
            let Ok(incoming) = wire::read(&message) else { continue };
            if let Some(place) = place(negotiation, &incoming.content) {
                let value = serde_json::from_str(&signed).unwrap_or(Value::String(signed));
                history.entry(place).or_insert(value);
            }
        }
        Ok(history.into_values().collect())
    }
}

/// Where a message stands in the history of the contract; `None` for one that the contract does not rest on.
fn place(negotiation: &Negotiation, content: &Content) -> Option<u8> {
    let countersigned = negotiation.countersigned()?;
    let acknowledged = |index: usize, text: &String| negotiation.acknowledgements().get(index) == Some(text);
    let (place, rests) = match content {
        Content::Request(request) => (0, negotiation.request() == Some(&**request)),
        Content::Offer { offer, .. } => (1, *offer == countersigned.offer.text),
        Content::Acceptance(text) => {
            (2, countersigned.core.text.split_once('~').is_some_and(|(_, acceptance)| acceptance == text))
        }
        Content::Agreement(entry) => (3, countersigned.core.is_entered_by(entry, &countersigned.offer)),
        Content::Verification(text) => (4, acknowledged(0, text)),
        Content::Finalization(text) => (5, acknowledged(1, text)),
        Content::Proposal(_) | Content::Termination(_) | Content::State { .. } => (0, false),
    };
    rests.then_some(place)
}

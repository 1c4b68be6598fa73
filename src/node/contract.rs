//! The finished contract as a file.

use std::collections::BTreeMap;

use serde_json::Value;

use super::wire::{self, Content};
use super::{Node, NodeFault};
use crate::check::Trail;
use crate::credential::{ContractFile, TemplatePaper, vocabulary};
use crate::identity::Unverified;
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
            acknowledgements: negotiation.acknowledgements().to_vec(),
            history: self.history(id, &negotiation).await?,
            did_documents: serde_json::Map::new(),
            rest: serde_json::Map::new(),
        })
    }

    /// The signed messages that made the contract, one of each kind, in their order: the same on both sides.
    async fn history(&self, id: &str, negotiation: &Negotiation) -> Result<Vec<Value>, NodeFault> {
        let sent = self.store.sent(id).await?.into_iter().filter(|sent| sent.wants_answer).map(|sent| sent.signed);
        let mut history = BTreeMap::new();
        for signed in sent.chain(self.store.received(id).await?) {
            let message = Opened::read(&signed)?.verify_kept(&self.documents(), &mut Trail::default())?;
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

//! The finished contract as a file.

use super::{Node, NodeFault, flow};
use crate::credential::{ContractFile, TemplatePaper, vocabulary};
use crate::identity::Unverified;
use crate::negotiation::checks;

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
        tracing::debug!(pid = flow::own_pid(&negotiation), "contract file made");
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
            history: vec![],
            did_documents: serde_json::Map::new(),
            rest: serde_json::Map::new(),
        })
    }
}

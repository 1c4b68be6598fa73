//! What a wallet does with its contracts: present them, and state the fees.

use serde::{Deserialize, Serialize};

use super::{Node, NodeFault, chance, kind};
use crate::credential::{ContractId, NINE, present};
use crate::negotiation::Role;

/// A gate's challenge (`protocol.md` 8).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Challenge {
    /// To be signed.
    pub nonce: String,
    /// The gate's origin.
    pub aud: String,
    /// Until when, RFC 3339.
    pub expires: String,
}

/// The answer to a challenge.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Presentation {
    /// `<issuer JWT>~<acceptance KB-JWT>`.
    pub core: String,
    /// `<issuer JWT>~D…~<KB-JWT>`.
    pub presentation: String,
}

impl Node {
    /// Answers a gate's challenge with a contract: shows asset and terms, and only to the origin of the asset's endpoint.
    ///
    /// # Errors
    /// `Unknown` for a contract that this party does not consume, `presentation.origin` for another origin.
    pub async fn present(&self, contract: &ContractId, challenge: &Challenge) -> Result<Presentation, NodeFault> {
        let (negotiation, countersigned) = self.contract_of(contract, Role::Consumer).await?;
        let key = self.contract_key(&negotiation).await?;
        let core = self.core(&countersigned.core.text)?;
        let shown: Vec<&str> = NINE
            .iter()
            .zip(&countersigned.offer.disclosures)
            .filter(|(name, _)| matches!(**name, "asset" | "terms"))
            .map(|(_, disclosure)| disclosure.as_str())
            .collect();
        let presentation =
            present(&core, &countersigned.offer.asset, &shown, &challenge.aud, &challenge.nonce, chance::now()?, &key)?;
        Ok(Presentation { core: countersigned.core.text, presentation })
    }

    /// Keeps a gate's delivery receipt with its contract.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keep_receipt(&self, contract: &ContractId, receipt: &str) -> Result<(), NodeFault> {
        let id = format!("{contract}:{}", crate::encoding::Digest::of(receipt).b64u());
        Ok(self.store.put(kind::RECEIPT, &id, &serde_json::json!({ "receipt": receipt })).await?)
    }
}

//! What a wallet does with its contracts: present them, and state the fees.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Node, NodeFault, chance, kind};
use crate::check::Refusal;
use crate::credential::{ContractId, NINE, present, rfc3339};
use crate::encoding::{Digest, Timestamp};
use crate::gate::{ByteRange, Listed, Receipt, checks};
use crate::identity::{Did, Jws};
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

/// A gate's receipt for a delivery, as it signed it: whoever fetched has verified it.
#[derive(Clone, Debug, Serialize)]
pub struct ReceiptView {
    /// The gate that signed it.
    pub gate: Did,
    /// How many bytes were delivered.
    pub bytes: u64,
    /// Which file of a directory it was; absent where it was the asset itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Listed>,
    /// Which bytes of it these were; absent where it was the whole of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<ByteRange>,
    /// When the delivery began.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// When it was done.
    #[serde(with = "rfc3339")]
    pub to: Timestamp,
    /// The receipt: a JWS.
    pub receipt: String,
}

impl Node {
    /// Answers a gate's challenge with a contract: shows asset and terms, and only to the origin of the asset's endpoint.
    ///
    /// # Errors
    /// `Unknown` for a contract that this party does not consume, `presentation.origin` for another origin.
    pub async fn present(&self, contract: &ContractId, challenge: &Challenge) -> Result<Presentation, NodeFault> {
        self.timepiece.right().await?;
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
    /// `Unknown` for a contract that this party does not consume, `gate.receipt.claims` for what is no receipt about it.
    pub async fn keep_receipt(&self, contract: &ContractId, receipt: &str) -> Result<(), NodeFault> {
        let (_, countersigned) = self.contract_of(contract, Role::Consumer).await?;
        let (about, core) = (ReceiptView::read(receipt)?.1, countersigned.core.hash.b64u());
        checks::RECEIPT_CLAIMS.hold(about == core, || format!("a receipt about the core {about}, not {core}"))?;
        let id = format!("{contract}:{}", Digest::of(receipt).b64u());
        Ok(self.store.put(kind::RECEIPT, &id, &json!({ "receipt": receipt })).await?)
    }

    /// The receipts kept with a contract, the oldest delivery first; one that does not read is left out.
    ///
    /// # Errors
    /// `Unknown` for a contract that this party does not consume.
    pub async fn receipts(&self, contract: &ContractId) -> Result<Vec<ReceiptView>, NodeFault> {
        self.contract_of(contract, Role::Consumer).await?;
        let mut receipts = Vec::new();
        for (id, kept) in self.store.all_under(kind::RECEIPT, &format!("{contract}:")).await? {
            let text = kept.get("receipt").and_then(Value::as_str).unwrap_or_default();
            match ReceiptView::read(text) {
                Ok((receipt, _)) => receipts.push(receipt),
                // It was kept before receipts were held to what they say, and must not hide the others.
                Err(refusal) => tracing::warn!(receipt = id, %refusal, "a kept receipt does not read and is left out"),
            }
        }
        receipts.sort_by_key(|receipt| (receipt.from, receipt.to));
        Ok(receipts)
    }
}

impl ReceiptView {
    /// A receipt as it was signed, and the core that it is about.
    fn read(text: &str) -> Result<(Self, String), Refusal> {
        let receipt: Receipt = serde_json::from_value(Jws::parse(text)?.claims()?.into())
            .map_err(|cause| checks::RECEIPT_CLAIMS.refuse(cause.to_string()))?;
        let Receipt { iss, core_sha256, bytes, part, range, from, to, .. } = receipt;
        Ok((Self { gate: iss, bytes, part, range, from, to, receipt: text.to_owned() }, core_sha256))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::encode;

    #[test]
    fn a_receipt_says_which_file_it_is_about() {
        let part = json!({ "path": "south/b.csv", "sha256": "9f".repeat(32) });
        let kid = "did:web:gate.example#key";
        let header = json!({ "alg": "ES256", "kid": kid, "typ": "countersign-receipt+jwt" });
        let claims = |part: Option<&Value>| {
            let mut claims = json!({
                "iss": "did:web:gate.example", "core_sha256": "core", "asset_sha256": "00".repeat(32), "bytes": 5,
                "from": 1_790_000_000, "to": 1_790_000_001,
            });
            part.into_iter().for_each(|part| claims["part"] = part.clone());
            format!("{}.{}.{}", encode(header.to_string()), encode(claims.to_string()), encode([1; 64]))
        };
        let shown = |text: &str| json!(ReceiptView::read(text).unwrap().0);
        assert_eq!(shown(&claims(Some(&part)))["part"], part);
        assert_eq!(shown(&claims(None)).get("part"), None);
    }
}

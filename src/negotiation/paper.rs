use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::credential::{Account, Asset, ContractId, Core, Entry, Offer, RegistryUrn};
use crate::encoding::{Digest, Timestamp, encode};
use crate::identity::{Did, Jwk, Verified};
use crate::policy::{Fee, Money};

/// What a consumer asks for, as it was signed and sent (`protocol.md` 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestPaper {
    /// The asset wanted.
    pub asset: String,
    /// The template wanted, if the consumer has a wish.
    pub template: Option<String>,
    /// Values wished for the template's parameters.
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
    /// The price that the consumer has in mind, if any.
    pub price: Option<Money>,
    /// Who promises; the provider when absent.
    pub promisor: Option<Did>,
    /// To whom; the consumer when absent.
    pub promisee: Option<Did>,
    /// The id of what it asks for: of the proposal that it takes up, or its own where it names terms of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer_id: Option<String>,
    /// The fresh key of this contract.
    pub consumer_key: Jwk,
    /// The consumer key statement, a JWS.
    pub key_statement: String,
    /// The consumer's participant credential.
    pub participant: String,
}

/// An offer on the table: what the machine and its readers need of a verified offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferPaper {
    /// `<issuer JWT>~D…~`.
    pub text: String,
    /// The nine disclosures, in order.
    pub disclosures: Vec<String>,
    /// The provider's participant credential.
    pub provider_participant: String,
    /// The consumer's participant credential.
    pub consumer_participant: String,
    /// The approval of the template.
    pub approval: String,
    /// `H(issuer JWT)`.
    pub sha256: Digest,
    /// The contract's id.
    pub contract_id: ContractId,
    /// When it was made.
    pub iat: Timestamp,
    /// Until when it can be accepted.
    pub accept_by: Timestamp,
    /// Until when the entry must stand.
    pub record_by: Timestamp,
    /// End of the contract.
    pub exp: Timestamp,
    /// Where the entry will stand.
    pub registry: RegistryUrn,
    /// Who records it.
    pub recorder: Account,
    /// The template's id.
    pub template: String,
    /// The asset.
    pub asset: Asset,
    /// The price.
    pub price: Money,
    /// The operator's fee.
    pub fee: Fee,
    /// The ODRL Offer.
    pub terms: Value,
    /// Who promises.
    pub promisor: Did,
    /// To whom.
    pub promisee: Did,
}

impl OfferPaper {
    /// The paper of an offer that verification has passed, with the texts it rests on.
    pub fn of(offer: &Verified<Offer>) -> Self {
        let (claims, contents) = (&offer.claims, &offer.contents);
        Self {
            text: format!("{}~{}~", offer.issuer_jwt, offer.disclosures.join("~")),
            disclosures: offer.disclosures.clone(),
            provider_participant: offer.provider.text.clone(),
            consumer_participant: offer.consumer.text.clone(),
            approval: offer.template.approval.clone(),
            sha256: offer.sha256(),
            contract_id: claims.contract_id,
            iat: claims.iat,
            accept_by: claims.accept_by,
            record_by: claims.record_by,
            exp: claims.exp,
            registry: claims.registry,
            recorder: claims.recorder,
            template: claims.template_id.clone(),
            asset: contents.asset.clone(),
            price: contents.price,
            fee: contents.fee.clone(),
            terms: contents.terms.clone(),
            promisor: contents.promisor.clone(),
            promisee: contents.promisee.clone(),
        }
    }
}

/// The core on the table: what both signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorePaper {
    /// `<issuer JWT>~<acceptance KB-JWT>`.
    pub text: String,
    /// What the registry will hold.
    pub hash: Digest,
    /// The contract's id.
    pub contract_id: ContractId,
    /// The offer that was accepted.
    pub offer_sha256: Digest,
    /// Who may withdraw, if the consumer named an account.
    pub withdrawal_account: Option<Account>,
}

impl CorePaper {
    /// The paper of a core that verification has passed.
    pub fn of(core: &Verified<Core>) -> Self {
        Self {
            text: core.text.clone(),
            hash: core.hash,
            contract_id: core.claims.contract_id,
            offer_sha256: Digest::of(&core.issuer_jwt),
            withdrawal_account: core.acceptance.withdrawal_account,
        }
    }

    /// `b64u(H(core))`, as acknowledgements carry it.
    pub fn core_sha256(&self) -> String {
        encode(self.hash.as_bytes())
    }

    /// Whether `entry` states this core under this offer's registry and recorder.
    pub fn is_entered_by(&self, entry: &Entry, offer: &OfferPaper) -> bool {
        entry.hash == self.hash
            && entry.recorder == offer.recorder
            && entry.registry == offer.registry.address
            && entry.chain_id == offer.registry.chain_id
    }
}

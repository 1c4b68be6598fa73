use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::vocabulary::CONTRACT_FORMAT;
use super::{ApprovedTemplate, ContractId, Core, Entry, Participant, checks};
use crate::check::Refusal;
use crate::encoding;
use crate::identity::Unverified;

/// The longest contract file that is read, in bytes.
pub const MAX_CONTRACT_FILE: usize = 4 * 1024 * 1024;

/// A finished contract as one JSON document (`protocol.md` 7); nothing in it is proven until [`super::proven`] says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContractFile {
    /// `countersign-contract-1`.
    pub format: String,
    /// The contract's id.
    pub contract_id: ContractId,
    /// `<issuer JWT>~<acceptance KB-JWT>`.
    pub core: Unverified<Core>,
    /// The nine, in the order of section 3.
    pub disclosures: Vec<String>,
    /// The provider's credential, the consumer's credential.
    pub participants: Vec<Unverified<Participant>>,
    /// The approved template.
    pub template: TemplatePaper,
    /// The entry, as this file states it.
    pub entry: Entry,
    /// The consumer's, then the provider's.
    #[serde(default)]
    pub acknowledgements: Vec<String>,
    /// The signed messages of the negotiation, oldest first: each a JWS of either party, compact (a string) or general
    /// JSON with one signature (an object), as it came out of its envelope.
    #[serde(default)]
    pub history: Vec<Value>,
    /// DID documents as they were; informative.
    #[serde(default)]
    pub did_documents: Map<String, Value>,
    /// Members that this version does not know, kept as they are.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The member `template` of a contract file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplatePaper {
    /// The operator's approval.
    pub approval: Unverified<ApprovedTemplate>,
    /// Members that this version does not know, kept as they are.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl ContractFile {
    /// Reads a contract file that came from anywhere.
    ///
    /// # Errors
    /// `encoding.*` for what is no strict JSON, `file.form` for another format or shape.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let json = encoding::parse_json(bytes, MAX_CONTRACT_FILE)?;
        let file: Self = serde_json::from_value(json).map_err(|cause| checks::FILE_FORM.refuse(cause.to_string()))?;
        file.known()?;
        Ok(file)
    }

    /// Holds the file to a format that this version knows.
    pub(super) fn known(&self) -> Result<(), Refusal> {
        checks::FILE_FORM.hold(self.format == CONTRACT_FORMAT && self.participants.len() == 2, || {
            format!(
                "format `{}` with {} participants, expected `{CONTRACT_FORMAT}` with 2",
                self.format,
                self.participants.len()
            )
        })
    }
}

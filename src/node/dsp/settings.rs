use std::path::PathBuf;

use serde::Deserialize;

use crate::identity::Did;
use crate::negotiation::plain::ParticipantId;

/// How a node behaves over the Dataspace Protocol: the table `[dsp]` of its configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DspSettings {
    /// Its participant id; its DID when absent.
    pub participant_id: Option<ParticipantId>,
    /// With whom it negotiates in plain mode, without signed contracts; with nobody when empty.
    pub plain: Who,
    /// What is done about terms that are in no catalog.
    pub uncataloged: Uncataloged,
    /// Who decides what.
    pub decide: Decide,
    /// Presets that decide.
    #[serde(rename = "rule")]
    pub rules: Vec<PlainRule>,
    /// Parties that prove themselves by a literal value instead of a DID.
    pub literal: Vec<Literal>,
    /// Parties whose signed messages travel over the Dataspace Protocol instead of the inbox.
    #[serde(rename = "peer")]
    pub peers: Vec<Peer>,
    /// A file with scripted decisions, beside the configuration.
    pub script: Option<PathBuf>,
    /// To whom an agreement that nobody signed opens data, by transfers; to nobody when empty.
    pub opens_data_to: Vec<ParticipantId>,
    /// How many negotiations a counterparty may have open.
    pub open: Limit,
    /// How many may be open with all together whom the configuration does not name, where `plain` has `*`.
    pub open_with_strangers: Limit,
    /// For how many seconds a negotiation waits for a person or the counterparty.
    pub waits: Waits,
}

impl DspSettings {
    /// Holds the participant id to who can be known by it. Who proves a DID by tokens knows this node by its DID, which is
    /// in them: to such a party the agreements of another name would be somebody else's.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub(super) fn hold_name(&self, did: &Did) -> Result<(), String> {
        let Some(id) = self.participant_id.as_ref().filter(|id| id.as_str() != did.as_str()) else { return Ok(()) };
        let literal = |name: &String| self.literal.iter().any(|known| known.participant.as_str() == name);
        if !self.literal.is_empty() && self.plain.0.iter().all(literal) {
            return Ok(());
        }
        Err(format!(
            "[dsp] participant_id is {id}, but who proves a DID knows this node as {did}: leave it out, or let `plain` name \
             only participants of [[dsp.literal]]"
        ))
    }
}

/// A list of participants; `*` means anybody who proves an id.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Who(pub Vec<String>);

impl Who {
    /// Whether a participant is meant.
    pub fn has(&self, participant: &ParticipantId) -> bool {
        self.0.iter().any(|name| name == "*") || self.names(participant)
    }

    /// Whether a participant is named.
    pub fn names(&self, participant: &ParticipantId) -> bool {
        self.0.iter().any(|name| name == participant.as_str())
    }
}

/// How many negotiations a counterparty may have open.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub struct Limit(pub u64);

impl Default for Limit {
    fn default() -> Self {
        Self(10_000)
    }
}

/// For how many seconds a negotiation waits: a week unless the configuration says otherwise.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub struct Waits(pub u32);

impl Default for Waits {
    fn default() -> Self {
        Self(7 * 24 * 3600)
    }
}

/// What is done about terms that are not in the catalog. Those of which nobody knows are held for a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Uncataloged {
    /// Refused.
    #[default]
    Reject,
    /// Held for a person, until the time to wait has passed.
    Manual,
    /// Decided by the presets, and held for a person where none fits.
    Rules,
}

/// Who takes a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Handling {
    /// A person.
    #[default]
    Manual,
    /// The node, at once.
    Automatic,
}

/// Who decides what, where no preset and no script does.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decide {
    /// The provider agrees to a request for a cataloged offer.
    pub agree: Handling,
    /// The provider agrees to its own offer that was accepted: the offer was the decision.
    pub confirm: Handling,
    /// The consumer accepts an offer of the terms that it asked for.
    pub accept: Handling,
    /// The consumer verifies an agreement of the terms that it asked for or accepted.
    pub verify: Handling,
    /// The provider finalises what the consumer has verified.
    pub finalize: Handling,
}

impl Default for Decide {
    fn default() -> Self {
        Self {
            agree: Handling::Manual,
            confirm: Handling::Automatic,
            accept: Handling::Manual,
            verify: Handling::Automatic,
            finalize: Handling::Automatic,
        }
    }
}

/// A preset: it decides where everything that it names applies; one that names nothing but its point decides nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlainRule {
    /// Its name, as the history shows it.
    pub name: String,
    /// What it decides: `agree`, `accept` or `terminate`.
    pub point: super::Act,
    /// Counterparties that it decides for; any when absent.
    #[serde(default)]
    pub counterparties: Option<Who>,
    /// Datasets that it decides for; any when absent.
    #[serde(default)]
    pub datasets: Option<Vec<String>>,
    /// The terms that it decides for, word for word: members of an ODRL policy; any when absent.
    #[serde(default)]
    pub terms: Option<serde_json::Map<String, serde_json::Value>>,
}

/// A party that is reached over the Dataspace Protocol in credential mode.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its DID.
    pub participant: Did,
    /// The base of its endpoints, the version path included.
    pub address: String,
}

/// A party that proves itself by a literal value of the header `Authorization`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Literal {
    /// The whole header as it comes.
    pub authorization: Secret,
    /// Who that is.
    pub participant: ParticipantId,
    /// The whole header that this party is sent; a token of this node's DID when absent.
    #[serde(default)]
    pub send: Option<Secret>,
}

/// A value that is no one else's to see: erased when dropped, and never printed.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct Secret(zeroize::Zeroizing<String>);

impl Secret {
    /// The value.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Debug for Literal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Literal").field("participant", &self.participant).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_name_than_the_did_is_for_parties_without_tokens_alone() {
        let did: Did = "did:web:us.example".parse().unwrap();
        let held = |configuration: &str| toml::from_str::<DspSettings>(configuration).unwrap().hold_name(&did);
        let literal = "[[literal]]\nauthorization = 'x'\nparticipant = 'them'";
        held("plain = ['*']").unwrap();
        held("participant_id = 'did:web:us.example'\nplain = ['*']").unwrap();
        held(&format!("participant_id = 'us'\nplain = ['them']\n{literal}")).unwrap();
        for others in ["", "plain = ['*']", "plain = ['them']"] {
            assert!(held(&format!("participant_id = 'us'\n{others}")).is_err(), "{others}");
        }
        for others in ["plain = ['*']", "plain = ['them', 'did:web:them.example']"] {
            assert!(held(&format!("participant_id = 'us'\n{others}\n{literal}")).is_err(), "{others}");
        }
    }
}

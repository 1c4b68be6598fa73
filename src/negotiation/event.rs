use serde::{Deserialize, Serialize};

use super::{CorePaper, Ending, OfferPaper, Opening, ProposalPaper, RequestPaper};
use crate::credential::{Entry, rfc3339};
use crate::encoding::Timestamp;

/// Who took a decision that needs consent: a person through the node's interface, or a rule of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", content = "name")]
pub enum Decider {
    /// A person, as the interface knows them.
    Person(String),
    /// A rule, by its name in the configuration.
    Rule(String),
}

/// Something that happened to a negotiation; the log of these is the negotiation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// The consumer asked; the first event.
    Requested {
        /// Who with whom.
        opening: Opening,
        /// What was asked.
        request: RequestPaper,
        /// When.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    /// The provider proposed terms of its own accord; the first event of a negotiation that it began.
    Proposed {
        /// Who with whom.
        opening: Opening,
        /// What it proposed.
        proposal: Box<ProposalPaper>,
        /// Who decided to, on the provider's side.
        by: Option<Decider>,
        /// When.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    /// The consumer learned the provider's id.
    Named {
        /// The provider's pid.
        provider_pid: String,
    },
    /// The provider learned the consumer's id.
    Joined {
        /// The consumer's pid.
        consumer_pid: String,
    },
    /// The consumer asked anew instead of accepting.
    CounterRequested {
        /// What it asks now.
        request: RequestPaper,
        /// Who decided to, on the consumer's side; absent in logs of the first version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Decider>,
        /// When.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    /// The provider offered.
    Offered {
        /// The offer.
        offer: Box<OfferPaper>,
        /// Who decided to, on the provider's side.
        by: Option<Decider>,
        /// When.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    /// The consumer accepted.
    Accepted {
        /// The core.
        core: CorePaper,
        /// Who decided to, on the consumer's side.
        by: Option<Decider>,
        /// When.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    /// The consumer, bound already, asks the provider not to record.
    CancelAsked {
        /// Its reason.
        reason: String,
        /// Who decided to, on the consumer's side; absent where the other side did, and in logs of the first version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decided: Option<Decider>,
        /// When.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    /// The provider hands the record to the registry; from here on it cannot terminate.
    RecordOrdered {
        /// Who decided to.
        by: Decider,
        /// When.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    /// The entry stands (provider: receipt with status 1; consumer: told so).
    Agreed {
        /// The entry.
        entry: Entry,
        /// When.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    /// The consumer's own node saw the entry at finality.
    Verified {
        /// The entry as its node saw it.
        entry: Entry,
        /// The consumer's signed acknowledgement.
        acknowledgement: String,
        /// When.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    /// The provider confirmed; both hold the contract.
    Finalized {
        /// The provider's signed acknowledgement.
        acknowledgement: String,
        /// The entry at finality, where it stands in another block than this side knew: receipts come before finality.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entry: Option<Entry>,
        /// When.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    /// It ended without a contract.
    Terminated {
        /// Why.
        ending: Ending,
        /// Who decided to on this side; absent where nobody here did, and in logs of the first version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decided: Option<Decider>,
        /// When.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    /// An entry that keeps rule R appeared after a termination.
    EntryDespiteTermination {
        /// The entry.
        entry: Entry,
        /// When it was seen.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
}

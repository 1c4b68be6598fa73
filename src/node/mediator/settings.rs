use serde::{Deserialize, Serialize};

use crate::identity::Did;

/// A mediator's table: whom it keeps envelopes for, and how much.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MediatorSettings {
    /// Who is granted mediation.
    pub admit: Admit,
    /// Who is granted it besides.
    pub dids: Vec<Did>,
    /// How much it keeps.
    pub quota: Quota,
}

/// Who is granted mediation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Admit {
    /// Whoever shows a participant credential of an operator in `[trust]`.
    #[default]
    Members,
    /// The DIDs in `dids` alone.
    Listed,
    /// Anybody, within the quotas.
    Open,
}

/// How much a mediator keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quota {
    /// Members.
    pub members: u64,
    /// DIDs of one member.
    pub recipients: u64,
    /// Envelopes for one DID.
    pub messages: u64,
    /// Bytes for one DID.
    pub bytes: u64,
    /// Bytes for all DIDs of one member.
    pub member_bytes: u64,
    /// Bytes of everything.
    pub total_bytes: u64,
    /// How long an envelope waits, in seconds.
    pub keep_for: i64,
    /// Lasting connections of one member.
    pub live: usize,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            members: 1000,
            recipients: 8,
            messages: 1000,
            bytes: 32 << 20,
            member_bytes: 64 << 20,
            total_bytes: 4 << 30,
            keep_for: 30 * 24 * 3600,
            live: 4,
        }
    }
}

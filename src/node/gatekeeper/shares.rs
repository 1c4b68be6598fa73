use serde::{Deserialize, Serialize};

use crate::encoding::Timestamp;

const DAY: i64 = 86_400;
const MIB: u64 = 1 << 20;

/// What one contract, and one address, may have of a gate, and for how long the gate keeps what happened under a contract;
/// the table `[gate.shares]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shares {
    /// Tokens of one contract that are good at a time.
    pub tokens: usize,
    /// Deliveries under one contract that run at a time.
    pub deliveries: usize,
    /// Deliveries to one address that run at a time.
    pub deliveries_of_address: usize,
    /// How much of one contract's presentations and deliveries is kept, in MiB; what is older goes into their sum.
    pub kept_mb: u64,
    /// For how many days presentations, deliveries and their receipts are kept; what is older goes into their sum.
    pub keep_days: u32,
}

impl Default for Shares {
    fn default() -> Self {
        Self { tokens: 512, deliveries: 32, deliveries_of_address: 64, kept_mb: 16, keep_days: 400 }
    }
}

impl Shares {
    /// Which of them cannot be meant.
    pub(super) fn senseless(&self) -> Option<&'static str> {
        let none = [
            (self.tokens == 0, "`shares.tokens` is 0, so nobody would get in"),
            (self.deliveries == 0 || self.deliveries_of_address == 0, "with no `shares.deliveries` none would begin"),
            (self.kept_mb == 0 || self.keep_days == 0, "`shares` has to keep something: a receipt is asked for later"),
        ];
        none.into_iter().find_map(|(senseless, why)| senseless.then_some(why))
    }

    /// How much is kept of one contract, in bytes.
    pub(super) fn kept(&self) -> u64 {
        self.kept_mb.saturating_mul(MIB)
    }

    /// What happened before is not kept.
    pub(super) fn kept_since(&self, now: Timestamp) -> Timestamp {
        now.plus(-DAY.saturating_mul(i64::from(self.keep_days)))
    }
}

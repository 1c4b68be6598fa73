//! A store that was restored from a backup: its original may have done things since that this one does not know.
//!
//! It must not do them a second time. So what was open in the copy is held for good: this node hears on it what the
//! counterparty and the chain say, and a person may end it, but it accepts, offers and records nothing there any more.

use serde_json::Value;

use super::{Node, NodeFault, StoreFault, checks};
use crate::encoding::Timestamp;
use crate::negotiation::{Command, Input};

/// The kind under which a copy names each negotiation that is held.
pub const HELD: &str = "held";
/// The kind, and the id, of the mark of a copy.
pub const COPY: &str = "copy";

impl Node {
    /// Holds a decision to what this store can know.
    pub(super) async fn may_decide(&self, id: &str) -> Result<(), NodeFault> {
        let held = self.held_since(id).await?;
        Ok(checks::COPIED.hold(held.is_none(), || {
            let at = held.map_or_else(String::new, |at| format!(" of {at}"));
            format!(
                "this wallet was restored from a copy{at}, in which this negotiation was open: it may have accepted, \
                 offered or recorded since, and does not do so a second time. Cancel it and ask anew, or wait for what \
                 the counterparty and the chain say"
            )
        })?)
    }

    /// Since when a negotiation is held, if it is.
    pub(super) async fn held_since(&self, id: &str) -> Result<Option<Timestamp>, NodeFault> {
        let Some(mark) = self.store.one(HELD, id).await? else { return Ok(None) };
        Ok(Some(copied_at(id, &mark)?))
    }

    /// Whether an input is a decision that a copy must not make.
    pub(super) fn decides(input: &Input) -> bool {
        matches!(
            input,
            Input::Ordered(
                Command::Accept(..) | Command::Offer(..) | Command::Record(..) | Command::CounterRequest(..)
            )
        )
    }
}

/// When a copy was made.
pub(super) fn copied_at(id: &str, mark: &Value) -> Result<Timestamp, StoreFault> {
    read(mark, "at").ok_or_else(|| StoreFault::Damaged(format!("the mark of a copy on {id}: {mark}")))
}

/// From when on a copy was in use; `None` when it never said so, and then nothing before now is certain.
pub(super) fn used_from(mark: &Value) -> Option<Timestamp> {
    read(mark, "used_from")
}

fn read(mark: &Value, member: &str) -> Option<Timestamp> {
    mark.get(member).and_then(Value::as_i64).and_then(|seconds| Timestamp::from_seconds(seconds).ok())
}

//! Messages that do not get through, and what that means.

use serde::Serialize;

use super::consent::deadline;
use super::store::Outgoing;
use super::{Node, NodeFault};
use crate::encoding::Timestamp;
use crate::identity::Did;

/// After how many attempts it is told that nobody took a message, or that nobody answered it: a few seconds mean nothing,
/// and what came before its turn is answered a little later.
const UNREACHED: u32 = 3;
const UNANSWERED: u32 = 6;
/// How many are told of.
const MOST: u32 = 200;

/// A message of a negotiation that does not get through; it is sent again all by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Undelivered {
    /// The negotiation.
    pub negotiation: String,
    /// Whom it is for.
    pub counterparty: Did,
    /// The counterparty's name among the contacts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterparty_name: Option<String>,
    /// What is wrong.
    pub hitch: Hitch,
    /// How often it was sent.
    pub attempts: u32,
    /// When it is sent again.
    #[serde(serialize_with = "deadline", skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// Where: the counterparty's inbox, or its mediator's, where one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbox: Option<String>,
    /// What the last attempt said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What keeps a message from getting through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hitch {
    /// Nobody takes it: the counterparty's node does not run, or is reached somewhere else now.
    Unreached,
    /// It was taken, and no answer comes: the counterparty may not know where this node is reached now.
    Unanswered,
    /// The counterparty's mediator has it, until the counterparty picks it up.
    Mediated,
}

impl Node {
    /// Messages that do not get through, the oldest of each negotiation.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn undelivered(&self) -> Result<Vec<Undelivered>, NodeFault> {
        let mut undelivered = Vec::new();
        for outgoing in self.store.undelivered(UNREACHED.min(UNANSWERED), MOST).await? {
            undelivered.extend(self.hitch(&outgoing).await?);
        }
        Ok(undelivered)
    }

    /// What keeps a message from getting through, if something does.
    pub(super) async fn hitch(&self, outgoing: &Outgoing) -> Result<Option<Undelivered>, NodeFault> {
        let Some(negotiation) = outgoing.negotiation.clone() else { return Ok(None) };
        if !outgoing.wants_answer || outgoing.due.is_none() || outgoing.attempts < UNREACHED.min(UNANSWERED) {
            return Ok(None);
        }
        // A way that is wrong by itself is no way; the note says what is wrong with it.
        let reach = self.reach(&outgoing.to).await.ok().flatten();
        let hitch = match (&outgoing.note, &reach) {
            (Some(_), _) => Hitch::Unreached,
            (None, Some(reach)) if !reach.via.is_empty() => Hitch::Mediated,
            (None, _) if outgoing.attempts < UNANSWERED => return Ok(None),
            (None, _) => Hitch::Unanswered,
        };
        Ok(Some(Undelivered {
            negotiation,
            counterparty: outgoing.to.clone(),
            counterparty_name: self.name_of(&outgoing.to).await?,
            hitch,
            attempts: outgoing.attempts,
            next: outgoing.due,
            inbox: reach.map(|reach| reach.inbox),
            note: outgoing.note.clone(),
        }))
    }
}

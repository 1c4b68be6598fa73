//! This party's own membership: whose word it rests on, and when that lapses.

use serde::Serialize;

use super::{Node, NodeFault, chance};
use crate::credential::{Participant, checks as credentials};
use crate::encoding::Timestamp;
use crate::identity::{Did, Jws, Verified};

/// How long before its end a membership is warned about, in seconds.
const WARNED: i64 = 30 * 24 * 3600;

/// This party's membership, for people and scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MembershipView {
    /// Where it stands.
    pub state: Membership,
    /// The operator that admitted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<Did>,
    /// Under which name in law.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legal_name: Option<String>,
    /// Until when.
    #[serde(serialize_with = "optional", skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// What to do about it, where there is something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Where a membership stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Membership {
    /// No operator has admitted this party yet.
    Absent,
    /// It holds.
    Valid,
    /// It holds, and ends within thirty days.
    Lapsing,
    /// It has ended: no request, no offer, no catalog until there is a new one.
    Lapsed,
    /// Its credential is not believed here, by the trust of the configuration.
    Unbelieved,
}

fn optional<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => crate::credential::rfc3339::serialize(at, serializer),
        None => serializer.serialize_none(),
    }
}

impl Node {
    /// Where this party's membership stands now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn membership(&self) -> Result<MembershipView, NodeFault> {
        let bare = |state| MembershipView { state, operator: None, legal_name: None, valid_until: None, note: None };
        let text = match self.own_participant().await {
            Ok(text) => text,
            Err(NodeFault::Unready(note)) => {
                return Ok(MembershipView { note: Some(note), ..bare(Membership::Absent) });
            }
            Err(fault) => return Err(fault),
        };
        let now = chance::now()?;
        let (state, participant) = match self.participant_of(&text, now) {
            Ok(participant) if participant.exp < now.plus(WARNED) => (Membership::Lapsing, participant),
            Ok(participant) => (Membership::Valid, participant),
            // It holds as of its own first day, so that only the time is against it.
            Err(fault) => match issued(&text).and_then(|at| self.participant_of(&text, at).ok()) {
                Some(participant) => (Membership::Lapsed, participant),
                None => {
                    let note = format!("{fault}; check [trust] of the configuration, or ask the operator for another");
                    return Ok(MembershipView { note: Some(note), ..bare(Membership::Unbelieved) });
                }
            },
        };
        let over = matches!(state, Membership::Lapsing | Membership::Lapsed);
        let note = over.then(|| renewal(&participant));
        Ok(MembershipView {
            operator: Some(participant.issuer.clone()),
            legal_name: Some(participant.legal_name.clone()),
            valid_until: Some(participant.exp),
            note,
            ..bare(state)
        })
    }

    /// This party's credential, valid now.
    ///
    /// # Errors
    /// `Unready` when there is none; `participant.*` when it is not valid, with what to do when only its time is over.
    pub(super) async fn own_valid_participant(&self, now: Timestamp) -> Result<Verified<Participant>, NodeFault> {
        let text = self.own_participant().await?;
        match self.participant_of(&text, now) {
            Ok(participant) => Ok(participant),
            Err(fault) => match issued(&text).and_then(|at| self.participant_of(&text, at).ok()) {
                Some(over) if over.exp <= now => Err(credentials::PARTICIPANT_WINDOW.refuse(lapsed(&over)).into()),
                _ => Err(fault),
            },
        }
    }
}

fn lapsed(participant: &Participant) -> String {
    format!("this wallet's own membership ended at {}; {}", participant.exp, renewal(participant))
}

fn renewal(participant: &Participant) -> String {
    format!(
        "ask the operator {} to admit {} again, and `countersign join` the credential that it gives you",
        participant.issuer, participant.did
    )
}

/// The first second that a credential says it is valid at.
fn issued(text: &str) -> Option<Timestamp> {
    let claims = Jws::parse(text.trim_end_matches('~')).ok()?.claims().ok()?;
    Timestamp::from_seconds(claims.get("nbf")?.as_i64()?).ok()
}

//! Who somebody is: what an operator proved, and what it only says about itself.

use serde::Serialize;
use serde_json::Value;

use super::{Node, NodeFault};
use crate::credential::{Identity, LegalId, Participant};
use crate::encoding::Timestamp;
use crate::identity::{Did, Jws, Verified};
use crate::negotiation::{Negotiation, Role};

/// A party of a negotiation, for people and scripts.
#[derive(Clone, Debug, Serialize)]
pub struct PartyView {
    /// Its side.
    pub role: Role,
    /// Its DID.
    pub did: Did,
    /// Whether it is this wallet's own party.
    pub own: bool,
    /// Its name among the contacts: the owner's word for it, and nobody's proof.
    pub name: Option<String>,
    /// Its name in law, as its participant credential has it; absent where none came yet.
    pub legal_name: Option<String>,
    /// Its registration.
    pub legal_id: Option<LegalId>,
    /// ISO 3166-1 alpha-2 code.
    pub country: Option<String>,
    /// What the legal name rests on.
    pub proof: Proof,
    /// The operator whose signature proves it.
    pub proven_by: Option<Did>,
    /// Until when its participant credential is valid.
    #[serde(serialize_with = "optional", skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// Why it is not proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproven: Option<String>,
}

/// What a legal name rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// An operator that this wallet trusts signed the participant credential.
    Operator,
    /// This wallet's configuration pins the party's DID.
    Pinned,
    /// The party says so, and nobody whom this wallet trusts.
    Claimed,
    /// No participant credential is here yet.
    Absent,
}

fn optional<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => crate::credential::rfc3339::serialize(at, serializer),
        None => serializer.serialize_none(),
    }
}

impl Node {
    /// Provider and consumer of a negotiation. Their credentials are judged as of the entry, the offer or the request,
    /// whichever dates the negotiation: a later lapse does not unmake what they proved then.
    pub(super) async fn parties(&self, negotiation: &Negotiation) -> Result<Vec<PartyView>, NodeFault> {
        let (opening, offer) = (negotiation.opening(), negotiation.offer());
        let at = negotiation
            .entry()
            .map(|entry| entry.block_time)
            .or_else(|| offer.map(|offer| offer.iat))
            .unwrap_or_else(|| negotiation.began_at());
        let own =
            if offer.is_none() && opening.role == Role::Provider { self.own_participant().await.ok() } else { None };
        let mut parties = Vec::new();
        for role in [Role::Provider, Role::Consumer] {
            let did = if role == opening.role { &opening.us } else { &opening.peer };
            let credential = match (role, offer) {
                (Role::Provider, Some(offer)) => Some(offer.provider_participant.as_str()),
                (Role::Provider, None) => {
                    own.as_deref().or_else(|| negotiation.proposal().map(|proposal| proposal.participant.as_str()))
                }
                (Role::Consumer, _) => negotiation.request().map(|request| request.participant.as_str()),
            };
            let mut party = self.party(role, did, credential, at);
            party.name = self.name_of(did).await?;
            parties.push(party);
        }
        Ok(parties)
    }

    fn party(&self, role: Role, did: &Did, credential: Option<&str>, at: Timestamp) -> PartyView {
        let mut view = PartyView {
            role,
            did: did.clone(),
            own: did == self.did(),
            name: None,
            legal_name: None,
            legal_id: None,
            country: None,
            proof: Proof::Absent,
            proven_by: None,
            valid_until: None,
            unproven: None,
        };
        let Some(credential) = credential else { return view };
        match self.participant_of(credential, at) {
            Ok(participant) if participant.did == *did => view.prove(&participant),
            Ok(participant) => view.claim(credential, &format!("the credential is {}'s", participant.did)),
            Err(fault) => view.claim(credential, &fault.to_string()),
        }
        view
    }
}

impl PartyView {
    fn prove(&mut self, participant: &Verified<Participant>) {
        self.legal_name = Some(participant.legal_name.clone());
        self.legal_id = Some(participant.legal_id.clone());
        self.country = Some(participant.country.clone());
        self.valid_until = Some(participant.exp);
        (self.proof, self.proven_by) = match participant.identity {
            Identity::Operator => (Proof::Operator, Some(participant.issuer.clone())),
            Identity::Pinned => (Proof::Pinned, None),
        };
    }

    /// What the credential says although nothing proves it.
    fn claim(&mut self, credential: &str, why: &str) {
        let claims = Jws::parse(credential.trim_end_matches('~')).and_then(|jws| jws.claims()).unwrap_or_default();
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        (self.legal_name, self.country) = (text("legal_name"), text("country"));
        (self.proof, self.unproven) = (Proof::Claimed, Some(why.to_owned()));
    }
}

use serde::Deserialize;
use utoipa::ToSchema;

use super::{Account, Did, Hash, Jws, Role, Time};

/// This party.
#[derive(ToSchema)]
pub struct About {
    /// Its DID.
    did: Did,
    /// RFC 7638 thumbprint of the key that it signs with.
    key: Hash,
    /// Its signed contact, for others to add; null until its mediator keeps its messages, where it uses one.
    contact: Option<Jws>,
    /// Where envelopes for it go: its own inbox, or its mediator's.
    #[schema(format = "uri", example = "https://contracts.example/inbox")]
    inbox: Option<String>,
    /// The registry, as an EVES-007 URN.
    #[schema(example = "urn:blockchain:eip155:42793:contract:0x5b38da6a701c568545dcfcb03fcb875f56beddc4")]
    registry: String,
    /// The account that records its contracts; null for a party that only consumes.
    recorder: Option<Account>,
    /// Whose member it is.
    membership: MembershipView,
}

/// This party's membership.
#[derive(ToSchema)]
#[schema(as = OwnMembership)]
pub struct MembershipView {
    /// Where it stands.
    state: Membership,
    /// The operator that admitted it.
    #[schema(nullable = false)]
    operator: Option<Did>,
    /// Under which name in law.
    #[schema(nullable = false)]
    legal_name: Option<String>,
    /// Until when.
    #[schema(nullable = false)]
    valid_until: Option<Time>,
    /// What to do about it, where there is something to do.
    #[schema(nullable = false)]
    note: Option<String>,
}

/// Where a membership stands.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Membership {
    /// No operator has admitted this party yet.
    Absent,
    /// It holds.
    Valid,
    /// It holds, and ends within thirty days.
    Lapsing,
    /// It has ended.
    Lapsed,
    /// Its credential is not believed here.
    Unbelieved,
}

/// A party.
#[derive(ToSchema)]
pub struct Party {
    /// Its DID.
    did: Did,
}

/// Somebody whom this party knows.
#[derive(ToSchema)]
#[schema(as = Contact)]
pub struct ContactView {
    /// Who.
    did: Did,
    /// This desk's own name for it.
    #[schema(example = "Alice Maps")]
    name: Option<String>,
    /// Where it takes envelopes, where a signed contact or its DID document says so.
    #[schema(format = "uri")]
    inbox: Option<String>,
    /// Since when it is reached there, by these keys.
    since: Option<Time>,
    /// What changed since it was met, oldest first.
    changes: Vec<Alteration>,
    /// Whether the owner has seen these changes.
    confirmed: bool,
}

/// A change of where somebody is reached, or of its keys.
#[derive(ToSchema)]
pub struct Alteration {
    /// When it was noticed.
    at: Time,
    /// What is another now than before, a line each.
    #[schema(example = json!(["inbox: https://a.example/inbox -> https://b.example/inbox"]))]
    what: Vec<String>,
}

/// How somebody becomes a contact: exactly one of `contact`, `invitation` and `did`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Introduction {
    /// What the party's `GET /api/self` says: a JWS of typ `countersign-contact+jwt`, signed by itself.
    contact: Option<Jws>,
    /// An invitation: its link, or its JSON.
    invitation: Option<String>,
    /// A did:web.
    did: Option<Did>,
    /// The name that it is given here.
    #[schema(example = "Alice Maps")]
    name: Option<String>,
}

/// Somebody who became a contact.
#[derive(ToSchema)]
pub struct Met {
    /// Who.
    did: Did,
    /// Under which name.
    name: Option<String>,
    /// What the invitation is for, in its maker's words.
    #[schema(nullable = false)]
    goal: Option<String>,
}

/// How this party is introduced to another.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationOrder {
    /// What for, in a sentence.
    goal: Option<String>,
    /// Whom for; anybody when absent.
    r#for: Option<Did>,
    /// For how many seconds; a week when absent, a year at most.
    #[schema(example = 604800)]
    expires_in: Option<i64>,
}

/// An invitation.
#[derive(ToSchema)]
#[schema(as = Invitation)]
pub struct InvitationView {
    /// Its id.
    id: String,
    /// The link that carries it whole.
    #[schema(
        format = "uri",
        example = "countersign:invitation?_oob=eyJ0eXAiOiJhcHBsaWNhdGlvbi9kaWRjb21tLXBsYWluK2pzb24ifQ"
    )]
    link: String,
    /// The message in it, as JSON text.
    invitation: String,
    /// Until when it is taken.
    expires: Time,
}

/// A party of a negotiation: what is proven about it, and what it only claims.
#[derive(ToSchema)]
#[schema(as = NegotiationParty)]
pub struct PartyView {
    /// Its side.
    role: Role,
    /// Its DID.
    did: Did,
    /// Whether it is this wallet's own party.
    own: bool,
    /// This desk's own name for it; proves nothing.
    name: Option<String>,
    /// Its name in law, as its participant credential has it.
    legal_name: Option<String>,
    /// Its registration; null unless proven.
    legal_id: Option<LegalIdView>,
    /// ISO 3166-1 alpha-2 code.
    country: Option<String>,
    /// What the legal name rests on.
    proof: Proof,
    /// The operator whose signature proves it.
    proven_by: Option<Did>,
    /// Until when its participant credential is valid.
    #[schema(nullable = false)]
    valid_until: Option<Time>,
    /// Why it is not proven.
    #[schema(nullable = false)]
    unproven: Option<String>,
}

/// A registration in law.
#[derive(ToSchema)]
#[schema(as = Registration)]
pub struct LegalIdView {
    /// For example `LEI`.
    #[schema(example = "LEI")]
    scheme: String,
    /// The number.
    #[schema(example = "529900T8BM49AURSDO55")]
    value: String,
}

/// What a legal name rests on.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
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

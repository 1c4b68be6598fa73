use super::super::{Kind, Role, StateName};

/// The arrows of the Dataspace Protocol 2025-1, all of them and no other: where a message of `sender` leads in `state`.
///
/// The first message of a negotiation has no state; `None` before it and a request of the consumer, or an offer of the
/// provider, begin one. Either side may terminate until the end, as the specification's prose has it.
pub const fn arrow(state: Option<StateName>, sender: Role, kind: Kind) -> Option<StateName> {
    use StateName::{Accepted, Agreed, Finalized, Offered, Requested, Terminated, Verified};
    match (state, sender, kind) {
        (None | Some(Offered), Role::Consumer, Kind::Request) => Some(Requested),
        (None | Some(Requested), Role::Provider, Kind::Offer) => Some(Offered),
        (Some(Offered), Role::Consumer, Kind::Acceptance) => Some(Accepted),
        (Some(Requested | Accepted), Role::Provider, Kind::Agreement) => Some(Agreed),
        (Some(Agreed), Role::Consumer, Kind::Verification) => Some(Verified),
        (Some(Verified), Role::Provider, Kind::Finalization) => Some(Finalized),
        (Some(Requested | Offered | Accepted | Agreed | Verified), _, Kind::Termination) => Some(Terminated),
        _ => None,
    }
}

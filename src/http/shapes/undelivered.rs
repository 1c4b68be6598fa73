use utoipa::ToSchema;

use super::{Did, Time};

/// A message of a negotiation that does not get through; it is sent again all by itself.
#[derive(ToSchema)]
pub struct Undelivered {
    /// The negotiation.
    negotiation: String,
    /// Whom it is for.
    counterparty: Did,
    /// The counterparty's name among the contacts.
    #[schema(nullable = false)]
    counterparty_name: Option<String>,
    /// What is wrong.
    hitch: Hitch,
    /// How often it was sent.
    #[schema(minimum = 0)]
    attempts: u32,
    /// When it is sent again.
    #[schema(nullable = false)]
    next: Option<Time>,
    /// Where: the counterparty's inbox, or its mediator's, where one is known.
    #[schema(nullable = false, format = "uri")]
    inbox: Option<String>,
    /// What the last attempt said.
    #[schema(nullable = false)]
    note: Option<String>,
}

/// What keeps a message from getting through.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Hitch {
    /// Nobody takes it: the counterparty's node does not run, or is reached somewhere else now.
    Unreached,
    /// It was taken, and no answer comes: the counterparty may not know where this node is reached now.
    Unanswered,
    /// The counterparty's mediator has it, until the counterparty picks it up.
    Mediated,
}

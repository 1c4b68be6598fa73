//! What a hostile connector sends: every message that is not valid is refused by name, moves nothing, and gets an error
//! that is valid itself.

mod callers;
mod catalogs;
mod doors;
mod messages;
mod peers;
mod roles;
#[path = "../support/stranger.rs"]
mod stranger;

use std::time::Duration;

use countersign::dsp::is_valid;
use countersign::identity::{SecretKey, Signer as _};
use countersign::negotiation::plain::ParticipantId;
use countersign::node::NodeFault;
use countersign::node::dsp::StartOrder;
use serde_json::{Value, json};
use stranger::connectors::{self, DATASET, connector, dataset, terms};
use stranger::{CONFIGURATION, CONTEXT, Ear, Stranger, now, provider, requested, shown};

fn order(counterparty: &ParticipantId, address: &str) -> StartOrder {
    let order = json!({ "counterparty": counterparty, "address": address, "dataset": DATASET, "terms": terms() });
    serde_json::from_value(order).unwrap()
}

fn person() -> countersign::negotiation::Decider {
    countersign::negotiation::Decider::Person("desk".into())
}

fn refused(answer: &(u16, Value), check: &str, what: &str) {
    let (status, body) = answer;
    assert_eq!(*status, 400, "{what}: {body}");
    assert!(is_valid("ContractNegotiationError", body), "{what}: {body}");
    assert_eq!(body["code"], check, "{what}: {body}");
}

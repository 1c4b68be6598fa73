//! Mediators: the messages of coordinate-mediation 3.0 and messagepickup 3.0, read and written by both sides.
//!
//! None of them moves a contract, so none has to be signed: authcrypt says who asks, to whom it matters.

mod answer;
mod request;
#[cfg(test)]
mod tests;
mod word;

pub use answer::{Answer, Held, Outcome, Page, Queue, Updated};
pub use request::{Action, MAX_HELD, MAX_PAGE, MAX_UPDATES, Request, Update};
pub use word::Word;

pub(super) const COORDINATION: &str = "https://didcomm.org/coordinate-mediation/3.0/";
pub(super) const PICKUP: &str = "https://didcomm.org/messagepickup/3.0/";
pub(super) const PROBLEM: &str = "https://didcomm.org/report-problem/2.0/problem-report";

/// What a recipient asks of its mediator; the rest is answers.
const REQUESTS: [(&str, &str); 7] = [
    (COORDINATION, "mediate-request"),
    (COORDINATION, "recipient-update"),
    (COORDINATION, "recipient-query"),
    (PICKUP, "status-request"),
    (PICKUP, "delivery-request"),
    (PICKUP, "messages-received"),
    (PICKUP, "live-delivery-change"),
];

/// Whether a message type is one that a mediator is asked with.
pub fn asks_a_mediator(kind: &str) -> bool {
    REQUESTS.iter().any(|(protocol, name)| kind.strip_prefix(protocol) == Some(name))
}

//! What other connectors answer, and what it means. Where one answers otherwise than the specification has it, the
//! reason stands here.

use serde_json::Value;

use super::Posted;
use crate::dsp::{NOBODY, is_id};
use crate::negotiation::Role;
use crate::negotiation::plain::Opening;

/// What an answer means to a message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// The message was taken; the answer's body.
    Taken(Option<Value>),
    /// The peer is not ready for it yet: a few quick tries more.
    NotYet(String),
    /// The peer has trouble of its own: later, for a long time.
    Later(String),
    /// The peer will never take it.
    Refused(String),
}

/// Judges an answer.
pub(super) fn judge(posted: Posted) -> Verdict {
    let said = || said(posted.status, posted.body.as_ref());
    match posted.status {
        // EDC answers 200 to a first message, the TCK to all; the specification has 201 there. Bodies of other answers
        // than the first are unspecified, and may be empty.
        200..=299 => Verdict::Taken(posted.body),
        // 404: the TCK, until a test expects the message. 409: EDC, until it has stored the answer to its own request;
        // it also means an illegal transition there, where the specification has 400, so that the tries are few.
        404 | 409 | 425 => Verdict::NotYet(said()),
        408 | 429 | 500..=599 => Verdict::Later(said()),
        // Redirects are not followed: an address that was judged once is not exchanged afterwards.
        _ => Verdict::Refused(said()),
    }
}

/// Judges the answer to a first message: it is about this negotiation, and names the peer's id of it, unless that is known
/// already. Without one nothing more could be said, not even the end.
pub(super) fn judge_first(posted: Posted, opening: &Opening) -> Verdict {
    let status = posted.status;
    let body = match judge(posted) {
        Verdict::Taken(body) => body,
        other => return other,
    };
    let named = |member: &str| body.as_ref().and_then(|body| body.get(member)?.as_str());
    let (own, peer) = match opening.role {
        Role::Consumer => ("consumerPid", "providerPid"),
        Role::Provider => ("providerPid", "consumerPid"),
    };
    if named("@type") == Some("ContractNegotiationError") {
        return Verdict::Refused(said(status, body.as_ref()));
    }
    if let Some(other) = named(own).filter(|named| *named != opening.own_pid) {
        let other: String = other.chars().filter(|c| !c.is_control()).take(200).collect();
        return Verdict::Refused(format!("answered {status} about another negotiation, {other}"));
    }
    if named("state") == Some("TERMINATED") {
        // The peer says why in a message of its own, which is on its way; should none come, this was the end.
        return Verdict::NotYet(format!("answered {status} that the negotiation is TERMINATED"));
    }
    let known = opening.peer_pid.is_some() || body.as_ref().is_some_and(|body| pid(body, peer).is_some());
    // A repetition is answered like the first time, so that the peer gets its chances.
    if known { Verdict::Taken(body) } else { Verdict::NotYet(format!("answered {status} without a usable {peer}")) }
}

/// The id of a negotiation that an answer names, where it can be one.
pub(super) fn pid<'a>(answer: &'a Value, member: &str) -> Option<&'a str> {
    let named = answer.get(member)?.as_str()?;
    (is_id(named) && named != NOBODY).then_some(named)
}

/// What an error says, in one line. EDC's errors name no processes, so that they are not held to the schema.
fn said(status: u16, body: Option<&Value>) -> String {
    let reasons = body.and_then(|body| body.get("reason"));
    let reasons = match reasons {
        Some(Value::Array(items)) => items.iter().map(text).collect::<Vec<_>>().join("; "),
        Some(other) => text(other),
        None => String::new(),
    };
    let code = body.and_then(|body| body.get("code")?.as_str()).filter(|code| !code.is_empty());
    let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
    let line = format!("answered {status} {reasons}{code}");
    line.trim().chars().filter(|c| !c.is_control()).take(500).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_answer_to_a_first_message_names_both_ids_of_this_negotiation() {
        let opening = |peer_pid: Option<&str>| Opening {
            role: Role::Consumer,
            us: "C".parse().unwrap(),
            peer: "P".parse().unwrap(),
            own_pid: "urn:own".into(),
            peer_pid: peer_pid.map(str::to_owned),
            began: Role::Consumer,
            address: "http://peer".into(),
            dataset: "urn:d".into(),
        };
        let judged =
            |body: Option<Value>, known| judge_first(Posted { status: 201, body, later: None }, &opening(known));
        let good = json!({
            "@type": "ContractNegotiation", "consumerPid": "urn:own", "providerPid": "urn:peer", "state": "REQUESTED",
        });
        assert_eq!(judged(Some(good.clone()), None), Verdict::Taken(Some(good.clone())));
        let with = |member: &str, value: Value| {
            let mut body = good.clone();
            body[member] = value;
            Some(body)
        };
        for wrong in [with("@type", json!("ContractNegotiationError")), with("consumerPid", json!("urn:other"))] {
            for known in [None, Some("urn:peer")] {
                assert!(matches!(judged(wrong.clone(), known), Verdict::Refused(_)), "{wrong:?}");
            }
        }
        assert!(matches!(judged(with("state", json!("TERMINATED")), Some("urn:peer")), Verdict::NotYet(_)));
        let unusable = [json!(null), json!(5), json!(""), json!("a  b"), json!(NOBODY)];
        for nameless in [None, Some(json!([]))].into_iter().chain(unusable.map(|pid| with("providerPid", pid))) {
            assert!(matches!(judged(nameless.clone(), None), Verdict::NotYet(_)), "{nameless:?}");
            // The peer's own message was quicker, and has named it.
            assert_eq!(judged(nameless.clone(), Some("urn:peer")), Verdict::Taken(nameless));
        }
        let refused = judge_first(Posted { status: 400, body: None, later: None }, &opening(None));
        assert!(matches!(refused, Verdict::Refused(_)));
    }

    #[test]
    fn an_answer_is_taken_tried_again_or_the_end() {
        let judged = |status| judge(Posted { status, body: Some(json!({ "reason": ["why"] })), later: None });
        assert!(matches!(judged(200), Verdict::Taken(Some(_))));
        assert!(matches!(judged(201), Verdict::Taken(_)));
        for status in [404, 409] {
            assert_eq!(judged(status), Verdict::NotYet(format!("answered {status} why")));
        }
        assert!(matches!(judged(503), Verdict::Later(_)));
        let coded = json!({ "reason": ["it was ended"], "code": "force.ended" });
        let coded = judge(Posted { status: 400, body: Some(coded), later: None });
        assert_eq!(coded, Verdict::Refused("answered 400 it was ended (force.ended)".into()));
        for status in [301, 307, 400, 401, 403, 422] {
            assert!(matches!(judged(status), Verdict::Refused(_)), "{status}");
        }
    }
}

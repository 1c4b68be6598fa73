//! What other connectors answer, and what it means. Where one answers otherwise than the specification has it, the
//! reason stands here.

use serde_json::Value;

use super::Posted;

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
    fn an_answer_is_taken_tried_again_or_the_end() {
        let judged = |status| judge(Posted { status, body: Some(json!({ "reason": ["why"] })) });
        assert!(matches!(judged(200), Verdict::Taken(Some(_))));
        assert!(matches!(judged(201), Verdict::Taken(_)));
        for status in [404, 409] {
            assert_eq!(judged(status), Verdict::NotYet(format!("answered {status} why")));
        }
        assert!(matches!(judged(503), Verdict::Later(_)));
        let coded = json!({ "reason": ["it was ended"], "code": "force.ended" });
        let coded = judge(Posted { status: 400, body: Some(coded) });
        assert_eq!(coded, Verdict::Refused("answered 400 it was ended (force.ended)".into()));
        for status in [301, 307, 400, 401, 403, 422] {
            assert!(matches!(judged(status), Verdict::Refused(_)), "{status}");
        }
    }
}

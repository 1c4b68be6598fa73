//! What a person is told of a message that does not get through: what that means, and what to do.

use serde_json::Value;

use super::words::{brief, called, text, until};

/// The lines for one message that does not get through; the first says what is wrong.
pub fn in_words(item: &Value) -> Vec<String> {
    let party = called(item, "/counterparty_name", "/counterparty");
    let tried = format!("tried {} times", item["attempts"]);
    let at = text(item, "/inbox");
    let at = if at.is_empty() { String::new() } else { format!(" at {at}") };
    let next = text(item, "/next");
    let next =
        if next.is_empty() { "it is sent again by itself".into() } else { format!("sent again {}", until(&next)) };
    let web = text(item, "/counterparty").starts_with("did:web:");
    let mut lines = Vec::new();
    match item["hitch"].as_str() {
        Some("unreached") => {
            lines.push(format!("a message to {party} is not taken{at} ({tried}): {}", text(item, "/note")));
            lines.push(format!("nothing is lost: it is kept here and {next}"));
            lines.push(if web {
                "once that node runs, or its DID document names where it is reached now, it gets through".into()
            } else {
                "once that node runs, or has told this one where it is reached now, it gets through".into()
            });
            if !web {
                lines.push(
                    "if it was moved and has lost sight of you: let it run `countersign invite`, and take the link:"
                        .into(),
                );
                lines.push("countersign contact add LINK".into());
            }
        }
        Some("mediated") => {
            lines.push(format!("a message to {party} waits at its mediator{at} until it picks it up"));
            lines.push(format!("nothing is to be done here; {next}"));
        }
        _ => {
            lines.push(format!("a message to {party} was taken{at} and is not answered ({tried})"));
            lines.push(format!("it may still be busy with it; {next}"));
            lines.push(
                "it may also not know where you are reached now: `countersign invite` makes a link, give it that:"
                    .into(),
            );
            lines.push("it runs countersign contact add LINK".into());
        }
    }
    lines
}

/// Prints what does not get through, for an inbox.
pub fn print(items: &Value) {
    for item in items.as_array().into_iter().flatten() {
        println!("\n{}  undelivered", brief(&text(item, "/negotiation")));
        for line in in_words(item) {
            println!("          {line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_hitch_says_what_it_means_and_what_to_do() {
        let item = |hitch: &str, did: &str| {
            json!({
                "negotiation": "urn:uuid:5b0f6a3e-0000", "counterparty": did, "counterparty_name": "bob", "hitch": hitch,
                "attempts": 5, "inbox": "http://127.0.0.1:9/inbox", "note": "not delivered: error sending request",
            })
        };
        let said = |hitch: &str, did: &str| in_words(&item(hitch, did)).join("\n");
        let unreached = said("unreached", "did:key:zDn");
        for words in
            ["bob is not taken at http://127.0.0.1:9/inbox (tried 5 times)", "nothing is lost", "contact add LINK"]
        {
            assert!(unreached.contains(words), "{words}: {unreached}");
        }
        assert!(!said("unreached", "did:web:bob.example").contains("contact add"), "its document says where it is");
        assert!(said("unanswered", "did:key:zDn").contains("countersign invite"));
        assert!(said("mediated", "did:key:zDn").contains("until it picks it up"));
    }
}

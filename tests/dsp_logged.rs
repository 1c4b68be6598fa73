//! What is refused is logged once, so that the owner of a node sees who tries what, and how often.
//!
//! A program of its own: what it reads is everything that the process logs.

#[path = "support/stranger.rs"]
mod stranger;
#[path = "support/tape.rs"]
mod tape;

use countersign::dsp::checks;
use countersign::encoding::checks as encoding;
use countersign::negotiation::checks as negotiation;
use serde_json::{Value, json};

use stranger::connectors::DATASET;
use stranger::{CONTEXT, Stranger, provider};
use tape::Tape;

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_logged_once_and_nothing_else_is() {
    let tape = Tape::start();
    let node = provider().await;
    let stranger = Stranger::of(12, &node);
    let other = Stranger::of(13, &node);
    let begin = "/negotiations/request";
    let (_, begun) = stranger.say(begin, &stranger.request()).await;
    let pid = begun["providerPid"].as_str().unwrap().to_owned();
    assert_eq!(tape.lines(), Vec::<Value>::new(), "what is taken is no warning");

    let mut ruled = stranger.request();
    ruled["offer"]["permission"][0]["target"] = json!(DATASET);
    let mut unlisted = stranger.request();
    unlisted["consumerPid"] = json!("urn:uuid:c2");
    unlisted["offer"]["permission"][0]["action"] = json!("read");
    let ends = json!({
        "@context": [CONTEXT], "@type": "ContractNegotiationTerminationMessage", "providerPid": pid,
        "consumerPid": "urn:uuid:x",
    });
    let event = json!({
        "@context": [CONTEXT], "@type": "ContractNegotiationEventMessage", "providerPid": pid,
        "consumerPid": "urn:uuid:c", "eventType": "ACCEPTED",
    });
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(2 << 20));
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let twice = stranger.request().to_string().replacen('{', "{\"consumerPid\":\"urn:uuid:d\",", 1);
    let end = format!("/negotiations/{pid}/termination");
    let filter = json!({ "@context": [CONTEXT], "@type": "CatalogRequestMessage", "filter": [{ "price": 5 }] });
    let cases = [
        ("a rule with a target", begin.to_owned(), ruled.to_string(), 400, Some(checks::MESSAGE.id())),
        ("other terms", begin.to_owned(), unlisted.to_string(), 400, Some(checks::UNCATALOGED.id())),
        ("another pid", end.clone(), ends.to_string(), 400, Some(negotiation::PIDS.id())),
        ("another state", format!("/negotiations/{pid}/events"), event.to_string(), 400, Some(negotiation::STATE.id())),
        ("no such thing", "/negotiations/urn:uuid:none/termination".to_owned(), ends.to_string(), 404, None),
        ("2 MB", begin.to_owned(), long, 413, None),
        ("200 levels", begin.to_owned(), deep, 400, Some(encoding::JSON_DEPTH.id())),
        ("a member twice", begin.to_owned(), twice, 400, Some(encoding::JSON_DUPLICATE.id())),
        ("half of it", begin.to_owned(), "{".to_owned(), 400, Some(encoding::JSON.id())),
        ("an unknown filter", "/catalog/request".to_owned(), filter.to_string(), 400, Some(checks::FILTER.id())),
    ];
    for (what, path, body, status, check) in cases {
        assert_eq!(stranger.send(&path, body).await.0, status, "{what}");
        logged_once(&tape, what, check);
    }
    assert_eq!(other.say(&end, &ends).await.0, 404);
    logged_once(&tape, "another's negotiation", Some(checks::PARTY.id()));
    let unproven = stranger.client.post(format!("{}{begin}", node.base)).json(&stranger.request());
    assert_eq!(unproven.send().await.unwrap().status(), 404);
    logged_once(&tape, "nobody", Some(checks::TOKEN.id()));
    assert_eq!(node.view(&pid).await.state.to_string(), "REQUESTED", "and nothing moved");
}

fn logged_once(tape: &Tape, what: &str, check: Option<&str>) {
    let lines = tape.lines();
    let [line] = &lines[..] else { panic!("{what}: logged {} times: {lines:?}", lines.len()) };
    if let Some(check) = check {
        assert_eq!(line["fields"]["check"], check, "{what}: {line}");
    }
}

//! What every store keeps to, whatever is behind the port.

use countersign::encoding::{Digest, Timestamp};
use countersign::identity::{Did, Jwk};
use countersign::negotiation::{Effect, Event, Negotiation, Notice, Opening, RequestPaper, Role, StateName};
use countersign::node::{Commit, Index, Kept, Mark, Outgoing, Parked, Seen, Spending, Spent, Store, StoreFault};
use futures::future::join_all;
use serde_json::json;

pub fn at(minute: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + 60 * minute).unwrap()
}

pub fn peer() -> Did {
    "did:web:peer.example".parse().unwrap()
}

fn stranger() -> Did {
    "did:web:stranger.example".parse().unwrap()
}

fn requested(pid: &str) -> Event {
    let consumer_key = Jwk { kty: "EC".into(), crv: "P-256".into(), x: "x".repeat(43), y: Some("y".repeat(43)) };
    Event::Requested {
        opening: Opening {
            role: Role::Provider,
            us: "did:web:us.example".parse().unwrap(),
            peer: peer(),
            consumer_pid: Some(pid.into()),
            provider_pid: None,
            began: Role::Consumer,
        },
        request: RequestPaper {
            asset: "urn:asset:roads".into(),
            template: None,
            parameters: [("uses".to_owned(), json!({"max": 3, "note": "„hundred“ \u{0} 💧"}))].into(),
            price: None,
            promisor: None,
            promisee: None,
            offer_id: None,
            consumer_key,
            key_statement: "a.b.c".into(),
            participant: "d.e.f~".into(),
        },
        at: at(0),
    }
}

fn named(pid: &str) -> Event {
    Event::Named { provider_pid: pid.into() }
}

pub fn message(id: &str, negotiation: Option<&str>) -> Outgoing {
    Outgoing {
        id: id.into(),
        negotiation: negotiation.map(Into::into),
        to: peer(),
        signed: format!("signed {id}"),
        wants_answer: true,
        attempts: 0,
        due: Some(at(0)),
        note: None,
    }
}

fn answer(id: &str, negotiation: Option<&str>) -> Outgoing {
    Outgoing { wants_answer: false, ..message(id, negotiation) }
}

fn mark(message: &str, answer: Outgoing) -> Mark {
    Mark { from: peer(), message: message.into(), signed: Some(format!("signed {message}")), answer }
}

fn tell() -> Effect {
    Effect::Tell { notice: Notice::Verification { acknowledgement: "g.h.i".into() } }
}

/// A decision about negotiation `id`, whose consumer calls it `<id>-c`.
pub fn decision(id: &str, version: u64, events: Vec<Event>) -> Commit {
    Commit {
        negotiation: id.into(),
        version,
        events,
        outgoing: vec![],
        effects: vec![],
        mark: None,
        index: Index {
            peer: peer(),
            consumer_pid: Some(format!("{id}-c")),
            provider_pid: None,
            state: StateName::Requested,
            watched: false,
            at: at(0),
        },
    }
}

pub fn beginning(id: &str) -> Commit {
    decision(id, 0, vec![requested(&format!("{id}-c"))])
}

fn parked(thread: &str, message: &str, minute: i64) -> Parked {
    Parked {
        from: peer(),
        thread: thread.into(),
        message: message.into(),
        signed: format!("signed {message}"),
        at: at(minute),
    }
}

async fn due(store: &dyn Store, minute: i64) -> Vec<String> {
    store.due(at(minute), 100).await.unwrap().into_iter().map(|outgoing| outgoing.id).collect()
}

pub async fn a_decision_is_read_back_as_it_was_written(store: &dyn Store) {
    assert_eq!(store.log("n").await.unwrap(), None);
    store.commit(beginning("n")).await.unwrap();
    let later = decision("n", 1, vec![named("n-p"), named("n-q")]);
    let index =
        Index { provider_pid: Some("n-p".into()), state: StateName::Offered, watched: true, ..later.index.clone() };
    store.commit(Commit { index, ..later }).await.unwrap();

    let log = store.log("n").await.unwrap().unwrap();
    assert_eq!(log, [requested("n-c"), named("n-p"), named("n-q")]);
    assert!(Negotiation::replay(log).is_ok());
    for pid in ["n-c", "n-p"] {
        assert_eq!(store.find(&peer(), pid).await.unwrap().as_deref(), Some("n"));
        assert_eq!(store.find(&stranger(), pid).await.unwrap(), None);
    }
    assert_eq!(store.watched().await.unwrap(), ["n"]);

    store.commit(beginning("m")).await.unwrap();
    assert_eq!(store.negotiations(&[]).await.unwrap(), ["m", "n"]);
    assert_eq!(store.negotiations(&[StateName::Offered, StateName::Agreed]).await.unwrap(), ["n"]);
    assert_eq!(store.negotiations(&[StateName::Agreed]).await.unwrap(), [""; 0]);
}

pub async fn a_decision_is_all_or_nothing(store: &dyn Store) {
    store.queue(message("taken", None), None).await.unwrap();
    // The last thing that is written fails: the answer's id is taken by another message.
    let commit = Commit {
        outgoing: vec![message("o", Some("n"))],
        effects: vec![tell()],
        mark: Some(mark("in", answer("taken", Some("n")))),
        ..beginning("n")
    };
    assert!(matches!(store.commit(commit).await, Err(StoreFault::Failed(_))));
    assert_eq!(store.log("n").await.unwrap(), None);
    assert_eq!(store.find(&peer(), "n-c").await.unwrap(), None);
    assert_eq!(store.negotiations(&[]).await.unwrap(), [""; 0]);
    assert_eq!(store.sent("n").await.unwrap(), []);
    assert_eq!(store.orders(at(9)).await.unwrap(), []);
    assert_eq!(store.answered(&peer(), "in").await.unwrap(), None);
    store.commit(beginning("n")).await.unwrap();
}

pub async fn a_second_decision_on_the_same_version_is_refused(store: &dyn Store) {
    assert!(matches!(store.commit(decision("n", 1, vec![named("p")])).await, Err(StoreFault::Moved)));
    store.commit(beginning("n")).await.unwrap();
    assert!(matches!(store.commit(beginning("n")).await, Err(StoreFault::Moved)));

    let rivals = (0..8).map(|rival| store.commit(decision("n", 1, vec![named(&format!("p{rival}"))])));
    let outcomes = join_all(rivals).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(StoreFault::Moved))));
    assert_eq!(store.log("n").await.unwrap().unwrap().len(), 2);
}

pub async fn two_first_messages_of_a_thread_begin_one_negotiation(store: &dyn Store) {
    store.commit(beginning("n")).await.unwrap();
    let twin = Commit { index: beginning("n").index, ..beginning("twin") };
    assert!(matches!(store.commit(twin).await, Err(StoreFault::Moved)));
    assert_eq!(store.find(&peer(), "n-c").await.unwrap().as_deref(), Some("n"));

    // An id that the counterparty uses twice keeps its first meaning, and the other negotiation goes on.
    store.commit(beginning("m")).await.unwrap();
    let mut stolen = decision("m", 1, vec![named("n-c")]);
    stolen.index.provider_pid = Some("n-c".into());
    store.commit(stolen).await.unwrap();
    assert_eq!(store.find(&peer(), "n-c").await.unwrap().as_deref(), Some("n"));
    assert_eq!(store.find(&peer(), "m-c").await.unwrap().as_deref(), Some("m"));
}

pub async fn a_repeated_message_gets_its_stored_answer(store: &dyn Store) {
    assert_eq!(store.answered(&peer(), "in").await.unwrap(), None);
    let first = answer("out", Some("n"));
    store.commit(Commit { mark: Some(mark("in", first.clone())), ..beginning("n") }).await.unwrap();

    let again = decision("n", 1, vec![named("p")]);
    let again = Commit { mark: Some(mark("in", answer("other", Some("n")))), ..again };
    assert!(matches!(store.commit(again.clone()).await, Err(StoreFault::Repeated)));
    // Even when the negotiation has moved too: who repeats is answered, and does not decide again.
    assert!(matches!(store.commit(Commit { version: 7, ..again }).await, Err(StoreFault::Repeated)));
    let other = answer("other", None);
    assert!(matches!(store.queue(other.clone(), Some(mark("in", other))).await, Err(StoreFault::Repeated)));
    assert_eq!(store.log("n").await.unwrap().unwrap().len(), 1);
    assert_eq!(store.answered(&peer(), "in").await.unwrap(), Some(first.clone()));
    assert_eq!(store.answered(&stranger(), "in").await.unwrap(), None);

    // The stored answer goes out again, as the same message.
    store.attempted("out", None, None).await.unwrap();
    assert_eq!(due(store, 5).await, [""; 0]);
    store.queue(Outgoing { due: Some(at(5)), ..first.clone() }, None).await.unwrap();
    assert_eq!(due(store, 5).await, ["out"]);
    assert_eq!(store.sent("n").await.unwrap().len(), 1);
    let forged = Outgoing { signed: "something else".into(), ..first };
    assert!(matches!(store.queue(forged, None).await, Err(StoreFault::Failed(_))));
}

pub async fn an_answer_that_moves_nothing_is_queued_with_its_mark(store: &dyn Store) {
    let refusal = answer("out", None);
    store.queue(refusal.clone(), Some(mark("in", refusal.clone()))).await.unwrap();
    assert_eq!(store.answered(&peer(), "in").await.unwrap(), Some(refusal));
    assert_eq!(due(store, 0).await, ["out"]);
}

pub async fn answers_of_no_negotiation_are_forgotten_in_the_end(store: &dyn Store) {
    for number in 0..40 {
        let answer = answer(&format!("a-{number}"), None);
        store.queue(answer.clone(), Some(mark(&format!("q-{number}"), answer))).await.unwrap();
    }
    assert_eq!(store.answered(&peer(), "q-0").await.unwrap(), None);
    assert!(store.answered(&peer(), "q-39").await.unwrap().is_some());
    assert_eq!(store.due(at(1000), 100).await.unwrap().len(), 32);
}

pub async fn a_slow_recipient_does_not_fill_the_queue(store: &dyn Store) {
    for number in 0..8 {
        store.queue(message(&format!("slow-{number}"), None), None).await.unwrap();
    }
    let other = Outgoing { to: stranger(), ..message("other", None) };
    store.queue(other, None).await.unwrap();
    let due = store.due(at(1000), 2).await.unwrap();
    assert_eq!(due.iter().map(|message| message.id.as_str()).collect::<Vec<_>>(), ["slow-0", "other"]);
}

pub async fn a_message_waits_for_the_older_ones_of_its_negotiation(store: &dyn Store) {
    let later = Outgoing { due: Some(at(2)), ..message("n1", Some("n")) };
    let commit = Commit { outgoing: vec![later, message("n2", Some("n"))], ..beginning("n") };
    store.commit(Commit { mark: Some(mark("in", answer("n-answer", Some("n")))), ..commit }).await.unwrap();
    store.commit(Commit { outgoing: vec![message("m1", Some("m"))], ..beginning("m") }).await.unwrap();
    for id in ["free1", "free2"] {
        store.queue(message(id, None), None).await.unwrap();
    }
    let others = ["n-answer", "m1", "free1", "free2"];
    assert_eq!(due(store, 0).await, others, "the answer is not held back, the second message is");
    assert_eq!(store.due(at(0), 2).await.unwrap().len(), 2);
    for id in others {
        store.attempted(id, None, Some("done with")).await.unwrap();
    }
    assert_eq!(due(store, 1).await, [""; 0]);
    assert_eq!(store.next_due().await.unwrap(), Some(at(2)), "not the earlier time of the one that is held back");
    assert_eq!(due(store, 2).await, ["n1"]);

    store.signed_anew("n1", "anew").await.unwrap();
    store.attempted("n1", Some(at(4)), Some("no connection")).await.unwrap();
    assert_eq!(due(store, 3).await, [""; 0]);
    let tried = store.due(at(4), 9).await.unwrap().remove(0);
    assert_eq!(tried.signed, "anew");
    assert_eq!((tried.attempts, tried.note.as_deref(), tried.due), (1, Some("no connection"), Some(at(4))));

    store.acknowledged("n1", &stranger(), None).await.unwrap();
    assert_eq!(due(store, 4).await, ["n1"], "nobody else can answer for the counterparty");
    store.acknowledged("n1", &peer(), Some("OFFERED")).await.unwrap();
    assert_eq!(due(store, 4).await, ["n2"]);
    // The answer was faster than the report of the attempt that brought the message there.
    store.attempted("n1", Some(at(5)), None).await.unwrap();
    assert_eq!(due(store, 9).await, ["n2"]);
    store.attempted("n2", None, Some("given up")).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), None);

    let sent = store.sent("n").await.unwrap();
    assert_eq!(sent.iter().map(|outgoing| outgoing.id.as_str()).collect::<Vec<_>>(), ["n1", "n2", "n-answer"]);
    assert_eq!(sent[0].note.as_deref(), Some("OFFERED"));
}

pub async fn what_waits_for_whoever_moved_is_sent_at_once(store: &dyn Store) {
    store.commit(Commit { outgoing: vec![message("n1", Some("n"))], ..beginning("n") }).await.unwrap();
    store.commit(Commit { outgoing: vec![message("m1", Some("m"))], ..beginning("m") }).await.unwrap();
    store.queue(Outgoing { to: stranger(), ..message("other", None) }, None).await.unwrap();
    for id in ["n1", "m1", "other"] {
        store.attempted(id, Some(at(60)), Some("away")).await.unwrap();
    }
    let undelivered = store.undelivered(1, 1).await.unwrap();
    assert_eq!(undelivered.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["n1"], "the oldest, no more");
    assert_eq!(store.undelivered(1, 9).await.unwrap().len(), 2, "what belongs to no negotiation holds up none");
    assert_eq!(store.undelivered(2, 9).await.unwrap(), []);
    assert_eq!(store.counterparties(at(9)).await.unwrap(), [peer(), stranger()]);

    store.acknowledged("m1", &peer(), None).await.unwrap();
    store.hasten(&peer(), at(5)).await.unwrap();
    assert_eq!((due(store, 4).await, due(store, 5).await), (vec![], vec!["n1".to_owned()]), "nothing that is done");
    store.hasten(&peer(), at(30)).await.unwrap();
    assert_eq!(due(store, 5).await, ["n1"], "never later than it would be sent anyway");

    // Over for long is over; lately it may still wait for an answer.
    store.acknowledged("n1", &peer(), None).await.unwrap();
    store.acknowledged("other", &stranger(), None).await.unwrap();
    for id in ["n", "m"] {
        let over = decision(id, 1, vec![named("urn:p")]);
        let index = Index { state: StateName::Terminated, ..over.index.clone() };
        store.commit(Commit { index, ..over }).await.unwrap();
    }
    let moved = decision("n", 1, vec![]).index.at;
    assert_eq!(store.counterparties(moved).await.unwrap(), [peer()]);
    assert_eq!(store.counterparties(moved.plus(1)).await.unwrap(), []);
}

pub async fn what_is_told_has_one_order_and_no_gap(store: &dyn Store) {
    assert_eq!(store.last_news().await.unwrap(), 0);
    store.commit(beginning("n1")).await.unwrap();
    store.commit(beginning("n2")).await.unwrap();
    store.commit(decision("n1", 1, vec![named("urn:p")])).await.unwrap();
    // A decision that was not committed is not told either.
    store.commit(decision("n1", 1, vec![named("urn:q")])).await.unwrap_err();

    let failing = message("failing", Some("n1"));
    store.queue(failing.clone(), None).await.unwrap();
    for note in ["away", "still away"] {
        store.attempted("failing", Some(at(1)), Some(note)).await.unwrap();
    }
    store.acknowledged("failing", &peer(), Some("message.form: no")).await.unwrap();
    store.attempted("failing", None, Some("late")).await.unwrap();

    store.keep_envelope(&[7], at(1)).await.unwrap();
    let refused = |check: &str| Seen {
        kind: "refused",
        at: at(2),
        negotiation: None,
        detail: json!({ "check": check, "detail": "what was found", "signer": null }),
        once: None,
    };
    store.refuse_envelope(Digest::of([7]), &refused("inbox.envelope.form")).await.unwrap();
    assert!(store.envelopes(9).await.unwrap().is_empty());
    let ended = Seen { kind: "ended", negotiation: Some("n2".into()), once: Some("ended:c".into()), ..refused("") };
    store.tell_once(&ended).await.unwrap();
    store.tell_once(&ended).await.unwrap();

    let all = store.news(0, None, 99).await.unwrap();
    let told: Vec<_> = all.iter().map(|one| (one.kind.as_str(), one.negotiation.as_deref(), one.place)).collect();
    assert_eq!(
        told,
        [
            ("event", Some("n1"), Some(0)),
            ("event", Some("n2"), Some(0)),
            ("event", Some("n1"), Some(1)),
            ("failing", Some("n1"), None),
            ("turned-down", Some("n1"), None),
            ("refused", None, None),
            ("ended", Some("n2"), None),
        ]
    );
    assert!(all.windows(2).all(|two| two[0].number < two[1].number));
    assert_eq!(
        (all[3].detail["why"].as_str(), all[4].detail["why"].as_str()),
        (Some("away"), Some("message.form: no"))
    );
    assert_eq!(store.last_news().await.unwrap(), all[6].number);
    assert_eq!(store.news(all[2].number, None, 2).await.unwrap(), all[3..5]);
    let of_one: Vec<_> = store.news(0, Some("n2"), 9).await.unwrap().iter().map(|one| one.number).collect();
    assert_eq!(of_one, [all[1].number, all[6].number]);

    // Whoever sends rubbish pushes out other rubbish, and nothing else; a number is never given twice.
    for _ in 0..1001 {
        store.refuse_envelope(Digest::of([8]), &refused("inbox.unsigned")).await.unwrap();
    }
    let last = store.refusals(5000).await.unwrap();
    assert!(last.len() == 1000 && last.iter().all(|one| one.detail["check"] == "inbox.unsigned"));
    assert_eq!(store.news(0, None, 6).await.unwrap()[..5], all[..5]);
    assert_eq!(store.last_news().await.unwrap(), all[6].number + 1001);

    let tally = store.tally().await.unwrap();
    assert_eq!((tally.negotiations, tally.envelopes), (vec![("REQUESTED".to_owned(), 2)], 0));
}

pub async fn effects_are_repeated_until_they_are_done(store: &dyn Store) {
    store.commit(Commit { effects: vec![tell(), tell()], ..beginning("n") }).await.unwrap();
    let orders = store.orders(at(0)).await.unwrap();
    assert_eq!(orders.len(), 2);
    assert_eq!((orders[0].negotiation.as_str(), &orders[0].effect, orders[0].attempts), ("n", &tell(), 0));
    store.performed(orders[0].number, Some((at(3), "no funds"))).await.unwrap();
    store.performed(orders[1].number, None).await.unwrap();
    store.performed(orders[1].number, Some((at(1), "a slower attempt"))).await.unwrap();
    assert_eq!(store.orders(at(2)).await.unwrap(), []);
    let again = store.orders(at(3)).await.unwrap();
    assert_eq!((again.len(), again[0].number, again[0].attempts), (1, orders[0].number, 1));
}

/// `store` takes three envelopes, of 100 bytes together.
pub async fn the_inbox_has_a_quota(store: &dyn Store) {
    assert_eq!(store.keep_envelope(&[1; 60], at(0)).await.unwrap(), Kept::New);
    assert_eq!(store.keep_envelope(&[2; 41], at(0)).await.unwrap(), Kept::Full);
    assert_eq!(store.keep_envelope(&[2; 40], at(0)).await.unwrap(), Kept::New);
    assert_eq!(store.keep_envelope(&[1; 60], at(0)).await.unwrap(), Kept::Known);
    let all = store.envelopes(9).await.unwrap();
    assert_eq!(all, [(Digest::of([1; 60]), vec![1; 60]), (Digest::of([2; 40]), vec![2; 40])]);
    assert_eq!(store.envelopes(1).await.unwrap(), all[..1]);
    store.drop_envelope(Digest::of([1; 60])).await.unwrap();
    store.drop_envelope(Digest::of([1; 60])).await.unwrap();
    let many = join_all((3..9).map(|byte| store.keep_envelope(std::slice::from_ref(SMALL[byte]), at(1)))).await;
    assert_eq!(many.iter().filter(|kept| matches!(kept, Ok(Kept::New))).count(), 2);
    assert_eq!(many.iter().filter(|kept| matches!(kept, Ok(Kept::Full))).count(), 4);
}

const SMALL: [&u8; 9] = [&0, &1, &2, &3, &4, &5, &6, &7, &8];

pub async fn early_messages_are_parked_up_to_a_limit(store: &dyn Store) {
    for id in ["a", "b", "a"] {
        assert!(store.park(parked("t", id, 1), 2).await.unwrap());
    }
    assert!(!store.park(parked("t", "c", 1), 2).await.unwrap());
    assert!(store.park(parked("u", "c", 5), 2).await.unwrap());
    assert!(store.park(Parked { from: stranger(), ..parked("t", "c", 1) }, 2).await.unwrap());
    assert_eq!(store.parked(&peer(), "t").await.unwrap(), [parked("t", "a", 1), parked("t", "b", 1)]);
    assert_eq!(store.parked(&stranger(), "t").await.unwrap().len(), 1);

    store.unpark(&peer(), "a").await.unwrap();
    assert!(store.park(parked("t", "d", 5), 2).await.unwrap());
    assert_eq!(store.clear_parked(at(5)).await.unwrap(), 2);
    assert_eq!(store.parked(&peer(), "t").await.unwrap(), [parked("t", "d", 5)]);
    assert_eq!(store.parked(&peer(), "u").await.unwrap().len(), 1);
}

pub async fn a_name_keeps_its_key(store: &dyn Store) {
    assert!(store.key("k").await.unwrap().is_none());
    store.keep_key("k", &[7; 32]).await.unwrap();
    store.keep_key("k", &[7; 32]).await.unwrap();
    let fault = store.keep_key("k", &[8; 32]).await.unwrap_err().to_string();
    assert!(!fault.contains('8'), "{fault}");
    assert_eq!(*store.key("k").await.unwrap().unwrap(), [7; 32]);
}

pub async fn documents_are_kept_by_kind_and_id(store: &dyn Store) {
    let value = json!({"z": 1, "a": [1.5, null, "💧"], "n": u64::MAX});
    store.put("asset", "b", &json!(1)).await.unwrap();
    store.put("asset", "b", &value).await.unwrap();
    store.put("asset", "a", &json!(2)).await.unwrap();
    store.put("template", "b", &json!(3)).await.unwrap();
    let kept = store.one("asset", "b").await.unwrap().unwrap();
    assert_eq!(kept.to_string(), value.to_string(), "members keep their order");
    assert_eq!(store.all("asset").await.unwrap(), [("a".into(), json!(2)), ("b".into(), value)]);
    for id in ["a", "a:", "a:1", "a:é", "a;", "b:1"] {
        store.put("receipt", id, &json!(id)).await.unwrap();
    }
    let found: Vec<_> = store.all_under("receipt", "a:").await.unwrap().into_iter().map(|(id, _)| id).collect();
    assert_eq!(found, ["a:", "a:1", "a:é"]);
    assert!(store.remove("asset", "b").await.unwrap());
    assert!(!store.remove("asset", "b").await.unwrap());
    assert_eq!(store.one("asset", "b").await.unwrap(), None);
    assert_eq!(store.one("template", "b").await.unwrap(), Some(json!(3)));
}

pub async fn what_happens_once_has_one_winner(store: &dyn Store) {
    let values: Vec<_> = (0..16).map(|racer| json!(racer)).collect();
    let outcomes = join_all(values.iter().map(|value| store.put_once("token", "t", value))).await;
    let winners: Vec<_> = outcomes.into_iter().zip(&values).filter(|(won, _)| *won.as_ref().unwrap()).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(store.one("token", "t").await.unwrap().as_ref(), Some(winners[0].1));
}

pub async fn counters_stop_at_their_limit(store: &dyn Store) {
    assert_eq!(store.count("use", "none", 0).await.unwrap(), None);
    assert_eq!(store.counted("use", "none").await.unwrap(), 0);
    let outcomes = join_all((0..20).map(|_| store.count("use", "c", 5))).await;
    let mut counts: Vec<_> = outcomes.into_iter().filter_map(Result::unwrap).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2, 3, 4, 5]);
    assert_eq!(store.counted("use", "c").await.unwrap(), 5);
    assert_eq!(store.count("use", "c", 4).await.unwrap(), None, "a lower limit does not count back");
    assert_eq!(store.count("use", "c", u64::MAX).await.unwrap(), Some(6));
    assert_eq!(store.counted("other", "c").await.unwrap(), 0);
}

pub async fn what_is_spent_is_counted_once_and_not_beyond_its_limit(store: &dyn Store) {
    let (yes, counter) = (json!(true), ("spent-uses", "c"));
    let spend = async |id: &str, within: Option<&str>, limit: u64| {
        let within = within.map(|id| ("spent", id, &yes));
        let kind = if within.is_some() { "spent-part" } else { "spent" };
        let spending = Spending { once: (kind, id, &yes), within, counter, limit };
        store.spend(&spending).await.unwrap()
    };
    // The same at once has one winner, and different ones stop at the limit.
    let same = join_all((0..8).map(|_| spend("a", None, 3))).await;
    assert_eq!(same.iter().filter(|spent| **spent == Spent::Now).count(), 1);
    assert!(same.iter().all(|spent| matches!(spent, Spent::Now | Spent::Before)), "{same:?}");
    let names: Vec<_> = (0..8).map(|number| format!("b{number}")).collect();
    let others = join_all(names.iter().map(|id| spend(id, None, 3))).await;
    assert_eq!(others.iter().filter(|spent| **spent == Spent::Now).count(), 2);
    assert_eq!(others.iter().filter(|spent| **spent == Spent::NoneLeft).count(), 6);
    assert_eq!(store.counted(counter.0, counter.1).await.unwrap(), 3);
    // What was refused left no mark: with more room it goes through.
    let refused = others.iter().position(|spent| *spent == Spent::NoneLeft).unwrap();
    assert_eq!(spend(&names[refused], None, 4).await, Spent::Now);
    // The pieces of one thing are counted with the first of them.
    assert_eq!(spend("p1", Some("whole"), 4).await, Spent::NoneLeft);
    assert_eq!(store.one("spent", "whole").await.unwrap(), None);
    let pieces = [spend("p1", Some("whole"), 5).await, spend("p2", Some("whole"), 5).await];
    assert_eq!((pieces, spend("p2", Some("whole"), 5).await), ([Spent::Now; 2], Spent::Before));
    assert_eq!(store.counted(counter.0, counter.1).await.unwrap(), 5);
}

/// One of everything; [`everything_is_still_there`] finds it after a restart.
pub async fn leave_one_of_everything(store: &dyn Store) {
    let commit = Commit { outgoing: vec![message("o", Some("n"))], effects: vec![tell()], ..beginning("n") };
    store.commit(Commit { mark: Some(mark("in", answer("a", Some("n")))), ..commit }).await.unwrap();
    store.attempted("o", Some(at(3)), Some("busy")).await.unwrap();
    assert_eq!(store.keep_envelope(b"sealed", at(0)).await.unwrap(), Kept::New);
    assert!(store.park(parked("t", "p", 0), 1).await.unwrap());
    store.keep_key("k", &[7; 32]).await.unwrap();
    store.put("asset", "a", &json!({"title": "roads"})).await.unwrap();
    store.count("use", "c", 9).await.unwrap();
}

pub async fn everything_is_still_there(store: &dyn Store) {
    assert_eq!(store.log("n").await.unwrap(), Some(vec![requested("n-c")]));
    assert_eq!(store.find(&peer(), "n-c").await.unwrap().as_deref(), Some("n"));
    let tried = Outgoing { attempts: 1, due: Some(at(3)), note: Some("busy".into()), ..message("o", Some("n")) };
    assert_eq!(store.due(at(3), 9).await.unwrap(), [tried, answer("a", Some("n"))]);
    assert_eq!(store.answered(&peer(), "in").await.unwrap(), Some(answer("a", Some("n"))));
    assert_eq!(store.orders(at(0)).await.unwrap().len(), 1);
    assert_eq!(store.envelopes(9).await.unwrap().len(), 1);
    assert_eq!(store.parked(&peer(), "t").await.unwrap(), [parked("t", "p", 0)]);
    assert_eq!(*store.key("k").await.unwrap().unwrap(), [7; 32]);
    assert_eq!(store.one("asset", "a").await.unwrap(), Some(json!({"title": "roads"})));
    assert_eq!(store.counted("use", "c").await.unwrap(), 1);
}

/// Commits until the process dies, each time with a message; reports the version after each commit that returned.
pub async fn commit_without_end(store: &dyn Store, mut acknowledged: impl FnMut(usize)) {
    let mut version = store.log("n").await.unwrap().map_or(0, |log| log.len());
    loop {
        let next = if version == 0 {
            beginning("n")
        } else {
            decision("n", version as u64, vec![named(&version.to_string()), named("second")])
        };
        let added = next.events.len();
        let told = message(&format!("told {version}"), Some("n"));
        store.commit(Commit { outgoing: vec![told], ..next }).await.unwrap();
        version += added;
        acknowledged(version);
    }
}

/// After `acknowledged` the process was killed.
pub async fn nothing_acknowledged_is_lost_and_nothing_is_half_there(store: &dyn Store, acknowledged: usize) {
    let log = store.log("n").await.unwrap().unwrap();
    assert!(log.len() >= acknowledged, "{} events of {acknowledged}", log.len());
    assert_eq!(log.len() % 2, 1, "one event, then two with each decision");
    for (decided, events) in log[1..].chunks(2).enumerate() {
        assert_eq!(events, [named(&(2 * decided + 1).to_string()), named("second")]);
    }
    assert_eq!(store.sent("n").await.unwrap().len(), log.len().div_ceil(2), "each decision with its message");
}

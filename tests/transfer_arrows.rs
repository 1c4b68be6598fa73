//! The transfer's arrows, all of them, against a table that was written by hand from the specification's diagram.

use countersign::encoding::Timestamp;
use countersign::negotiation::Role;
use countersign::transfer::{
    Command, DataAddress, Decision, Event, Kind, Message, Opening, PULL, Reason, StateName, Transfer, arrow, checks,
};
use serde_json::{Value, json};

/// What a message of a sender does: a letter for each state, in the order of `StateName::ALL`.
///
/// `S U C T` lead to that state (U: SUSPENDED), `-` is refused.
const TABLE: [(Role, Kind, &str); 10] = [
    //                                       R S U C T
    (Role::Consumer, Kind::Request, /*    */ "-----"),
    (Role::Consumer, Kind::Start, /*      */ "--S--"),
    (Role::Consumer, Kind::Suspension, /* */ "-U---"),
    (Role::Consumer, Kind::Completion, /* */ "-C---"),
    (Role::Consumer, Kind::Termination, /**/ "TTT--"),
    (Role::Provider, Kind::Request, /*    */ "-----"),
    (Role::Provider, Kind::Start, /*      */ "S-S--"),
    (Role::Provider, Kind::Suspension, /* */ "-U---"),
    (Role::Provider, Kind::Completion, /* */ "-C---"),
    (Role::Provider, Kind::Termination, /**/ "TTT--"),
];

const CONSUMER_PID: &str = "urn:uuid:32541fe6-c580-409e-85a8-8a9a32fbe833";
const PROVIDER_PID: &str = "urn:uuid:a343fcbf-99fc-4ce8-8e9b-148c97605aab";

fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + second).unwrap()
}

fn letter(to: Option<StateName>) -> char {
    match to {
        Some(StateName::Requested) => 'R',
        Some(StateName::Started) => 'S',
        Some(StateName::Suspended) => 'U',
        Some(StateName::Completed) => 'C',
        Some(StateName::Terminated) => 'T',
        None => '-',
    }
}

fn opening(role: Role) -> Opening {
    Opening {
        role,
        peer: "did:web:peer.example".into(),
        hears_at: "https://peer.example/dsp".into(),
        agreement: "urn:uuid:e8dc8655-44c2-46ef-b701-4cffdc2faa44".into(),
        asset: "urn:uuid:0d5c1c5e-7f0e-4d43-8a53-9f2f5b9a0001".into(),
        consumer_pid: CONSUMER_PID.into(),
        provider_pid: Some(PROVIDER_PID.into()),
    }
}

fn data() -> DataAddress {
    DataAddress { endpoint: "https://data.example/assets/highway".into(), token: Some("TOKEN".into()) }
}

fn events(decision: Decision) -> Vec<Event> {
    decision.events
}

/// A transfer of this role, brought into a state by messages and decisions.
fn transfer_in(role: Role, state: StateName) -> Transfer {
    let path: &[Kind] = match state {
        StateName::Requested => &[],
        StateName::Started => &[Kind::Start],
        StateName::Suspended => &[Kind::Start, Kind::Suspension],
        StateName::Completed => &[Kind::Start, Kind::Completion],
        StateName::Terminated => &[Kind::Termination],
    };
    let mut log = events(Transfer::begin(opening(role), at(0)));
    for kind in path {
        let transfer = Transfer::replay(log.clone()).unwrap();
        let decision = match role {
            Role::Provider => transfer.obey(command(*kind), at(1)),
            Role::Consumer => transfer.hear(message(*kind), at(1)),
        };
        log.extend(events(decision.unwrap()));
    }
    let transfer = Transfer::replay(log).unwrap();
    assert_eq!(transfer.state(), state);
    transfer
}

fn command(kind: Kind) -> Command {
    match kind {
        Kind::Start => Command::Start(Some(data())),
        Kind::Suspension => Command::Suspend(Reason::default()),
        Kind::Completion => Command::Complete,
        Kind::Termination | Kind::Request => Command::Terminate(Reason::new("done", "No longer needed.")),
    }
}

fn message(kind: Kind) -> Message {
    Message {
        kind,
        id: Some("urn:uuid:1".into()),
        consumer_pid: CONSUMER_PID.into(),
        provider_pid: Some(PROVIDER_PID.into()),
        agreement: None,
        callback: None,
        address: (kind == Kind::Start).then(data),
        reason: Reason::default(),
    }
}

#[test]
fn every_state_sender_and_message_is_in_the_table() {
    let mut seen = 0;
    for role in [Role::Consumer, Role::Provider] {
        for kind in Kind::ALL {
            let row = TABLE.iter().find(|row| (row.0, row.1) == (role, kind)).unwrap();
            for (state, expected) in StateName::ALL.into_iter().zip(row.2.chars()) {
                assert_eq!(letter(arrow(state, role, kind)), expected, "{kind:?} of the {role:?} in {state}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 2 * 5 * 5);
}

#[test]
fn a_message_moves_a_transfer_exactly_where_the_table_says() {
    for role in [Role::Consumer, Role::Provider] {
        for state in StateName::ALL {
            for kind in Kind::ALL {
                let before = transfer_in(role, state);
                let heard = before.hear(message(kind), at(2));
                match arrow(state, role.other(), kind) {
                    Some(to) => {
                        let decision = heard.unwrap();
                        assert_eq!(decision.notice, None, "what was heard is not told back");
                        let after = decision.events.into_iter().try_fold(before, Transfer::apply).unwrap();
                        assert_eq!(after.state(), to);
                    }
                    None => {
                        let refusal = heard.unwrap_err();
                        let check = if state.is_final() { &checks::TERMINAL } else { &checks::STATE };
                        assert_eq!(refusal.check, check, "{kind:?} of the {:?} in {state}", role.other());
                    }
                }
            }
        }
    }
}

#[test]
fn a_decision_moves_a_transfer_exactly_where_the_table_says_and_is_told() {
    for role in [Role::Consumer, Role::Provider] {
        for state in StateName::ALL {
            for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Request) {
                let before = transfer_in(role, state);
                let decided = before.obey(command(kind), at(2));
                match arrow(state, role, kind) {
                    Some(to) => {
                        let decision = decided.unwrap();
                        let notice = decision.notice.clone().unwrap();
                        assert_eq!(notice.kind, kind);
                        assert_eq!(notice.address.is_some(), (role, kind) == (Role::Provider, Kind::Start));
                        let after = decision.events.into_iter().try_fold(before, Transfer::apply).unwrap();
                        assert_eq!(after.state(), to);
                    }
                    None => {
                        let check = if state.is_final() { &checks::TERMINAL } else { &checks::STATE };
                        assert_eq!(decided.unwrap_err().check, check, "{kind:?} by the {role:?} in {state}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_message_names_the_transfer_by_both_pids() {
    let transfer = transfer_in(Role::Consumer, StateName::Requested);
    for wrong in [
        Message { consumer_pid: PROVIDER_PID.into(), ..message(Kind::Start) },
        Message { provider_pid: Some("urn:uuid:2".into()), ..message(Kind::Start) },
        Message { provider_pid: None, ..message(Kind::Start) },
    ] {
        assert_eq!(transfer.hear(wrong, at(1)).unwrap_err().check, &checks::PIDS);
    }
    assert_eq!(transfer.named("urn:uuid:2").unwrap_err().check, &checks::PIDS);
}

#[test]
fn a_start_that_overtakes_the_answer_to_the_request_names_the_provider() {
    let unnamed = Opening { provider_pid: None, ..opening(Role::Consumer) };
    let transfer = Transfer::replay(events(Transfer::begin(unnamed, at(0)))).unwrap();
    let decision = transfer.hear(message(Kind::Start), at(1)).unwrap();
    let transfer = decision.events.into_iter().try_fold(transfer, Transfer::apply).unwrap();
    assert_eq!(transfer.opening().provider_pid.as_deref(), Some(PROVIDER_PID));
    assert_eq!(transfer.named(PROVIDER_PID).unwrap(), Decision::default(), "the answer says nothing new then");
}

#[test]
fn the_first_start_says_where_the_data_is() {
    let bare = Message { address: None, ..message(Kind::Start) };
    let requested = transfer_in(Role::Consumer, StateName::Requested);
    assert_eq!(requested.hear(bare.clone(), at(1)).unwrap_err().check, &checks::ADDRESS);
    let suspended = transfer_in(Role::Consumer, StateName::Suspended);
    let decision = suspended.hear(bare, at(1)).unwrap();
    let started = decision.events.into_iter().try_fold(suspended, Transfer::apply).unwrap();
    assert_eq!(started.address(), Some(&data()), "it goes on where it was");
    let requested = transfer_in(Role::Provider, StateName::Requested);
    assert_eq!(requested.obey(Command::Start(None), at(1)).unwrap_err().check, &checks::ADDRESS);
}

#[test]
fn a_log_that_this_program_did_not_write_does_not_replay() {
    let begun = events(Transfer::begin(opening(Role::Consumer), at(0)));
    assert!(Transfer::replay(vec![]).is_err());
    assert!(Transfer::replay([begun.clone(), begun.clone()].concat()).is_err());
    let moved = |kind| Event::Moved { by: Role::Consumer, kind, address: None, reason: Reason::default(), at: at(1) };
    assert!(Transfer::replay([begun.clone(), vec![moved(Kind::Completion)]].concat()).is_err());
    assert!(Transfer::replay([begun, vec![moved(Kind::Termination), moved(Kind::Termination)]].concat()).is_err());
}

fn request() -> Value {
    json!({
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"], "@type": "TransferRequestMessage",
        "consumerPid": CONSUMER_PID, "agreementId": "urn:uuid:e8dc8655-44c2-46ef-b701-4cffdc2faa44",
        "format": PULL, "callbackAddress": "https://consumer.example/dsp",
    })
}

fn start() -> Value {
    json!({
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"], "@type": "TransferStartMessage",
        "consumerPid": CONSUMER_PID, "providerPid": PROVIDER_PID, "dataAddress": {
            "@type": "DataAddress", "endpointType": "https://w3id.org/idsa/v4.1/HTTP", "endpoint": "http://example.com",
            "endpointProperties": [
                {"@type": "EndpointProperty", "name": "authorization", "value": "TOKEN-ABCDEFG"},
                {"@type": "EndpointProperty", "name": "authType", "value": "bearer"},
            ],
        },
    })
}

fn termination() -> Value {
    json!({
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"], "@type": "TransferTerminationMessage",
        "consumerPid": CONSUMER_PID, "providerPid": PROVIDER_PID, "code": "1", "reason": [{"message": "because"}, "so"],
    })
}

#[test]
fn messages_are_read_and_written_without_loss() {
    for (kind, value) in [(Kind::Request, request()), (Kind::Start, start()), (Kind::Termination, termination())] {
        let message = Message::read(kind, &value).unwrap();
        assert_eq!(message.body(), value);
    }
    let address = Message::read(Kind::Start, &start()).unwrap().address.unwrap();
    assert_eq!(address.token.as_deref(), Some("TOKEN-ABCDEFG"));
    assert!(!format!("{address:?}").contains("TOKEN"), "a token is never written to a log");
}

#[test]
fn a_message_that_is_wrong_in_one_respect_is_refused() {
    let without = |mut value: Value, member: &str| {
        value.as_object_mut().unwrap().remove(member);
        value
    };
    let with = |mut value: Value, pointer: &str, other: Value| {
        *value.pointer_mut(pointer).unwrap() = other;
        value
    };
    let mut wrong = vec![
        (Kind::Request, json!([])),
        (Kind::Request, with(request(), "/@context", json!("https://w3id.org/dspace/2025/1/context.jsonld"))),
        (Kind::Request, with(request(), "/@context", json!(["https://w3id.org/dspace/2024/1/context.jsonld"]))),
        (Kind::Request, with(request(), "/@type", json!("TransferStartMessage"))),
        (Kind::Request, with(request(), "/consumerPid", json!(7))),
        (Kind::Request, with(request(), "/agreementId", json!(""))),
        (Kind::Start, with(start(), "/dataAddress/@type", json!("Address"))),
        (Kind::Start, with(start(), "/dataAddress/endpointProperties", json!([]))),
        (Kind::Start, with(start(), "/dataAddress/endpointProperties/0/value", json!(7))),
        (Kind::Start, with(start(), "/dataAddress", json!("https://data.example"))),
        (Kind::Termination, with(termination(), "/code", json!(1))),
        (Kind::Termination, with(termination(), "/reason", json!([]))),
        (Kind::Termination, with(termination(), "/reason", json!("because"))),
    ];
    for member in ["@context", "@type", "consumerPid", "agreementId", "format", "callbackAddress"] {
        wrong.push((Kind::Request, without(request(), member)));
    }
    for member in ["@context", "@type", "consumerPid", "providerPid"] {
        wrong.push((Kind::Start, without(start(), member)));
        wrong.push((Kind::Termination, without(termination(), member)));
    }
    for (kind, value) in wrong {
        assert_eq!(Message::read(kind, &value).unwrap_err().check, &checks::MESSAGE, "{value}");
    }
    let push = with(request(), "/format", json!("HttpData-PUSH"));
    assert_eq!(Message::read(Kind::Request, &push).unwrap_err().check, &checks::FORMAT);
    let mut pushed = request();
    pushed["dataAddress"] = start()["dataAddress"].clone();
    assert_eq!(Message::read(Kind::Request, &pushed).unwrap_err().check, &checks::FORMAT);
    for endpoint in ["", "ftp://data.example", "data", "file:///etc/passwd"] {
        let elsewhere = with(start(), "/dataAddress/endpoint", json!(endpoint));
        assert_eq!(Message::read(Kind::Start, &elsewhere).unwrap_err().check, &checks::ADDRESS, "{endpoint}");
    }
}

//! Proposals: what a consumer's node takes from a provider that it did not ask, and where they lead.

#[path = "support/gate_world.rs"]
mod gate_world;
#[path = "support/members.rs"]
mod members;
#[path = "support/parties.rs"]
#[allow(dead_code, unreachable_pub)]
mod parties;
#[path = "support/scene.rs"]
mod scene;

use std::collections::BTreeMap;

use countersign::check::Trail;
use countersign::credential::ApprovedTemplate;
use countersign::identity::{Documents, Signer as _, Unverified};
use countersign::inbox::{AgreementKey, Attachment, Contact, Message};
use countersign::negotiation::{
    Command, Decider, Event, Input, Negotiation, Opening, ProposalPaper, Received, Role, StateName, checks,
};
use countersign::node::chance;
use countersign::policy::Blanks;
use members::{credential, key};
use parties::{Parties, at};
use scene::{ASSET, Scene, TEMPLATE};
use serde_json::{Value, json};

/// An honest proposal of key 3 to the scene's node.
fn proposal(scene: &Scene) -> Message {
    let (provider, consumer) = (key(3), scene.node.did());
    let (pid, id) = (chance::urn_uuid().unwrap(), chance::urn_uuid().unwrap());
    let approval = ApprovedTemplate::approve(TEMPLATE.as_bytes(), &key(1)).unwrap();
    let trust = scene.node.settings().trust.clone();
    let documents = Documents::default();
    let approved =
        ApprovedTemplate::verify(&Unverified::new(&approval), &trust, &documents, scene.now, &mut Trail::default());
    let blanks = Blanks { asset: ASSET, provider: provider.did(), consumer, contract_id: &id };
    let values = BTreeMap::from([("uses".to_owned(), json!(3))]);
    let terms = approved.unwrap().template.fill(&blanks, &values).unwrap();
    let contact = Contact {
        did: provider.did().clone(),
        url: "https://provider.example/inbox".into(),
        key: AgreementKey::of_did_key(&provider).unwrap().public(),
        iat: scene.now,
        routing: vec![],
    };
    let attach = |id: &str, text: String| Attachment { id: id.into(), media_type: None, text };
    Message {
        id: chance::urn_uuid().unwrap(),
        kind: "urn:countersign:negotiation/1.0/offer".into(),
        from: provider.did().clone(),
        to: vec![consumer.clone()],
        thid: Some(pid.clone()),
        created_time: Some(scene.now),
        pthid: None,
        expires_time: None,
        body: json!({
            "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"], "@type": "ContractOfferMessage",
            "providerPid": pid, "callbackAddress": provider.did(),
            "offer": { "@type": "Offer", "@id": id, "target": ASSET, "permission": [{ "action": "use" }] },
            "countersign": {
                "mode": "credential", "price": { "amount": "400.00", "currency": "EUR" }, "terms": terms,
                "promisor": consumer, "promisee": provider.did(), "answer_by": scene.now.plus(3600).rfc3339(),
                "asset": {
                    "id": ASSET, "title": "Junction", "media_type": "application/xml", "sha256": "9f".repeat(32), "size": 1,
                    "endpoint": "https://data.example/junction.xodr",
                },
            },
        }),
        attachments: vec![
            attach("participant", credential(&provider, &key(1), vec![], scene.now)),
            attach("template", approval),
            attach("contact", contact.sign(&provider).unwrap()),
        ],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_that_is_wrong_in_one_respect_begins_nothing_and_names_the_check() {
    let scene = Scene::set().await;
    assert_eq!(scene.send(&proposal(&scene), &key(3)).await, None, "the honest twin is taken");
    let with = |change: &dyn Fn(&mut Message)| {
        let mut message = proposal(&scene);
        change(&mut message);
        message
    };
    let replace = |message: &mut Message, name: &str, text: String| {
        message.attachments.iter_mut().find(|attachment| attachment.id == name).unwrap().text = text;
    };
    let third = key(9).did().clone();
    let said = |place: &'static str, value: Value| {
        with(&move |m| *m.body["countersign"].pointer_mut(place).unwrap() = value.clone())
    };
    let foreign_template = ApprovedTemplate::approve(TEMPLATE.as_bytes(), &key(6)).unwrap();
    let forgeries: Vec<(&str, &str, Message)> = vec![
        ("participant.issuer", "a stranger", {
            let foreign = credential(&key(3), &key(6), vec![], scene.now);
            with(&|m| replace(m, "participant", foreign.clone()))
        }),
        ("message.sender", "another's credential", {
            let others = credential(&key(5), &key(1), vec![], scene.now);
            with(&|m| replace(m, "participant", others.clone()))
        }),
        ("template.issuer", "a template of another operator", {
            with(&|m| replace(m, "template", foreign_template.clone()))
        }),
        ("template.match", "another asset than the terms'", said("/asset/id", "urn:uuid:other".into())),
        ("template.match", "a term more", said("/terms/permission/0/action", "distribute".into())),
        ("offer.parties", "somebody else promises", said("/promisor", json!(third))),
        ("offer.parties", "a promise to oneself", said("/promisor", json!(key(3).did()))),
        ("negotiation.accept-by", "too late", said("/answer_by", scene.now.plus(-1).rfc3339().into())),
        ("negotiation.accept-by", "for good", said("/answer_by", scene.now.plus(400 * 86_400).rfc3339().into())),
        ("message.mode", "plain mode", said("/mode", "plain".into())),
        ("message.form", "an unknown member", with(&|m| m.body["countersign"]["rebate"] = 1.into())),
        ("message.form", "no id", with(&|m| m.body["offer"]["@id"] = Value::Null)),
        ("message.form", "no pid", with(&|m| m.body["providerPid"] = Value::Null)),
        ("message.thread", "another thread", with(&|m| m.thid = Some("urn:uuid:other".into()))),
    ];
    for (check, what, message) in forgeries {
        assert_eq!(scene.send(&message, &key(3)).await, Some(check), "{what}");
    }
    assert_eq!(scene.node.views().await.unwrap().len(), 1, "only the honest proposal began a negotiation");
}

struct Table {
    parties: Parties,
    proposal: ProposalPaper,
}

impl Table {
    fn set() -> Self {
        let parties = Parties::new();
        let deal = parties.deal(1, &[(600, 1200)]);
        let offer = &deal.offers[0].paper;
        let proposal = ProposalPaper {
            id: "urn:uuid:00000000-0000-4000-8000-0000000000aa".into(),
            asset: offer.asset.clone(),
            template: offer.template.clone(),
            approval: offer.approval.clone(),
            parameters: BTreeMap::from([("uses".into(), json!(3))]),
            price: offer.price,
            fee: offer.fee.clone(),
            terms: offer.terms.clone(),
            promisor: offer.promisor.clone(),
            promisee: offer.promisee.clone(),
            participant: offer.provider_participant.clone(),
            answer_by: at(300),
        };
        Self { parties, proposal }
    }

    fn begun(&self, role: Role) -> Negotiation {
        let dids = [self.parties.provider.did().clone(), self.parties.consumer.did().clone()];
        let (us, peer) = if role == Role::Provider { (0, 1) } else { (1, 0) };
        let opening = Opening {
            role,
            us: dids[us].clone(),
            peer: dids[peer].clone(),
            consumer_pid: (role == Role::Consumer).then(|| "urn:uuid:consumer".into()),
            provider_pid: Some("urn:uuid:provider".into()),
            began: Role::Provider,
        };
        let decision = Negotiation::propose(opening, self.proposal.clone(), None, at(0));
        assert_eq!(decision.effects.len(), usize::from(role == Role::Provider), "only a provider tells of it");
        Negotiation::replay(decision.events).unwrap()
    }
}

fn person() -> Decider {
    Decider::Person("desk".into())
}

#[test]
fn a_proposal_is_answered_with_a_request_or_ended_and_nothing_else() {
    let table = Table::set();
    let deal = table.parties.deal(1, &[(600, 1200)]);
    let (offer, core) = (deal.offers[0].paper.clone(), deal.offers[0].papers[0].clone());
    for role in [Role::Provider, Role::Consumer] {
        let begun = table.begun(role);
        assert_eq!((begun.state().name(), begun.thread()), (StateName::Offered, "urn:uuid:provider"));
        assert!(begun.offer().is_none() && begun.countersigned().is_none(), "nothing in it can be accepted");
        for command in [
            Command::Offer(Box::new(offer.clone()), person()),
            Command::Accept(core.clone(), person()),
            Command::Record(person()),
        ] {
            let refused = begun.decide(Input::Ordered(command), at(1)).unwrap_err();
            assert_eq!(refused.check, &checks::STATE, "{role:?}");
        }
        let acceptance = Input::Received(Received::Acceptance(core.clone()));
        assert_eq!(begun.decide(acceptance, at(1)).unwrap_err().check, &checks::STATE);
        let end = Command::Terminate { code: "rejected".into(), reason: "no".into(), by: person() };
        let ended = begun.decide(Input::Ordered(end), at(1)).unwrap();
        assert!(matches!(ended.events[..], [Event::Terminated { .. }]));
    }
    let asks = Input::Received(Received::CounterRequest(deal.request.clone()));
    let provider = table.begun(Role::Provider);
    assert!(matches!(provider.decide(asks.clone(), at(300)).unwrap().events[..], [Event::CounterRequested { .. }]));
    assert_eq!(provider.decide(asks, at(301)).unwrap_err().check, &checks::ACCEPT_BY, "it stood until then");
}

#[test]
fn a_proposal_that_nobody_takes_up_lapses() {
    for role in [Role::Provider, Role::Consumer] {
        let begun = Table::set().begun(role);
        assert_eq!(begun.lapses_at(), Some(at(300)));
        assert!(begun.decide(Input::Elapsed, at(300)).unwrap().is_empty());
        let lapsed = begun.decide(Input::Elapsed, at(301)).unwrap();
        let [Event::Terminated { ending, .. }] = &lapsed.events[..] else { panic!("{lapsed:?}") };
        assert_eq!(ending.code, "timeout.answer-by");
    }
}

#[test]
fn only_a_request_for_exactly_that_takes_it_up() {
    let table = Table::set();
    let mut request = table.parties.deal(1, &[]).request;
    let proposal = &table.proposal;
    request.offer_id = Some(proposal.id.clone());
    request.asset = proposal.asset.id.clone();
    (request.template, request.price) = (Some(proposal.template.clone()), Some(proposal.price));
    request.parameters = proposal.parameters.clone();
    (request.promisor, request.promisee) = (Some(proposal.promisor.clone()), Some(proposal.promisee.clone()));
    assert!(proposal.is_taken_up_by(&request));
    let changes: [fn(&mut countersign::negotiation::RequestPaper); 6] = [
        |request| request.offer_id = None,
        |request| request.asset = "urn:uuid:other".into(),
        |request| request.price = None,
        |request| request.parameters = BTreeMap::from([("uses".into(), json!(4))]),
        |request| request.template = None,
        |request| std::mem::swap(&mut request.promisor, &mut request.promisee),
    ];
    for change in changes {
        let mut other = request.clone();
        change(&mut other);
        assert!(!proposal.is_taken_up_by(&other), "{other:?}");
    }
}

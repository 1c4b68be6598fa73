//! Wallets whose address changes, as real processes: they are found again, nothing is lost, and an old word of theirs
//! replaces no newer one.

#[path = "support/wallets.rs"]
mod wallets;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use countersign::identity::{SecretKey, Signer as _};
use countersign::inbox::{self, AgreementKey, Attachment, Contact, Message, agreement_keys_of};
use countersign::node::{chance, checks};
use serde_json::{Value, json};
use wallets::{ASSET, Street, Wallet, free_port, program};

fn until(what: &str, mut look: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !look() {
        assert!(Instant::now() < until, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn inbox_of(wallet: &Wallet) -> Value {
    wallet.get("/api/self")["inbox"].clone()
}

fn contact(wallet: &Wallet, did: &str) -> Value {
    let contacts = wallet.get("/api/contacts");
    contacts.as_array().unwrap().iter().find(|one| one["did"] == did).unwrap().clone()
}

/// What the desk prints for people.
fn printed(wallet: &Wallet, arguments: &[&str]) -> String {
    let output = program().args(arguments).args(["--home"]).arg(&wallet.home).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Until the consumer has an offer; its id of the negotiation.
fn offered(provider: &Wallet, consumer: &Wallet) -> String {
    consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }));
    let id = provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    consumer.reach("OFFERED")["id"].as_str().unwrap().to_owned()
}

fn accept(consumer: &Wallet, id: &str) {
    consumer.post(&format!("/api/negotiations/{id}/accept"), &json!({}));
}

#[test]
fn a_wallet_on_any_free_port_keeps_its_own_and_is_found_again_where_that_is_taken() {
    let mut street = Street::open("");
    let (provider, consumer) = (&mut street.provider, &mut street.consumer);
    provider.move_to(0, 0);
    provider.start();
    let id = offered(provider, consumer);
    let (first, before) = ([provider.public, provider.management()], provider.get("/api/self"));
    provider.crash();
    assert_eq!([provider.public, provider.management()], first, "the ports of its last run");
    assert_eq!(provider.get("/api/self")["contact"], before["contact"], "what says the same is not newer");

    // Somebody else listens there now. The provider has nothing to say but where it is.
    provider.process = None;
    let taken = TcpListener::bind(("127.0.0.1", first[0])).unwrap();
    provider.start();
    assert_ne!(provider.public, first[0]);
    let now = inbox_of(provider);
    until("the consumer's knowing", || contact(consumer, &provider.did)["inbox"] == now);
    drop(taken);
    let known = contact(consumer, &provider.did);
    assert_eq!((known["changes"].as_array().unwrap().len(), &known["confirmed"]), (1, &json!(false)), "{known}");

    // An old word of it, by whatever way, changes nothing.
    let (status, refused) = consumer.call("POST", "/api/contacts", Some(&json!({ "contact": before["contact"] })));
    assert_eq!((status, &refused["error"]["check"]), (422, &json!(checks::NEWEST.id())), "{refused}");
    assert_eq!(contact(consumer, &provider.did)["inbox"], now);
    accept(consumer, &id);
    provider.reach("ACCEPTED");

    // The consumer moves as well, to a port that its configuration names.
    consumer.move_to(free_port(), free_port());
    consumer.start();
    for wallet in [&*provider, &*consumer] {
        wallet.reach("FINALIZED");
    }
    assert_eq!(contact(provider, &consumer.did)["inbox"], inbox_of(consumer));

    // The acceptance was the consumer's decision, and the record the provider's.
    let history = provider.negotiation().unwrap()["history"].clone();
    let state = |name: &str| history.as_array().unwrap().iter().find(|moved| moved["state"] == name).unwrap().clone();
    assert!(state("ACCEPTED")["decided"].is_null(), "{history}");
    assert_eq!(state("AGREED")["decided"]["name"], "the signed offer", "{history}");
}

#[test]
fn two_that_moved_at_once_are_told_what_to_do_and_one_invitation_is_enough() {
    let mut street = Street::open("");
    let (provider, consumer) = (&mut street.provider, &mut street.consumer);
    let id = offered(provider, consumer);
    for wallet in [&mut *provider, &mut *consumer] {
        wallet.move_to(free_port(), free_port());
    }
    for wallet in [&mut *provider, &mut *consumer] {
        wallet.start();
    }
    accept(consumer, &id);
    until("being told", || !consumer.get("/api/undelivered").as_array().unwrap().is_empty());
    let undelivered = consumer.get("/api/undelivered")[0].clone();
    assert_eq!((&undelivered["hitch"], &undelivered["negotiation"]), (&json!("unreached"), &json!(id)));
    assert_eq!(undelivered["inbox"], contact(consumer, &provider.did)["inbox"], "where it was tried");
    let shown = printed(consumer, &["show", "latest"]);
    let waiting = printed(consumer, &["inbox"]);
    for said in [&shown, &waiting] {
        for words in ["is not taken at http://127.0.0.1:", "nothing is lost", "countersign contact add LINK"] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
    assert!(shown.contains("a message is on its way out (tried "), "{shown}");

    let link = provider.post("/api/invitations", &json!({}))["link"].clone();
    printed(consumer, &["contact", "add", link.as_str().unwrap()]);
    // The consumer's own move is told to the provider now.
    for wallet in [&*provider, &*consumer] {
        wallet.reach("FINALIZED");
    }
    assert_eq!(consumer.get("/api/undelivered"), json!([]));
}

#[test]
fn a_wallet_that_dies_while_it_says_where_it_is_and_goes_back_is_found_again() {
    let mut street = Street::open("");
    let (provider, consumer) = (&mut street.provider, &mut street.consumer);
    offered(provider, consumer);
    let (first, home) = ([provider.public, provider.management()], inbox_of(provider));
    provider.move_to(free_port(), free_port());
    // Once it has told somebody, nothing more is kept: as if it died there.
    provider.alter(
        "CREATE TRIGGER dies BEFORE UPDATE ON documents WHEN NEW.kind = 'own-contact'
             AND coalesce(json_extract(NEW.value, '$.told'), 1) BEGIN SELECT RAISE(ABORT, 'killed'); END",
    );
    provider.start();
    let away = inbox_of(provider);
    until("the consumer's hearing", || contact(consumer, &provider.did)["inbox"] == away);
    provider.move_to(first[0], first[1]);
    provider.alter("DROP TRIGGER dies");
    provider.start();
    until("its being found again", || contact(consumer, &provider.did)["inbox"] == home);
}

#[test]
fn an_invitation_says_it_anew_to_whoever_has_heard_what_its_maker_does_not_remember() {
    let mut street = Street::open("");
    let (provider, consumer) = (&mut street.provider, &mut street.consumer);
    offered(provider, consumer);
    let home = inbox_of(provider);
    provider.process = None;
    let before = tempfile::tempdir().unwrap();
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        for file in std::fs::read_dir(from).unwrap().map(|file| file.unwrap().path()) {
            if file.is_file() {
                std::fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
            }
        }
    };
    copy(&provider.home, before.path());
    provider.move_to(free_port(), free_port());
    provider.start();
    let away = inbox_of(provider);
    until("the consumer's hearing", || contact(consumer, &provider.did)["inbox"] == away);
    // Its files are those of before again, and it does not know that it was elsewhere.
    provider.process = None;
    copy(before.path(), &provider.home);
    // Contacts are told apart by the second, and the last one may be dated a second ahead.
    std::thread::sleep(Duration::from_millis(2500));
    provider.start();
    let invited = provider.post("/api/invitations", &json!({}))["link"].clone();
    printed(consumer, &["contact", "add", invited.as_str().unwrap()]);
    assert_eq!(contact(consumer, &provider.did)["inbox"], home);
}

#[test]
fn a_wallet_that_changes_its_mediator_gets_what_went_to_the_one_before() {
    for web in [false, true] {
        let by = [None, Some("")];
        let mut street = if web { Street::open_web_by_way_of("", by) } else { Street::open_by_way_of("", by) };
        let another = street.another_mediator();
        let (provider, consumer) = (&street.provider, &mut street.consumer);
        let before = street.mediator.take().unwrap();
        consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }));
        let id = provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();
        consumer.process = None;
        provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
        let members = || before.get("/api/mediator")["members"].clone();
        until("the offer's coming to the mediator", || members()[0]["messages"].as_u64().is_some_and(|kept| kept > 0));
        // It goes for good, with the offer, which its sender takes for delivered for an hour.
        drop(before);
        let contact = another.get("/api/mediator")["contact"].as_str().unwrap().to_owned();
        consumer.reconfigure(|text| {
            let (head, _) = text.split_once("[wallet.mediator]").unwrap();
            format!("{head}[wallet.mediator]\ncontact = {contact:?}\n")
        });
        consumer.start();
        consumer.is_granted();
        let own = consumer.reach("OFFERED")["id"].as_str().unwrap().to_owned();
        accept(consumer, &own);
        for wallet in [provider, consumer] {
            wallet.reach("FINALIZED");
        }
        if !web {
            opens_what_its_did_spells(&another, consumer);
        }
    }
}

/// Whoever has nothing but the mediator's did:key, which it grants as routing DID, seals for the key that this spells.
fn opens_what_its_did_spells(mediator: &Wallet, member: &Wallet) {
    let mut random = |bytes: &mut [u8]| chance::fill(bytes).unwrap();
    let stranger = Stranger::new(5);
    let own = AgreementKey::of_did_key(&SecretKey::p256(&[6; 32]).unwrap()).unwrap().public();
    let text = inbox::seal_text("{}", None, &[own], inbox::MAX_ENVELOPE, &mut random).unwrap();
    let spelt = agreement_keys_of(&mediator.did.parse().unwrap()).unwrap();
    let wrapped = inbox::wrap(text, &member.did.parse().unwrap(), &spelt, &mut random).unwrap();
    assert_eq!(stranger.post(mediator, wrapped), 202);
}

/// Somebody with an inbox that nobody asks.
struct Stranger(SecretKey);

impl Stranger {
    fn new(seed: u8) -> Self {
        Self(SecretKey::p256(&[seed; 32]).unwrap())
    }

    fn contact(&self, url: &str, iat: i64) -> String {
        let key = AgreementKey::of_did_key(&self.0).unwrap().public();
        let iat = countersign::encoding::Timestamp::from_seconds(iat).unwrap();
        Contact { did: self.0.did().clone(), url: url.into(), key, iat, routing: vec![] }.sign(&self.0).unwrap()
    }

    /// Says where it is reached.
    fn says(&self, to: &Wallet, contact: &str) {
        let id = chance::urn_uuid().unwrap();
        let message = Message {
            thid: Some(id.clone()),
            id,
            kind: "urn:countersign:negotiation/1.0/contact".into(),
            from: self.0.did().clone(),
            to: vec![to.did.parse().unwrap()],
            pthid: None,
            created_time: None,
            expires_time: None,
            body: json!({}),
            attachments: vec![Attachment { id: "contact".into(), media_type: None, text: contact.into() }],
        };
        let own = to.get("/api/self")["contact"].as_str().unwrap().to_owned();
        let claims = own.split('.').nth(1).unwrap();
        let own: Contact = serde_json::from_slice(&countersign::encoding::decode(claims).unwrap()).unwrap();
        let mut random = |bytes: &mut [u8]| chance::fill(bytes).unwrap();
        assert_eq!(self.post(to, inbox::seal(&message, &self.0, &[own.key], &mut random).unwrap()), 202);
    }

    fn post(&self, to: &Wallet, envelope: Vec<u8>) -> u16 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let post = client.post(format!("http://127.0.0.1:{}/inbox", to.public));
            let post = post.header("content-type", "application/didcomm-encrypted+json").body(envelope);
            post.send().await.unwrap().status().as_u16()
        })
    }
}

#[test]
fn an_old_word_replaces_no_newer_one_and_a_strangers_is_not_heard() {
    let street = Street::open("");
    let (wallet, carol, mallory) = (&street.provider, Stranger::new(3), Stranger::new(4));
    let (did, now) = (carol.0.did().to_string(), chance::now().unwrap().seconds());
    wallet.post("/api/contacts", &json!({ "contact": carol.contact("http://127.0.0.1:9/first", now) }));
    mallory.says(wallet, &mallory.contact("http://127.0.0.1:9/mallory", now));
    // Another's contact, an older one, another one of the same second.
    carol.says(wallet, &mallory.contact("http://127.0.0.1:9/mallory", now));
    carol.says(wallet, &carol.contact("http://127.0.0.1:9/older", now - 1));
    carol.says(wallet, &carol.contact("http://127.0.0.1:9/same", now));
    carol.says(wallet, &carol.contact("http://127.0.0.1:9/second", now + 1));
    carol.says(wallet, &carol.contact("http://127.0.0.1:9/first", now));
    carol.says(wallet, &carol.contact("http://127.0.0.1:9/third", now + 2));
    until("the newest word's coming", || contact(wallet, &did)["inbox"] == "http://127.0.0.1:9/third");
    let changes = contact(wallet, &did)["changes"].clone();
    let said: Vec<&str> = changes.as_array().unwrap().iter().map(|one| one["what"][0].as_str().unwrap()).collect();
    let [first, second, third] = ["first", "second", "third"].map(|name| format!("http://127.0.0.1:9/{name}"));
    assert_eq!(said, [format!("inbox: {first} -> {second}"), format!("inbox: {second} -> {third}")]);
    let refused = wallet.get("/api/refused");
    let refused: Vec<&str> = refused.as_array().unwrap().iter().map(|one| one["check"].as_str().unwrap()).collect();
    assert_eq!(refused, [checks::ACQUAINTED.id(), inbox::checks::FROM.id()]);
    assert_eq!(wallet.get("/api/contacts").as_array().unwrap().iter().filter(|one| one["did"] != did).count(), 0);
}

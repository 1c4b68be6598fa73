//! Transfers as they go, and what is lost on the way.

use countersign::transfer::checks;

use super::*;

/// What a store keeps of a transfer, as text.
trait Text {
    async fn transfer_log_text(&self, id: &str) -> String;
}

impl Text for Arc<Sqlite> {
    async fn transfer_log_text(&self, id: &str) -> String {
        serde_json::to_string(&self.transfer_log(id).await.unwrap()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_under_an_agreement_starts_by_itself_and_its_token_opens_the_data() {
    let world = world(Plan::default(), Plan::default()).await;
    let id = world.consumer.desk.request(AGREEMENT, None).await.unwrap().id;
    let view = until(&world.consumer, &id, StateName::Started).await;
    assert_eq!((view.endpoint.as_deref(), view.asset.as_str()), (Some(URL), ASSET));
    let provider = at_provider(&world).await;
    assert_eq!(view.provider_pid.as_deref(), Some(provider.as_str()));
    let token = world.consumer.desk.address(&id).await.unwrap().token.unwrap();

    let opened = world.provider.desk.open(&token, ASSET).await.unwrap().unwrap();
    assert_eq!(opened.transfer, provider);
    assert!(!opened.standing.borrow().cuts());
    assert_eq!(refused(world.provider.desk.open(&token, "urn:uuid:other").await).id(), "gate.token.asset");
    assert!(world.provider.desk.open("another token", ASSET).await.unwrap().is_none());
    assert!(!format!("{:?}", world.provider.store.transfer_log_text(&provider).await).contains(&token));

    world.consumer.desk.decide_because(&id, Step::Suspend, Some("holidays")).await.unwrap();
    until(&world.provider, &provider, StateName::Suspended).await;
    assert!(opened.standing.borrow().cuts(), "a download that runs is cut");
    assert_eq!(refused(world.provider.desk.open(&token, ASSET).await), &checks::OPEN);
    assert_eq!(refused(world.consumer.desk.address(&id).await), &checks::OPEN);
    world.consumer.desk.decide(&id, Step::Start).await.unwrap();
    until(&world.provider, &provider, StateName::Started).await;
    world.provider.desk.open(&token, ASSET).await.unwrap().unwrap();

    world.provider.desk.decide(&provider, Step::Complete).await.unwrap();
    until(&world.consumer, &id, StateName::Completed).await;
    assert!(world.provider.desk.open(&token, ASSET).await.unwrap().is_none(), "the token is forgotten");
    assert_eq!(refused(world.consumer.desk.decide(&id, Step::Terminate).await), &checks::TERMINAL);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_decides_by_asset_state_and_arrival() {
    let provider = plan(&[
        (StateName::Requested, None, Step::Start),
        (StateName::Started, Some(1), Step::Suspend),
        (StateName::Started, Some(2), Step::Complete),
        (StateName::Suspended, None, Step::Start),
    ]);
    let world = world(provider, held()).await;
    let id = world.consumer.desk.request(AGREEMENT, None).await.unwrap().id;
    let view = until(&world.consumer, &id, StateName::Completed).await;
    let states: Vec<_> = view.history.iter().map(|moved| moved.state.name()).collect();
    assert_eq!(states, ["REQUESTED", "STARTED", "SUSPENDED", "STARTED", "COMPLETED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_on_the_way_is_said_again_and_moves_once() {
    let world = world(Plan::default(), held()).await;
    *world.consumer.way.lost.lock().unwrap() = (2, 1);
    *world.provider.way.lost.lock().unwrap() = (1, 1);
    let id = world.consumer.desk.request(AGREEMENT, None).await.unwrap().id;
    until(&world.consumer, &id, StateName::Started).await;
    assert_eq!(world.provider.desk.list().await.unwrap().len(), 1, "one request, however often it came");
    let starts = || world.provider.way.posts.lock().unwrap().iter().filter(|(url, _)| url.ends_with("/start")).count();
    for _ in 0..200 {
        if starts() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(starts(), 2, "the answer to the first was lost");
    let view = world.consumer.desk.view(&id).await.unwrap();
    assert_eq!((view.state, view.history.len()), (StateName::Started, 2));
}

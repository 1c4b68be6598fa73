//! What a restart and a restored copy know.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_no_message_and_no_token() {
    let world = world(Plan::default(), held()).await;
    // The consumer cannot be reached, so that the start waits in the provider's store.
    *world.provider.way.to.lock().unwrap() = Weak::new();
    let id = world.consumer.desk.request(AGREEMENT, None).await.unwrap().id;
    let provider = at_provider(&world).await;
    until(&world.provider, &provider, StateName::Started).await;
    let World { provider: Side { store, agreed, way, settings, desk, _loops: loops }, consumer, _dir } = world;
    drop((loops, desk));
    *way.to.lock().unwrap() = Arc::downgrade(&consumer.desk);
    let again = Transfers::new(settings, store, agreed, way);
    let _loops = again.run();
    until(&consumer, &id, StateName::Started).await;
    let token = consumer.desk.address(&id).await.unwrap().token.unwrap();
    again.open(&token, ASSET).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_nothing_in_a_restored_copy_until_the_transfer_starts_again() {
    let world = world(Plan::default(), held()).await;
    let id = world.consumer.desk.request(AGREEMENT, None).await.unwrap().id;
    until(&world.consumer, &id, StateName::Started).await;
    let (provider, token) = (at_provider(&world).await, world.consumer.desk.address(&id).await.unwrap().token.unwrap());
    let (copied, now) = (world._dir.path().join("copied"), chance::now().unwrap());
    copy(&world._dir.path().join("provider"), &copied, now).await.unwrap();
    put_to_use(&copied, now).await.unwrap();
    world.provider.desk.decide(&provider, Step::Terminate).await.unwrap();
    assert!(world.provider.desk.open(&token, ASSET).await.unwrap().is_none());

    let Side { agreed, way, settings, .. } = &world.provider;
    let store = Arc::new(Sqlite::open(&copied, SealingKey::new(&[7; 32])).await.unwrap());
    let restored = Transfers::new(settings.clone(), store, agreed.clone(), way.clone());
    assert_eq!(restored.view(&provider).await.unwrap().state, StateName::Started, "it knows no better");
    assert!(restored.open(&token, ASSET).await.unwrap().is_none(), "what was ended is not opened again");
}

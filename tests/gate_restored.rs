//! A gate whose store was put back from a copy.

mod support {
    pub mod gate_scene;
    pub mod gate_world;
}

use countersign::gate::checks;
use countersign::node::chance;
use countersign::store;
use reqwest::StatusCode;
use serde_json::json;
use support::gate_scene::{Scene, check};
use support::gate_world::{free, under};

#[tokio::test]
async fn a_restored_gate_hands_out_no_use_that_may_be_spent() {
    let mut scene = Scene::new().await;
    let counted = scene.concluded(1, under("count", "lteq", json!(3)));
    let free = scene.concluded(2, free());
    let (token, challenge) = (scene.token(&counted).await, scene.answer(&free).await);
    let (gate, copy) = (scene.home.path().join("gate.db"), scene.home.path().join("copy.db"));
    store::copy(&gate, &copy, chance::now().unwrap()).await.unwrap();
    // The original goes on: the copy knows of one use of three.
    for _ in 0..2 {
        scene.token(&counted).await;
    }
    scene.stop().await;
    for beside in ["gate.db-wal", "gate.db-shm"] {
        let _ = std::fs::remove_file(scene.home.path().join(beside));
    }
    std::fs::rename(&copy, &gate).unwrap();

    // A copy that does not say from when on it was used knows nothing of any contract; one that does, of older ones.
    for restored in [false, true] {
        if restored {
            scene.stop().await;
            store::put_to_use(&gate, chance::now().unwrap()).await.unwrap();
        }
        scene.open_again().await;
        let answer = scene.answer(&counted).await;
        assert_eq!(scene.denied(&answer).await, checks::COPIED.id());
        scene.token(&free).await;
    }
    // What may have been answered or spent since is void.
    assert_eq!(scene.denied(&challenge).await, "gate.challenge.unknown");
    let spent = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(check(spent, StatusCode::UNAUTHORIZED).await, "gate.token.unknown");

    // A contract that is younger than the restored gate was used nowhere else.
    scene.stop().await;
    store::put_to_use(&gate, scene.world.now.plus(-24 * 3600)).await.unwrap();
    scene.open_again().await;
    scene.token(&counted).await;
}

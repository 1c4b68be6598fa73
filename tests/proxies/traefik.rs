//! deploy/traefik: an application serves the data.

use std::path::PathBuf;
use std::process::Command;

use countersign::node::Proxy;

use crate::asked::{everything, secret, tidied};
use crate::front::{Front, Places, named, placed, skipped};
use crate::support::gate_world::free;

const LISTENING: &str = include_str!("../../deploy/traefik/traefik.yml");
const ROUTING: &str = include_str!("../../deploy/traefik/data.yml");

fn command(binary: PathBuf) -> impl FnOnce(&Places) -> Command {
    move |places| {
        let (listening, routing) = (places.dir.join("traefik.yml"), places.dir.join("data.yml"));
        let text = placed(
            LISTENING,
            &[
                ("\":80\"", 1, format!("\"127.0.0.1:{}\"", places.port)),
                ("/etc/traefik/data.yml", 1, routing.display().to_string()),
            ],
        );
        std::fs::write(&listening, text).unwrap();
        let text = placed(
            ROUTING,
            &[
                ("Host(`data.example`)", 2, "Host(`127.0.0.1`)".into()),
                ("http://127.0.0.1:7300\"", 1, format!("http://{}\"", places.gate)),
                ("http://127.0.0.1:7302/auth", 1, format!("http://{}/auth", places.door)),
                ("http://127.0.0.1:8080\"", 1, format!("http://{}\"", places.application)),
            ],
        );
        let text = match places.secret {
            Some(secret) => placed(
                &text,
                &[
                    ("# secret: {", 1, "secret: {".into()),
                    ("…", 1, secret.into()),
                    ("[held, countersign,", 1, "[held, secret, countersign,".into()),
                    ("[Authorization, DPoP]", 1, "[Authorization, DPoP, Countersign-Proxy]".into()),
                ],
            ),
            None => text,
        };
        std::fs::write(routing, text).unwrap();
        let mut command = Command::new(binary);
        command.arg(format!("--configFile={}", listening.display()));
        command
    }
}

#[tokio::test]
#[ignore = "needs COUNTERSIGN_TRAEFIK, the binary of Traefik 3.7.12 or later"]
async fn traefik_asks_the_gate_about_each_request() {
    let Some(binary) = named("COUNTERSIGN_TRAEFIK") else {
        return skipped("COUNTERSIGN_TRAEFIK names no Traefik");
    };
    let mut front = Front::new(Proxy::Traefik, command(binary.clone())).await;
    spelt(&front).await;
    tidied(&front).await;
    everything(&mut front).await;
    drop(front);
    secret(&Front::with(Proxy::Traefik, Some("a secret of many letters"), command(binary)).await).await;
}

/// Traefik reads a path once, before anybody judges it.
async fn spelt(front: &Front) {
    let token = front.scene.token(&front.file(20, free())).await;
    for (target, status) in [
        ("/assets/x%2f..%2fjunction", "400"),
        ("/assets/junction%5c", "400"),
        ("/assets/junction/", "403"),
        ("/assets/junction;x", "403"),
    ] {
        let answer = front.raw(target, &token, "").await;
        assert_eq!(&answer[9..12], status, "{target}: {answer}");
    }
}

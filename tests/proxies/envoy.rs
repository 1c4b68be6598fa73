//! deploy/envoy: an application serves the data.

use std::path::PathBuf;
use std::process::Command;

use countersign::node::Proxy;

use crate::asked::{everything, secret, tidied};
use crate::front::{Front, Places, named, placed, skipped};
use crate::support::gate_world::free;

const CONFIGURATION: &str = include_str!("../../deploy/envoy/data.yaml");

fn command(binary: PathBuf) -> impl FnOnce(&Places) -> Command {
    move |places| {
        let port = |address: &str| format!("127.0.0.1, port_value: {} }}", address.rsplit(':').next().unwrap());
        let text = placed(
            CONFIGURATION,
            &[
                ("0.0.0.0, port_value: 80 }", 1, port(&places.port.to_string())),
                ("127.0.0.1, port_value: 7300 }", 1, port(&places.gate)),
                ("127.0.0.1, port_value: 7302 }", 1, port(&places.door)),
                ("127.0.0.1, port_value: 8080 }", 1, port(&places.application)),
            ],
        );
        let text = match places.secret {
            Some(secret) => placed(
                &text,
                &[("# authorization_request:", 1, "authorization_request:".into()), ("…", 1, secret.into())],
            ),
            None => text,
        };
        let configuration = places.dir.join("data.yaml");
        std::fs::write(&configuration, text).unwrap();
        let run = || {
            let mut command = Command::new(&binary);
            command.arg("-c").arg(&configuration).args(["--disable-hot-restart", "--concurrency", "1", "-l", "error"]);
            command
        };
        let judged = run().args(["--mode", "validate"]).output().unwrap();
        assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
        run()
    }
}

#[tokio::test]
#[ignore = "needs COUNTERSIGN_ENVOY, the binary of interop/envoy/requirements.txt"]
async fn envoy_asks_the_gate_about_each_request() {
    let Some(binary) = named("COUNTERSIGN_ENVOY") else {
        return skipped("COUNTERSIGN_ENVOY names no Envoy; one comes with interop/envoy/requirements.txt");
    };
    let mut front = Front::new(Proxy::Envoy, command(binary.clone())).await;
    spelt(&front).await;
    tidied(&front).await;
    everything(&mut front).await;
    drop(front);
    secret(&Front::with(Proxy::Envoy, Some("a secret of many letters"), command(binary)).await).await;
}

/// Envoy reads a path once, before anybody judges it.
async fn spelt(front: &Front) {
    let token = front.scene.token(&front.file(20, free())).await;
    for (target, status) in [
        ("/assets/x%2f..%2fjunction", "400"),
        ("/assets/junction%5c", "400"),
        ("/assets/junction#part", "400"),
        ("/assets/junction/", "403"),
        ("/assets/junction;x", "403"),
    ] {
        let answer = front.raw(target, &token, "").await;
        assert_eq!(&answer[9..12], status, "{target}: {answer}");
    }
}

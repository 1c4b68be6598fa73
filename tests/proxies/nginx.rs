//! deploy/nginx: nginx serves files itself.

use std::path::PathBuf;
use std::process::Command;

use countersign::node::Proxy;
use reqwest::StatusCode;

use crate::asked::{everything, secret};
use crate::front::{FILE, Front, Places, named, placed, skipped};
use crate::support::gate_world::free;

const CONFIGURATION: &str = include_str!("../../deploy/nginx/data.conf");

fn binary() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.push("/usr/sbin".into());
    let found = || places.into_iter().map(|place| place.join("nginx")).find(|file| file.is_file());
    named("COUNTERSIGN_NGINX").or_else(found)
}

fn command(binary: PathBuf) -> impl FnOnce(&Places) -> Command {
    move |places| {
        let (dir, place) = (&places.dir, places.dir.display());
        std::fs::write(dir.join("secret"), b"secret").unwrap();
        std::os::unix::fs::symlink(dir.join("secret"), dir.join("data/assets/link")).unwrap();
        let text = placed(
            CONFIGURATION,
            &[
                ("server 127.0.0.1:7300;", 1, format!("server {};", places.gate)),
                ("server 127.0.0.1:7302;", 1, format!("server {};", places.door)),
                ("server 127.0.0.1:8080;", 1, format!("server {};", places.application)),
                ("listen 80;", 1, format!("listen 127.0.0.1:{};", places.port)),
                ("root /srv/data;", 1, format!("root {place}/data;")),
            ],
        );
        let shown = places
            .secret
            .map_or_else(String::new, |secret| format!("proxy_set_header Countersign-Proxy \"{secret}\";"));
        let text = placed(&text, &[("# proxy_set_header Countersign-Proxy \"…\";", 1, shown)]);
        std::fs::write(dir.join("data.conf"), text).unwrap();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {place}/{kind}; "))
            .collect();
        let main = format!(
            "daemon off; master_process off; pid {place}/nginx.pid; error_log {place}/error.log;\nevents {{}}\n\
             http {{ access_log off; {temporary} include {place}/data.conf; }}\n"
        );
        let configuration = dir.join("nginx.conf");
        std::fs::write(&configuration, main).unwrap();
        let run = || {
            let mut command = Command::new(&binary);
            command.arg("-p").arg(dir).arg("-c").arg(&configuration).args(["-e", "stderr"]);
            command
        };
        let judged = run().arg("-t").output().unwrap();
        assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
        run()
    }
}

#[tokio::test]
async fn nginx_asks_the_gate_about_each_request() {
    let Some(binary) = binary() else {
        return skipped("no nginx here; install nginx-light, or name one by COUNTERSIGN_NGINX");
    };
    let mut front = Front::new(Proxy::Nginx, command(binary.clone())).await;
    spelt(&front).await;
    everything(&mut front).await;
    drop(front);
    secret(&Front::with(Proxy::Nginx, Some("a secret of many letters"), command(binary)).await).await;
}

/// What nginx reads as a file of which it asks, and what no caller reaches.
async fn spelt(front: &Front) {
    let scene = &front.scene;
    let token = scene.token(&front.file(20, free())).await;
    for path in ["/assets/x%2f..%2fjunction", "/assets//junction", "/assets/%6aunction"] {
        assert_eq!(scene.get(path, Some(&token)).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    assert!(front.raw(&format!("{FILE}/"), &token, "").await.starts_with("HTTP/1.1 403 "));
    assert_eq!(scene.get("/_gate", Some(&token)).await.status(), StatusCode::NOT_FOUND);
    let linked = scene.token(&front.contract(21, "urn:uuid:link", "/assets/link", free())).await;
    assert_eq!(scene.get("/assets/link", Some(&linked)).await.status(), StatusCode::FORBIDDEN);
}

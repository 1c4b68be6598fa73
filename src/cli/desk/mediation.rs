use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::At;
use super::words::{head, table, text, when};

/// Shows whether a mediator keeps this wallet's messages, how they are picked up, and how many wait.
///
/// Example: countersign mediation
#[derive(Debug, Args)]
pub struct Mediation {
    #[command(flatten)]
    at: At,
}

impl Mediation {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let mediation = self.at.desk()?.get("/api/mediation").await?;
        self.at.say(&mediation, |mediation| {
            match mediation["standing"].as_str() {
                Some("none") => println!("none: this wallet has an inbox of its own; [wallet.mediator] would name one"),
                Some("granted") => println!("granted since {}", when(&text(mediation, "/since"))),
                Some("denied") => println!("denied by the mediator"),
                _ => println!("asked for, not granted yet"),
            }
            let number = |name: &str| mediation[name].as_u64().map(|number| number.to_string());
            let rows = [
                ("mediator", mediation["mediator"].as_str().map(str::to_owned)),
                ("inbox", mediation["url"].as_str().map(str::to_owned)),
                (
                    "picks up",
                    mediation["way"].as_str().map(|way| {
                        if way == "live" { "at once, over a connection".into() } else { "now and then".into() }
                    }),
                ),
                ("waiting", number("waiting")),
                ("picked up", number("picked_up").filter(|_| mediation["standing"] != "none")),
                ("heard", mediation["heard_at"].as_str().map(when)),
                ("trouble", mediation["trouble"].as_str().map(str::to_owned)),
            ];
            for (name, value) in rows.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                println!("{name:<9} {value}");
            }
        })
    }
}

/// Shows who uses this mediator and how much waits for them; prints its contact; ends a member's mediation.
///
/// Example: countersign mediator members
#[derive(Debug, Args)]
pub struct Mediator {
    #[command(subcommand)]
    act: MediatorAct,
}

#[derive(Debug, Subcommand)]
enum MediatorAct {
    /// Lists who uses this mediator and how much waits for them; never what.
    ///
    /// Example: countersign mediator members --json
    Members(At),
    /// Prints the mediator's own contact, signed: whoever uses it puts it into [wallet.mediator].
    ///
    /// Example: countersign mediator contact
    Contact(At),
    /// Ends a member's mediation; what waits for it is given up.
    ///
    /// Example: countersign mediator dismiss did:key:zDn…
    Dismiss {
        #[command(flatten)]
        at: At,
        /// The member's DID.
        #[arg(value_name = "DID")]
        member: String,
    },
}

impl Mediator {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        match &self.act {
            MediatorAct::Members(at) => {
                let mediator = at.desk()?.get("/api/mediator").await?;
                at.say(&mediator, members)
            }
            MediatorAct::Contact(at) => {
                let mediator = at.desk()?.get("/api/mediator").await?;
                let contact = serde_json::json!({ "did": mediator["did"], "url": mediator["url"], "contact": mediator["contact"] });
                at.say(&contact, |contact| println!("{}", contact["contact"].as_str().unwrap_or_default()))
            }
            MediatorAct::Dismiss { at, member } => {
                let path = format!("/api/mediator/members/{}", member.replace('%', "%25").replace('/', "%2F"));
                let gone = at.desk()?.call(Method::DELETE, &path).await?;
                at.say(&gone, |gone| println!("{} is no member any more", text(gone, "/did")))
            }
        }
    }
}

fn members(mediator: &Value) {
    let known = mediator["members"].as_array().into_iter().flatten();
    let mut rows = vec![head(&["Member", "Since", "DIDs", "Waiting", "Bytes", "Oldest", "Live"])];
    rows.extend(known.map(|member| {
        let number = |name: &str| member[name].as_u64().unwrap_or_default().to_string();
        vec![
            text(member, "/did"),
            when(&text(member, "/since")),
            number("recipients"),
            number("messages"),
            number("bytes"),
            member["oldest"].as_str().map(when).unwrap_or_default(),
            number("live"),
        ]
    }));
    if rows.len() == 1 {
        println!("nobody uses this mediator yet; `countersign mediator contact` prints what they need");
    } else {
        table(&rows);
    }
}

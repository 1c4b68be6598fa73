use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::super::calls::{Declined, Desk, Silent};
use super::super::{Later, Usage};
use super::words::{Progress, text, until};
use super::{At, nobody_there};

/// Says whether the node does its work, whose member it is and until when; exit code 3 says that it is not ready.
///
/// Example: countersign ready --home ~/wallet --wait 10
#[derive(Debug, Args)]
pub struct Ready {
    #[command(flatten)]
    at: At,
    /// Wait so many seconds for it.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
}

impl Ready {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let (began, mut progress) = (Instant::now(), Progress::new());
        let desk = loop {
            match self.asked().await {
                Ok(desk) => break desk,
                Err(fault) if began.elapsed() > Duration::from_secs(self.wait) || !later(&fault) => return Err(fault),
                Err(_) => progress.at(|| format!("not ready yet, {} s", began.elapsed().as_secs())),
            }
            sleep(Duration::from_millis(100)).await;
        };
        drop(progress);
        let own = own(&desk).await?;
        let mut answer = json!({ "ready": true });
        for name in ["did", "membership"] {
            answer[name] = own[name].clone();
        }
        self.at.say(&answer, |answer| {
            println!("ready");
            let did = text(answer, "/did");
            if !did.is_empty() {
                println!("  {did}");
                println!("  {}", membership_in_words(&answer["membership"]));
            }
        })
    }

    async fn asked(&self) -> Result<Desk> {
        let desk = self.at.desk()?;
        desk.get_text("/ready").await?;
        Ok(desk)
    }
}

fn later(fault: &anyhow::Error) -> bool {
    let early = fault.is::<Later>() || fault.is::<Silent>();
    // A node that is still starting answers `/ready` with 503; one without a key yet has no file with it.
    early || fault.downcast_ref::<Declined>().is_some_and(|declined| declined.status.is_server_error())
}

/// What a wallet says of itself; nothing for a gate or an operator, which are nobody's members.
async fn own(desk: &Desk) -> Result<Value> {
    match desk.get("/api/self").await {
        Ok(own) => Ok(own),
        Err(fault) => match fault.downcast_ref::<Declined>() {
            Some(declined) if declined.status.as_u16() == 404 && !nobody_there(declined) => Ok(json!({})),
            _ => Err(fault),
        },
    }
}

fn membership_in_words(membership: &Value) -> String {
    let (note, end) = (text(membership, "/note"), until(&text(membership, "/valid_until")));
    match membership["state"].as_str() {
        Some("valid") => {
            let name = text(membership, "/legal_name");
            format!("a member as {name}, by {}; it ends {end}", text(membership, "/operator"))
        }
        Some("lapsing") => format!("warning: your membership ends {end}; {note}"),
        Some("lapsed") => format!("warning: your membership has ended ({end}), so that nobody takes your word; {note}"),
        Some("unbelieved") => format!("warning: {note}"),
        _ => note,
    }
}

/// Warns on stderr of a membership that is over, or soon will be.
pub async fn warn(desk: &Desk) -> Result<()> {
    let own = own(desk).await?;
    let membership = &own["membership"];
    if matches!(membership["state"].as_str(), Some("lapsing" | "lapsed" | "unbelieved")) {
        eprintln!("{}", membership_in_words(membership));
    }
    if own["membership"].is_null() {
        return Err(Usage("this node is no wallet: a gate and an operator have no negotiations".into()).into());
    }
    Ok(())
}

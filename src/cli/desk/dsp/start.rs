use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::super::At;
use super::super::words::{brief, text};
use super::terms;

/// Begins a plain negotiation: as consumer with a request, as provider with an offer that nobody asked for.
///
/// Example: countersign dsp start --with did:key:zDn… --at https://provider.example/dsp/2025-1 --dataset urn:uuid:3f0c…
#[derive(Debug, Args)]
pub struct Start {
    #[command(flatten)]
    at: At,
    /// With whom: a DID, or the name that the configuration gives a party.
    #[arg(long, value_name = "PARTICIPANT")]
    with: String,
    /// Where that party takes messages, the version path included.
    #[arg(long = "at", value_name = "URL", id = "address")]
    address: String,
    /// The dataset.
    #[arg(long, value_name = "ID")]
    dataset: String,
    /// Begin as provider, with an offer.
    #[arg(long)]
    provider: bool,
    /// The offer's id, in the provider's catalog or of your own.
    #[arg(long, value_name = "ID")]
    offer: Option<String>,
    /// A file with the terms, a JSON object with permission, prohibition or obligation; `-` is standard input.
    #[arg(long, value_name = "FILE|-")]
    terms: Option<PathBuf>,
    #[command(flatten)]
    promise: Promise,
}

/// Who promises what to whom.
#[derive(Debug, Args)]
pub struct Promise {
    /// Who promises; the provider unless somebody is named. The other one is promised to.
    #[arg(long, value_name = "PARTICIPANT")]
    promisor: Option<String>,
    /// To whom; the consumer unless somebody is named. The other one promises.
    #[arg(long, value_name = "PARTICIPANT")]
    promisee: Option<String>,
}

impl Promise {
    pub(super) fn write_into(&self, body: &mut Value) {
        for (name, who) in [("promisor", &self.promisor), ("promisee", &self.promisee)] {
            if let Some(who) = who {
                body[name] = json!(who);
            }
        }
    }
}

impl Start {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let mut order = json!({ "counterparty": self.with, "address": self.address, "dataset": self.dataset });
        if self.provider {
            order["role"] = json!("provider");
        }
        if let Some(offer) = &self.offer {
            order["offer"] = json!(offer);
        }
        if let Some(file) = &self.terms {
            order["terms"] = terms(file)?;
        }
        self.promise.write_into(&mut order);
        let began = self.at.desk()?.post("/api/dsp/negotiations", &order).await?;
        self.at.say(&began, |began| {
            let id = text(began, "/id");
            println!("began {id}");
            println!(
                "`countersign dsp show {0}` says where it stands, `countersign watch {0}` waits for it",
                brief(&id)
            );
        })
    }
}

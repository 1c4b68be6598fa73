//! The demo: separate nodes on loopback, one contract from request to access, and everything that must not work.
//!
//! It is a client: it starts the program's own commands as processes and talks to them over HTTP and JSON-RPC, as any
//! other client would. The nodes do not know that they are in a demo.

mod evidence;
mod intruder;
mod refusals;
mod scenes;
mod tell;
mod town;

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use evidence::Evidence;
use tell::Teller;
use town::Town;

/// Runs the whole of it on this machine: provider, consumer, operator, gate and a development chain.
///
/// One contract goes from request to access, the operator audits the fee, and everything that must not work is tried
/// and refused. Takes about twenty seconds. Exit code 0 only if all of it held.
///
/// Example: countersign demo --json > evidence.json
#[derive(Debug, Args)]
pub struct Demo {
    /// Print the evidence as one JSON document on stdout; progress goes to stderr.
    #[arg(long)]
    json: bool,
    /// Leave everything running and tell where, until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

impl Demo {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let tell = Teller::new(self.json);
        let town = Town::found(&tell).await?;
        let evidence = scenes::play(&town, &tell).await;
        let evidence = match evidence {
            Ok(evidence) => evidence,
            Err(fault) => {
                tell.failed(&format!("{fault:#}"));
                tell.note(&format!("the nodes' logs are in {}", town.dir().display()));
                return Ok(ExitCode::FAILURE);
            }
        };
        self.conclude(&evidence, &tell)?;
        if self.keep {
            tell.note("everything is left running:");
            for (name, public, management, home) in town.addresses() {
                tell.note(&format!("  {name:<9} public {public}  management {management}  home {home}"));
            }
            tell.note(&format!("  chain     {}", town.rpc()));
            tell.note("Ctrl-C ends it");
            super::asked_to_end().await;
        }
        town.close(self.keep).await;
        Ok(if evidence.held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn conclude(&self, evidence: &Evidence, tell: &Teller) -> Result<()> {
        if evidence.held {
            tell.chapter("All of it held");
        } else {
            tell.chapter("Not all of it held");
            for fault in &evidence.faults {
                tell.failed(fault);
            }
        }
        tell.note(&format!("trust file for `countersign verify`: {}", evidence.trust));
        if self.json {
            println!("{}", serde_json::to_string_pretty(evidence)?);
        }
        Ok(())
    }
}

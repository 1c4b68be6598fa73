use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::http::{self, Part};

/// Prints the OpenAPI 3.1 document of the management interface: what `GET /api/openapi.json` of a node says.
///
/// Example: countersign openapi > countersign.json
#[derive(Debug, Args)]
pub struct Openapi {
    /// The kinds of node that it describes; all of them when absent.
    #[arg(long = "of", value_enum, value_name = "KIND")]
    parts: Vec<Kind>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Wallet,
    Operator,
    Gate,
    Mediator,
}

impl Openapi {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let all = [Kind::Wallet, Kind::Operator, Kind::Gate, Kind::Mediator];
        let kinds = if self.parts.is_empty() { &all[..] } else { &self.parts };
        let parts: Vec<Part> = kinds
            .iter()
            .map(|kind| match kind {
                Kind::Wallet => Part::Wallet,
                Kind::Operator => Part::Operator,
                Kind::Gate => Part::Gate,
                Kind::Mediator => Part::Mediator,
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&http::document(&parts)?)?);
        Ok(ExitCode::SUCCESS)
    }
}

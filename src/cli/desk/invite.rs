use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde_json::json;

use super::decisions::seconds;
use super::words::{text, until};
use super::{At, member, people};

/// Makes an invitation: a link that lets another wallet reach this one, and its QR code.
///
/// Give it to whoever is to run `countersign contact add LINK --name NAME`. The QR code is shown on a terminal, or with
/// --qr; into a file goes the link alone.
///
/// Example: countersign invite --goal "licences for road networks" > invitation
#[derive(Debug, Args)]
pub struct Invite {
    #[command(flatten)]
    at: At,
    /// What for, in a sentence that the invited reads.
    #[arg(long, value_name = "TEXT")]
    goal: Option<String>,
    /// Whom for: only the wallet of this DID takes it.
    #[arg(long = "for", value_name = "DID|NAME")]
    to: Option<String>,
    /// How long it can be taken: 90s, 30m, 12h or 7d from now; a week without it.
    #[arg(long, value_parser = seconds, value_name = "TIME")]
    expires_in: Option<i64>,
    /// Show the QR code wherever the output goes.
    #[arg(long)]
    qr: bool,
}

impl Invite {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let mut order = json!({});
        if let Some(goal) = &self.goal {
            order["goal"] = json!(goal);
        }
        match &self.to {
            // Whoever is invited need not be a contact: that is what the invitation is for.
            Some(did) if did.starts_with("did:") => order["for"] = json!(did),
            Some(name) => order["for"] = json!(people::known(&desk, name).await?),
            None => {}
        }
        if let Some(lasts) = self.expires_in {
            order["expires_in"] = json!(lasts);
        }
        let made = desk.post("/api/invitations", &order).await?;
        let link = member(&made, "/link")?;
        let seen = self.qr || std::io::stdout().is_terminal();
        self.at.say(&made, |made| {
            if seen && let Some(code) = code(&link) {
                println!("{code}\n");
            }
            println!("{link}");
            if seen {
                println!(
                    "\nIt can be taken {}, with: countersign contact add LINK --name NAME",
                    until(&text(made, "/expires"))
                );
            }
        })
    }
}

/// The QR code of a link, in half blocks; `None` for a link that no code can hold.
fn code(link: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(link, EcLevel::L).ok()?;
    // Light on dark is how most terminals write; readers want dark on light.
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_of_an_invitation_fits_into_a_code() {
        let link = format!("countersign:invitation?_oob={}", "eyJ0eXAiOiJ".repeat(200));
        let code = code(&link).unwrap();
        assert!(code.lines().count() > 50 && code.chars().any(|c| c == '█'));
        assert!(super::code(&"x".repeat(4000)).is_none());
    }
}

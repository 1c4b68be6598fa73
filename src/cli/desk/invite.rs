use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use qrcode::render::svg;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde_json::json;

use super::decisions::seconds;
use super::words::{text, until};
use super::{At, member, people};

/// Makes an invitation: a link that lets another wallet reach this one, and its QR code.
///
/// Give it to whoever is to run `countersign contact add LINK --name NAME`. The QR code is shown on a terminal that is wide
/// enough, or with --qr; --svg writes it as a picture. Into a file goes the link alone.
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
    /// Write the QR code as a picture into a new file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
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
        let code = QrCode::with_error_correction_level(&link, EcLevel::L).ok();
        if let Some(file) = &self.svg {
            picture(code.as_ref().context("the link is too long for a QR code")?, file)?;
        }
        let seen = self.qr || std::io::stdout().is_terminal();
        self.at.say(&made, |made| {
            match code.as_ref().map(drawn).filter(|_| seen) {
                Some(code) if self.qr || fits(&code) => println!("{code}\n"),
                Some(code) => println!(
                    "The QR code takes {} columns and {} rows, more than this terminal has: enlarge it, or write a picture \
                     with --svg FILE.\n",
                    code.lines().map(|line| line.chars().count()).max().unwrap_or(0),
                    code.lines().count()
                ),
                None => {}
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

/// A QR code in half blocks.
fn drawn(code: &QrCode) -> String {
    // Light on dark is how most terminals write; readers want dark on light.
    code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build()
}

/// Whether the terminal is wide enough; of one that does not say how wide it is, that is assumed.
fn fits(code: &str) -> bool {
    let columns = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| usize::from(size.ws_col));
    columns == 0 || code.lines().all(|line| line.chars().count() <= columns)
}

fn picture(code: &QrCode, file: &Path) -> Result<()> {
    let drawn = code.render::<svg::Color>().min_dimensions(400, 400).build();
    let written = std::fs::File::create_new(file).and_then(|mut new| new.write_all(drawn.as_bytes()));
    written.with_context(|| format!("cannot write {}; it has to be a new file", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_of_an_invitation_fits_into_a_code() {
        let link = format!("countersign:invitation?_oob={}", "eyJ0eXAiOiJ".repeat(170));
        let code = QrCode::with_error_correction_level(&link, EcLevel::L).unwrap();
        // Each letter is two dots, one above the other, as a camera sees a terminal that writes light on dark.
        let rows: Vec<Vec<char>> = drawn(&code).lines().map(|line| line.chars().collect()).collect();
        let (width, height) = (rows[0].len(), rows.len() * 2);
        let lit = |x: usize, y: usize| match rows[y / 2][x] {
            '█' => true,
            '▀' => y.is_multiple_of(2),
            '▄' => !y.is_multiple_of(2),
            _ => false,
        };
        const DOT: usize = 4;
        let mut seen = rqrr::PreparedImage::prepare_from_greyscale(width * DOT, height * DOT, |x, y| {
            if lit(x / DOT, y / DOT) { 255 } else { 0 }
        });
        let (_, read) = seen.detect_grids()[0].decode().unwrap();
        assert_eq!(read, link);

        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("invitation.svg");
        picture(&code, &file).unwrap();
        assert!(std::fs::read_to_string(&file).unwrap().contains("<svg"));
        assert!(picture(&code, &file).unwrap_err().to_string().contains("new file"));
        assert!(QrCode::with_error_correction_level("x".repeat(4000), EcLevel::L).is_err());
    }
}

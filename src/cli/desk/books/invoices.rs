use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::super::super::Usage;
use super::super::super::calls::Desk;
use super::super::words::{brief, head, money, table, text, when};
use super::super::{At, member};
use super::period::Period;
use super::{balance, day, provider, sums};

/// Invoices a provider's fees of a period, as operator: what audits found due and no invoice has claimed yet.
///
/// A fee is invoiced once, however many statements state it; what comes later gets a further invoice of the same period.
/// An issued invoice never changes: `countersign credit` corrects it. Who invoices stands in [operator] of the
/// configuration.
///
/// Example: countersign invoice "Alice Maps" --month 2026-11 --html invoice.html
#[derive(Debug, Args)]
pub struct Invoice {
    #[command(flatten)]
    at: At,
    /// The provider: its DID, its name, or the beginning of one.
    provider: String,
    #[command(flatten)]
    period: Period,
    /// Only show what the invoice would be.
    #[arg(long)]
    preview: bool,
    /// Also write its page to a file, to read and print.
    #[arg(long, value_name = "FILE", conflicts_with = "preview")]
    html: Option<PathBuf>,
    /// Write over the file if there is one.
    #[arg(long)]
    force: bool,
}

impl Invoice {
    pub(in super::super) async fn run(&self) -> Result<ExitCode> {
        let Some((from, until)) = self.period.said()? else {
            return Err(Usage("say which period: --month 2026-11, or --from and --until".into()).into());
        };
        // Before anything is issued: a number is spent then.
        spare(self.html.as_deref(), self.force)?;
        let desk = self.at.desk()?;
        let provider = provider(&desk, &self.provider).await?;
        let order = json!({ "provider": provider, "from": from, "until": until, "preview": self.preview });
        let booked = desk.post("/api/invoices", &order).await?;
        if let Some(file) = &self.html {
            write_page(&desk, &booked, file).await?;
        }
        self.at.say(&booked, |booked| {
            if self.preview {
                println!("nothing is issued; the invoice would be:");
            }
            document(booked);
            if !self.preview && self.html.is_none() {
                println!("\nto print it: countersign invoices {} --html FILE", text(booked, "/label"));
            }
        })
    }
}

/// Lists invoices and credit notes, or shows one, as operator.
///
/// Examples: countersign invoices
///           countersign invoices INV-000007 --html invoice.html
///           countersign invoices --csv - > books.csv
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Invoices {
    #[command(flatten)]
    at: At,
    /// One of them, by its number.
    number: Option<String>,
    /// Only those of a provider: its DID, its name, or the beginning of one.
    #[arg(long, conflicts_with = "number")]
    provider: Option<String>,
    /// Write the page of one, to read and print; `-` is standard output.
    #[arg(long, value_name = "FILE", requires = "number")]
    html: Option<PathBuf>,
    /// Write a table, one row for each fee; `-` is standard output.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["provider", "html"])]
    csv: Option<PathBuf>,
    /// Write over the file if there is one.
    #[arg(long)]
    force: bool,
}

impl Invoices {
    pub(in super::super) async fn run(&self) -> Result<ExitCode> {
        spare(self.html.as_deref().or(self.csv.as_deref()), self.force)?;
        let desk = self.at.desk()?;
        if let Some(file) = &self.csv {
            let path = match &self.number {
                Some(number) => format!("{}/csv", path(number)?),
                None => "/api/invoices.csv".into(),
            };
            write(file, &desk.get_text(&path).await?)?;
            return Ok(ExitCode::SUCCESS);
        }
        let Some(number) = &self.number else { return self.list(&desk).await };
        let booked = desk.get(&path(number)?).await?;
        if let Some(file) = &self.html {
            write_page(&desk, &booked, file).await?;
            return Ok(ExitCode::SUCCESS);
        }
        self.at.say(&booked, document)
    }

    async fn list(&self, desk: &Desk) -> Result<ExitCode> {
        let query = match &self.provider {
            Some(given) => format!("?provider={}", provider(desk, given).await?),
            None => String::new(),
        };
        let all = desk.get(&format!("/api/invoices{query}")).await?;
        self.at.say(&all, |all| {
            let mut rows = vec![head(&["Number", "Date", "Provider", "Period", "", "Total", "Open", "Status"])];
            rows.extend(all.as_array().into_iter().flatten().map(|one| {
                let credits = text(one, "/credits/label");
                vec![
                    text(one, "/label"),
                    day(&text(one, "/issued")),
                    text(one, "/customer/legal_name"),
                    day(&text(one, "/from")),
                    day(&text(one, "/until")),
                    sums(one, "/totals"),
                    balance(one, "open"),
                    if credits.is_empty() { text(one, "/standing/status") } else { format!("credits {credits}") },
                ]
            }));
            if rows.len() == 1 {
                println!("no invoice yet; `countersign invoice PROVIDER --month 2026-11` issues one");
            } else {
                table(&rows);
            }
        })
    }
}

/// Takes fees of an invoice back with a credit note, as operator. Credited fees are not invoiced again.
///
/// Example: countersign credit INV-000007 --contract 0ab5f3 --reason "ended before it began"
#[derive(Debug, Args)]
pub struct Credit {
    #[command(flatten)]
    at: At,
    /// The invoice's number.
    number: String,
    /// A contract on it, or the beginning of its id; may be given several times. Without: all that is not credited yet.
    #[arg(long, value_name = "ID")]
    contract: Vec<String>,
    /// Why; it stands on the credit note.
    #[arg(long)]
    reason: String,
    /// Also write its page to a file, to read and print.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write over the file if there is one.
    #[arg(long)]
    force: bool,
}

impl Credit {
    pub(in super::super) async fn run(&self) -> Result<ExitCode> {
        spare(self.html.as_deref(), self.force)?;
        let (desk, path) = (self.at.desk()?, path(&self.number)?);
        let invoice = desk.get(&path).await?;
        let lines: Vec<String> =
            invoice["lines"].as_array().into_iter().flatten().map(|line| text(line, "/contract_id")).collect();
        let found: Result<Vec<&String>> = self.contract.iter().map(|given| on_it(&lines, given)).collect();
        let order = json!({ "contracts": found?, "reason": self.reason });
        let booked = desk.post(&format!("{path}/credit"), &order).await?;
        if let Some(file) = &self.html {
            write_page(&desk, &booked, file).await?;
        }
        self.at.say(&booked, document)
    }
}

fn on_it<'a>(lines: &'a [String], given: &str) -> Result<&'a String> {
    let wanted = given.strip_prefix("urn:uuid:").unwrap_or(given).to_ascii_lowercase();
    let fits = |id: &&String| !wanted.is_empty() && id.strip_prefix("urn:uuid:").unwrap_or(id).starts_with(&wanted);
    match lines.iter().filter(fits).collect::<Vec<_>>()[..] {
        [one] => Ok(one),
        [] => Err(Usage(format!("no contract on this invoice begins with `{given}`")).into()),
        _ => Err(Usage(format!("several contracts on this invoice begin with `{given}`; write more of it")).into()),
    }
}

/// The route of a document; a number is letters and digits of the operator's own choice.
pub(super) fn path(number: &str) -> Result<String> {
    let mut url = url::Url::parse("http://node/api/invoices").context("a fixed address")?;
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.push(number.trim());
    }
    Ok(url.path().to_owned())
}

async fn write_page(desk: &Desk, booked: &Value, file: &Path) -> Result<()> {
    let label = member(booked, "/label")?;
    write(file, &desk.get_text(&format!("{}/page", path(&label)?)).await?)?;
    if file != Path::new("-") {
        eprintln!("{label} is in {}", file.display());
    }
    Ok(())
}

/// Writes over nothing that somebody keeps, unless it is told to.
fn spare(file: Option<&Path>, force: bool) -> Result<()> {
    match file {
        Some(file) if file.is_file() && !force => {
            Err(Usage(format!("{} is there already; --force writes over it", file.display())).into())
        }
        _ => Ok(()),
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    if file == Path::new("-") {
        print!("{text}");
        return Ok(());
    }
    if file.is_dir() {
        bail!("{} is a directory; name a file", file.display());
    }
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn document(booked: &Value) {
    let credits = text(booked, "/credits/label");
    let kind = if credits.is_empty() { "Invoice" } else { "Credit note" };
    println!("{kind:<11} {}", text(booked, "/label"));
    if !credits.is_empty() {
        println!("corrects    {credits}: {}", text(booked, "/credits/reason"));
    }
    println!("to          {}  {}", text(booked, "/customer/legal_name"), text(booked, "/customer/did"));
    println!("issued      {}", when(&text(booked, "/issued")));
    println!("period      {} until {}", when(&text(booked, "/from")), when(&text(booked, "/until")));
    let mut rows = vec![head(&["Contract", "Recorded", "Block", "Rule", "Of", "Fee", "Statement"])];
    rows.extend(booked["lines"].as_array().into_iter().flatten().map(|line| {
        vec![
            brief(&text(line, "/contract_id")),
            when(&text(line, "/block_time")),
            line["block"].to_string(),
            text(line, "/rule"),
            text(line, "/base"),
            money(&line["fee"]),
            brief(&text(line, "/statement")),
        ]
    }));
    table(&rows);
    println!("total       {}", sums(booked, "/totals"));
    if booked["standing"].is_object() {
        println!("status      {}", text(booked, "/standing/status"));
        println!("pay by      {}", day(&text(booked, "/due")));
    }
    for (name, column) in [
        ("credited", "credited"),
        ("paid", "paid"),
        ("paid back", "refunded"),
        ("open", "open"),
        ("overpaid", "overpaid"),
    ] {
        let sum = balance(booked, column);
        if !sum.is_empty() {
            println!("{name:<11} {sum}");
        }
    }
    for note in booked["credit_notes"].as_array().into_iter().flatten() {
        println!("credit note {}", text(note, ""));
    }
    for payment in booked["payments"].as_array().into_iter().flatten() {
        super::pay::line(payment);
    }
}

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::super::Usage;
use super::super::calls::Desk;
use super::papers::expect;
use super::words::{apart, head, localized, table, text, when};
use super::{At, member, read_text};

/// Takes templates that an operator approved, lists them, shows one in words.
///
/// Example: countersign template add licence.approval
#[derive(Debug, Args)]
pub struct TemplateArgs {
    #[command(subcommand)]
    act: TemplateAct,
}

#[derive(Debug, Subcommand)]
enum TemplateAct {
    /// Takes a template with its approval, as `countersign approve` printed it.
    ///
    /// Example: countersign template add licence.approval
    Add {
        #[command(flatten)]
        at: At,
        /// The approval; `-` reads standard input.
        #[arg(value_name = "FILE|-")]
        file: PathBuf,
    },
    /// Lists the templates that offers can be made of.
    ///
    /// Example: countersign template list
    List(At),
    /// Shows a template: each term in a sentence, the fee, and which values it takes.
    ///
    /// Example: countersign template show "Single purchase"
    Show {
        #[command(flatten)]
        at: At,
        /// Its id, its title, or the beginning of one.
        template: String,
        /// Only the template as it was approved.
        #[arg(long)]
        odrl: bool,
    },
}

impl TemplateArgs {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        match &self.act {
            TemplateAct::Add { at, file } => {
                let approval = read_text(file)?;
                expect("template add", file, &approval, "an approved template, as `countersign approve` prints it")?;
                let desk = at.desk()?;
                let id = member(&desk.post("/api/templates", &json!({ "approval": approval })).await?, "/id")?;
                let added = template(&desk, &id).await?;
                at.say(&added, |added| println!("template {}: {}", text(added, "/id"), text(added, "/title")))
            }
            TemplateAct::List(at) => {
                let templates = at.desk()?.get("/api/templates").await?;
                at.say(&templates, |templates| {
                    let mut rows = vec![head(&["Id", "Title", "Values", "Fee", "Until"])];
                    let ids: Vec<String> =
                        templates.as_array().into_iter().flatten().map(|one| text(one, "/id")).collect();
                    rows.extend(templates.as_array().into_iter().flatten().zip(apart(&ids)).map(|(one, id)| {
                        let values = one["parameters"].as_object().into_iter().flatten();
                        let values: Vec<String> = values.map(|(name, _)| text(&json!(name), "")).collect();
                        let believed = one["believed"] == true;
                        let until = when(&text(one, "/until"));
                        vec![
                            id,
                            text(one, "/title"),
                            values.join(", "),
                            text(one, "/fee_in_words"),
                            if believed { until } else { format!("not believed: {}", text(one, "/unbelieved")) },
                        ]
                    }));
                    if rows.len() == 1 {
                        println!("no templates yet; `countersign template add FILE` takes an operator's approval");
                    } else {
                        table(&rows);
                    }
                })
            }
            TemplateAct::Show { at, template: given, odrl } => {
                let one = template(&at.desk()?, given).await?;
                if *odrl {
                    println!("{}", serde_json::to_string_pretty(&one["template"])?);
                    return Ok(ExitCode::SUCCESS);
                }
                at.say(&one, print)
            }
        }
    }
}

fn print(one: &Value) {
    println!("Template     {} (version {})", text(one, "/title"), text(one, "/version"));
    println!("             {}", text(one, "/id"));
    println!("Approved by  {}", text(one, "/approved_by"));
    if one["believed"] != true {
        println!("             not believed: {}", text(one, "/unbelieved"));
    }
    println!("For offers   from {} until {}", when(&text(one, "/from")), when(&text(one, "/until")));
    println!("Fee          {}", text(one, "/fee_in_words"));
    let values: Vec<_> = one["parameters"].as_object().into_iter().flatten().collect();
    for (place, (name, takes)) in values.iter().enumerate() {
        println!("{:<13}{} is {}", if place == 0 { "Values" } else { "" }, text(&json!(name), ""), text(takes, ""));
    }
    let example: Vec<String> = one["example"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| text(&json!(format!("{name} = {value}")), ""))
        .collect();
    let with = if example.is_empty() { String::new() } else { format!(" (with {}, for example)", example.join(", ")) };
    println!("\nTerms{with}");
    for (number, sentence) in one["in_words"].as_array().into_iter().flatten().enumerate() {
        println!("  {}. {}", number + 1, localized(&text(sentence, "")));
    }
}

/// The one template that `given` means: its id, its title, or the beginning of one.
pub async fn template(desk: &Desk, given: &str) -> Result<Value> {
    let all = desk.get("/api/templates").await?;
    let wanted = given.trim().to_lowercase();
    let fitting = |whole: bool| -> Vec<&Value> {
        let fits = |known: &str| !wanted.is_empty() && if whole { known == wanted } else { known.starts_with(&wanted) };
        let names = |one: &Value| {
            let id = text(one, "/id").to_lowercase();
            fits(&id) || fits(id.strip_prefix("urn:uuid:").unwrap_or(&id)) || fits(&text(one, "/title").to_lowercase())
        };
        all.as_array().into_iter().flatten().filter(|one| names(one)).collect()
    };
    let exact = fitting(true);
    let found = if exact.is_empty() { fitting(false) } else { exact };
    match found[..] {
        [one] => Ok(one.clone()),
        [] => Err(Usage(format!("`{given}` is no template here; `countersign template list` lists them")).into()),
        _ => Err(Usage(format!("`{given}` is the beginning of several templates; write more of it")).into()),
    }
}

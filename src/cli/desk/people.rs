use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::super::Usage;
use super::super::calls::Desk;
use super::papers::{another, expect, paper};
use super::proofs::over;
use super::words::{argument, brief, called, head, table, text, when};
use super::{At, read_text};

/// Shows this node's own contact; adds, names, lists, confirms and forgets others'.
///
/// Example: countersign contact add 'countersign:invitation?_oob=eyJ0…' --name alice
#[derive(Debug, Args)]
pub struct ContactArgs {
    #[command(subcommand)]
    act: ContactAct,
}

#[derive(Debug, Subcommand)]
enum ContactAct {
    /// Prints this node's own contact, signed: give it to whoever is to reach you. `countersign invite` makes a link of it.
    ///
    /// Example: countersign contact show > alice.contact
    Show(At),
    /// Adds somebody: by an invitation, a signed contact, or a did:web.
    ///
    /// Example: countersign contact add 'https://contracts.example/invitation?_oob=eyJ0…' --name alice
    Add {
        #[command(flatten)]
        at: At,
        /// The invitation's link, the contact, a did:web, or a file with one of them; `-` is standard input.
        #[arg(value_name = "LINK|FILE|-|TEXT")]
        contact: String,
        /// What you call it: commands take that name in place of its DID.
        #[arg(long)]
        name: Option<String>,
    },
    /// Gives a contact another name; with --none it has none any more.
    ///
    /// Example: countersign contact name alice "Alice Maps"
    Name {
        #[command(flatten)]
        at: At,
        /// Whom: its name or its DID.
        party: String,
        /// The new name.
        name: Option<String>,
        /// Take its name away.
        #[arg(long, conflicts_with = "name")]
        none: bool,
    },
    /// Forgets a contact; negotiations and contracts with it stay.
    ///
    /// Example: countersign contact forget alice
    Forget {
        #[command(flatten)]
        at: At,
        /// Whom: its name or its DID.
        party: String,
    },
    /// Says that you have seen what changed about a contact: its inbox, or its keys.
    ///
    /// Ask it by another way than its messages first whether the change is its own. Identity does not rest on this: what a
    /// contact signs is held to its participant credential.
    ///
    /// Example: countersign contact confirm alice
    Confirm {
        #[command(flatten)]
        at: At,
        /// Whom: its name or its DID.
        party: String,
    },
    /// Lists whom this node can reach, since when there, what changed, and whether you have confirmed that.
    ///
    /// Example: countersign contact list
    List(At),
}

impl ContactArgs {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        match &self.act {
            ContactAct::Show(at) => {
                let own = at.desk()?.get("/api/self").await?;
                let answer = json!({ "did": own["did"], "inbox": own["inbox"], "contact": own["contact"] });
                at.say(&answer, |answer| println!("{}", answer["contact"].as_str().unwrap_or_default()))
            }
            ContactAct::Add { at, contact, name } => {
                let mut introduction = introduction(contact)?;
                if let Some(name) = name {
                    introduction["name"] = json!(name);
                }
                let met = at.desk()?.post("/api/contacts", &introduction).await?;
                at.say(&met, |met| {
                    let name = text(met, "/name");
                    let name = if name.is_empty() { String::new() } else { format!("{name}, ") };
                    println!("added {name}{}", text(met, "/did"));
                    let goal = text(met, "/goal");
                    if !goal.is_empty() {
                        println!("      it says: {goal}");
                    }
                })
            }
            ContactAct::Name { at, party, name, none } => {
                if name.is_none() && !none {
                    return Err(Usage("say the new name, or --none to take its name away".into()).into());
                }
                let desk = at.desk()?;
                let did = known(&desk, party).await?;
                let named = desk.post(&format!("{}/name", path_of(&did)), &json!({ "name": name })).await?;
                at.say(&named, |named| match named["name"].as_str() {
                    Some(_) => println!("{} is called {}", text(named, "/did"), text(named, "/name")),
                    None => println!("{} has no name any more", text(named, "/did")),
                })
            }
            ContactAct::Forget { at, party } => {
                let desk = at.desk()?;
                let did = known(&desk, party).await?;
                let gone = desk.delete(&path_of(&did)).await?;
                at.say(&gone, |gone| println!("{} is no contact any more", text(gone, "/did")))
            }
            ContactAct::Confirm { at, party } => {
                let desk = at.desk()?;
                let did = known(&desk, party).await?;
                let seen = desk.post(&format!("{}/confirm", path_of(&did)), &json!({})).await?;
                at.say(&seen, |seen| println!("what changed about {} is confirmed", text(seen, "/did")))
            }
            ContactAct::List(at) => {
                let contacts = at.desk()?.get("/api/contacts").await?;
                at.say(&contacts, print_contacts)
            }
        }
    }
}

/// Where a contact is in the node's interface; the `%` of a did:web with a port is one of its own letters.
fn path_of(did: &str) -> String {
    format!("/api/contacts/{}", did.replace('%', "%25"))
}

fn print_contacts(contacts: &Value) {
    let known: Vec<&Value> = contacts.as_array().into_iter().flatten().collect();
    if known.is_empty() {
        println!("no contacts yet; `countersign contact add LINK --name NAME` adds one");
        return;
    }
    let mut rows = vec![head(&["Name", "DID", "Since", "Changes", "Inbox"])];
    rows.extend(known.iter().map(|one| {
        let changes = match (changes_of(one).len(), one["confirmed"].as_bool()) {
            (0, _) => "none".to_owned(),
            (count, Some(false)) => format!("{count}, not confirmed"),
            (count, _) => format!("{count}, confirmed"),
        };
        vec![text(one, "/name"), text(one, "/did"), when(&text(one, "/since")), changes, text(one, "/inbox")]
    }));
    table(&rows);
    for one in known.into_iter().filter(|one| !changes_of(one).is_empty()) {
        let called = called(one, "/name", "/did");
        println!("\nWhat changed about {called}");
        for change in changes_of(one) {
            let mut at = when(&text(change, "/at"));
            for what in change["what"].as_array().into_iter().flatten() {
                println!("  {at:<24}{}", text(what, ""));
                at.clear();
            }
        }
        if one["confirmed"] == false {
            println!(
                "  ask it by another way whether that is its own doing, then: countersign contact confirm {}",
                argument(&called)
            );
        }
    }
}

fn changes_of(contact: &Value) -> &[Value] {
    contact["changes"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// What was given, as the node takes it: everything that is no introduction by itself is a file's name.
fn introduction(given: &str) -> Result<Value> {
    if let Some(said) = said(given.trim()) {
        return Ok(said);
    }
    let text = read_text(Path::new(given))?;
    said(&text).filter(|_| paper(&text).is_none_or(|paper| paper.taken_by == "contact add")).ok_or_else(|| {
        let expected = "an invitation or a contact, as `countersign invite` and `countersign contact show` print them";
        another(given, &text, expected).into()
    })
}

fn said(text: &str) -> Option<Value> {
    if text.starts_with("did:") {
        return Some(json!({ "did": text }));
    }
    if text.starts_with('{') || text.contains("?_oob") || text.contains("&_oob") || text.contains("://") {
        return Some(json!({ "invitation": text }));
    }
    let signed =
        text.starts_with("ey") && !text.ends_with('~') && text.split('.').count() == 3 && !Path::new(text).exists();
    signed.then(|| json!({ "contact": text }))
}

/// The DID of the one contact that `given` means: its DID, its name, or the beginning of its name. A did:web that is no
/// contact is reached where its document says.
pub async fn known(desk: &Desk, given: &str) -> Result<String> {
    let contacts = desk.get("/api/contacts").await?;
    let contacts = || contacts.as_array().into_iter().flatten();
    let given = given.trim();
    if given.starts_with("did:") {
        if given.starts_with("did:web:") || contacts().any(|contact| contact["did"] == given) {
            return Ok(given.to_owned());
        }
        let how = "let it run `countersign invite`, and give the link to `countersign contact add`";
        return Err(Usage(format!("{given} is no contact; {how}")).into());
    }
    let wanted = given.to_lowercase();
    let named = |whole: bool| -> Vec<String> {
        let fits = |name: String| !wanted.is_empty() && if whole { name == wanted } else { name.starts_with(&wanted) };
        let fitting = contacts().filter(|contact| fits(text(contact, "/name").to_lowercase()));
        fitting.filter_map(|contact| contact["did"].as_str()).map(str::to_owned).collect()
    };
    let exact = named(true);
    let found = if exact.is_empty() { named(false) } else { exact };
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => {
            let names: Vec<String> =
                contacts().map(|contact| text(contact, "/name")).filter(|name| !name.is_empty()).collect();
            let names = if names.is_empty() { "nobody yet".to_owned() } else { names.join(", ") };
            let how = "`countersign contact add LINK --name NAME` adds one, from what `countersign invite` made";
            Err(Usage(format!("`{given}` is no contact (known by name: {names}); {how}")).into())
        }
        _ => Err(Usage(format!("`{given}` means several contacts: {}; write more of it", found.join(", "))).into()),
    }
}

/// Takes the participant credential that the operator signed for you.
///
/// Example: countersign join alice.member
#[derive(Debug, Args)]
pub struct Join {
    #[command(flatten)]
    at: At,
    /// The credential; `-` reads standard input.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
}

impl Join {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let credential = read_text(&self.file)?;
        expect("join", &self.file, &credential, "a participant credential, as `countersign admit` prints it")?;
        let desk = self.at.desk()?;
        let mut joined = desk.post("/api/participant", &json!({ "credential": credential })).await?;
        joined["membership"] = desk.get("/api/self").await?["membership"].clone();
        joined["ask_anew"] = resting_on_what_is_over(&desk.get("/api/negotiations").await?);
        self.at.say(&joined, |joined| {
            let until = super::words::until(&text(joined, "/membership/valid_until"));
            println!("{} is a member as {}", text(joined, "/did"), text(joined, "/membership/legal_name"));
            println!("  by {}; it ends {until}", text(joined, "/membership/operator"));
            let anew: Vec<&Value> = joined["ask_anew"].as_array().into_iter().flatten().collect();
            if !anew.is_empty() {
                println!("What you asked for under the membership that is over has to be asked for anew:");
            }
            for view in anew {
                let (id, whom) = (brief(&text(view, "/id")), called(view, "/counterparty_name", "/counterparty"));
                let how = match view["state"].as_str() {
                    Some("OFFERED") => format!("countersign counter {id}"),
                    _ => format!(
                        "countersign cancel {id} --reason …; countersign request --from {} --asset {}",
                        argument(&whom),
                        argument(&text(view, "/asset"))
                    ),
                };
                println!("  {id}  of {whom}: {how}");
            }
        })
    }
}

/// What this party has asked for and not signed yet, under a credential that is over.
fn resting_on_what_is_over(views: &Value) -> Value {
    let own = |view: &&Value| {
        let parties = view["parties"].as_array().into_iter().flatten();
        let own = parties.into_iter().find(|party| party["own"] == true);
        own.is_some_and(|own| over(&text(own, "/valid_until")))
    };
    let asked = |view: &&Value| {
        view["role"] == "consumer"
            && view["proposal"].is_null()
            && matches!(view["state"].as_str(), Some("REQUESTED" | "OFFERED"))
    };
    let found = views.as_array().into_iter().flatten().filter(asked).filter(own);
    let names = ["id", "state", "counterparty", "counterparty_name", "asset"];
    found.map(|view| names.iter().map(|name| ((*name).to_owned(), view[name].clone())).collect::<Value>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_introduction_is_known_by_its_form() {
        assert!(said("countersign:invitation?_oob=eyJ9").unwrap()["invitation"].is_string());
        assert!(said("{\"type\": 1}").unwrap()["invitation"].is_string());
        assert!(said("https://other.example/?oob=1").unwrap()["invitation"].is_string());
        assert!(said("eyJh.eyJp.c2ln").unwrap()["contact"].is_string());
        assert!(said("did:web:alice.example").unwrap()["did"].is_string());
        assert_eq!(said("alice.contact"), None);
    }
}

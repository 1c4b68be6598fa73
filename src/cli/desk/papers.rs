//! What papers look like: somebody who gives the wrong one is told which it is, and what takes it.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::super::Usage;
use crate::credential::vocabulary::TYP_TEMPLATE;
use crate::identity::Jws;
use crate::inbox::Contact;

/// A kind of paper, by its form alone: nothing is proven by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paper {
    /// What it is.
    pub is: &'static str,
    /// The command that takes it.
    pub taken_by: &'static str,
}

/// Which kind of paper `text` is, if it is one that a command takes.
pub fn paper(text: &str) -> Option<Paper> {
    let text = text.trim();
    let (is, taken_by) = if let Ok(json) = serde_json::from_str::<Value>(text) {
        match json {
            _ if json["core"].is_string() => ("a contract file", "verify"),
            _ if json["asset"].is_object() => ("an asset to be listed", "list"),
            _ if json["type"].as_str().is_some_and(|kind| kind.contains("/out-of-band/")) => {
                ("an invitation", "contact add")
            }
            _ => return None,
        }
    } else if text.contains("_oob=") {
        ("an invitation", "contact add")
    } else if text.starts_with("ey") && text.ends_with('~') {
        ("a participant credential", "join")
    } else {
        match Jws::parse(text).ok()?.header().typ.as_str() {
            Contact::TYP => ("a contact", "contact add"),
            TYP_TEMPLATE => ("an approved template", "template add"),
            _ => return None,
        }
    };
    Some(Paper { is, taken_by })
}

/// Holds a file to be what `command` takes.
pub fn expect(command: &str, file: &Path, text: &str, expected: &str) -> Result<()> {
    if paper(text).is_some_and(|paper| paper.taken_by == command) {
        return Ok(());
    }
    Err(another(&file.display().to_string(), text, expected).into())
}

/// What is said about a file that holds something else.
pub fn another(file: &str, text: &str, expected: &str) -> Usage {
    Usage(match paper(text) {
        Some(Paper { is, taken_by }) => {
            format!("{file} is {is}: `countersign {taken_by}` takes it. Here goes {expected}")
        }
        None => format!("{file} is not {expected}"),
    })
}

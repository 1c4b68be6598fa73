use std::collections::HashMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::checks;
use crate::check::{Check, Refusal};

/// The schemas of this module, each compiled once. They refer to nothing outside themselves, and nothing is fetched.
static SCHEMAS: LazyLock<HashMap<String, Validator>> = LazyLock::new(|| {
    let mut defs = Map::new();
    for file in FILES {
        // The files are a part of the program, and a test compiles every schema of them.
        let file: Value = serde_json::from_str(file).expect("the schemas are JSON");
        defs.extend(file["$defs"].as_object().into_iter().flatten().map(|(name, def)| (name.clone(), def.clone())));
    }
    defs.keys()
        .map(|name| {
            let schema = json!({ "$schema": DIALECT, "$ref": format!("#/$defs/{name}"), "$defs": defs });
            // As above: no schema here depends on what arrives.
            let compiled = jsonschema::validator_for(&schema).expect("the schemas compile");
            (name.clone(), compiled)
        })
        .collect()
});

const DIALECT: &str = "https://json-schema.org/draft/2019-09/schema";
const FILES: [&str; 2] = [include_str!("schemas/negotiation.json"), include_str!("schemas/transfer.json")];

/// How much of a schema's complaint is repeated.
const LONGEST: usize = 300;

/// Holds a document to the schema of a name.
///
/// # Errors
/// `dsp.message`, with the place and what is wrong there.
pub fn hold(name: &str, document: &Value) -> Result<(), Refusal> {
    hold_by(&checks::MESSAGE, name, document)
}

/// The same, for messages that have a check of their own.
///
/// # Errors
/// `check`, with the place and what is wrong there.
pub fn hold_by(check: &'static Check, name: &str, document: &Value) -> Result<(), Refusal> {
    let schema = SCHEMAS.get(name).ok_or_else(|| check.refuse(format!("no message is called {name}")))?;
    if schema.is_valid(document) {
        return Ok(());
    }
    let wrong: Vec<String> = schema
        .iter_errors(document)
        .take(3)
        .map(|wrong| format!("{} {}", wrong.instance_path(), wrong.masked()).trim().to_owned())
        .collect();
    let detail: String = format!("not a {name}: {}", wrong.join("; ")).chars().take(LONGEST).collect();
    Err(check.refuse(detail))
}

/// Whether a text can be an id of the protocol: 1 to 2048 visible letters of any script, with single spaces between them.
pub fn is_id(text: &str) -> bool {
    is_valid("Iri", &Value::from(text))
}

/// Whether a document is what the schema of a name says.
pub fn is_valid(name: &str, document: &Value) -> bool {
    hold(name, document).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_compiles_and_an_unknown_one_holds_nothing() {
        assert!(SCHEMAS.len() > 30);
        assert!(!is_valid("Nothing", &json!({})));
    }

    #[test]
    fn an_id_has_letters_of_any_script_and_nothing_that_is_not_seen() {
        for id in ["a", "urn:uuid:c", "urn:straße:münchen", "https://example.org/道路", "a road", &"é".repeat(2048)]
        {
            assert!(is_id(id), "{id}");
        }
        let long = "a".repeat(2049);
        for id in [
            "",
            " ",
            " a",
            "a ",
            "a  b",
            "a\nb",
            "a\n",
            "a\u{7f}",
            "a\u{85}",
            "a\u{a0}b",
            "\u{202e}a",
            "a\u{200b}",
            &long,
        ] {
            assert!(!is_id(id), "{id:?}");
        }
    }
}

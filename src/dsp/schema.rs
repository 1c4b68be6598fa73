use std::collections::HashMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::checks;
use crate::check::Refusal;

/// The schemas of this module, each compiled once. They refer to nothing outside themselves, and nothing is fetched.
static SCHEMAS: LazyLock<HashMap<String, Validator>> = LazyLock::new(|| {
    // The file is a part of the program, and a test compiles every schema of it.
    let file: Value = serde_json::from_str(include_str!("schemas/negotiation.json")).expect("the schemas are JSON");
    let names: Vec<String> = file["$defs"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    names
        .into_iter()
        .map(|name| {
            let schema =
                json!({ "$schema": file["$schema"], "$ref": format!("#/$defs/{name}"), "$defs": file["$defs"] });
            // As above: no schema here depends on what arrives.
            let compiled = jsonschema::validator_for(&schema).expect("the schemas compile");
            (name, compiled)
        })
        .collect()
});

/// How much of a schema's complaint is repeated.
const LONGEST: usize = 300;

/// Holds a document to the schema of a name.
///
/// # Errors
/// `dsp.message`, with the place and what is wrong there.
pub fn hold(name: &str, document: &Value) -> Result<(), Refusal> {
    let schema = SCHEMAS.get(name).ok_or_else(|| checks::MESSAGE.refuse(format!("no message is called {name}")))?;
    if schema.is_valid(document) {
        return Ok(());
    }
    let wrong: Vec<String> = schema
        .iter_errors(document)
        .take(3)
        .map(|wrong| format!("{} {}", wrong.instance_path(), wrong.masked()).trim().to_owned())
        .collect();
    let detail: String = format!("not a {name}: {}", wrong.join("; ")).chars().take(LONGEST).collect();
    Err(checks::MESSAGE.refuse(detail))
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
        assert!(SCHEMAS.len() > 20);
        assert!(!is_valid("Nothing", &json!({})));
    }
}

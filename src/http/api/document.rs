//! The OpenAPI 3.1 document of a list of doors.

use serde_json::{Map, Value, json};

use super::{Door, Scope};

/// Two doors mean different things by one name.
#[derive(Debug, thiserror::Error)]
#[error("the interface is described in two ways: {0}")]
pub struct DocumentError(String);

const ABOUT: &str = "What the commands of countersign do, over HTTP. It listens on the management address alone, never \
on the public one. Every call but the open ones brings `Authorization: Bearer KEY`; the file `api-key` in the node's home \
holds the owner's key, `countersign api-key add` makes others with less scope. Each scope holds the one before it: read, \
decide, admin.\n\nTimes are RFC 3339 in UTC. Ids are URNs; write them percent-encoded or as they are. A call that fails \
answers with an `Error`, whose `check` names the rule that did not hold, if it was one.";

const TAGS: [(&str, &str); 11] = [
    ("negotiations", "From a request to a contract: what waits for whom, and the decisions."),
    ("contracts", "What is done with a contract: present it, end it, withdraw from it."),
    ("dsp", "Plain negotiations over the Dataspace Protocol, with any connector; nobody signs anything in them."),
    ("goods", "What this party lists, and the catalogs of others."),
    ("people", "Who this party is, and whom it reaches."),
    ("fees", "What a provider states, and what an operator audits."),
    ("operator", "Members and templates of an operator."),
    ("books", "The operator's books: what was stated, invoices, payments, what is open."),
    ("mediator", "What a mediator keeps for others, and this wallet's own mediator."),
    ("keys", "Keys to this interface."),
    ("node", "The node itself: events, metrics, health, this document."),
];

/// The schema of every error, by the name that the answers refer to it with.
const ERROR: &str = "Error";

pub(super) fn of(doors: &[Door]) -> Result<Value, DocumentError> {
    let (mut paths, mut schemas, mut ids) = (Map::new(), Map::new(), Map::new());
    let mut doors: Vec<&Door> = doors.iter().collect();
    doors.sort_by(|one, other| (&one.path, one.method.as_str()).cmp(&(&other.path, other.method.as_str())));
    for door in &doors {
        let place = paths.entry(door.path.clone()).or_insert_with(|| json!({}));
        let method = door.method.as_str().to_ascii_lowercase();
        if place.get(&method).is_some() {
            return Err(DocumentError(format!("{} {}", door.method, door.path)));
        }
        let operation = operation(door);
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        if ids.insert(id.clone(), json!(null)).is_some() {
            return Err(DocumentError(format!("two operations are called {id}")));
        }
        place[method] = operation;
        for (name, schema) in &door.schemas {
            match schemas.get(name) {
                Some(known) if known != schema => return Err(DocumentError(format!("schema {name}"))),
                Some(_) => {}
                None => {
                    schemas.insert(name.clone(), schema.clone());
                }
            }
        }
    }
    schemas.insert(ERROR.into(), error());
    schemas.sort_keys();
    let used = |tag: &str| {
        doors.iter().any(|door| door.operation["tags"].as_array().is_some_and(|tags| tags.iter().any(|one| one == tag)))
    };
    let tags: Vec<Value> = TAGS
        .iter()
        .filter(|(name, _)| used(name))
        .map(|(name, description)| json!({ "name": name, "description": description }))
        .collect();
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "countersign",
            "summary": "The management interface of a countersign node",
            "description": ABOUT,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "servers": [{ "url": "/", "description": "the management address of this node" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "key": {
                "type": "http", "scheme": "bearer",
                "description": "A key to the management interface, with a scope: read, decide or admin.",
            } },
        },
    }))
}

/// The operation with what every door has: the scope that it wants, and the ways in which it says no.
fn operation(door: &Door) -> Value {
    let mut operation = door.operation.clone();
    let takes_body = operation.get("requestBody").is_some();
    let named = door.path.contains('{');
    let mut refusals = vec![("503", "Too busy, or it took too long; try again later.")];
    if door.scope > Scope::Open {
        operation["security"] = json!([{ "key": [door.scope.name()] }]);
        operation["x-scope"] = json!(door.scope.name());
        refusals.push(("401", "No key, or none that this node knows."));
        refusals
            .push(("403", "The key has not the scope that this takes, or a browser's page of another origin asks."));
        refusals.push(("421", "The name in `Host` is not one that this node's management address is called by."));
        refusals.push(("500", "The node failed; its log says why."));
    } else {
        operation["security"] = json!([]);
    }
    if named || operation.get("parameters").is_some() {
        refusals.push(("400", "What was sent does not read; the message says where."));
    }
    if named {
        refusals.push(("404", "There is no such thing here."));
    }
    if takes_body {
        refusals.push(("400", "What was sent does not read; the message says where."));
        refusals.push(("413", "The body is larger than this address takes."));
        refusals.push(("415", "The body is not of the media type that this address takes."));
        refusals.push(("422", "It reads, and breaks a rule: `check` names it."));
    }
    if !operation["responses"].is_object() {
        operation["responses"] = json!({});
    }
    for (status, description) in refusals {
        let content = json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{ERROR}") } } });
        let said = operation["responses"]
            .get(status)
            .and_then(|response| response["description"].as_str())
            .unwrap_or_default();
        let description = if said.is_empty() { description.to_owned() } else { said.to_owned() };
        operation["responses"][status] = json!({ "description": description, "content": content });
    }
    if let Some(responses) = operation["responses"].as_object_mut() {
        for (status, response) in responses.iter_mut() {
            // A 4xx or 5xx that a door names itself is an error as every other.
            if status.starts_with(['4', '5']) && response.get("content").is_none() {
                response["content"] =
                    json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{ERROR}") } } });
            }
        }
        responses.sort_keys();
    }
    operation
}

/// What [`Problem`](crate::http::Problem) looks like.
fn error() -> Value {
    json!({
        "type": "object",
        "description": "Why it was not done: what was found, what was expected, what to do. Never an inner cause.",
        "required": ["error"],
        "additionalProperties": false,
        "properties": { "error": {
            "type": "object",
            "required": ["message"],
            "additionalProperties": false,
            "properties": {
                "message": { "type": "string", "description": "For people." },
                "check": { "type": "string", "description": "The rule that did not hold; docs/checks.md lists all." },
                "scope": { "type": "string", "enum": ["read", "decide", "admin"], "description": "The scope that the key lacks." },
                "line": { "type": "integer", "minimum": 1, "description": "Where in the body." },
                "column": { "type": "integer", "minimum": 0, "description": "Where in the line." },
            },
        } },
        "examples": [{ "error": {
            "message": "there is no offer to accept in REQUESTED", "check": "negotiation.state",
        } }],
    })
}

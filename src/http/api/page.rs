//! The document, and a page to try it.

use std::sync::Arc;

use axum::extract::Extension;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde_json::Value;
use utoipa_swagger_ui::{Config, serve};

use super::{Answer, Api, Id, Scope, answered};
use crate::http::Problem;

/// The document of this node.
#[derive(Clone)]
pub(super) struct Document(pub Arc<Value>);

/// The page loads nothing but itself, talks to nobody but this node, and stands in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(in crate::http) fn doors() -> Api {
    Api::new()
        .door(Scope::Open, __path_openapi, openapi)
        .door(Scope::Open, __path_docs, docs)
        .door(Scope::Open, __path_docs_start, docs_start)
        .door(Scope::Open, __path_docs_file, docs_file)
}

/// This document
///
/// The same that `countersign openapi` prints, for the parts that this node has.
#[utoipa::path(get, path = "/api/openapi.json", tag = "node", responses(
    (status = 200, description = "OpenAPI 3.1.", body = serde_json::Value, content_type = "application/json"),
))]
async fn openapi(Extension(Document(document)): Extension<Document>) -> Answer {
    answered(&*document)
}

/// A page to try the interface
#[utoipa::path(get, path = "/api/docs", tag = "node", responses((status = 303, description = "To the page.")))]
async fn docs() -> Redirect {
    Redirect::to("/api/docs/")
}

/// A page to try the interface: its beginning
///
/// It loads without a key; its calls need one, which it keeps only as long as it is open.
#[utoipa::path(get, path = "/api/docs/", tag = "node", responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
async fn docs_start() -> Answer {
    file("")
}

/// A page to try the interface: its parts
#[utoipa::path(get, path = "/api/docs/{file}", tag = "node",
    params(("file" = String, Path, description = "A file of the page.")),
    responses((status = 200, description = "The file.", body = String, content_type = "text/javascript")),
)]
async fn docs_file(Id(name): Id) -> Answer {
    file(&name)
}

fn file(name: &str) -> Answer {
    let config = Config::from("/api/openapi.json").validator_url("none").persist_authorization(false);
    let found = serve(name, Arc::new(config)).ok().flatten();
    let found = found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "the page has no such file"))?;
    let mut response: Response = found.bytes.into_owned().into_response();
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(&found.content_type) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    if found.gzpipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

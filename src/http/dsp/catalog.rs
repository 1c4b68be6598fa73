//! The catalog: who asks has to prove an id, and sees everything that is listed.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::caller::Caller;
use super::negotiations::{Id, named, whole};
use super::wrong::Wrong;
use crate::dsp::{MAX_MESSAGE, Named, checks};
use crate::encoding::parse_json;
use crate::node::NodeFault;
use crate::node::dsp::Connector;

/// Which page is asked for.
#[derive(Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    page: usize,
}

/// `POST /catalog/request`.
pub(super) async fn request(
    State(node): State<Arc<Connector>>,
    caller: Result<Caller, Wrong>,
    page: Result<Query<Page>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Wrong> {
    let wrong = |fault: NodeFault| Wrong::of(fault, Named::default()).about_catalog();
    caller.map_err(Wrong::about_catalog)?;
    let no_page = |_| wrong(checks::MESSAGE.refuse("`page` is one number, 0 and more").into());
    let Query(Page { page }) = page.map_err(no_page)?;
    let body = whole(body).map_err(Wrong::about_catalog)?;
    let asked = parse_json(&body, MAX_MESSAGE).map_err(|refusal| wrong(refusal.into()))?;
    let (catalog, more) = node.catalog_page(&asked, page).await.map_err(wrong)?;
    let mut links = Vec::new();
    let place = |page: usize, rel: &str| format!("<{}/catalog/request?page={page}>; rel=\"{rel}\"", node.base());
    if more {
        links.push(place(page + 1, "next"));
    }
    if page > 0 {
        links.push(place(page - 1, "previous"));
    }
    let mut response = Json(catalog).into_response();
    if let Some(links) = (!links.is_empty()).then(|| HeaderValue::from_str(&links.join(", ")).ok()).flatten() {
        response.headers_mut().insert(header::LINK, links);
    }
    Ok(response)
}

/// `GET /catalog/datasets/{id}`.
pub(super) async fn dataset(
    State(node): State<Arc<Connector>>,
    caller: Result<Caller, Wrong>,
    id: Id,
) -> Result<Response, Wrong> {
    caller.map_err(Wrong::about_catalog)?;
    let id = named(id).map_err(Wrong::about_catalog)?;
    let shown = node.dataset_shown(&id).await;
    shown.map(|dataset| Json(dataset).into_response()).map_err(|fault| match fault {
        fault @ NodeFault::Unknown { .. } => Wrong::of(fault, Named::default()).unlisted(),
        fault => Wrong::of(fault, Named::default()).about_catalog(),
    })
}

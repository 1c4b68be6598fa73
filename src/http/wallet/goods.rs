//! What this party lists, and what others do.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::Owner;
use crate::http::api::{Answer, Api, Body, Id, Scope, answered};
use crate::http::shapes::{self, CatalogView, Jws, Named, TemplateView};
use crate::identity::Did;
use crate::node::{self, Node};

pub(super) fn doors() -> Api<Arc<Node>> {
    Api::new()
        .door(Scope::Read, __path_templates, templates)
        .door(Scope::Admin, __path_add_template, add_template)
        .door(Scope::Read, __path_listings, listings)
        .door(Scope::Admin, __path_list, list)
        .door(Scope::Decide, __path_ask_for_catalog, ask_for_catalog)
        .door(Scope::Read, __path_catalog, catalog)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTemplate)]
struct Approval {
    /// The operator's approval: its payload is the template.
    #[schema(value_type = Jws)]
    approval: String,
}

/// Every template that was added here
#[utoipa::path(get, path = "/api/templates", tag = "goods", responses(
    (status = 200, description = "The templates, by id.", body = Vec<TemplateView>),
))]
async fn templates(State(node): Owner) -> Answer {
    answered(node.templates().await?)
}

/// Adds a template that an operator approved
#[utoipa::path(post, path = "/api/templates", tag = "goods", request_body = Approval, responses(
    (status = 200, description = "The template's id.", body = Named),
))]
async fn add_template(State(node): Owner, Body(body): Body<Approval>) -> Answer {
    answered(json!({ "id": node.add_template(&body.approval).await? }))
}

/// What this party lists
#[utoipa::path(get, path = "/api/assets", tag = "goods", responses(
    (status = 200, description = "Every listing, by the asset's id.", body = Vec<shapes::Listing>),
))]
async fn listings(State(node): Owner) -> Answer {
    answered(node.listings().await?)
}

/// Lists an asset, or changes how it is listed
#[utoipa::path(post, path = "/api/assets", tag = "goods", request_body = shapes::Listing, responses(
    (status = 200, description = "The asset's id.", body = Named),
))]
async fn list(State(node): Owner, Body(listing): Body<node::Listing>) -> Answer {
    node.list(&listing).await?;
    answered(json!({ "id": listing.asset.id }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Whose {
    /// The provider that is asked.
    #[schema(value_type = shapes::Did)]
    provider: Did,
}

/// Asks a provider for its catalog
///
/// The answer comes through the inbox; it is kept under the id that this returns.
#[utoipa::path(post, path = "/api/catalogs", tag = "goods", request_body = Whose, responses(
    (status = 202, description = "The question is on its way.", body = Named),
))]
async fn ask_for_catalog(State(node): Owner, Body(whose): Body<Whose>) -> Answer {
    let id = node.ask_for_catalog(&whose.provider).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(json!({ "id": id }))).into_response())
}

/// A catalog that was asked for
#[utoipa::path(get, path = "/api/catalogs/{id}", tag = "goods",
    params(("id" = String, Path, description = "What asking for it returned.")),
    responses(
        (status = 200, description = "The catalog.", body = CatalogView),
        (status = 202, description = "The answer is on its way; `catalog` is null.", body = CatalogView),
    ),
)]
async fn catalog(State(node): Owner, Id(id): Id) -> Answer {
    let catalog = node.catalog(&id).await?;
    let status = if catalog.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, axum::Json(json!({ "id": id, "catalog": catalog }))).into_response())
}

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::super::Problem;

/// What a door answers: a JSON document, or why not.
pub(in crate::http) type Answer = Result<Response, Problem>;

/// 200 with a document.
pub(in crate::http) fn answered(document: impl Serialize) -> Answer {
    Ok(Json(document).into_response())
}

/// 201 with a document.
pub(in crate::http) fn created(document: impl Serialize) -> Answer {
    Ok((StatusCode::CREATED, Json(document)).into_response())
}

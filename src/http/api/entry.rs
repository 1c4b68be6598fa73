//! What comes in, read strictly, and every way in which it does not read said in the same form.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::super::Problem;
use crate::encoding::parse_json;

/// A body in JSON, read strictly: no member twice, none unknown, not nested deep.
pub(in crate::http) struct Body<T>(pub T);

/// A body's bytes exactly as they came.
pub(in crate::http) struct Raw(pub Bytes);

/// The last part of a path that is a name.
pub(in crate::http) struct Id(pub String);

/// What stands behind the question mark.
pub(in crate::http) struct Asked<T>(pub T);

/// A body that need not be there, where it is.
pub(in crate::http) fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // First as JSON from a stranger, then as what is expected: the second says where and which member.
    parse_json(bytes, bytes.len()).map_err(|refusal| {
        Problem::of_check(StatusCode::BAD_REQUEST, refusal.check, format!("the body does not read: {}", refusal.detail))
    })?;
    serde_json::from_slice(bytes).map_err(|cause| Problem::of_json(&cause))
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let expected = "send JSON, with the header `Content-Type: application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, expected));
        }
        let Raw(bytes) = Raw::from_request(request, state).await?;
        read_json(&bytes).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Bytes::from_request(request, state).await.map(Self).map_err(unread)
    }
}

fn unread(rejection: BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than this address takes")
        }
        _ => Problem::new(StatusCode::BAD_REQUEST, "the body did not arrive whole"),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "the path is not UTF-8, percent-encoded")),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let asked = Query::<T>::from_request_parts(parts, state).await;
        asked.map(|Query(asked)| Self(asked)).map_err(|cause| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                format!("what stands behind `?` does not read: {}", cause.body_text()),
            )
        })
    }
}

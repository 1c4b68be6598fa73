use std::pin::Pin;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio_util::sync::CancellationToken;

use super::Scope;
use crate::http::Problem;
use crate::negotiation::Decider;
use crate::node::OWNER;

/// Who calls: the name and the scope of the key that came with the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The key's name.
    pub name: Arc<str>,
    /// What it may do.
    pub scope: Scope,
}

/// The path of the door that answered, as the document writes it: an answer carries it outwards, for who counts.
#[derive(Clone, Debug)]
pub(in crate::http) struct Through(pub Arc<str>);

/// Rings when the caller's key is removed: an answer that goes on and on ends then.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct Leave(pub CancellationToken);

impl Caller {
    /// The owner, with the key that the home keeps.
    pub fn owner() -> Self {
        Self { name: OWNER.into(), scope: Scope::Admin }
    }

    /// As whom the history of a negotiation names this caller.
    pub fn decider(&self) -> Decider {
        Decider::Person(self.name.to_string())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::no_key)
    }
}

type Passage = Pin<Box<dyn Future<Output = Response> + Send>>;

/// What stands in each door: nobody passes without the scope that the door wants.
pub(super) fn threshold(scope: Scope, path: &str) -> impl Fn(Request, Next) -> Passage + Clone + Send + Sync + 'static {
    let through = Through(path.into());
    move |request: Request, next: Next| {
        let through = through.clone();
        Box::pin(async move {
            let refused = match request.extensions().get::<Caller>() {
                _ if scope == Scope::Open => None,
                None => Some(Problem::no_key()),
                Some(caller) if caller.scope < scope => Some(Problem::no_scope(caller, scope)),
                Some(_) => None,
            };
            let mut response = match refused {
                None => next.run(request).await,
                Some(problem) => problem.into_response(),
            };
            response.extensions_mut().insert(through);
            response
        })
    }
}

impl Problem {
    /// Nobody passes without a key.
    pub(in crate::http) fn no_key() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "send a key as `Authorization: Bearer …`: the file `api-key` in the node's home holds the owner's",
        )
    }

    fn no_scope(caller: &Caller, wanted: Scope) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            format!(
                "the key `{}` has the scope `{}`, this takes `{wanted}`; the owner makes one: countersign api-key add NAME --scope {wanted}",
                caller.name, caller.scope
            ),
        )
        .wanting(wanted)
    }
}

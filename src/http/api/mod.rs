//! The management interface as one declaration: a door is a handler, its place in the OpenAPI document and the scope
//! that it wants; router, document and guard are all made of the same list, so that none can forget one.

mod answer;
mod document;
mod caller;
mod entry;
mod page;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn;
use axum::routing::{MethodFilter, on};
use axum::{Extension, Router};
use serde_json::Value;
use utoipa::__dev::{SchemaReferences, Tags};
use utoipa::Path;
use utoipa::openapi::HttpMethod;

pub use crate::node::Scope;
pub(super) use answer::{Answer, answered, created};
pub use caller::Caller;
use caller::threshold;
pub(in crate::http) use caller::{Leave, Through};
pub use document::DocumentError;
pub(super) use entry::{Asked, Body, Id, Raw, read_json};
pub(super) use page::doors as page_doors;

use super::Problem;

/// A part of the management interface.
#[derive(Clone)]
pub struct Api<S = ()> {
    router: Router<S>,
    doors: Vec<Door>,
}

/// What the document and the guard know of one operation.
#[derive(Clone, Debug)]
struct Door {
    method: Method,
    path: String,
    scope: Scope,
    /// The operation as OpenAPI has it.
    operation: Value,
    /// The schemas that it names.
    schemas: Vec<(String, Value)>,
}

impl<S: Clone + Send + Sync + 'static> Api<S> {
    pub(super) fn new() -> Self {
        Self { router: Router::new(), doors: Vec::new() }
    }

    /// Adds a door. `described` is what `#[utoipa::path]` makes of the handler: `__path_` and its name.
    pub(super) fn door<P, H, T>(mut self, scope: Scope, described: P, handler: H) -> Self
    where
        P: Path + SchemaReferences + for<'t> Tags<'t>,
        H: Handler<T, S>,
        T: 'static,
    {
        let _ = described;
        let path = P::path();
        for method in P::methods() {
            let (filter, method) = match method {
                HttpMethod::Get => (MethodFilter::GET, Method::GET),
                HttpMethod::Put => (MethodFilter::PUT, Method::PUT),
                HttpMethod::Delete => (MethodFilter::DELETE, Method::DELETE),
                HttpMethod::Patch => (MethodFilter::PATCH, Method::PATCH),
                _ => (MethodFilter::POST, Method::POST),
            };
            let guarded = on(filter, handler.clone()).route_layer(from_fn(threshold(scope, &path)));
            self.router = self.router.route(&path, guarded);
            self.doors.push(Door::of::<P>(method, path.clone(), scope));
        }
        self
    }

    /// Holds the bodies of the doors so far to a size, in bytes.
    pub(super) fn within(mut self, bytes: usize) -> Self {
        self.router = self.router.layer(DefaultBodyLimit::max(bytes));
        self
    }

    /// Gives the handlers of the doors so far something that is not the state of all.
    pub(super) fn with_extension<E: Clone + Send + Sync + 'static>(mut self, extension: E) -> Self {
        self.router = self.router.layer(Extension(extension));
        self
    }

    /// Adds another part's doors.
    #[must_use]
    pub fn merge(mut self, other: impl Into<Self>) -> Self {
        let other = other.into();
        self.router = self.router.merge(other.router);
        self.doors.extend(other.doors);
        self
    }

    /// Adds what another part's doors are, for the document alone.
    pub(super) fn describe<T>(mut self, other: Api<T>) -> Self {
        self.doors.extend(other.doors);
        self
    }

    /// Gives the handlers what they work on.
    pub(super) fn with_state(self, state: S) -> Api {
        Api { router: self.router.with_state(state), doors: self.doors }
    }

    /// The OpenAPI 3.1 document of these doors.
    ///
    /// # Errors
    /// When two doors mean different things by one name: a fault of the program.
    pub fn document(&self) -> Result<Value, DocumentError> {
        document::of(&self.doors)
    }

    /// Method, path and scope of every operation.
    pub fn operations(&self) -> impl Iterator<Item = (&Method, &str, Scope)> {
        self.doors.iter().map(|door| (&door.method, door.path.as_str(), door.scope))
    }
}

impl Api {
    /// The router of all doors, with the document and the page to try it. Who comes without a [`Caller`] finds only the
    /// open ones unlocked: [`guard`](super::guard) says who calls.
    pub(super) fn router(self) -> Result<Router, DocumentError> {
        let described = self.merge(page::doors());
        let document = page::Document(Arc::new(described.document()?));
        let nowhere = "there is nothing at this address; GET /api/openapi.json names all that is";
        let not_so = "this address does not take that method; GET /api/openapi.json names those that it takes";
        let router = described
            .router
            .fallback(async move |caller: Option<Extension<Caller>>| lost(caller, StatusCode::NOT_FOUND, nowhere))
            .method_not_allowed_fallback(async move |caller: Option<Extension<Caller>>| {
                lost(caller, StatusCode::METHOD_NOT_ALLOWED, not_so)
            });
        Ok(router.layer(Extension(document)))
    }

    /// The router with every door unlocked: for a caller that has a guard of its own.
    ///
    /// # Errors
    /// As [`Api::document`].
    pub fn unlocked(self) -> Result<Router, DocumentError> {
        Ok(self.router()?.layer(Extension(Caller::owner())))
    }
}

/// Who knows no key learns nothing about what there is.
fn lost(caller: Option<Extension<Caller>>, status: StatusCode, message: &str) -> Problem {
    if caller.is_some() { Problem::new(status, message) } else { Problem::no_key() }
}

impl Default for Api {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Clone + Send + Sync + 'static> From<Router<S>> for Api<S> {
    fn from(router: Router<S>) -> Self {
        // No door describes these routes, so that nobody has said what they may do: they want the highest scope.
        Self { router: router.layer(from_fn(threshold(Scope::Admin, "other"))), doors: Vec::new() }
    }
}

impl Door {
    fn of<P: Path + SchemaReferences + for<'t> Tags<'t>>(method: Method, path: String, scope: Scope) -> Self {
        let mut schemas = Vec::new();
        P::schemas(&mut schemas);
        // Both are plain trees of texts and lists: they always have a JSON form.
        let written = |value: serde_json::Result<Value>| value.unwrap_or_default();
        let mut operation = written(serde_json::to_value(P::operation()));
        operation["tags"] = P::tags().into();
        Self {
            method,
            path,
            scope,
            operation,
            schemas: schemas.into_iter().map(|(name, schema)| (name, written(serde_json::to_value(schema)))).collect(),
        }
    }
}

//! A wallet that the world cannot reach: a mediator keeps its messages, and it picks them up.

mod pickup;
mod port;
mod speak;

use std::sync::{Mutex, PoisonError, RwLock};

pub use pickup::Pickup;
pub use port::{Connection, MediatorCourier};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Notify;

use super::{Node, NodeFault, kind};
use crate::credential::rfc3339;
use crate::encoding::Timestamp;
use crate::identity::{Did, Method};
use crate::inbox::AgreementPublic;

/// The mediator that a wallet uses: exactly one of `did`, `contact` and `invitation`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MediatedBy {
    /// A DID whose contact is known, or whose document says where it is reached.
    pub did: Option<Did>,
    /// Its signed contact.
    pub contact: Option<String>,
    /// Its invitation.
    pub invitation: Option<String>,
    /// Whether a connection is held, on which messages come at once; otherwise they are asked for now and then.
    pub live: bool,
    /// How long messages wait at most until they are asked for, in seconds, while there is no connection.
    pub poll_within: u64,
}

impl Default for MediatedBy {
    fn default() -> Self {
        Self { did: None, contact: None, invitation: None, live: true, poll_within: 60 }
    }
}

/// How a wallet is reached by way of its mediator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Route {
    mediator: Did,
    pub url: String,
    pub routing: Vec<AgreementPublic>,
    since: Timestamp,
}

/// What a node knows of its own mediation.
#[derive(Default)]
pub(super) struct Mediated {
    route: RwLock<Option<Route>>,
    state: Mutex<State>,
    /// Rung when there is a reason to ask again at once.
    pub bell: Notify,
}

#[derive(Clone, Debug, Default)]
struct State {
    mediator: Option<Did>,
    standing: MediationStanding,
    way: Option<Way>,
    waiting: Option<u64>,
    picked_up: u64,
    heard_at: Option<Timestamp>,
    trouble: Option<String>,
}

/// Where mediation stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MediationStanding {
    /// No mediator is configured: the wallet has an inbox of its own.
    #[default]
    None,
    /// It was asked for, and not granted yet.
    Asking,
    /// The mediator keeps messages for this wallet.
    Granted,
    /// The mediator does not want to.
    Denied,
}

/// How messages are picked up at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Over a connection, at once.
    Live,
    /// Now and then.
    Polling,
}

/// A wallet's mediation, for its owner.
#[derive(Clone, Debug, Serialize)]
pub struct MediationView {
    /// Where it stands.
    pub standing: MediationStanding,
    /// The mediator.
    pub mediator: Option<Did>,
    /// Its inbox, which this wallet's contact names.
    pub url: Option<String>,
    /// Since when it keeps messages for this wallet.
    #[serde(serialize_with = "optional")]
    pub since: Option<Timestamp>,
    /// How messages are picked up; absent while the mediator is not reached.
    pub way: Option<Way>,
    /// How many waited there when it last said so.
    pub waiting: Option<u64>,
    /// How many were picked up since this node started.
    pub picked_up: u64,
    /// When the mediator was last heard.
    #[serde(serialize_with = "optional")]
    pub heard_at: Option<Timestamp>,
    /// What went wrong last, where something does.
    pub trouble: Option<String>,
}

fn optional<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339::serialize(at, serializer),
        None => serializer.serialize_none(),
    }
}

impl Mediated {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Each field is whole by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> Option<Route> {
        self.route.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn learn(&self, route: Route) {
        *self.route.write().unwrap_or_else(PoisonError::into_inner) = Some(route);
    }
}

impl Node {
    /// Where this wallet's contact says that it is reached: its own inbox, or its mediator's with the keys to wrap for.
    pub(super) fn reached_at(&self) -> Result<(String, Vec<AgreementPublic>), NodeFault> {
        if self.settings.mediator.is_none() {
            return Ok((self.settings.inbox_url.clone(), vec![]));
        }
        let route = self.mediated.known().ok_or_else(|| {
            NodeFault::Unready(
                "the mediator has not granted mediation yet, so that nobody could answer; `countersign mediation` says \
                 how it stands"
                    .into(),
            )
        })?;
        Ok((route.url, route.routing))
    }

    /// How this wallet's mediation stands.
    pub fn mediation(&self) -> MediationView {
        let (state, route) = (self.mediated.state().clone(), self.mediated.known());
        MediationView {
            standing: state.standing,
            mediator: state.mediator.or_else(|| route.as_ref().map(|route| route.mediator.clone())),
            url: route.as_ref().map(|route| route.url.clone()),
            since: route.as_ref().map(|route| route.since),
            way: state.way,
            waiting: state.waiting,
            picked_up: state.picked_up,
            heard_at: state.heard_at,
            trouble: state.trouble,
        }
    }

    /// Takes up what was granted before this node was last stopped.
    pub(super) async fn recall_route(&self, mediator: &Did) -> Result<(), NodeFault> {
        if let Some(kept) = self.store.one(kind::MEDIATION, mediator.as_str()).await? {
            let route: Route = serde_json::from_value(kept)
                .map_err(|cause| super::StoreFault::Damaged(format!("mediation by {mediator}: {cause}")))?;
            self.mediated.learn(route);
            self.bells.moved.notify_one();
        }
        Ok(())
    }

    /// Nobody is to be told any more that this wallet is reached there.
    pub(super) async fn forget_route(&self, mediator: &Did) -> Result<(), NodeFault> {
        *self.mediated.route.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.store.remove(kind::MEDIATION, mediator.as_str()).await?;
        Ok(())
    }

    pub(super) async fn keep_route(&self, mut route: Route) -> Result<(), NodeFault> {
        if let Some(known) = self.mediated.known().filter(|known| known.mediator == route.mediator) {
            route.since = known.since;
        }
        self.store.put(kind::MEDIATION, route.mediator.as_str(), &json!(route)).await?;
        if self.did().method() == Method::Web && route.mediator.method() != Method::Web {
            // A document names keys, and does not bring them along as a contact does.
            tracing::warn!(
                mediator = %route.mediator,
                "this wallet's DID document names its mediator, whose key nobody can look up: others reach it by its \
                 invitation (countersign invite) alone, until its mediator acts as a did:web"
            );
        }
        self.mediated.learn(route);
        self.bells.moved.notify_one();
        Ok(())
    }
}

//! What a node counts, for Prometheus: no secret, no DID, no label whose values somebody else could multiply.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use super::Problem;
use super::api::{Answer, Api, Scope, Through};
use super::problem::RefusedBy;
use crate::encoding::Timestamp;
use crate::inbox::Opened;
use crate::negotiation::StateName;
use crate::node::{Gatekeeper, Node, NodeFault, Store, Timepiece, chance};

type Labels<const N: usize> = [(&'static str, String); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Gauges<const N: usize> = Family<Labels<N>, Gauge<f64, AtomicU64>>;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How long the store may take to say how much there is.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is counted at the doors of a node.
#[derive(Clone, Default)]
pub struct Traffic {
    requests: Counters<4>,
    refused: Counters<2>,
}

/// Which face of a node a door is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// For the world.
    Public,
    /// For the owner.
    Management,
}

/// What is asked when somebody wants the numbers.
#[derive(Clone)]
pub struct Sources {
    /// What is counted at the doors.
    pub traffic: Traffic,
    /// What the node keeps.
    pub store: Arc<dyn Store>,
    /// Its wallet, if it has one.
    pub wallet: Option<Arc<Node>>,
    /// Its gate, if it has one.
    pub gatekeeper: Option<Arc<Gatekeeper>>,
    /// What was seen of the chain.
    pub timepieces: Vec<Arc<Timepiece>>,
    /// When the process started.
    pub started: Timestamp,
}

impl Traffic {
    /// Counts what goes through a router.
    pub fn counted(&self, router: Router, face: Face) -> Router {
        let traffic = self.clone();
        router.layer(from_fn(move |request: Request, next: Next| {
            let traffic = traffic.clone();
            async move {
                let method = method(request.method());
                let place = place(request.uri().path());
                let response = next.run(request).await;
                let through = response.extensions().get::<Through>().map(|through| through.0.to_string());
                let door = through.unwrap_or_else(|| place.into());
                let (face, status) = (face.name(), response.status().as_u16().to_string());
                let labels = [("face", face.into()), ("door", door), ("method", method.into()), ("status", status)];
                traffic.requests.get_or_create(&labels).inc();
                if let Some(RefusedBy(check)) = response.extensions().get() {
                    traffic.refused.get_or_create(&[("face", face.into()), ("check", (*check).into())]).inc();
                }
                response
            }
        }))
    }
}

impl Face {
    const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Management => "management",
        }
    }
}

/// Where the world calls, by the beginning of the path. The rest, and what is data behind a gate, is the caller's word.
const PLACES: [&str; 14] = [
    "/.well-known",
    "/challenge",
    "/did.json",
    "/dsp",
    "/forward-auth",
    "/health",
    "/inbox",
    "/invitation",
    "/ready",
    "/receipts",
    "/statements",
    "/token",
    "/types",
    "/ws",
];

fn place(path: &str) -> &'static str {
    let begins =
        |place: &&&str| path.strip_prefix(**place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    PLACES.iter().find(begins).copied().unwrap_or("other")
}

/// A method by its name; callers can invent others.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The metrics' part of a node's management interface.
pub fn metrics_api(sources: Sources) -> Api {
    doors().with_state(Arc::new(sources))
}

pub(super) fn doors() -> Api<Arc<Sources>> {
    Api::new().door(Scope::Read, __path_metrics, metrics)
}

/// What the node counts, for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "node", responses(
    (status = 200, description = "OpenMetrics text.", body = String, content_type = "application/openmetrics-text"),
))]
async fn metrics(State(sources): State<Arc<Sources>>) -> Answer {
    let text = sources.text().await?;
    Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response())
}

impl Sources {
    async fn text(&self) -> Result<String, Problem> {
        let mut registry = Registry::with_prefix("countersign");
        let Traffic { requests, refused } = self.traffic.clone();
        registry.register("requests", "Requests by face, door, method and status", requests);
        registry.register("refusals", "Requests that a check refused", refused);
        self.kept(&mut registry).await?;
        self.chain(&mut registry);
        if let Some(wallet) = &self.wallet {
            let refused = Counters::<1>::default();
            for (check, count) in wallet.refused_by_check() {
                refused.get_or_create(&[("check", check.into())]).inc_by(count);
            }
            registry.register("inbox_refusals", "Envelopes and messages that a check refused", refused);
        }
        if let Some(gatekeeper) = &self.gatekeeper {
            gate(&mut registry, gatekeeper);
        }
        let mut text = String::new();
        let unwritten = |_| Problem::from(NodeFault::Unready("the metrics could not be written".into()));
        let mut process = Registry::default();
        self.process(&mut process);
        encode(&mut text, &process).map_err(unwritten)?;
        // Both are parts of one document, which ends once.
        text.truncate(text.trim_end().strip_suffix("# EOF").map_or(text.len(), str::len));
        let mut own = String::new();
        encode(&mut own, &registry).map_err(unwritten)?;
        text.write_str(&own).map_err(unwritten)?;
        Ok(text)
    }

    async fn kept(&self, registry: &mut Registry) -> Result<(), Problem> {
        let late = |_| Problem::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, "the store takes too long");
        let tally = tokio::time::timeout(PATIENCE, self.store.tally()).await.map_err(late)?;
        let tally = tally.map_err(NodeFault::from)?;
        if self.wallet.is_some() {
            let states = Gauges::<1>::default();
            use StateName::{Accepted, Agreed, Finalized, Offered, Requested, Terminated, Verified};
            for state in [Requested, Offered, Accepted, Agreed, Verified, Finalized, Terminated] {
                let name = state.to_string();
                let held = tally.negotiations.iter().find(|(state, _)| *state == name).map_or(0, |(_, held)| *held);
                states.get_or_create(&[("state", name)]).set(number(held));
            }
            registry.register("negotiations", "Negotiations by state", states);
            gauge(
                registry,
                "outbox_messages",
                "Messages that wait to be delivered or answered",
                number(tally.messages),
            );
            gauge(registry, "orders", "Records that wait to be made", number(tally.orders));
            gauge(registry, "parked_messages", "Messages that wait for their turn", number(tally.parked));
            gauge(registry, "inbox_envelopes", "Envelopes that are not opened yet", number(tally.envelopes));
            gauge(registry, "inbox_envelope_bytes", "Their size", number(tally.envelope_bytes));
            let made = tally.oldest.and_then(|signed| Opened::read(&signed).ok()?.created());
            let age = made.zip(chance::now().ok()).map_or(0, |(made, now)| now.seconds() - made.seconds());
            gauge(registry, "outbox_oldest_seconds", "How long the oldest of these messages waits", seconds(age));
        }
        Ok(())
    }

    fn chain(&self, registry: &mut Registry) {
        let (ages, blocks) = (Gauges::<1>::default(), Gauges::<1>::default());
        let now = chance::now().ok();
        let mut right = 1.0;
        for timepiece in &self.timepieces {
            let seen = timepiece.seen();
            if timepiece.hold().is_err() {
                right = 0.0;
            }
            for (depth, head) in [("latest", seen.latest), ("finalised", seen.finalised)] {
                let (Some((head, _)), Some(now)) = (head, now) else { continue };
                let age = now.seconds().saturating_sub(head.time.seconds());
                ages.get_or_create(&[("depth", depth.into())]).set(seconds(age));
                blocks.get_or_create(&[("depth", depth.into())]).set(number(head.number));
            }
        }
        registry.register("chain_head_age_seconds", "How old the chain's heads are, by this machine's clock", ages);
        registry.register("chain_head_block", "The heads' height", blocks);
        gauge(registry, "clock_right", "1 unless this machine's clock and the chain differ", right);
    }

    fn process(&self, registry: &mut Registry) {
        let started = self.started.seconds();
        gauge(registry, "process_start_time_seconds", "When the process started", seconds(started));
        if let Some(resident) = resident() {
            gauge(registry, "process_resident_memory_bytes", "Resident memory", number(resident));
        }
    }
}

fn gate(registry: &mut Registry, gatekeeper: &Gatekeeper) {
    let tally = gatekeeper.tally();
    let counter = |registry: &mut Registry, name, help, value| registry.register(name, help, ConstCounter::new(value));
    counter(registry, "gate_grants", "Answers that were granted a token", tally.granted);
    let denied = Counters::<1>::default();
    for (check, count) in tally.denied {
        denied.get_or_create(&[("check", check.into())]).inc_by(count);
    }
    registry.register("gate_denials", "Answers that a check denied", denied);
    counter(registry, "gate_delivered_bytes", "Bytes of deliveries that have ended", tally.bytes);
    let size = |size: usize| number(u64::try_from(size).unwrap_or(u64::MAX));
    gauge(registry, "gate_deliveries_running", "Deliveries that run", size(tally.running));
    gauge(registry, "gate_tokens", "Tokens that are held", size(tally.tokens));
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: f64) {
    registry.register(name, help, ConstGauge::new(value));
}

/// Numbers of OpenMetrics are floats; beyond 2^53 the last digits are lost, which no count here reaches.
#[allow(clippy::cast_precision_loss, reason = "as the comment says")]
fn number(count: u64) -> f64 {
    count as f64
}

#[allow(clippy::cast_precision_loss, reason = "seconds of a few thousand years")]
fn seconds(seconds: i64) -> f64 {
    seconds as f64
}

/// The process's resident memory, where the system tells it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

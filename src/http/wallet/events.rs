//! What a desk is told, as it happens: server-sent events that a client takes up again where it stopped.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, Sse};
use futures::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Owner;
use crate::http::Problem;
use crate::http::api::{Answer, Api, Asked, Caller, Leave, Scope, answered};
use crate::http::doors::Line;
use crate::http::shapes;
use crate::node::{Node, Told};

/// How many streams run at once, and how many under one key.
const STREAMS: usize = 64;
const STREAMS_OF_ONE: usize = 16;
/// How much is read from the store at a time, and how much waits for a slow reader.
const BATCH: u32 = 64;
const WAITING: usize = 16;
/// How long a reader may take nothing before it is dropped.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often the series is looked at without a bell, and after how many such looks a sign of life is sent.
const TICK: Duration = Duration::from_secs(1);
const QUIET: u32 = 15;
/// How long a client waits before it comes back.
const RETRY: Duration = Duration::from_secs(2);
/// How much one question without a stream is answered with.
const MOST: u32 = 500;

pub(super) fn doors() -> Api<Arc<Node>> {
    Api::new().door(Scope::Read, __path_events, events).door(Scope::Read, __path_events_so_far, events_so_far)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    after: Option<u64>,
    #[serde(default)]
    negotiation: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
}

/// What happens, as it happens
///
/// Server-sent events. Each has an `id` from one series that outlives the node, its type as `event`, and an `Event` as
/// JSON in `data`. A client that comes back with `Last-Event-ID` (or `after`) goes on behind it: it misses nothing and is
/// told nothing twice; without either it is told what happens from now on, with `after=0` everything. Of refused messages
/// the last 1000 are kept. A comment comes every 15 seconds when nothing happens; a client that takes nothing for as long
/// is dropped and can come back.
#[utoipa::path(get, path = "/api/events", tag = "negotiations",
    params(
        ("after" = Option<u64>, Query, description = "The `id` of the last event that the client has."),
        ("negotiation" = Option<String>, Query, description = "Only the events of this negotiation."),
        ("Last-Event-ID" = Option<u64>, Header, description = "As `after`; browsers send it when they come back."),
    ),
    responses(
        (status = 200, description = "The stream.", body = String, content_type = "text/event-stream"),
        (status = 409, description = "This node has not come so far: it is another one, or was restored from a backup."),
    ),
)]
async fn events(
    State(node): Owner,
    caller: Caller,
    leave: Option<Extension<Leave>>,
    line: Option<Extension<Line>>,
    Extension(seats): Extension<Seats>,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Answer {
    let resumed = match headers.get("last-event-id") {
        None => None,
        Some(id) => Some(id.to_str().ok().and_then(|id| id.parse().ok()).ok_or_else(|| {
            Problem::new(StatusCode::BAD_REQUEST, "Last-Event-ID is not a number that this node gave out")
        })?),
    };
    let last = node.last_told().await?;
    let after = resumed.or(wanted.after).unwrap_or(last);
    so_far(after, last)?;
    let seat = seats.take(&caller.name).ok_or_else(|| {
        let all = format!("{STREAMS} event streams run, {STREAMS_OF_ONE} under one key: close one, or try again later");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, all)
    })?;
    let (out, told) = mpsc::channel(WAITING);
    let (leave, line) = (leave.unwrap_or_default().0, line.unwrap_or_default().0);
    tokio::spawn(async move {
        tell(&node, after, wanted.negotiation.as_deref(), &leave, &line, &out).await;
        drop(seat);
    });
    let told = stream::unfold(told, async |mut told: mpsc::Receiver<Event>| {
        told.recv().await.map(|event| (Ok::<_, Infallible>(event), told))
    });
    Ok(Sse::new(told).into_response())
}

/// What happened so far
///
/// The same events without a stream, for a program that asks now and then.
#[utoipa::path(get, path = "/api/events.json", tag = "negotiations",
    params(
        ("after" = Option<u64>, Query, description = "The `id` of the last event that the client has; 0 when absent."),
        ("negotiation" = Option<String>, Query, description = "Only the events of this negotiation."),
        ("limit" = Option<u32>, Query, description = "How many at most; 100 when absent, 500 at most."),
    ),
    responses(
        (status = 200, description = "The events behind it.", body = shapes::Events),
        (status = 409, description = "This node has not come so far: it is another one, or was restored from a backup."),
    ),
)]
async fn events_so_far(State(node): Owner, Asked(wanted): Asked<Wanted>) -> Answer {
    let (last, after) = (node.last_told().await?, wanted.after.unwrap_or(0));
    so_far(after, last)?;
    let limit = wanted.limit.unwrap_or(100).clamp(1, MOST);
    let events = node.told(after, wanted.negotiation.as_deref(), limit).await?;
    answered(json!({ "events": events, "last": last }))
}

fn so_far(after: u64, last: u64) -> Result<(), Problem> {
    if after <= last {
        return Ok(());
    }
    let why = format!(
        "the last event here is {last}, not {after}: this is another node, or it was restored from a backup; begin \
         again with after={last}, or after=0 for everything"
    );
    Err(Problem::new(StatusCode::CONFLICT, why))
}

/// Tells one client, until it, its key or the node goes.
async fn tell(
    node: &Node,
    mut after: u64,
    negotiation: Option<&str>,
    leave: &Leave,
    line: &Line,
    out: &mpsc::Sender<Event>,
) {
    let mut bell = node.newsbell();
    let mut quiet = 0;
    let mut next = vec![Event::default().retry(RETRY).comment("here")];
    loop {
        for event in next.drain(..) {
            match out.send_timeout(event, PATIENCE).await {
                Ok(()) => {}
                Err(mpsc::error::SendTimeoutError::Closed(_)) => return,
                Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                    tracing::info!("an event stream's reader takes nothing: it is dropped, and can come back");
                    return line.hang_up.cancel();
                }
            }
        }
        if leave.0.is_cancelled() || line.closing.is_cancelled() {
            return;
        }
        bell.mark_unchanged();
        let told = match node.told(after, negotiation, BATCH).await {
            Ok(told) => told,
            // The client comes back and goes on where it is.
            Err(fault) => return tracing::error!(%fault, "an event stream ended"),
        };
        if let Some(last) = told.last() {
            after = last.id;
            quiet = 0;
            next.extend(told.iter().map(written));
            continue;
        }
        tokio::select! {
            () = leave.0.cancelled() => return,
            () = line.closing.cancelled() => return,
            () = out.closed() => return,
            rung = timeout(TICK, bell.changed()) => quiet = if rung.is_ok() { quiet } else { quiet + 1 },
        }
        if quiet >= QUIET {
            quiet = 0;
            next.push(Event::default().comment("still here"));
        }
    }
}

fn written(told: &Told) -> Event {
    let event = Event::default().id(told.id.to_string()).event(&told.kind);
    // Texts, numbers and times: they always have a JSON form, and JSON has no line breaks of its own.
    let data = serde_json::to_string(told).unwrap_or_default();
    event.data(data)
}

/// Who listens at the moment, by key.
#[derive(Clone, Default)]
pub(super) struct Seats(Arc<Mutex<HashMap<Arc<str>, usize>>>);

struct Seat {
    seats: Seats,
    name: Arc<str>,
}

impl Seats {
    fn take(&self, name: &Arc<str>) -> Option<Seat> {
        // Plain numbers cannot be left half-written by a panic elsewhere.
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.get(name).copied().unwrap_or(0);
        if all >= STREAMS || own >= STREAMS_OF_ONE {
            return None;
        }
        taken.insert(Arc::clone(name), own + 1);
        Some(Seat { seats: self.clone(), name: Arc::clone(name) })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.name) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_takes_no_more_than_its_seats() {
        let seats = Seats::default();
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let mut held: Vec<_> = (0..STREAMS_OF_ONE).map(|_| seats.take(&one).unwrap()).collect();
        assert!(seats.take(&one).is_none() && seats.take(&other).is_some());
        held.pop();
        assert!(seats.take(&one).is_some());
    }
}

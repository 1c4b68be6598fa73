//! A mediator's doors: envelopes by `POST`, or over a WebSocket on the same address.
//!
//! Who somebody is follows from what it sealed, never from where it connects from.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::Problem;
use super::api::Raw;
use super::inbox::{ENCRYPTED, keep, sealed};
use crate::identity::checks::DID_RESOLVED;
use crate::inbox::{MAX_OUTER, checks};
use crate::node::{Line, Mediator, Node, NodeFault, Taken};

/// How many lasting connections are open at once.
const SEATS: usize = 1024;
/// How long a connection may take to show that it is a member's.
const KNOWN_WITHIN: Duration = Duration::from_secs(15);
/// How often a silent connection is asked whether it is there; it is ended when it does not say so until the next time.
const PING: Duration = Duration::from_secs(30);
/// How long somebody may take to take what is sent.
const TAKEN_WITHIN: Duration = Duration::from_secs(20);
/// The least time between two messages of one connection.
const PACE: Duration = Duration::from_millis(10);

/// Who lives at the address.
#[derive(Clone)]
struct House {
    mediator: Arc<Mediator>,
    /// The wallet of the same DID, if there is one.
    wallet: Option<Arc<Node>>,
    seats: Arc<Semaphore>,
}

/// `/inbox` of a mediator, and of the wallet of the same DID where there is one.
pub fn mediator_router(mediator: Arc<Mediator>, wallet: Option<Arc<Node>>) -> Router {
    let house = House { mediator, wallet, seats: Arc::new(Semaphore::new(SEATS)) };
    let doors = post(take).get(connect);
    Router::new().route("/inbox", doors).layer(DefaultBodyLimit::max(MAX_OUTER)).with_state(house)
}

async fn take(State(house): State<House>, headers: HeaderMap, Raw(body): Raw) -> Result<Response, Problem> {
    sealed(&headers)?;
    match house.mediator.take(&body, None).await {
        Ok(Taken::Kept | Taken::Heard) => Ok(StatusCode::ACCEPTED.into_response()),
        Ok(Taken::Full) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no more is kept for this recipient until it has picked up; try again later",
        )),
        Ok(Taken::Answered(answer)) => Ok(([(header::CONTENT_TYPE, ENCRYPTED)], answer).into_response()),
        outcome => match (&house.wallet, of_another(&outcome)) {
            (Some(wallet), true) => Ok(keep(wallet, &body).await?.into_response()),
            _ => match outcome {
                Err(fault) => Err(fault.into()),
                Ok(_) => Err(Problem::new(StatusCode::NOT_FOUND, "nobody here reads such messages")),
            },
        },
    }
}

/// Whether the wallet of the same DID may know what to do with it.
fn of_another(outcome: &Result<Taken, NodeFault>) -> bool {
    match outcome {
        Ok(taken) => *taken == Taken::Another,
        // The wallet knows keys from contacts of its own, and looks up those whom the mediator has no seat for.
        Err(NodeFault::Refused(refusal)) => [&checks::SENDER_KEY, &DID_RESOLVED].contains(&refusal.check),
        Err(_) => false,
    }
}

async fn connect(State(house): State<House>, upgrade: WebSocketUpgrade) -> Response {
    let Ok(seat) = Arc::clone(&house.seats).try_acquire_owned() else {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many connections; try again later").into_response();
    };
    upgrade
        .max_message_size(MAX_OUTER)
        .max_frame_size(MAX_OUTER)
        .on_upgrade(async move |socket| converse(socket, house, seat).await)
}

async fn converse(mut socket: WebSocket, house: House, seat: OwnedSemaphorePermit) {
    let (mut line, mut arrivals) = house.mediator.line();
    let (mut pings, mut pace) = (interval(PING), interval(PACE));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let unknown = sleep(KNOWN_WITHIN);
    tokio::pin!(unknown);
    let mut there = true;
    loop {
        let said = tokio::select! {
            frame = socket.recv() => {
                there = true;
                match frame {
                    Some(Ok(Message::Text(text))) => {
                        pace.tick().await;
                        hear(&house, &mut line, text.as_bytes()).await
                    }
                    Some(Ok(Message::Binary(bytes))) => {
                        pace.tick().await;
                        hear(&house, &mut line, &bytes).await
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => Err(()),
                }
            }
            Some(id) = arrivals.recv() => {
                house.mediator.arrival(&line, &id).await.map_err(|fault| failed(&fault))
            }
            _ = pings.tick() => {
                if !std::mem::take(&mut there) {
                    break;
                }
                let ping = socket.send(Message::Ping(Bytes::new()));
                if !matches!(timeout(TAKEN_WITHIN, ping).await, Ok(Ok(()))) {
                    break;
                }
                Ok(None)
            }
            () = &mut unknown, if !line.serves() => Err(()),
        };
        match said {
            Ok(None) => {}
            Ok(Some(envelope)) => {
                // Envelopes are JSON texts.
                let Ok(text) = String::from_utf8(envelope) else { break };
                let sent = socket.send(Message::Text(text.into()));
                if !matches!(timeout(TAKEN_WITHIN, sent).await, Ok(Ok(()))) {
                    break;
                }
            }
            Err(()) => break,
        }
    }
    drop(seat);
}

/// The answer to one envelope on a connection; an error ends the connection.
async fn hear(house: &House, line: &mut Line, envelope: &[u8]) -> Result<Option<Vec<u8>>, ()> {
    let outcome = house.mediator.take(envelope, Some(line)).await;
    if let (Some(wallet), true) = (&house.wallet, of_another(&outcome)) {
        return keep(wallet, envelope).await.map(|_| None).map_err(|_| ());
    }
    match outcome {
        Ok(Taken::Answered(answer)) => Ok(Some(answer)),
        // There is no other way to say here that something was not kept.
        Ok(Taken::Full | Taken::Another) => Err(()),
        Ok(Taken::Kept | Taken::Heard) => Ok(None),
        Err(fault @ (NodeFault::Refused(_) | NodeFault::Unknown { .. })) => {
            tracing::debug!(%fault, "an envelope on a connection was refused");
            Err(())
        }
        Err(fault) => {
            failed(&fault);
            Err(())
        }
    }
}

fn failed(fault: &NodeFault) {
    tracing::error!(%fault, "a connection failed inside");
}

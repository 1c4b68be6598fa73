//! Data that a transfer's token opens: under a contract with a receipt, under an agreement that nobody signed without.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::Response;
use tracing::info;

use super::body::Outgoing;
use super::denial::Denial;
use super::source::Wanted;
use super::{Gate, Problem, receipted};
use crate::http::doors::Line;
use crate::node::transfers::{Opened, Transfers};
use crate::node::{Carried, NodeFault, Scheme};

/// What a request's bearer token opens, if it is a transfer's; `None` where it is the gate's own, or nobody's.
///
/// # Errors
/// `transfer.*`, `gate.token.asset`, `policy.*`; of a contract whatever closes the gate to it.
pub(super) async fn by_transfer(
    transfers: Option<&Arc<Transfers>>,
    carried: &Carried<'_>,
    asset: &str,
) -> Result<Option<Opened>, NodeFault> {
    match (transfers, carried.token) {
        (Some(transfers), Some((Scheme::Bearer, token))) => transfers.open(token, asset).await,
        _ => Ok(None),
    }
}

/// Begins the first use of what a transfer opened, if there was none.
pub(super) async fn begin(transfers: Option<&Arc<Transfers>>, opened: &Opened) -> Result<(), NodeFault> {
    match transfers {
        Some(transfers) => transfers.begin(opened).await,
        None => Ok(()),
    }
}

impl Gate {
    /// Delivers what is wanted; it is cut when the transfer is no longer STARTED, and when its contract opens the gate no
    /// longer.
    pub(super) async fn deliver(
        &self,
        wanted: &Wanted<'_>,
        opened: Opened,
        caller: Option<IpAddr>,
        line: Option<Line>,
    ) -> Result<Response, Denial> {
        // By whichever of its transfers a contract or an agreement is used, it has one share.
        let place = self.places.take(&opened.agreement, caller)?;
        let found = self.sources.open(wanted).await?;
        if !wanted.head && found.status.is_success() {
            begin(self.transfers.as_ref(), &opened).await.map_err(|fault| Denial::of(fault, &self.gatekeeper))?;
        }
        let mut response = Response::builder().status(found.status).header(header::CACHE_CONTROL, "private, no-store");
        for (name, value) in &found.headers {
            response = response.header(name, value);
        }
        let Opened { transfer, standing, contract, .. } = opened;
        let body = match contract {
            _ if wanted.head || !found.status.is_success() => Body::empty(),
            Some(admitted) => {
                let gatekeeper = &self.gatekeeper;
                let delivery =
                    gatekeeper.begin(admitted, found.portion.clone()).map_err(|fault| Denial::of(fault, gatekeeper))?;
                response = receipted(response, &found, &delivery);
                Outgoing::new(Arc::clone(gatekeeper), delivery, found, place).cut_also_by(standing).on(line).into_body()
            }
            None => {
                info!(transfer, asset = wanted.asset.id, "delivers under an unsigned agreement");
                Outgoing::unsigned(standing, found, place).on(line).into_body()
            }
        };
        let senseless = |_| Problem::new(StatusCode::BAD_GATEWAY, "the data's source answered with no sense");
        Ok(response.body(body).map_err(senseless)?)
    }
}

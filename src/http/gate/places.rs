use std::net::IpAddr;
use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use super::Problem;
use super::denial::Denial;
use crate::gate::checks;
use crate::http::crowd::{Crowd, Place};
use crate::node::Shares;

/// How many deliveries run at a time.
const MOST: usize = 256;

/// Where deliveries run: so many of all, and so many of one contract and of one address, so that nobody takes them all.
#[derive(Clone)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    contracts: Crowd<String>,
    addresses: Crowd,
}

/// A place for a delivery, until it is dropped.
pub(super) struct Held {
    _one: OwnedSemaphorePermit,
    _of_contract: Place<String>,
    _of_address: Option<Place>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// The contract, or the address, has its share.
    Share,
    /// All are taken.
    All,
}

impl From<Taken> for Denial {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Share => Self::beyond_a_share(&checks::SHARE_DELIVERIES),
            Taken::All => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many deliveries run; try again later").into()
            }
        }
    }
}

impl Places {
    pub(super) fn new(shares: &Shares) -> Self {
        Self {
            all: Arc::new(Semaphore::new(MOST)),
            contracts: Crowd::new(shares.deliveries),
            addresses: Crowd::new(shares.deliveries_of_address),
        }
    }

    /// A place for a delivery under a contract (or whatever else opens the data), to an address.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn take(&self, contract: &str, caller: Option<IpAddr>) -> Result<Held, Taken> {
        let beyond = |whose: &str| {
            warn!(check = checks::SHARE_DELIVERIES.id(), contract, caller = ?caller, whose, "a delivery was refused");
            Taken::Share
        };
        let of_contract = self.contracts.enter(contract.to_owned()).ok_or_else(|| beyond("the contract's"))?;
        let of_address = match caller {
            Some(ip) => Some(self.addresses.enter_from(ip).ok_or_else(|| beyond("the address's"))?),
            None => None,
        };
        let one = Arc::clone(&self.all).try_acquire_owned().map_err(|_| Taken::All)?;
        Ok(Held { _one: one, _of_contract: of_contract, _of_address: of_address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_contract_nor_an_address_takes_all_places() {
        let places = Places::new(&Shares { deliveries: 2, deliveries_of_address: 3, ..Shares::default() });
        let ip = |last: u8| Some(IpAddr::from([192, 0, 2, last]));
        let (one, _two) = (places.take("a", ip(1)).unwrap(), places.take("a", ip(2)).unwrap());
        assert_eq!(places.take("a", ip(3)).err(), Some(Taken::Share), "from wherever");
        let _three = (places.take("b", ip(1)).unwrap(), places.take("c", ip(1)).unwrap());
        assert_eq!(places.take("d", ip(1)).err(), Some(Taken::Share), "under whatever contract");
        let _other = places.take("d", ip(4)).unwrap();
        drop(one);
        drop(places.take("a", ip(1)).unwrap());
        let _own: Vec<_> =
            ["e", "f", "g", "h"].map(|of| places.take(of, ip(0).map(|_| [127, 0, 0, 1].into())).unwrap()).into();
    }
}

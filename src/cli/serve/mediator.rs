use std::sync::Arc;

use anyhow::Result;

use super::super::configuration::Configuration;
use super::super::home::Keyring;
use super::house::{Ground, House};
use crate::courier::{AddressPolicy, HttpCourier};
use crate::http::{self, Router};
use crate::identity::Signer;
use crate::node::{Mediator, MediatorSettings, MediatorStore, Node};

/// What a mediator is made of; it needs no chain.
pub(super) struct Place<'a> {
    pub keyring: &'a Keyring,
    pub configuration: &'a Configuration,
    pub public_url: &'a str,
    pub signer: Arc<dyn Signer>,
    pub store: Arc<dyn MediatorStore>,
}

impl<'a> Place<'a> {
    pub(super) fn of(ground: &Ground<'a>) -> Self {
        Self {
            keyring: ground.keyring,
            configuration: ground.configuration,
            public_url: ground.public_url,
            signer: Arc::clone(&ground.signer),
            store: Arc::clone(&ground.mediation),
        }
    }
}

/// Whether the node is a mediator and nothing else.
pub(super) fn is_alone(configuration: &Configuration) -> bool {
    let Configuration { wallet, gate, operator, mediator, .. } = configuration;
    mediator.is_some() && wallet.is_none() && gate.is_none() && operator.is_none()
}

/// Puts a mediator into the house that has no wallet: the inbox is the mediator's alone.
pub(super) fn move_in(house: &mut House, place: &Place<'_>, settings: &MediatorSettings) -> Result<()> {
    let inbox = inbox(house, place, settings, None)?;
    house.public = std::mem::take(&mut house.public).merge(inbox);
    Ok(())
}

/// Starts a mediator; its inbox, which is also that of the wallet with the same DID.
pub(super) fn inbox(
    house: &mut House,
    place: &Place<'_>,
    settings: &MediatorSettings,
    wallet: Option<Arc<Node>>,
) -> Result<Router> {
    let policy = AddressPolicy { private_networks: place.configuration.network.private };
    let mediator = Arc::new(Mediator::new(
        Arc::clone(&place.signer),
        place.keyring.agreement_keys(place.signer.did())?,
        settings.clone(),
        place.configuration.trust.clone(),
        format!("{}/inbox", place.public_url),
        Arc::clone(&place.store),
        Arc::new(HttpCourier::new(policy)?),
    ));
    house.management = std::mem::take(&mut house.management).merge(http::mediator_api(Arc::clone(&mediator)));
    house.loops.spawn(Arc::clone(&mediator).run());
    Ok(http::mediator_router(mediator, wallet))
}

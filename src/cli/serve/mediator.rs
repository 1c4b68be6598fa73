use std::sync::Arc;

use anyhow::Result;

use super::super::configuration::Configuration;
use super::super::home::Keyring;
use super::house::{Ground, House};
use crate::courier::{AddressPolicy, HttpCourier};
use crate::http::{self, Router};
use crate::identity::{DidDocument, Signer};
use crate::node::{Directory, Mediator, MediatorSettings, MediatorStore, Node};

/// What a mediator is made of; it needs no chain.
pub(super) struct Place<'a> {
    pub keyring: &'a Keyring,
    pub configuration: &'a Configuration,
    pub public_url: &'a str,
    pub signer: Arc<dyn Signer>,
    pub store: Arc<dyn MediatorStore>,
    pub directory: Arc<Directory>,
    /// The signing keys of a node that acts as did:web.
    pub document: Option<DidDocument>,
}

impl<'a> Place<'a> {
    pub(super) fn of(ground: &Ground<'a>) -> Self {
        Self {
            keyring: ground.keyring,
            configuration: ground.configuration,
            public_url: ground.public_url,
            signer: Arc::clone(&ground.signer),
            store: Arc::clone(&ground.mediation),
            directory: Arc::clone(&ground.directory),
            document: ground.document.clone(),
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
    let mediator = Mediator::new(
        Arc::clone(&place.signer),
        place.keyring.agreement_keys(place.signer.did())?,
        settings.clone(),
        place.configuration.trust.clone(),
        format!("{}/inbox", place.public_url),
        Arc::clone(&place.store),
        Arc::new(HttpCourier::new(policy)?),
    );
    let mediator = Arc::new(mediator.knowing(Arc::clone(&place.directory)));
    if let (Some(keys), None) = (&place.document, &wallet) {
        let document = mediator.did_document(keys)?;
        house.serve_document(&keys.id, move || document.clone())?;
    }
    house.management = std::mem::take(&mut house.management).merge(http::mediator_api(Arc::clone(&mediator)));
    house.loops.spawn(Arc::clone(&mediator).run());
    Ok(http::mediator_router(mediator, wallet))
}

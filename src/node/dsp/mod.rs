//! The Dataspace Protocol as a node speaks it: identity, catalog, plain negotiations, and the messages on their way.
//!
//! A decision is committed with the messages that follow from it, and only then does anything leave. Everything moves at
//! once: a message, a decision and a timer each lead to the next step; nothing here is polled.

mod abroad;
mod act;
mod catalog;
mod decide;
mod hear;
mod identity;
mod known;
mod lanes;
mod messenger;
mod news;
mod outgoing;
mod reply;
mod say;
mod script;
pub(super) mod send;
mod settings;
mod signed;
mod start;
mod store;
mod talk;
mod transfers;
mod view;
mod waiting;
mod watch;

use std::sync::{Arc, OnceLock};

use tokio::sync::{Notify, OnceCell};
use tokio_util::sync::CancellationToken;

pub use abroad::{CatalogOrder, PeerCatalog};
pub use act::Order;
pub use hear::{Answered, Unheard};
pub use identity::{Identity, Recognised};
pub use messenger::{Messenger, Posted};
pub(super) use news::Logs;
pub use news::{PlainDecided, PlainEnding, PlainStood};
pub use outgoing::{PlainMessage, PlainPending};
pub use script::{Act, Door, Script, Scripted, Step};
pub use settings::{Decide, DspSettings, Handling, Limit, Literal, Peer, PlainRule, Secret, Uncataloged, Waits, Who};
pub use signed::{address_at, introduce};
pub use start::StartOrder;
pub use store::{PlainCommit, PlainEntry, PlainIndex, PlainStore, Receipt, Spent};
pub use transfers::Agreed;
pub use view::{PlainOfferView, PlainView, Turn};
pub use waiting::{Awaited, PlainDue, PlainWaiting};

use decide::Next;

use super::Store;
use crate::identity::Signer;
use crate::negotiation::plain::ParticipantId;

/// A party's connector: it negotiates over the Dataspace Protocol.
pub struct Connector {
    /// Who it is, and who others are.
    pub identity: Identity,
    settings: DspSettings,
    script: Script,
    us: ParticipantId,
    /// Where it takes messages: what others call, without a slash at its end.
    base: String,
    store: Arc<dyn PlainStore>,
    kept: Arc<dyn Store>,
    messenger: Arc<dyn Messenger>,
    talks: talk::Talks,
    /// Done once it was counted how many of them are open.
    counted: OnceCell<()>,
    shelf: catalog::Shelf,
    asked: known::Asked,
    lanes: lanes::Lanes,
    watch: Notify,
    /// Ends what is under way when its loops end: messages and timers; the store has what they were for.
    stopping: CancellationToken,
    /// The wallet that takes signed messages.
    wallet: OnceLock<Arc<super::Node>>,
}

/// What a connector is made of.
pub struct Parts {
    /// Who signs for it.
    pub signer: Arc<dyn Signer>,
    /// How it behaves.
    pub settings: DspSettings,
    /// What is decided by script.
    pub script: Script,
    /// How the world reaches this node, without a slash at its end.
    pub public_url: String,
    /// What keeps its negotiations.
    pub store: Arc<dyn PlainStore>,
    /// What keeps its goods.
    pub kept: Arc<dyn Store>,
    /// What carries its messages.
    pub messenger: Arc<dyn Messenger>,
}

impl Connector {
    /// Puts a connector together.
    ///
    /// # Errors
    /// `Unready` when the settings do not fit each other.
    pub fn new(parts: Parts) -> Result<Self, super::NodeFault> {
        let Parts { signer, settings, script, public_url, store, kept, messenger } = parts;
        settings.hold_name(signer.did()).map_err(super::NodeFault::Unready)?;
        let us = settings.participant_id.clone().unwrap_or_else(|| ParticipantId::from(signer.did()));
        Ok(Self {
            identity: Identity::new(signer, settings.literal.clone(), Arc::clone(&store), Arc::clone(&kept)),
            base: address_at(&public_url),
            us,
            settings,
            script,
            store,
            kept,
            messenger,
            talks: talk::Talks::default(),
            counted: OnceCell::new(),
            shelf: catalog::Shelf::default(),
            asked: known::Asked::default(),
            lanes: lanes::Lanes::default(),
            watch: Notify::new(),
            stopping: CancellationToken::new(),
            wallet: OnceLock::new(),
        })
    }

    /// Lets something go on beside its caller, until this node's loops end.
    fn beside(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Its participant id.
    pub const fn participant(&self) -> &ParticipantId {
        &self.us
    }

    /// Where it takes messages.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Whether the configuration names a party, so that it is no stranger. `*` names nobody.
    pub fn names(&self, party: &ParticipantId) -> bool {
        let DspSettings { plain, peers, literal, opens_data_to, .. } = &self.settings;
        plain.names(party)
            || opens_data_to.contains(party)
            || peers.iter().any(|peer| peer.participant.as_str() == party.as_str())
            || literal.iter().any(|known| known.participant == *party)
    }

    /// Counts what was open when this process began, before anything begins or ends in it.
    async fn counted(&self) -> Result<(), super::NodeFault> {
        let counting = async || -> Result<(), super::NodeFault> {
            for (peer, open) in self.store.plain_open().await? {
                self.talks.open(&peer, !self.names(&peer), open);
            }
            Ok(())
        };
        self.counted.get_or_try_init(counting).await?;
        Ok(())
    }

    /// Counts a negotiation with a party that has begun, or is over.
    fn count(&self, peer: &ParticipantId, more: bool) {
        self.talks.count(peer, !self.names(peer), more);
    }

    /// What its script starts from outside.
    pub fn script(&self) -> &Script {
        &self.script
    }
}

/// Where the protocol's endpoints stand on the public listener.
pub const PATH: &str = "/dsp/2025-1";

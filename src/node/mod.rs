//! Use cases and ports: what a node does when a message, a decision, a block or a timer comes.
//!
//! A message is opened, read, verified against the negotiation it belongs to, decided on, committed, and only then has
//! an effect. Clock and randomness live here; everything below takes them as arguments.

mod auditor;
mod books;
mod catalog;
mod cataloged;
pub mod chance;
pub mod checks;
mod consent;
mod contacts;
mod contract;
mod deliver;
mod desk;
pub mod dsp;
mod fault;
mod force;
mod flow;
mod gatekeeper;
mod names;
mod offering;
mod party;
mod perform;
mod pids;
pub mod port;
mod proposing;
mod receive;
mod refused;
mod rounds;
mod run;
mod settings;
mod statement;
mod store;
pub mod transfers;
mod view;
mod wallet;
mod watch;
pub mod wire;

use std::sync::{Arc, OnceLock, Weak};

pub use auditor::{AdmissionOrder, Approval, At, Audited, Auditor, Member};
pub use books::{
    BookStore, Booked, Bookkeeper, Collected, Collection, CreditOrder, CustomerTable, Gap, InvoiceOrder, Issue,
    Letterhead, PaymentOrder, Unstated, VoidOrder,
};
pub use cataloged::Uncataloged;
pub use consent::{Due, Listing, Waiting};
pub use contacts::{NewContact, PersonView, Reach};
pub use desk::RequestOrder;
pub use fault::NodeFault;
pub use force::{ContractView, Force, StandingView};
pub use gatekeeper::{
    Admission, Admitted, Carried, Delivery, ForwardSettings, GateSettings, Gatekeeper, Proxy, ReceiptState, Scheme,
    ServedAsset, Source, Standing,
};
pub use names::{Introduction, InvitationOrder, InvitationView, Met};
pub use offering::OfferOrder;
pub use party::{PartyView, Proof};
pub use port::{Courier, Depth, NotDelivered, Registry, RegistryFault};
pub use proposing::ProposalOrder;
use refused::Refused;
pub use refused::RefusedMessage;
pub use rounds::{Change, RoundView};
pub use settings::{Consent, Matter, Point, RecordConsent, Rule, Settings, Windows};
pub use statement::StatementView;
pub use store::{Commit, Dealings, Index, Kept, Mark, Order, Outgoing, Parked, Store, StoreFault};
use tokio::sync::Notify;
pub use view::{NegotiationView, OfferView};
pub use wallet::{Challenge, Presentation};

use crate::identity::{Did, Documents, Signer};
use crate::inbox::AgreementKey;

/// The kinds of documents that a wallet keeps.
pub(crate) mod kind {
    pub const ASSET: &str = "asset";
    pub const TEMPLATE: &str = "template";
    pub const PARTICIPANT: &str = "participant";
    pub const CONTRACT: &str = "contract";
    pub const CONTACT: &str = "contact";
    pub const STANDING: &str = "standing";
    pub const CATALOG: &str = "catalog";
    pub const SHELF: &str = "shelf";
    pub const RECEIPT: &str = "receipt";
    pub const STATEMENT: &str = "statement";
    pub const MEMBER: &str = "member";
    pub const APPROVAL: &str = "approval";
    pub const AUDIT: &str = "audit";
    pub const STATED: &str = "stated";
}

/// A wallet's node: one party's keys, store, registry and courier.
pub struct Node {
    signer: Arc<dyn Signer>,
    agreement: Vec<AgreementKey>,
    settings: Settings,
    store: Arc<dyn Store>,
    registry: Arc<dyn Registry>,
    courier: Arc<dyn Courier>,
    bells: Bells,
    refused: Refused,
    /// What carries signed messages over the Dataspace Protocol.
    connector: OnceLock<Weak<dsp::Connector>>,
}

/// Who is woken when there is something to do.
#[derive(Default)]
struct Bells {
    inbox: Notify,
    outbox: Notify,
    orders: Notify,
    watch: Notify,
}

impl Node {
    /// A node of `signer`'s DID that opens envelopes with `agreement`.
    pub fn new(
        signer: Arc<dyn Signer>,
        agreement: Vec<AgreementKey>,
        settings: Settings,
        store: Arc<dyn Store>,
        registry: Arc<dyn Registry>,
        courier: Arc<dyn Courier>,
    ) -> Self {
        Self {
            signer,
            agreement,
            settings,
            store,
            registry,
            courier,
            bells: Bells::default(),
            refused: Refused::default(),
            connector: OnceLock::new(),
        }
    }

    /// The party's DID.
    pub fn did(&self) -> &Did {
        self.signer.did()
    }

    /// Who signs for it.
    pub fn signer(&self) -> &dyn Signer {
        &*self.signer
    }

    /// How it behaves.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What it keeps.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The registry it reads and, with a recorder key, writes.
    pub fn registry(&self) -> &Arc<dyn Registry> {
        &self.registry
    }

    fn documents(&self) -> Documents {
        // did:key and did:jwk spell their documents themselves.
        Documents::default()
    }
}

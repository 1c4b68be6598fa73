//! Use cases and ports: what a node does when a message, a decision, a block or a timer comes.
//!
//! A message is opened, read, verified against the negotiation it belongs to, decided on, committed, and only then has
//! an effect. Clock and randomness live here; everything below takes them as arguments.

mod acquaint;
mod auditor;
mod books;
mod catalog;
mod cataloged;
pub mod chance;
pub mod checks;
mod consent;
mod contacts;
mod contract;
mod copied;
mod deliver;
mod desk;
mod directory;
mod doorkeeper;
pub mod dsp;
mod fault;
mod force;
mod flow;
mod gatekeeper;
mod leaving;
mod mediated;
mod mediator;
mod goods;
mod membership;
mod moved;
mod names;
mod news;
mod offering;
mod party;
mod perform;
mod pids;
pub mod port;
mod proposed;
mod proposing;
mod receive;
mod refused;
mod room;
mod rounds;
mod run;
mod scope;
mod settings;
mod statement;
mod store;
mod timepiece;
pub mod transfers;
mod undelivered;
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
pub use copied::{COPY, HELD};
pub use desk::{Read, RequestOrder};
pub use directory::{Acquaintance, Alteration, BELIEVED_FOR, Directory, Known};
pub use doorkeeper::{Doorkeeper, Holder, KeyOrder, KeyRecord, KeyStore, KeyView, NewKey, OWNER};
pub use fault::NodeFault;
pub use force::{ContractView, Force, StandingView};
pub use gatekeeper::{
    Admission, Admitted, Carried, Delivery, ForwardSettings, GateSettings, GateTally, Gatekeeper, OwnContract, Portion,
    Proxy, ReceiptState, Scheme, ServedAsset, Shares, Source, Standing,
};
pub(crate) use gatekeeper::{CHALLENGE_KEY, VOID_IN_A_COPY};
pub use goods::{Found, Good, TemplateView};
pub use mediated::{Connection, MediatedBy, MediationStanding, MediationView, MediatorCourier, Pickup, Way};
pub use mediator::{
    Admit, Arrival, Arrived, Granted, Line, Mediator, MediatorSettings, MediatorStore, MediatorView, MemberView, Quota,
    Taken,
};
pub use membership::{Membership, MembershipView};
pub use names::{Introduction, InvitationOrder, InvitationView, Met};
pub use news::{Stood, Told};
pub use offering::OfferOrder;
pub use party::{PartyView, Proof};
pub use port::{Courier, Depth, NotDelivered, Registry, RegistryFault, Resolver};
pub use proposed::ProposalView;
pub use proposing::ProposalOrder;
use refused::Refused;
pub use refused::{KeptRefusal, RefusedMessage};
pub use room::Room;
pub use rounds::{Change, RoundView};
pub use scope::{NoScope, Scope};
pub use settings::{Consent, Matter, Point, RecordConsent, Rule, Settings, Windows};
pub use statement::StatementView;
pub use store::{
    Commit, Dealings, Evidence, EvidenceKind, EvidenceSum, Index, Kept, Mark, Marked, News, Order, Outgoing, Parked,
    Seen, Spending, Spent, Store, StoreFault, Tally,
};
pub use timepiece::Timepiece;
use tokio::sync::Notify;
pub use undelivered::{Hitch, Undelivered};
pub use view::{NegotiationView, OfferView};
pub use wallet::{Challenge, Presentation, ReceiptView};

use crate::identity::{Did, Documents, Signer};
use crate::inbox::AgreementKey;

/// The kinds of documents that a wallet keeps.
pub(crate) mod kind {
    pub const ASSET: &str = "asset";
    pub const TEMPLATE: &str = "template";
    pub const PARTICIPANT: &str = "participant";
    pub const CONTRACT: &str = "contract";
    pub const CONTACT: &str = "contact";
    pub const OWN_CONTACT: &str = "own-contact";
    pub const MEDIATION: &str = "mediation";
    pub const INVITATION: &str = "invitation";
    pub const STANDING: &str = "standing";
    pub const CATALOG: &str = "catalog";
    pub const SHELF: &str = "shelf";
    pub const CATALOG_ASKED: &str = "catalog-asked";
    pub const RECEIPT: &str = "receipt";
    pub const LEFT: &str = "left";
    pub const STATEMENT: &str = "statement";
    pub const MEMBER: &str = "member";
    pub const APPROVAL: &str = "approval";
    pub const AUDIT: &str = "audit";
    pub const STATED: &str = "stated";
    pub const DID_DOCUMENT: &str = "did-document";
}

/// A wallet's node: one party's keys, store, registry and courier.
pub struct Node {
    signer: Arc<dyn Signer>,
    agreement: Vec<AgreementKey>,
    settings: Settings,
    store: Arc<dyn Store>,
    registry: Arc<dyn Registry>,
    courier: Arc<dyn Courier>,
    directory: Arc<Directory>,
    bells: Bells,
    refused: Refused,
    timepiece: Arc<Timepiece>,
    stuck: consent::Stuck,
    shelves: cataloged::Shelves,
    mediated: mediated::Mediated,
    said: moved::Said,
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
    moved: Notify,
    news: tokio::sync::watch::Sender<()>,
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
            timepiece: Timepiece::new(Arc::clone(&registry)),
            signer,
            agreement,
            settings,
            store,
            registry,
            courier,
            directory: Arc::new(Directory::closed(Documents::default())),
            bells: Bells::default(),
            refused: Refused::default(),
            stuck: consent::Stuck::default(),
            shelves: cataloged::Shelves::default(),
            mediated: mediated::Mediated::default(),
            said: moved::Said::default(),
            connector: OnceLock::new(),
        }
    }

    /// The same node, which looks did:web parties up in `directory`; without one it knows what DIDs spell themselves.
    #[must_use]
    pub fn knowing(self, directory: Arc<Directory>) -> Self {
        Self { directory, ..self }
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

    /// Its clock, held against the chain.
    pub fn timepiece(&self) -> &Arc<Timepiece> {
        &self.timepiece
    }

    /// The documents as they are believed now: for what is verified for the first time.
    fn documents(&self) -> Documents {
        self.directory.documents()
    }

    /// The documents with every key that somebody known ever signed with: for what was verified here before.
    fn documents_ever(&self) -> Documents {
        self.directory.documents_ever()
    }
}

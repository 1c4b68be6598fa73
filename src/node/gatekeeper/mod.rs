//! The gate at work: challenges, tokens and proofs of their keys, the watch on the chain, deliveries and their receipts.
//!
//! Whatever cannot be read or decided denies. Tokens, used challenges and proofs, uses, shut contracts and receipts outlive a
//! restart; what is in memory is a view of them.

mod admission;
mod chain;
mod copied;
mod delivery;
mod evidence;
mod proof;
mod running;
mod settings;
mod shares;
mod tally;
mod token;
mod transfer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

pub use admission::Admission;
pub use delivery::{Delivery, Portion, ReceiptState};
pub use proof::{Carried, Scheme};
pub(in crate::node) use running::{ends, moment};
pub use settings::{ForwardSettings, GateSettings, Proxy, ServedAsset, Source};
pub use shares::Shares;
pub use tally::GateTally;
pub use token::Admitted;
use tokio::sync::watch;
pub use transfer::OwnContract;

use super::{Acquaintance, Directory, NodeFault, Registry, Room, Store, StoreFault, Timepiece, chance};
use crate::check::{Refusal, Trail};
use crate::encoding::{Digest, Timestamp};
use crate::gate::{Challenge, ChallengeKey, GatePolicy, Known, KnownCores};
use crate::identity::{DidDocument, Documents, Jws, Signer, Thumbprint, Unverified};

/// The kinds of documents that a gate keeps.
mod kind {
    pub const NONCE: &str = "gate-nonce";
    pub const PROOF: &str = "gate-proof";
    pub const CONTRACT: &str = "gate-contract";
    pub const SHUT: &str = "gate-shut";
    pub const TOKEN: &str = "gate-token";
    pub const SPENT: &str = "gate-spent";
    pub const SPENT_PART: &str = "gate-spent-part";
    pub const USES: &str = "gate-uses";
    pub const FIRST_USE: &str = "gate-first-use";
    pub const OPENING: &str = "gate-opening";
}

/// The name of the key of challenges. A copy of a store has none, so that no challenge is answered in it a second time.
pub(crate) const CHALLENGE_KEY: &str = "gate-challenge";
/// What a copy of a store does not keep: tokens that may have been spent since.
pub(crate) const VOID_IN_A_COPY: [&str; 1] = [kind::TOKEN];
const KNOWN_CORES: usize = 4096;

/// A data endpoint's guard.
pub struct Gatekeeper {
    settings: GateSettings,
    policy: GatePolicy,
    signer: Arc<dyn Signer>,
    store: Arc<dyn Store>,
    room: Arc<Room>,
    registry: Arc<dyn Registry>,
    directory: Arc<Directory>,
    challenges: ChallengeKey,
    copied: Option<copied::Copied>,
    cores: Mutex<KnownCores>,
    open: Mutex<Open>,
    timepiece: Arc<Timepiece>,
    counts: tally::Counts,
}

/// What is open at the moment.
struct Open {
    contracts: HashMap<Digest, Contract>,
    tokens: HashMap<Digest, token::Token>,
    /// How many tokens of each contract are being asked for.
    reserved: HashMap<Digest, usize>,
    /// Running deliveries, with the token of each and the key that it is bound to.
    deliveries: HashMap<String, (Digest, Option<Thumbprint>)>,
    chain: chain::Reading,
}

/// A contract that has tokens or deliveries.
struct Contract {
    known: Arc<Known>,
    standing: watch::Sender<Standing>,
}

/// Whether a contract opens the gate right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Open,
    /// Not as long as this lasts, which began at `since`; deliveries end when it lasts longer than a head may be old.
    Suspended {
        /// Why.
        refusal: Refusal,
        /// Since when.
        since: Timestamp,
        /// Whether running deliveries are cut.
        cut: bool,
    },
    /// Never again.
    Shut(Refusal),
}

impl Standing {
    /// Whether a delivery that runs has to end.
    pub fn cuts(&self) -> bool {
        matches!(self, Self::Shut(_) | Self::Suspended { cut: true, .. })
    }

    fn hold(&self) -> Result<(), Refusal> {
        match self {
            Self::Open => Ok(()),
            Self::Suspended { refusal, .. } | Self::Shut(refusal) => Err(refusal.clone()),
        }
    }
}

impl Gatekeeper {
    /// A gate with `signer`'s key for its receipts; goes on where the store says that it stopped.
    ///
    /// # Errors
    /// When the settings cannot be meant, or the store fails.
    pub async fn open(
        settings: GateSettings,
        signer: Arc<dyn Signer>,
        store: Arc<dyn Store>,
        registry: Arc<dyn Registry>,
    ) -> Result<Arc<Self>, NodeFault> {
        // Spelled out once: a key of a did:key is a compressed point, and every contract here is by one of these.
        let mut documents = Documents::default();
        let spelled = settings.providers.iter().filter_map(|did| DidDocument::of_key_did(did).ok());
        spelled.for_each(|document| documents.insert(document));
        Self::open_knowing(settings, signer, store, registry, Arc::new(Directory::closed(documents))).await
    }

    /// As [`Gatekeeper::open`], with providers that are did:web looked up in `directory`.
    ///
    /// # Errors
    /// As [`Gatekeeper::open`].
    pub async fn open_knowing(
        settings: GateSettings,
        signer: Arc<dyn Signer>,
        store: Arc<dyn Store>,
        registry: Arc<dyn Registry>,
        directory: Arc<Directory>,
    ) -> Result<Arc<Self>, NodeFault> {
        let policy = settings.policy(registry.urn())?;
        let challenges = ChallengeKey::new(&*match store.key(CHALLENGE_KEY).await? {
            Some(secret) => secret,
            None => {
                let secret = zeroize::Zeroizing::new(chance::random()?);
                store.keep_key(CHALLENGE_KEY, &secret).await?;
                secret
            }
        });
        let copied = copied::Copied::of(&*store).await?;
        let gate = Self {
            timepiece: Timepiece::new(Arc::clone(&registry)),
            counts: tally::Counts::default(),
            settings,
            policy,
            signer,
            room: Arc::new(Room::of(Arc::clone(&store))),
            store,
            registry,
            directory,
            challenges,
            copied,
            cores: Mutex::new(KnownCores::new(KNOWN_CORES)),
            open: Mutex::new(Open {
                contracts: HashMap::new(),
                tokens: HashMap::new(),
                reserved: HashMap::new(),
                deliveries: HashMap::new(),
                chain: chain::Reading::none(),
            }),
        };
        gate.recall().await?;
        Ok(Arc::new(gate))
    }

    /// How it behaves.
    pub fn settings(&self) -> &GateSettings {
        &self.settings
    }

    /// Whose key signs its receipts.
    pub fn signer(&self) -> &dyn Signer {
        &*self.signer
    }

    /// Its clock, held against the chain.
    pub fn timepiece(&self) -> &Arc<Timepiece> {
        &self.timepiece
    }

    /// Whether its store has room.
    pub fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// Something to sign; nothing is kept until somebody answers.
    ///
    /// # Errors
    /// When there is no time or randomness.
    pub fn challenge(&self) -> Result<Challenge, NodeFault> {
        let expires = chance::now()?.plus(self.settings.challenge_ttl);
        Ok(self.challenges.challenge(&self.policy.origin, chance::random()?, expires))
    }

    /// Takes up the tokens that were good when the gate stopped.
    async fn recall(&self) -> Result<(), NodeFault> {
        let now = chance::now()?;
        for (id, value) in self.store.all(kind::TOKEN).await? {
            let token: token::Token = read(kind::TOKEN, &id, value)?;
            if token.expires <= now {
                self.store.remove(kind::TOKEN, &id).await?;
                self.store.remove(kind::SPENT, &id).await?;
                continue;
            }
            let core = token.grant.core;
            if !self.lock().contracts.contains_key(&core) {
                let Some(text) = self.store.one(kind::CONTRACT, &core.hex()).await? else { continue };
                let text: String = read(kind::CONTRACT, &id, text)?;
                let known = Known::read(&Unverified::new(text), &self.documents(), &mut Trail::default())?;
                let standing = self.shut(&core).await?.map_or(Standing::Open, Standing::Shut);
                self.lock().contracts.insert(core, Contract::new(Arc::new(known), standing));
            }
            self.lock().tokens.insert(token.id, token);
        }
        Ok(())
    }

    /// The providers' keys, those of before a rotation included: whoever stole one cannot record, and a gate with did:web
    /// providers opens only for recorders that it is told.
    fn documents(&self) -> Documents {
        self.directory.documents_ever()
    }

    /// Looks a provider up, if it is one of this gate's and a did:web; nobody else's domain is asked.
    async fn acquaint(&self, core: &str) -> Result<(), NodeFault> {
        let Some(kid) =
            core.split_once('~').and_then(|(issuer_jwt, _)| Jws::parse(issuer_jwt).ok()?.header().kid.clone())
        else {
            return Ok(());
        };
        let looked_up = match self.policy.providers.contains(kid.did()) {
            true => self.directory.acquaint_with(&kid, Acquaintance::Known).await,
            false => Ok(()),
        };
        // What was known of it before still counts.
        if let Err(refusal) = looked_up
            && self.documents().key(&kid).is_err()
        {
            return Err(refusal.into());
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nobody panics while holding it; if somebody did, the maps are still whole.
        self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Contract {
    fn new(known: Arc<Known>, standing: Standing) -> Self {
        Self { known, standing: watch::Sender::new(standing) }
    }
}

fn read<T: serde::de::DeserializeOwned>(kind: &str, id: &str, value: serde_json::Value) -> Result<T, StoreFault> {
    serde_json::from_value(value).map_err(|cause| StoreFault::Damaged(format!("{kind} {id}: {cause}")))
}

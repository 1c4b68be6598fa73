//! Who may call the management interface: the owner, and whoever holds a key that the owner made.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{NodeFault, Scope, StoreFault, chance, checks};
use crate::credential::rfc3339;
use crate::encoding::{Digest, Timestamp, encode};

/// Who the owner is in a history: the name of the key that the home keeps.
pub const OWNER: &str = "desk";

/// What a key begins with, so that whoever finds one knows what it is.
const MARK: &str = "csk_";
/// How many keys there can be: each request is held against all of them.
const KEYS: usize = 100;
/// How long a name can be.
const NAME: usize = 64;
/// How often a key's last use is written, in seconds at least.
const WRITTEN_EACH: i64 = 60;

/// A key as it is kept: its hash, never itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its name, as histories show it.
    pub name: String,
    /// SHA-256 of the key.
    pub hash: Digest,
    /// What it may do.
    pub scope: Scope,
    /// When it was made.
    pub made: Timestamp,
    /// When it was used last, to the minute.
    pub used: Option<Timestamp>,
}

/// What keeps the keys. Each call is atomic and durable when it returns.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Every key, by name.
    async fn api_keys(&self) -> Result<Vec<KeyRecord>, StoreFault>;
    /// Adds a key; `false` when there is one of that name already.
    async fn add_api_key(&self, key: &KeyRecord) -> Result<bool, StoreFault>;
    /// Removes a key; `true` if it was there.
    async fn remove_api_key(&self, name: &str) -> Result<bool, StoreFault>;
    /// Notes when a key was used.
    async fn api_key_used(&self, name: &str, at: Timestamp) -> Result<(), StoreFault>;
}

/// A key as its owner sees it.
#[derive(Clone, Debug, Serialize)]
pub struct KeyView {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub made: Timestamp,
    /// When it was used last, to the minute; absent when it never was.
    #[serde(serialize_with = "optional", skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
}

/// A key to be made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyOrder {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
}

/// A key that was just made; it is shown this once.
#[derive(Debug, Serialize)]
pub struct NewKey {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// The key.
    #[serde(serialize_with = "shown")]
    pub key: Zeroizing<String>,
}

fn shown<S: serde::Serializer>(key: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key)
}

/// Whom a key lets in.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The key's name.
    pub name: Arc<str>,
    /// What it may do.
    pub scope: Scope,
    /// Rings when the key is removed: what runs under it ends.
    pub removed: CancellationToken,
}

/// The keys to one node's management interface.
pub struct Doorkeeper {
    store: Arc<dyn KeyStore>,
    held: Mutex<Vec<Held>>,
}

struct Held {
    hash: Digest,
    holder: Holder,
    made: Timestamp,
    used: Option<Timestamp>,
    /// The last use that was written.
    written: Option<Timestamp>,
}

fn optional<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339::serialize(at, serializer),
        None => serializer.serialize_none(),
    }
}

impl Doorkeeper {
    /// The keys in the store, and the owner's.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open(store: Arc<dyn KeyStore>, owner: &str) -> Result<Arc<Self>, NodeFault> {
        let holder = Holder { name: OWNER.into(), scope: Scope::Admin, removed: CancellationToken::new() };
        let now = chance::now()?;
        let mut held = vec![Held { hash: Digest::of(owner), holder, made: now, used: None, written: None }];
        held.extend(store.api_keys().await?.into_iter().map(Held::of));
        Ok(Arc::new(Self { store, held: Mutex::new(held) }))
    }

    /// Whom a key lets in, if anybody. It is held against every hash, each compared in constant time.
    pub fn holder(&self, key: &str) -> Option<Holder> {
        // Without a key nothing opens, not even a node whose owner's key is the empty text.
        if key.is_empty() {
            return None;
        }
        let hash = Digest::of(key);
        let mut found = None;
        for held in self.lock().iter() {
            if bool::from(hash.as_bytes().ct_eq(held.hash.as_bytes())) {
                found = Some(held.holder.clone());
            }
        }
        found
    }

    /// Notes that a key was used; written now and then, not with each request.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn used(&self, name: &str) -> Result<(), NodeFault> {
        let now = chance::now()?;
        let due = {
            let mut held = self.lock();
            let Some(held) = held.iter_mut().find(|held| &*held.holder.name == name && name != OWNER) else {
                return Ok(());
            };
            held.used = Some(now);
            let due = held.written.is_none_or(|written| now >= written.plus(WRITTEN_EACH));
            if due {
                held.written = Some(now);
            }
            due
        };
        if due { Ok(self.store.api_key_used(name, now).await?) } else { Ok(()) }
    }

    /// Makes a key.
    ///
    /// # Errors
    /// `key.name` for a name that is none or is taken, `Unready` when there are too many keys.
    pub async fn add(&self, order: &KeyOrder) -> Result<NewKey, NodeFault> {
        let KeyOrder { name, scope } = order.clone();
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
        let fits = !name.is_empty() && name.len() <= NAME && name.chars().all(letters) && !name.starts_with('-');
        checks::KEY_NAME.hold(fits, || {
            format!("a key's name is 1 to {NAME} letters, digits, or -_.@, and does not begin with -")
        })?;
        let taken = || format!("there is a key `{name}` already: remove it first, or take another name");
        checks::KEY_NAME.hold(name != OWNER, taken)?;
        checks::KEY_NAME.hold(scope != Scope::Open, || "a key's scope is read, decide or admin".into())?;
        if self.lock().len() > KEYS {
            return Err(NodeFault::Unready(format!("there are {KEYS} keys already: remove one that nobody uses")));
        }
        let key = Zeroizing::new(format!("{MARK}{}", encode(chance::random::<32>()?)));
        let made = chance::now()?;
        let record = KeyRecord { name: name.clone(), hash: Digest::of(&*key), scope, made, used: None };
        let added = self.store.add_api_key(&record).await?;
        checks::KEY_NAME.hold(added, taken)?;
        self.lock().push(Held::of(record));
        Ok(NewKey { name, scope, key })
    }

    /// Removes a key: from now on it opens nothing, and what runs under it ends.
    ///
    /// # Errors
    /// `Unknown` when there is none of that name.
    pub async fn remove(&self, name: &str) -> Result<(), NodeFault> {
        if name == OWNER {
            return Err(NodeFault::Unready(
                "the owner's key is the file `api-key` in the node's home; write another one there and restart".into(),
            ));
        }
        // Shut before it is written: a crash in between leaves a key that can be removed again.
        self.lock().retain(|held| {
            let stays = &*held.holder.name != name;
            if !stays {
                held.holder.removed.cancel();
            }
            stays
        });
        if self.store.remove_api_key(name).await? { Ok(()) } else { Err(NodeFault::unknown("API key", name)) }
    }

    /// Every key but the owner's, by name.
    pub fn keys(&self) -> Vec<KeyView> {
        let mut keys: Vec<KeyView> = self
            .lock()
            .iter()
            .filter(|held| &*held.holder.name != OWNER)
            .map(|held| KeyView {
                name: held.holder.name.to_string(),
                scope: held.holder.scope,
                made: held.made,
                used: held.used,
            })
            .collect();
        keys.sort_by(|one, other| one.name.cmp(&other.name));
        keys
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Held>> {
        // A list of plain values cannot be left half-written by a panic elsewhere.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn of(record: KeyRecord) -> Self {
        let KeyRecord { name, hash, scope, made, used } = record;
        let holder = Holder { name: name.into(), scope, removed: CancellationToken::new() };
        Self { hash, holder, made, used, written: used }
    }
}

use std::collections::{HashMap, HashSet};
use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq as _;
use tokio::sync::OnceCell;

use super::{Connector, Literal, PlainCommit, PlainStore, Spent};
use crate::check::Refusal;
use crate::dsp::checks;
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Did, DidUrl, Documents, Jws, Method, PublicKey, Signer, sign_token};
use crate::negotiation::plain::ParticipantId;
use crate::node::{COPY, Node, NodeFault, Store, chance, copied};

/// The kind of a token, in its header.
const TYP: &str = "JWT";
/// How long a token of this node is valid, in seconds.
const LASTS: i64 = 60;
/// The longest time that another party's token may be valid.
const LONGEST: i64 = 300;
/// How far two clocks may differ.
const CLOCKS_DIFFER: i64 = 30;
/// How long a token is remembered: as long as it could be used.
const KEPT: i64 = LONGEST + 2 * CLOCKS_DIFFER;
/// How many tokens are remembered; beyond it none is taken until the oldest are forgotten.
const REMEMBERED: usize = 2_000_000;
/// How many keys of DIDs that spell their key are remembered.
const KEYS: usize = 1000;

/// Who this node is towards other connectors, and who they are.
pub struct Identity {
    signer: Arc<dyn Signer>,
    literal: Vec<Literal>,
    store: Arc<dyn PlainStore>,
    kept: Arc<dyn Store>,
    used: OnceCell<Mutex<Used>>,
    keys: Mutex<HashMap<String, PublicKey>>,
}

/// Who called, proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// Who that is.
    pub who: ParticipantId,
    /// The number under which the token is noted that proved it; none of a literal value.
    token: Option<u64>,
}

/// Tokens that were used: those of this stretch of time, and of the one before.
struct Used {
    /// In a restored copy, when it was put to use: which tokens the original took before then is not known.
    from: Option<Timestamp>,
    since: i64,
    now: HashSet<[u8; 16]>,
    before: HashSet<[u8; 16]>,
}

/// The claims of a token; others are ignored, as RFC 7519 has it.
#[derive(Deserialize)]
struct Claims {
    iss: Did,
    sub: Did,
    aud: Audience,
    iat: Timestamp,
    #[serde(default)]
    nbf: Option<Timestamp>,
    exp: Timestamp,
    jti: String,
}

/// Whom a token is for. What is for several is none of this node's: another of them could use it here.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    List([String; 1]),
}

impl Audience {
    fn name(&self) -> &str {
        match self {
            Self::One(name) | Self::List([name]) => name,
        }
    }
}

impl Identity {
    pub(super) fn new(
        signer: Arc<dyn Signer>,
        literal: Vec<Literal>,
        store: Arc<dyn PlainStore>,
        kept: Arc<dyn Store>,
    ) -> Self {
        Self { signer, literal, store, kept, used: OnceCell::new(), keys: Mutex::default() }
    }

    /// This node's DID.
    pub fn did(&self) -> &Did {
        self.signer.did()
    }

    /// What a message to `peer` proves this node by: the whole header `Authorization`.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub fn prove_to(&self, peer: &ParticipantId) -> Result<String, NodeFault> {
        if let Some(header) = self.literal.iter().find(|known| known.participant == *peer).and_then(|k| k.send.as_ref())
        {
            return Ok(header.text().to_owned());
        }
        let (now, did) = (chance::now()?, self.signer.did());
        let claims = json!({
            "iss": did, "sub": did, "aud": peer, "iat": now, "exp": now.plus(LASTS), "jti": chance::nonce()?,
        });
        Ok(format!("Bearer {}", sign_token(&*self.signer, TYP, claims.to_string().as_bytes())?))
    }

    /// Who sent a message, by its header `Authorization`; `wallet` looks up who is a did:web.
    ///
    /// # Errors
    /// `dsp.token`, `jws.*`, `did.*`, `encoding.*`; `Unready` when the token can be taken only later.
    async fn recognise(&self, header: &str, wallet: Option<&Node>) -> Result<Recognised, NodeFault> {
        let given = Digest::of(header);
        for known in &self.literal {
            if bool::from(given.as_bytes().ct_eq(Digest::of(known.authorization.text()).as_bytes())) {
                return Ok(Recognised { who: known.participant.clone(), token: None });
            }
        }
        let token = bearer(header).ok_or_else(|| checks::TOKEN.refuse("no bearer token"))?;
        let now = chance::now()?;
        let jws = Jws::parse_within(token, 8 * 1024)?;
        let claims = self.claims(&jws, now)?;
        let kid = jws.header().kid.as_ref().ok_or_else(|| checks::TOKEN.refuse("kid is missing"))?;
        checks::TOKEN.hold(*kid.did() == claims.iss, || "kid is of another DID than iss".into())?;
        let key = match wallet {
            // What the DID does not spell is looked up, a stranger's at the rate that all strangers share.
            Some(wallet) if kid.did().method() == Method::Web => {
                wallet.acquaint_with(kid).await?;
                wallet.documents().key(kid)?
            }
            _ => self.key(kid)?,
        };
        jws.verify_any(&key)?;
        let token = Some(self.use_once(&claims, now).await?);
        Ok(Recognised { who: ParticipantId::from(&claims.iss), token })
    }

    /// What a token claims, where it is a token for this node, of now.
    fn claims(&self, jws: &Jws, now: Timestamp) -> Result<Claims, Refusal> {
        let claims: Claims = serde_json::from_value(jws.claims()?.into())
            .map_err(|cause| checks::TOKEN.refuse(format!("claims do not read: {cause}")))?;
        let hold = |holds: bool, what: &str| checks::TOKEN.hold(holds, || what.to_owned());
        hold(jws.header().typ.eq_ignore_ascii_case(TYP), "typ is not JWT")?;
        hold(claims.iss == claims.sub, "sub is another than iss")?;
        hold(claims.aud.name() == self.signer.did().as_str(), "the token is for somebody else")?;
        let (iat, exp) = (claims.iat.seconds(), claims.exp.seconds());
        let lasts = exp.saturating_sub(iat);
        hold((0..=LONGEST).contains(&lasts), "the token is valid for longer than five minutes")?;
        hold(iat <= now.seconds() + CLOCKS_DIFFER, "the token is from the future")?;
        hold(now.seconds() < exp + CLOCKS_DIFFER, "the token has expired")?;
        let begins = claims.nbf.is_none_or(|nbf| nbf.seconds() <= now.seconds() + CLOCKS_DIFFER);
        hold(begins, "the token is not valid yet")?;
        hold((8..=256).contains(&claims.jti.len()), "jti is not 8 to 256 letters long")?;
        Ok(claims)
    }

    /// The key behind a `kid`. A DID that spells its key always spells the same: it is read once.
    fn key(&self, kid: &DidUrl) -> Result<PublicKey, Refusal> {
        if kid.did().method() == Method::Web {
            return Documents::default().key(kid);
        }
        let name = kid.to_string();
        // The map holds plain values, which a panic elsewhere cannot leave half-written.
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.get(&name) {
            return Ok(*key);
        }
        let key = Documents::default().key(kid)?;
        if keys.len() >= KEYS {
            keys.clear();
        }
        keys.insert(name, key);
        Ok(key)
    }

    /// Takes a token that was not used before; the number under which that is noted.
    async fn use_once(&self, claims: &Claims, now: Timestamp) -> Result<u64, NodeFault> {
        let whole = Digest::of(format!("{} {}", claims.iss, claims.jti));
        let mut token = [0; 16];
        token.copy_from_slice(&whole.as_bytes()[..16]);
        let used = self.used.get_or_try_init(|| self.remembered(now)).await?;
        // As above.
        let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.from.is_some_and(|from| claims.iat < from) {
            let why = "the token is from before this copy was put to use, and may have been used then";
            return Err(NodeFault::Unready(why.into()));
        }
        if now.seconds() - used.since > KEPT {
            used.before = take(&mut used.now);
            used.since = now.seconds();
        }
        if used.now.len() >= REMEMBERED {
            return Err(NodeFault::Unready("too many tokens were used in the last minutes".into()));
        }
        let fresh = !used.before.contains(&token) && used.now.insert(token);
        checks::TOKEN.hold(fresh, || "the token was used before".into())?;
        Ok(self.store.spend(Spent { token, at: now, until: now.plus(KEPT) }))
    }

    /// What was used before this process began.
    async fn remembered(&self, now: Timestamp) -> Result<Mutex<Used>, NodeFault> {
        let copy = self.kept.one(COPY, COPY).await?;
        let from = copy.as_ref().and_then(copied::used_from);
        let before = self.store.spent(now).await?.into_iter().collect();
        Ok(Mutex::new(Used { from, since: now.seconds(), now: HashSet::new(), before }))
    }
}

impl Connector {
    /// Who called, by the header `Authorization`.
    ///
    /// # Errors
    /// `dsp.token` and what lies beneath it; `Unready` when it can be taken only later.
    pub async fn recognise(&self, header: Option<&str>) -> Result<Recognised, NodeFault> {
        let header = header.ok_or_else(|| checks::TOKEN.refuse("no Authorization header"))?;
        self.identity.recognise(header, self.wallet.get().map(|wallet| &**wallet)).await
    }

    /// Waits until a restart would not forget that a caller's token was used: before that caller is answered.
    ///
    /// A decision is written together with the token that led to it, or after it, so that it has nothing to wait for.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remember(&self, caller: &Recognised) -> Result<(), NodeFault> {
        match caller.token {
            Some(token) if !self.store.is_spent(token) => Ok(self.store.submit(PlainCommit::default()).await?),
            _ => Ok(()),
        }
    }
}

/// The token of a header; its scheme ignores case (RFC 9110, 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    Some(token.trim_start()).filter(|_| scheme.eq_ignore_ascii_case("Bearer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_of_a_token_ignores_case() {
        assert_eq!((bearer("Bearer a.b.c"), bearer("bearer a.b.c")), (Some("a.b.c"), Some("a.b.c")));
        assert_eq!((bearer("Basic a.b.c"), bearer("a.b.c"), bearer("")), (None, None, None));
    }
}

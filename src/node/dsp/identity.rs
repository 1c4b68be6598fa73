use std::collections::{HashMap, HashSet};
use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::{Connector, Literal};
use crate::check::{Refusal, Trail};
use crate::dsp::checks;
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Did, DidUrl, Documents, Jws, Method, PublicKey, Signer, sign_token};
use crate::negotiation::plain::ParticipantId;
use crate::node::{Node, NodeFault, chance};

/// The kind of a token, in its header.
const TYP: &str = "JWT";
/// How long a token of this node is valid, in seconds.
const LASTS: i64 = 60;
/// The longest time that another party's token may be valid, and so how long its id is remembered.
const LONGEST: i64 = 300;
/// How far two clocks may differ.
const CLOCKS_DIFFER: i64 = 30;
/// How many tokens are remembered; beyond it none is taken until the oldest are forgotten.
const REMEMBERED: usize = 2_000_000;
/// How many keys of DIDs that spell their key are remembered.
const KEYS: usize = 1000;

/// Who this node is towards other connectors, and who they are.
pub struct Identity {
    signer: Arc<dyn Signer>,
    literal: Vec<Literal>,
    started: Timestamp,
    used: Mutex<Used>,
    keys: Mutex<HashMap<String, PublicKey>>,
}

/// Tokens that were used: those of this stretch of time, and of the one before.
#[derive(Default)]
struct Used {
    since: i64,
    now: HashSet<[u8; 16]>,
    before: HashSet<[u8; 16]>,
}

/// The claims of a token; others are ignored, as RFC 7519 has it.
#[derive(Deserialize)]
struct Claims {
    iss: Did,
    sub: Did,
    aud: String,
    iat: Timestamp,
    exp: Timestamp,
    jti: String,
}

impl Identity {
    pub(super) fn new(signer: Arc<dyn Signer>, literal: Vec<Literal>, started: Timestamp) -> Self {
        Self { signer, literal, started, used: Mutex::default(), keys: Mutex::default() }
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
    /// `dsp.token`, `jws.*`, `did.*`, `encoding.*`.
    async fn recognise(&self, header: &str, wallet: Option<&Node>) -> Result<ParticipantId, NodeFault> {
        let given = Digest::of(header);
        for known in &self.literal {
            if bool::from(given.as_bytes().ct_eq(Digest::of(known.authorization.text()).as_bytes())) {
                return Ok(known.participant.clone());
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
        jws.verify(&key, &mut Trail::default())?;
        self.use_once(&claims, now)?;
        Ok(ParticipantId::from(&claims.iss))
    }

    /// What a token claims, where it is a token for this node, of now.
    fn claims(&self, jws: &Jws, now: Timestamp) -> Result<Claims, Refusal> {
        let claims: Claims = serde_json::from_value(jws.claims()?.into())
            .map_err(|cause| checks::TOKEN.refuse(format!("claims do not read: {cause}")))?;
        let hold = |holds: bool, what: &str| checks::TOKEN.hold(holds, || what.to_owned());
        hold(jws.header().typ.eq_ignore_ascii_case(TYP), "typ is not JWT")?;
        hold(claims.iss == claims.sub, "sub is another than iss")?;
        hold(claims.aud == self.signer.did().as_str(), "the token is for somebody else")?;
        let (iat, exp) = (claims.iat.seconds(), claims.exp.seconds());
        let lasts = exp.saturating_sub(iat);
        hold((0..=LONGEST).contains(&lasts), "the token is valid for longer than five minutes")?;
        hold(iat <= now.seconds() + CLOCKS_DIFFER, "the token is from the future")?;
        hold(now.seconds() < exp + CLOCKS_DIFFER, "the token has expired")?;
        // Which tokens were used is not kept on disk: those from before this process began do not count.
        hold(claims.iat >= self.started, "the token is from before this node started; send a new one")?;
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

    fn use_once(&self, claims: &Claims, now: Timestamp) -> Result<(), Refusal> {
        let whole = Digest::of(format!("{} {}", claims.iss, claims.jti));
        let mut id = [0; 16];
        id.copy_from_slice(&whole.as_bytes()[..16]);
        // As above.
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if now.seconds() - used.since > LONGEST + 2 * CLOCKS_DIFFER {
            used.before = take(&mut used.now);
            used.since = now.seconds();
        }
        let room = used.now.len() < REMEMBERED;
        checks::TOKEN.hold(room, || "too many tokens in the last minutes; try again later".into())?;
        let fresh = !used.before.contains(&id) && used.now.insert(id);
        checks::TOKEN.hold(fresh, || "the token was used before".into())
    }
}

impl Connector {
    /// Who called, by the header `Authorization`.
    ///
    /// # Errors
    /// `dsp.token` and what lies beneath it.
    pub async fn recognise(&self, header: Option<&str>) -> Result<ParticipantId, NodeFault> {
        let header = header.ok_or_else(|| checks::TOKEN.refuse("no Authorization header"))?;
        self.identity.recognise(header, self.wallet.get().map(|wallet| &**wallet)).await
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

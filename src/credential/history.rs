use serde::Deserialize;
use serde_json::Value;

use super::exact::exact;
use super::{Offer, checks};
use crate::check::{Refusal, Trail};
use crate::identity::{DidUrl, Documents, Jws};

/// Holds each kept message to its form and its signer; what it says is for people and courts to read.
pub(super) fn history_signed(
    history: &[Value],
    offer: &Offer,
    documents: &Documents,
    trail: &mut Trail,
) -> Result<(), Refusal> {
    for item in history {
        let (jws, kid) = signed(item)?;
        let party = [&offer.provider, &offer.consumer].into_iter().find(|party| party.did == *kid.did());
        let party = party.ok_or_else(|| {
            checks::FILE_HISTORY.refuse(format!("a message is signed by {}, which is neither party", kid.did()))
        })?;
        let key = documents.key(&kid)?;
        jws.verify(&key, trail)?;
        let claims = jws.claims()?;
        let named = |name: &str| claims.get(name).is_none_or(|did| did.as_str() == Some(party.did.as_str()));
        let own = named("iss") && named("from") && party.signs_with(&key.thumbprint());
        trail.hold(&checks::FILE_HISTORY, own, || format!("a message that {kid} signed is not its own"))?;
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct General {
    payload: String,
    signatures: [Signature; 1],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    protected: String,
    signature: String,
    #[serde(default)]
    header: Option<Unprotected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unprotected {
    kid: DidUrl,
}

/// A message as it is kept: a compact JWS, or the general JSON JWS with one signature that came out of an envelope.
fn signed(item: &Value) -> Result<(Jws, DidUrl), Refusal> {
    let (compact, beside) = match item {
        Value::String(compact) => (compact.clone(), None),
        _ => {
            let General { payload, signatures: [first] } = exact(&checks::FILE_HISTORY, item.clone())?;
            let compact = format!("{}.{payload}.{}", first.protected, first.signature);
            (compact, first.header.map(|header| header.kid))
        }
    };
    let jws = Jws::parse(&compact)?;
    // RFC 7515, 7.2.1: a header parameter stands in one of the two headers; in both only if it says the same.
    let kid = match (&jws.header().kid, beside) {
        (Some(kid), None) => kid.clone(),
        (Some(kid), Some(beside)) if *kid == beside => beside,
        (None, Some(beside)) => beside,
        _ => return Err(checks::FILE_HISTORY.refuse("a message names no kid, or two")),
    };
    Ok((jws, kid))
}

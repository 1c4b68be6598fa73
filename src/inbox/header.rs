//! The protected header of an envelope.

use serde_json::{Map, Value, json};

use super::agreement::AgreementPoint;
use super::checks;
use super::content::Enc;
use super::message::is_media_type;
use crate::check::Refusal;
use crate::encoding::{self, Digest};
use crate::identity::Jwk;

/// How an anonymous envelope agrees its keys.
pub(super) const ECDH_ES: &str = "ECDH-ES+A256KW";
/// How an authenticated one does.
pub(super) const ECDH_1PU: &str = "ECDH-1PU+A256KW";

const ENCRYPTED: &str = "application/didcomm-encrypted+json";
const MAX_HEADER: usize = 8 * 1024;

pub(super) struct Header {
    pub enc: Enc,
    pub epk: AgreementPoint,
    pub apv: String,
    /// `skid`, in an authenticated envelope.
    pub sender: Option<String>,
}

impl Header {
    pub(super) fn read(protected: &str) -> Result<Self, Refusal> {
        let Value::Object(members) = encoding::parse_json(&encoding::decode(protected)?, MAX_HEADER)? else {
            return Err(checks::HEADER.refuse("the protected header is not a JSON object"));
        };
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let known = ["typ", "alg", "enc", "epk", "apv", "skid", "apu"];
        if let Some(name) = members.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(checks::HEADER.refuse(format!("unexpected header member `{name}`")));
        }
        let typ = members.get("typ").unwrap_or(&Value::Null);
        checks::TYP.hold(is_media_type(typ, ENCRYPTED), || format!("typ {typ}, expected {ENCRYPTED}"))?;
        let sender = match text("alg") {
            Some(ECDH_ES) => {
                let named = ["skid", "apu"].iter().any(|name| members.contains_key(*name));
                checks::SENDER.hold(!named, || "an anonymous envelope names a sender".into())?;
                None
            }
            Some(ECDH_1PU) => Some(sender(&members)?),
            other => return Err(checks::ALG.refuse(format!("alg {other:?}, expected {ECDH_ES} or {ECDH_1PU}"))),
        };
        let enc = text("enc").and_then(Enc::named);
        let enc = enc.filter(|enc| sender.is_none() || *enc == Enc::A256CbcHs512);
        let enc = enc.ok_or_else(|| {
            let expected = if sender.is_none() { "A256CBC-HS512 or A256GCM" } else { "A256CBC-HS512" };
            checks::ENC.refuse(format!("enc {:?}, expected {expected}", text("enc")))
        })?;
        let apv = text("apv").ok_or_else(|| checks::HEADER.refuse("apv is missing"))?.to_owned();
        Ok(Self { enc, epk: ephemeral_key(&members)?, apv, sender })
    }
}

/// The header of an envelope that is made here.
pub(super) fn write(epk: &Jwk, apv: &Digest, skid: Option<&str>) -> Value {
    let alg = if skid.is_some() { ECDH_1PU } else { ECDH_ES };
    let mut header = json!({ "typ": ENCRYPTED, "alg": alg, "enc": "A256CBC-HS512", "epk": epk, "apv": apv.b64u() });
    if let Some(skid) = skid {
        header["skid"] = skid.into();
        header["apu"] = encoding::encode(skid).into();
    }
    header
}

/// DIDComm v2.1, "ECDH-1PU key wrapping": `apu` is the base64url of `skid`, so that the key derivation binds the name.
fn sender(members: &Map<String, Value>) -> Result<String, Refusal> {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let (Some(skid), Some(apu)) = (text("skid"), text("apu")) else {
        return Err(checks::SENDER.refuse("skid or apu is missing"));
    };
    checks::SENDER.hold(encoding::encode(skid) == apu, || format!("apu {apu} is not the base64url of skid {skid}"))?;
    Ok(skid.to_owned())
}

fn ephemeral_key(members: &Map<String, Value>) -> Result<AgreementPoint, Refusal> {
    let epk = members.get("epk").ok_or_else(|| checks::HEADER.refuse("epk is missing"))?;
    let jwk = Jwk::from_json(epk).map_err(|refusal| checks::EPK.refuse(refusal.detail))?;
    let refuse = || checks::EPK.refuse(format!("no point of an allowed curve: kty {}, crv {}", jwk.kty, jwk.crv));
    AgreementPoint::of(&jwk).ok_or_else(refuse)
}

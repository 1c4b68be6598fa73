use serde::{Deserialize, Serialize};

use super::{AgreementPublic, MAX_HOPS, checks};
use crate::check::{Refusal, Trail};
use crate::encoding::Timestamp;
use crate::identity::{Did, Documents, Jws, Signer, SigningFailed, Unverified, Verified, sign_jws, verify_signed_by};

/// Where a DID without a document of its own is reached, and with which key; said by that DID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Who is reached.
    #[serde(rename = "iss")]
    pub did: Did,
    /// The inbox, `https` (or `http` within a machine).
    pub url: String,
    /// The key that envelopes are sealed for.
    pub key: AgreementPublic,
    /// When it was said; a later contact replaces an earlier one.
    pub iat: Timestamp,
    /// The mediators' keys that an envelope is wrapped for on its way, first that of the inbox at `url`; mostly none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routing: Vec<AgreementPublic>,
}

impl Contact {
    /// The `typ` of a signed contact.
    pub const TYP: &str = "countersign-contact+jwt";

    /// Whether it says the same as `other`, whenever either was said.
    pub fn says(&self, other: &Self) -> bool {
        (&self.did, &self.url, &self.key, &self.routing) == (&other.did, &other.url, &other.key, &other.routing)
    }

    /// Signs the contact with a key of its DID.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub fn sign(&self, signer: &dyn Signer) -> Result<String, SigningFailed> {
        // A struct of texts always serialises.
        let payload = serde_json::to_vec(self).expect("a contact is JSON");
        sign_jws(signer, Self::TYP, true, &payload)
    }

    /// Verifies that the DID itself said where it is reached.
    ///
    /// # Errors
    /// `inbox.contact*`, `inbox.agreement`, `jws.*`, `did.*`, `encoding.*`.
    pub fn verify(
        text: &Unverified<Self>,
        documents: &Documents,
        trail: &mut Trail,
    ) -> Result<Verified<Self>, Refusal> {
        let jws = Jws::parse(text.text())?;
        let contact = Self::deserialize(serde_json::Value::Object(jws.claims()?))
            .map_err(|cause| checks::CONTACT.refuse(cause.to_string()))?;
        trail.held(&checks::CONTACT);
        verify_signed_by(&jws, Self::TYP, &contact.did, documents, trail)?;
        trail.hold(&checks::CONTACT_URL, reachable(&contact.url), || format!("url `{}`", contact.url))?;
        trail.hold(&checks::CONTACT_KEY, *contact.key.kid.did() == contact.did, || {
            format!("key {} in a contact of {}", contact.key.kid, contact.did)
        })?;
        let jws_routing = jws.claims()?.contains_key("routing");
        let few = if jws_routing { 1..=MAX_HOPS } else { 0..=0 };
        trail.hold(&checks::CONTACT, few.contains(&contact.routing.len()), || {
            format!("{} routing keys, 1 to {MAX_HOPS} where the member is there", contact.routing.len())
        })?;
        let own = contact.routing.iter().any(|key| *key.kid.did() == contact.did);
        trail.hold(&checks::CONTACT_KEY, !own, || "a party is no mediator of its own".into())?;
        for key in [&contact.key].into_iter().chain(&contact.routing) {
            key.curve()?;
        }
        trail.held(&checks::AGREEMENT);
        Ok(Verified::vouched(contact))
    }
}

fn reachable(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    })
}

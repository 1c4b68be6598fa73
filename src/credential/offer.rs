use super::{
    Account, ApprovedTemplate, Contents, ContractId, KeyStatement, NotSigned, OpenClaims, Participant, RegistryUrn,
    Trust,
};
use crate::check::{Refusal, Trail};
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Did, Documents, Jwk, Signer, Unverified, Verified};

/// Everything that a provider decides about an offer before it signs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// When it is offered.
    pub iat: Timestamp,
    /// End of the contract.
    pub exp: Timestamp,
    /// The consumer's one-time key.
    pub consumer_key: Jwk,
    /// Random, new for every offer.
    pub contract_id: ContractId,
    /// At least 128 random bits, base64url, new for every offer.
    pub negotiation_nonce: String,
    /// The consumer may accept until then.
    pub accept_by: Timestamp,
    /// The entry's block is no later than this.
    pub record_by: Timestamp,
    /// Where the entry will stand.
    pub registry: RegistryUrn,
    /// Who will record it.
    pub recorder: Account,
    /// The template's id.
    pub template_id: String,
    /// The template's hash.
    pub template_hash: String,
    /// The nine.
    pub contents: Contents,
}

/// An offer whose every part was checked.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The open claims.
    pub claims: OpenClaims,
    /// What the nine disclosures say.
    pub contents: Contents,
    /// What the provider signed.
    pub issuer_jwt: String,
    /// The nine disclosures, in the order of section 3.
    pub disclosures: Vec<String>,
    /// The provider.
    pub provider: Verified<Participant>,
    /// The consumer.
    pub consumer: Verified<Participant>,
    /// The template that terms and fee come from.
    pub template: Verified<ApprovedTemplate>,
    /// The consumer's statement about the one-time key.
    pub key_statement: Verified<KeyStatement>,
}

/// What an offer is verified with, beside itself.
#[derive(Clone, Copy, Debug)]
pub struct Papers<'a> {
    /// The provider's credential.
    pub provider: &'a Unverified<Participant>,
    /// The consumer's credential.
    pub consumer: &'a Unverified<Participant>,
    /// The template's approval.
    pub approval: &'a Unverified<ApprovedTemplate>,
    /// Whom to believe.
    pub trust: &'a Trust,
    /// DID documents at hand.
    pub documents: &'a Documents,
}

/// What the consumer asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Whom it asked.
    pub provider: Did,
    /// Itself.
    pub consumer: Did,
    /// Who is to promise; `None` if either may.
    pub promisor: Option<Did>,
    /// Who is to be promised; `None` if either may.
    pub promisee: Option<Did>,
    /// The asset's id.
    pub asset: String,
    /// Its process id, as the key statement names it.
    pub negotiation: String,
    /// The one-time key.
    pub consumer_key: Jwk,
}

/// Signs an offer: `<issuer JWT>~D1~…~D9~`, the disclosures in the order of section 3, the digests sorted.
///
/// `salts` are nine times 128 random bits, all different.
///
/// # Errors
/// [`NotSigned`] when the draft breaks a rule that the other side would refuse it by, or the key cannot be used.
pub fn offer(draft: &Draft, salts: &[[u8; 16]; 9], signer: &dyn Signer) -> Result<String, NotSigned> {
    let _ = (draft, salts, signer);
    todo!()
}

impl Offer {
    /// Verifies everything of `protocol.md` 3 that needs no request, with identities and approval judged at `at`.
    ///
    /// # Errors
    /// `offer.*`, `sdjwt.*`, `participant.*`, `template.*`, `statement.*`, `jws.*`, `did.*`, `encoding.*` and policy's.
    pub fn verify(
        text: &Unverified<Offer>,
        papers: &Papers<'_>,
        at: Timestamp,
        trail: &mut Trail,
    ) -> Result<Verified<Offer>, Refusal> {
        let _ = (text, papers, at, trail);
        todo!()
    }

    /// `H(issuer JWT)`.
    pub fn sha256(&self) -> Digest {
        Digest::of(&self.issuer_jwt)
    }

    /// The offer as sent: `<issuer JWT>~D1~…~D9~`.
    pub fn text(&self) -> String {
        todo!()
    }

    /// Holds the offer to what was asked, as of `now`: the same negotiation, key, roles and asset, and still open.
    ///
    /// # Errors
    /// `offer.asked.*`, `offer.early`, `offer.late`.
    pub fn answers(&self, asked: &Asked, now: Timestamp, trail: &mut Trail) -> Result<(), Refusal> {
        let _ = (asked, now, trail);
        todo!()
    }
}

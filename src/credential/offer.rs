use super::claims::{Issued, apart, verify_issued};
use super::presentation::CLOCK_SKEW;
use super::sd_jwt::{Cut, Disclosure};
use super::vocabulary::TYP_CREDENTIAL;
use super::{
    Account, ApprovedTemplate, Contents, ContractId, KeyStatement, NINE, NotSigned, OpenClaims, Participant, Presented,
    RegistryUrn, Trust, checks,
};
use crate::check::{Refusal, Trail};
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Did, Documents, Jwk, Signer, Unverified, Verified, sign_jws};
use crate::policy::{Blanks, checks as policy};

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
    let names_and_values = NINE.iter().zip(draft.contents.values());
    let disclosures: Vec<String> =
        names_and_values.zip(salts).map(|((name, value), salt)| Disclosure::write(salt, name, &value)).collect();
    let mut digests: Vec<String> = disclosures.iter().map(|text| Digest::of(text).b64u()).collect();
    // Sorted, the digests say nothing about which of them stands for what.
    digests.sort_unstable();
    let claims = OpenClaims {
        iss: signer.did().clone(),
        iat: draft.iat,
        exp: draft.exp,
        consumer_key: draft.consumer_key.clone(),
        contract_id: draft.contract_id,
        negotiation_nonce: draft.negotiation_nonce.clone(),
        accept_by: draft.accept_by,
        record_by: draft.record_by,
        registry: draft.registry,
        recorder: draft.recorder,
        template_id: draft.template_id.clone(),
        template_hash: draft.template_hash.clone(),
        digests,
    };
    let trail = &mut Trail::default();
    claims.sound(trail)?;
    apart(&draft.consumer_key.public_key()?, signer.public_key(), trail)?;
    let read = disclosures.iter().map(|text| Disclosure::read(text)).collect::<Result<_, _>>()?;
    Presented::read(read, &claims, trail)?.complete(trail)?.sound(&claims.iss, trail)?;
    let issuer_jwt = sign_jws(signer, TYP_CREDENTIAL, true, &claims.payload())?;
    Ok(joined(&issuer_jwt, &disclosures))
}

/// `<issuer JWT>~D1~…~Dn~`.
pub(super) fn joined(issuer_jwt: &str, disclosures: &[String]) -> String {
    let mut text = format!("{issuer_jwt}~");
    for disclosure in disclosures {
        text.push_str(disclosure);
        text.push('~');
    }
    text
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
        let cut = Cut::new(text.text())?;
        checks::SD_FORM.hold(cut.key_binding.is_none(), || "an offer comes without key binding".into())?;
        let Issued { claims, provider_key, consumer_key } = verify_issued(cut.issuer_jwt, papers.documents, trail)?;
        let read: Vec<Disclosure> =
            cut.disclosures.iter().map(|text| Disclosure::read(text)).collect::<Result<_, _>>()?;
        let mut disclosures: Vec<(Option<usize>, &str)> = read.iter().map(place).zip(cut.disclosures).collect();
        disclosures.sort_unstable();
        let contents = Presented::read(read, &claims, trail)?.complete(trail)?;
        contents.sound(&claims.iss, trail)?;
        trail.hold(&checks::OFFER_REGISTRY, papers.trust.registry(&claims.registry).is_some(), || {
            format!("{} is not among the trusted registries", claims.registry)
        })?;

        let (trust, documents) = (papers.trust, papers.documents);
        let provider = Participant::verify(papers.provider, trust, documents, at, trail)?;
        let consumer = Participant::verify(papers.consumer, trust, documents, at, trail)?;
        for (party, participant) in [(&contents.provider, &provider), (&contents.consumer, &consumer)] {
            let named = party.did == participant.did && party.participant == participant.digest;
            trail.hold(&checks::OFFER_PARTICIPANTS, named, || {
                format!(
                    "the offer names {} by {}, the credential is {} by {}",
                    party.did, party.participant, participant.did, participant.digest
                )
            })?;
        }
        let statement = Unverified::new(contents.consumer_key_statement.as_str());
        let key_statement = KeyStatement::verify(&statement, documents, claims.iat, trail)?;
        let one_time = consumer_key.thumbprint();
        key_statement.binds(&consumer.did, &provider.did, &one_time, trail)?;
        let signed = [(&provider, &provider_key.thumbprint()), (&consumer, &key_statement.signed_by)];
        for (participant, key) in signed {
            trail.hold(&checks::OFFER_KEYS, participant.signs_with(key), || {
                format!("{} signed with {key}, which its participant credential does not list", participant.did)
            })?;
            trail.hold(&checks::OFFER_KEY_FRESH, *key != one_time && !participant.signs_with(&one_time), || {
                format!("cnf is a key of {}", participant.did)
            })?;
        }
        trail.hold(
            &checks::OFFER_RECORDER,
            provider.records_with(claims.registry.chain_id, &claims.recorder),
            || format!("{} does not record for {}", claims.recorder, provider.did),
        )?;

        let template = ApprovedTemplate::read(papers.approval, documents, at, trail)?;
        // Two parties that are pinned themselves need no operator: both signed for the template by its hash.
        let pinned = trust.pinned.contains(&provider.did) && trust.pinned.contains(&consumer.did);
        template.approved(trust, pinned, trail)?;
        let named = (&claims.template_id, &claims.template_hash) == (&template.template.id, &template.hash);
        trail.hold(&checks::OFFER_TEMPLATE, named, || {
            format!(
                "the offer names `{}` by {}, the approval is of `{}` by {}",
                claims.template_id, claims.template_hash, template.template.id, template.hash
            )
        })?;
        let contract_id = claims.contract_id.to_string();
        let blanks = Blanks {
            asset: &contents.asset.id,
            provider: &provider.did,
            consumer: &consumer.did,
            contract_id: &contract_id,
        };
        template.template.read(&blanks, &contents.terms)?;
        trail.held(&policy::TEMPLATE_MATCH);
        template.template.hold_fee(&contents.fee, &contents.price)?;
        trail.held(&policy::FEE_TEMPLATE);

        Ok(Verified::vouched(Offer {
            claims,
            contents,
            issuer_jwt: cut.issuer_jwt.to_owned(),
            disclosures: disclosures.into_iter().map(|(_, text)| text.to_owned()).collect(),
            provider,
            consumer,
            template: Verified::vouched(template),
            key_statement,
        }))
    }

    /// `H(issuer JWT)`.
    pub fn sha256(&self) -> Digest {
        Digest::of(&self.issuer_jwt)
    }

    /// The offer as sent: `<issuer JWT>~D1~…~D9~`.
    pub fn text(&self) -> String {
        joined(&self.issuer_jwt, &self.disclosures)
    }

    /// Holds the offer to what was asked, as of `now`: the same negotiation, key, roles and asset, and still open.
    ///
    /// # Errors
    /// `offer.asked.*`, `offer.early`, `offer.late`.
    pub fn answers(&self, asked: &Asked, now: Timestamp, trail: &mut Trail) -> Result<(), Refusal> {
        let contents = &self.contents;
        let role = |asked: &Option<Did>, offered: &Did| asked.as_ref().is_none_or(|did| did == offered);
        let parties = contents.provider.did == asked.provider
            && contents.consumer.did == asked.consumer
            && role(&asked.promisor, &contents.promisor)
            && role(&asked.promisee, &contents.promisee);
        trail.hold(&checks::OFFER_ASKED_PARTIES, parties, || {
            format!(
                "provider {}, consumer {}, promisor {}, promisee {}",
                contents.provider.did, contents.consumer.did, contents.promisor, contents.promisee
            )
        })?;
        trail.hold(&checks::OFFER_ASKED_ASSET, contents.asset.id == asked.asset, || {
            format!("asset `{}`, asked for `{}`", contents.asset.id, asked.asset)
        })?;
        trail.hold(&checks::OFFER_ASKED_NEGOTIATION, self.key_statement.negotiation == asked.negotiation, || {
            format!("negotiation `{}`, asked in `{}`", self.key_statement.negotiation, asked.negotiation)
        })?;
        trail.hold(&checks::OFFER_ASKED_KEY, self.claims.consumer_key == asked.consumer_key, || {
            "cnf is another key than the one asked with".into()
        })?;
        trail.hold(&checks::OFFER_EARLY, self.claims.iat <= now.plus(CLOCK_SKEW), || {
            format!("offered at {}, it is {now}", self.claims.iat)
        })?;
        self.open(now, trail)
    }

    /// Holds the offer to `accept_by`, as of `now`.
    ///
    /// # Errors
    /// `offer.late`.
    pub fn open(&self, now: Timestamp, trail: &mut Trail) -> Result<(), Refusal> {
        trail.hold(&checks::OFFER_LATE, now <= self.claims.accept_by, || {
            format!("accept_by {}, it is {now}", self.claims.accept_by)
        })
    }
}

/// Where a disclosure stands in the order of section 3.
fn place(disclosure: &Disclosure) -> Option<usize> {
    NINE.iter().position(|name| disclosure.name.as_deref() == Some(name))
}

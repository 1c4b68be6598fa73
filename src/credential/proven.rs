use super::history::history_signed;
use super::offer::joined;
use super::{Acknowledgement, ContractFile, Core, Entry, Identity, Offer, Papers, Participant, Trust, checks};
use crate::check::{Refusal, Trail};
use crate::identity::{DidDocument, Documents, Unverified, Verified};

/// The first verdict about a contract file (`protocol.md` 7): what holds without a network.
#[derive(Clone, Debug)]
pub struct Proven {
    /// What both signed.
    pub core: Verified<Core>,
    /// What was offered.
    pub offer: Verified<Offer>,
    /// The checks that held.
    pub trail: Trail,
    /// Why the provider's identity is believed.
    pub provider: Identity,
    /// Why the consumer's identity is believed.
    pub consumer: Identity,
}

/// Why a contract file is not proven, and what held up to there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not proven: {refusal}")]
pub struct NotProven {
    /// The check that failed.
    #[source]
    pub refusal: Refusal,
    /// The checks that held before it.
    pub trail: Trail,
}

/// The documents that a contract file is verified with: those at hand, as of the stated entry's block, and of the
/// file's own `did_documents` each key whose thumbprint is listed in the participant credential that an operator signed
/// about its party. So a key that was rotated, or a domain that is gone, unmakes no contract; and a document that
/// nobody vouches for adds no key.
pub fn documents_of(file: &ContractFile, trust: &Trust, at_hand: &Documents) -> Documents {
    let at = file.entry.block_time;
    let at_hand = at_hand.as_of(at);
    let mut documents = at_hand.clone();
    if file.did_documents.is_empty() {
        return documents;
    }
    for text in file.participants.iter().take(2) {
        let Ok(member) = Participant::verify(text, trust, &at_hand, at, &mut Trail::default()) else { continue };
        // Whoever is only pinned is not known by what others list for it; and a key of an operator would vouch for others,
        // this contract's other party among them.
        let told = member.identity == Identity::Operator || member.issuer == member.did;
        let told = told && !trust.operators.contains(&member.did);
        let json = file.did_documents.get(member.did.as_str()).filter(|_| told);
        if let Some(Ok(untrusted)) = json.map(|json| DidDocument::of_json(&member.did, json)) {
            documents.vouch_listed(&untrusted, &member.keys);
        }
    }
    documents
}

/// Proves a contract file offline, with identities and approval judged at the time of the stated entry's block.
///
/// # Errors
/// The first check that does not hold, with those that did.
pub fn proven(file: &ContractFile, trust: &Trust, documents: &Documents) -> Result<Proven, Box<NotProven>> {
    let mut trail = Trail::default();
    match prove(file, trust, &documents_of(file, trust, documents), &mut trail) {
        Ok((core, offer)) => {
            let (provider, consumer) = (offer.provider.identity, offer.consumer.identity);
            Ok(Proven { core, offer, trail, provider, consumer })
        }
        Err(refusal) => Err(Box::new(NotProven { refusal, trail })),
    }
}

fn prove(
    file: &ContractFile,
    trust: &Trust,
    documents: &Documents,
    trail: &mut Trail,
) -> Result<(Verified<Core>, Verified<Offer>), Refusal> {
    file.known()?;
    trail.held(&checks::FILE_FORM);
    let core = Core::read(&file.core, documents, trail)?;
    trail.hold(&checks::FILE_CONTRACT, file.contract_id == core.claims.contract_id, || {
        format!("the file is about {}, its core about {}", file.contract_id, core.claims.contract_id)
    })?;
    entry_agrees(&file.entry, &core, trail)?;
    let [provider, consumer] = &file.participants[..] else {
        return Err(checks::FILE_FORM.refuse("there are not two participants"));
    };
    let papers = Papers { provider, consumer, approval: &file.template.approval, trust, documents };
    let text = Unverified::new(joined(&core.issuer_jwt, &file.disclosures));
    let offer = Offer::verify(&text, &papers, file.entry.block_time, trail)?;
    trail.hold(&checks::FILE_DISCLOSURES, file.disclosures == offer.disclosures, || {
        "the disclosures stand in another order".into()
    })?;
    acknowledged(file, &core, &offer, documents, trail)?;
    history_signed(&file.history, &offer, documents, trail)?;
    Ok((core, offer))
}

/// Holds the entry, as the file states it, to what was signed; whether it stands in the registry is for rule R.
fn entry_agrees(entry: &Entry, core: &Core, trail: &mut Trail) -> Result<(), Refusal> {
    let claims = &core.claims;
    trail.hold(&checks::FILE_ENTRY_CHAIN, entry.chain_id == claims.registry.chain_id, || {
        format!("chain {}, the offer names {}", entry.chain_id, claims.registry.chain_id)
    })?;
    trail.hold(&checks::FILE_ENTRY_REGISTRY, entry.registry == claims.registry.address, || {
        format!("registry {}, the offer names {}", entry.registry, claims.registry.address)
    })?;
    trail.hold(&checks::FILE_ENTRY_RECORDER, entry.recorder == claims.recorder, || {
        format!("recorder {}, the offer names {}", entry.recorder, claims.recorder)
    })?;
    trail.hold(&checks::FILE_ENTRY_HASH, entry.hash == core.hash, || {
        format!("hash {}, the core's is {}", entry.hash, core.hash)
    })?;
    trail.hold(&checks::FILE_ENTRY_TIME, entry.block_time <= claims.record_by, || {
        format!("block time {}, record_by {}", entry.block_time, claims.record_by)
    })
}

fn acknowledged(
    file: &ContractFile,
    core: &Core,
    offer: &Offer,
    documents: &Documents,
    trail: &mut Trail,
) -> Result<(), Refusal> {
    let parties = [&offer.consumer, &offer.provider];
    checks::FILE_ACKNOWLEDGED.hold(file.acknowledgements.len() <= parties.len(), || {
        format!("{} acknowledgements", file.acknowledgements.len())
    })?;
    for (text, party) in file.acknowledgements.iter().zip(parties) {
        let acknowledgement = Acknowledgement::verify(text, &party.did, documents, trail)?;
        trail.hold(&checks::FILE_ACKNOWLEDGED, party.signs_with(&acknowledgement.signed_by), || {
            format!("{} acknowledged with a key that its participant credential does not list", party.did)
        })?;
        acknowledgement.agrees(core, &file.entry, trail)?;
    }
    Ok(())
}

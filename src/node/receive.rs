//! From the envelope to the decision.

use super::flow::Heard;
use super::pids::belongs;
use super::store::{Dealings, Kept, Parked};
use super::wire::{self, Content, Incoming};
use super::{Node, NodeFault, StoreFault, chance, checks, kind};
use crate::check::{Refusal, Trail};
use crate::credential::{
    Acknowledgement, Asked, Core, KeyStatement, Offer, Papers, Participant, Termination, received_in_time,
};
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Did, Unverified};
use crate::inbox::{self, Contents, Opened, Sealed};
use crate::negotiation::{
    Arrow, CorePaper, Input, Kind, Negotiation, OfferPaper, Opening, Received, RequestPaper, Role, State, StateName,
    arrow, checks as moves,
};

/// How many early messages a negotiation may have waiting, and for how long, in seconds.
const PARKED: u32 = 32;
const PARKED_FOR: i64 = DAY;
const DAY: i64 = 24 * 3600;
/// How many unanswered requests one counterparty may have open, and how many negotiations it may move in a day.
const OPEN_REQUESTS: u64 = 200;
const DAILY: u64 = 2000;
/// How many messages of the counterparty a negotiation takes; an honest one needs a handful, and each is kept.
const HEARD: u64 = 128;

impl Node {
    /// Keeps an envelope until the wallet opens it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn take_envelope(&self, envelope: &[u8]) -> Result<Kept, NodeFault> {
        let kept = self.store.keep_envelope(envelope, chance::now()?).await?;
        self.bells.inbox.notify_one();
        Ok(kept)
    }

    /// Opens every envelope that is kept; the number opened.
    pub(super) async fn open_envelopes(&self) -> Result<usize, NodeFault> {
        if self.timepiece.hold().is_err() {
            // By a clock that is off everything is too late or too early: it is opened once the clock is right.
            return Ok(0);
        }
        let envelopes = self.store.envelopes(64).await?;
        for (digest, envelope) in &envelopes {
            self.open(*digest, envelope).await?;
        }
        let parked_until = chance::now()?.plus(-PARKED_FOR);
        self.store.clear_parked(parked_until).await?;
        Ok(envelopes.len())
    }

    async fn open(&self, digest: Digest, envelope: &[u8]) -> Result<(), NodeFault> {
        let opened = match self.unsealed(envelope).await {
            Ok(opened) => opened,
            Err(NodeFault::Refused(refusal)) => {
                let seen = self.refused.note(None, &refusal, chance::now()?);
                return self.refuse_envelope(digest, &seen).await;
            }
            Err(fault @ (NodeFault::Store(StoreFault::Failed(_) | StoreFault::Full(_)) | NodeFault::NoRandomness)) => {
                return Err(fault);
            }
            Err(fault) => {
                tracing::error!(%fault, "an envelope could not be dealt with");
                return Ok(self.store.drop_envelope(digest).await?);
            }
        };
        match self.hear(&opened).await {
            Ok(()) | Err(NodeFault::Store(StoreFault::Repeated)) => {}
            Err(NodeFault::Refused(refusal)) => {
                let seen = self.refused.note(Some(opened.signer_kid()), &refusal, chance::now()?);
                return self.refuse_envelope(digest, &seen).await;
            }
            Err(
                fault @ (NodeFault::Store(StoreFault::Failed(_) | StoreFault::Full(_) | StoreFault::Moved)
                | NodeFault::NoRandomness),
            ) => {
                return Err(fault);
            }
            // What fails for this message alone must not hold back those behind it; unanswered, it comes again.
            Err(fault) => {
                tracing::error!(%fault, signer = %opened.signer_kid(), "a message could not be dealt with");
            }
        }
        Ok(self.store.drop_envelope(digest).await?)
    }

    /// The signed message in an envelope: in an anonymous one, in an authenticated one, or in one in the other.
    async fn unsealed(&self, envelope: &[u8]) -> Result<Opened, NodeFault> {
        let mut sealed = Sealed::read(envelope, inbox::MAX_ENVELOPE)?;
        loop {
            let sender = match sealed.sender() {
                Some(skid) => {
                    self.acquaint_with(skid).await?;
                    Some(self.sender_key(skid).await?)
                }
                None => None,
            };
            match sealed.open(&self.agreement, sender.as_ref())? {
                Contents::Signed(opened) => return Ok(*opened),
                Contents::Plain(plain) => return Err(plain.not_signed().into()),
                // An envelope inside an envelope holds no third one.
                Contents::Sealed(inner) => sealed = *inner,
            }
        }
    }

    /// Deals with one signed message: verified, decided, answered.
    pub(super) async fn hear(&self, opened: &Opened) -> Result<(), NodeFault> {
        self.acquaint_with(opened.signer_kid()).await?;
        self.acquaint_trusted().await;
        let now = chance::now()?;
        let message = opened.verify(self.did(), &self.documents(), now, &mut Trail::default())?;
        if let Some(answer) = self.store.answered(&message.from, &message.id).await? {
            self.store.attempted(&answer.id, Some(now), None).await?;
            self.bells.outbox.notify_one();
            return Ok(());
        }
        match wire::type_name(&message.kind) {
            Some("catalog-request") => return self.show_catalog(&message, opened.signer_kid()).await,
            Some("catalog") => return self.keep_catalog(&message).await,
            Some("contact") => return self.hear_where(&message).await,
            _ => {}
        }
        let incoming = wire::read(&message)?;
        if let Content::State { answers, state, refused } = &incoming.content {
            tracing::debug!(from = %message.from, answers, %state, refused, "answered");
            if let Some(created) = message.created_time {
                self.timepiece.hear(&message.from, created, now);
            }
            self.learn_pids(&message.from, &incoming).await?;
            self.store.acknowledged(answers, &message.from, refused.as_deref()).await?;
            self.bells.outbox.notify_one();
            return Ok(());
        }
        let thread = message.thid.clone().ok_or_else(|| checks::THREAD.refuse("thid is missing"))?;
        let heard =
            Heard { from: message.from.clone(), message: message.id.clone(), thread, signed: opened.text().to_owned() };
        let found = self.found(&message.from, &incoming).await?;
        match (found, &incoming.content) {
            (None, Content::Request(request)) if incoming.provider_pid.is_none() => {
                match self.take_request(&heard, &incoming, request, now).await {
                    // Whoever asked for too much at once asks again later: an answer would end its repeating.
                    Err(NodeFault::Refused(refusal)) if *refusal.check == checks::RATE => Err(refusal.into()),
                    Err(NodeFault::Refused(refusal)) => self.turn_away(&heard, &incoming, refusal, now).await,
                    done => done,
                }
            }
            (None, Content::Proposal(proposed)) if incoming.consumer_pid.is_none() => {
                match self.take_proposal(&heard, &incoming, proposed, now).await {
                    Err(NodeFault::Refused(refusal)) if *refusal.check == checks::RATE => Err(refusal.into()),
                    Err(NodeFault::Refused(refusal)) => self.turn_away(&heard, &incoming, refusal, now).await,
                    done => done,
                }
            }
            // Nothing is kept of what belongs to no negotiation, or anybody could fill the disk: it is not answered,
            // so that a sender whose own request is still on its way repeats it.
            (None, _) => Err(moves::PIDS.refuse("there is no negotiation of the sender under these pids").into()),
            (Some(id), _) => self.hear_in(&id, &heard, &incoming).await.map(|_| ()),
        }
    }

    /// Deals with a message of a negotiation that is known; `false` when it was set aside, because it came too early.
    async fn hear_in(&self, id: &str, heard: &Heard, incoming: &Incoming) -> Result<bool, NodeFault> {
        let Some(message_kind) = incoming.content.kind() else { return Ok(true) };
        let before = self.negotiation(id).await?;
        let taken = self.store.heard_in(id).await?;
        checks::RATE.hold(taken < HEARD, || format!("{taken} messages of this negotiation were dealt with already"))?;
        let peer = before.opening().role.other();
        // What names another thread would never be heard again: it is refused below.
        let ours = belongs(&before, heard, incoming).is_ok();
        if ours && arrow(before.state().name(), peer, message_kind) == Arrow::Early {
            return self.park(heard, chance::now()?).await.map(|()| false);
        }
        let seen = match (before.state(), message_kind) {
            (State::Agreed(countersigned, _), Kind::Verification) if ours => {
                match self.final_entry(countersigned).await {
                    // A chain that cannot be read now must not hold back the messages behind this one.
                    Ok(None) | Err(NodeFault::Registry(_)) => {
                        return self.park(heard, chance::now()?).await.map(|()| false);
                    }
                    seen => seen?,
                }
            }
            _ => None,
        };
        let moved = self
            .advance(id, Some(heard), |negotiation, now| {
                let learned = belongs(negotiation, heard, incoming)?;
                let received = self.verified(negotiation, incoming, now)?;
                if let (Received::Verification(acknowledged, _), Some(entry)) = (&received, &seen) {
                    let same = (acknowledged.block, acknowledged.block_hash) == (entry.block, entry.block_hash);
                    let same = same && acknowledged.block_time == entry.block_time;
                    moves::ENTRY.hold(same, || "the acknowledgement names another block than the entry's".into())?;
                }
                Ok((Input::Received(received), learned))
            })
            .await;
        match moved {
            Ok(after) => {
                tracing::info!(negotiation = id, message = message_kind.name(), state = %after.state().name(), "heard");
                if let Some(contact) = &incoming.contact {
                    self.learn_contact(&heard.from, contact).await?;
                }
                self.hear_parked(id).await.map(|()| true)
            }
            Err(NodeFault::Refused(refusal)) => {
                let (now, negotiation) = (chance::now()?, self.negotiation(id).await?);
                let mark = self.mark(id, heard, &negotiation, Some(&refusal), now)?;
                self.store.queue(mark.answer.clone(), Some(mark)).await?;
                self.bells.outbox.notify_one();
                Err(refusal.into())
            }
            Err(fault) => Err(fault),
        }
    }

    /// What came too early may be in time now.
    pub(super) async fn hear_parked(&self, id: &str) -> Result<(), NodeFault> {
        let before = self.negotiation(id).await?;
        for parked in self.store.parked(&before.opening().peer, before.thread()).await? {
            // What no longer reads or verifies (it expired meanwhile) must not hold back what waits behind it.
            let Ok((incoming, message)) = self.reread(&parked.signed) else {
                self.store.unpark(&parked.from, &parked.message).await?;
                continue;
            };
            let negotiation = self.negotiation(id).await?;
            let Some(message_kind) = incoming.content.kind() else { continue };
            let peer = negotiation.opening().role.other();
            if arrow(negotiation.state().name(), peer, message_kind) == Arrow::Early {
                continue;
            }
            let again =
                Heard { from: parked.from.clone(), message, thread: parked.thread, signed: parked.signed.clone() };
            match Box::pin(self.hear_in(id, &again, &incoming)).await {
                Ok(false) => continue,
                Ok(true) | Err(NodeFault::Refused(_) | NodeFault::Store(StoreFault::Repeated)) => {}
                Err(fault) => return Err(fault),
            }
            self.store.unpark(&parked.from, &parked.message).await?;
        }
        Ok(())
    }

    fn reread(&self, signed: &str) -> Result<(Incoming, String), NodeFault> {
        let opened = Opened::read(signed)?;
        // It was verified when it came; its sender may have rotated its key since.
        let message = opened.verify(self.did(), &self.documents_ever(), chance::now()?, &mut Trail::default())?;
        Ok((wire::read(&message)?, message.id.clone()))
    }

    async fn park(&self, heard: &Heard, now: Timestamp) -> Result<(), NodeFault> {
        let parked = Parked {
            from: heard.from.clone(),
            thread: heard.thread.clone(),
            message: heard.message.clone(),
            signed: heard.signed.clone(),
            at: now,
        };
        let kept = self.store.park(parked, PARKED).await?;
        checks::RATE.hold(kept, || format!("{PARKED} messages of this thread wait for their turn already"))?;
        Ok(())
    }

    /// The provider takes a new request in.
    async fn take_request(
        &self,
        heard: &Heard,
        incoming: &Incoming,
        request: &RequestPaper,
        now: Timestamp,
    ) -> Result<(), NodeFault> {
        let pid = incoming.consumer_pid.as_deref().ok_or_else(|| moves::PIDS.refuse("consumerPid is missing"))?;
        checks::THREAD.hold(heard.thread == pid, || "thid is not the consumer's pid".into())?;
        self.vet_request(request, pid, &heard.from, now)?;
        if let Some(contact) = &incoming.contact {
            self.learn_contact(&heard.from, contact).await?;
        }
        let listed = self.store.one(kind::ASSET, &request.asset).await?.is_some();
        moves::REQUEST.hold(listed, || format!("there is no asset {}", request.asset))?;
        let Dealings { open, recent } = self.store.dealings(&heard.from, now.plus(-DAY)).await?;
        checks::RATE.hold(open < OPEN_REQUESTS && recent < DAILY, || {
            format!("{open} requests of this sender wait for an answer, {recent} negotiations moved within a day")
        })?;
        let id = chance::urn_uuid()?;
        let opening = Opening {
            role: Role::Provider,
            us: self.did().clone(),
            peer: heard.from.clone(),
            consumer_pid: Some(pid.to_owned()),
            provider_pid: Some(id.clone()),
            began: Role::Consumer,
        };
        self.begin(&id, Negotiation::begin(opening, request.clone(), now), Some(heard)).await?;
        self.hear_parked(&id).await
    }

    /// Tells a member why its request was refused; somebody who is none gets no answer, wherever it says it is reached.
    async fn turn_away(
        &self,
        heard: &Heard,
        incoming: &Incoming,
        refusal: Refusal,
        now: Timestamp,
    ) -> Result<(), NodeFault> {
        if self.reach(&heard.from).await?.is_some() {
            let answer = wire::Answer {
                from: self.did(),
                to: &heard.from,
                thread: &heard.thread,
                answers: &heard.message,
                consumer_pid: incoming.consumer_pid.as_deref(),
                provider_pid: incoming.provider_pid.as_deref(),
                state: StateName::Terminated,
                refused: Some(&refusal),
            };
            let mark = self.answered(answer, None, None, now)?;
            self.store.queue(mark.answer.clone(), Some(mark)).await?;
            self.bells.outbox.notify_one();
        }
        Err(refusal.into())
    }

    fn vet_request(
        &self,
        request: &RequestPaper,
        consumer_pid: &str,
        sender: &Did,
        now: Timestamp,
    ) -> Result<(), NodeFault> {
        let (documents, trail) = (self.documents(), &mut Trail::default());
        let participant = Unverified::<Participant>::new(&request.participant);
        let participant = Participant::verify(&participant, &self.settings.trust, &documents, now, trail)?;
        checks::SENDER.hold(participant.did == *sender, || format!("the credential is {}'s", participant.did))?;
        let statement = Unverified::<KeyStatement>::new(&request.key_statement);
        let statement = KeyStatement::verify(&statement, &documents, now, trail)?;
        let fits = statement.consumer == *sender
            && statement.provider == *self.did()
            && statement.negotiation == consumer_pid
            && statement.jkt == request.consumer_key.thumbprint()
            && participant.keys.contains(&statement.signed_by);
        moves::REQUEST
            .hold(fits, || "the key statement is not of this key, sender, recipient and negotiation".into())?;
        request.consumer_key.public_key()?;
        Ok(())
    }

    /// Verifies what a message brings, against the negotiation as it stands.
    fn verified(&self, negotiation: &Negotiation, incoming: &Incoming, now: Timestamp) -> Result<Received, NodeFault> {
        // The message around it is signed with a key of now; what it brings may have been signed before a rotation.
        let (documents, trail) = (self.documents_ever(), &mut Trail::default());
        let peer = &negotiation.opening().peer;
        Ok(match &incoming.content {
            Content::Request(request) => {
                let pid = incoming.consumer_pid.as_deref().or(negotiation.opening().consumer_pid.as_deref());
                self.vet_request(request, pid.unwrap_or_default(), peer, now)?;
                Received::CounterRequest((**request).clone())
            }
            // A provider proposes once, at the beginning; what comes later is an offer.
            Content::Proposal(_) => return Err(out_of_turn(negotiation, Kind::Offer)),
            Content::Offer { offer, participant, approval } => {
                Received::Offer(Box::new(self.vet_offer(negotiation, offer, participant, approval, now, trail)?))
            }
            Content::Acceptance(text) => {
                let offer = negotiation.offer().ok_or_else(|| out_of_turn(negotiation, Kind::Acceptance))?;
                let issuer_jwt = offer.text.split('~').next().unwrap_or_default();
                let core = Unverified::<Core>::new(format!("{issuer_jwt}~{text}"));
                let core = Core::read(&core, &documents, trail)?;
                if negotiation.countersigned().is_none() {
                    received_in_time(&core, now, trail)?;
                }
                Received::Acceptance(CorePaper::of(&core))
            }
            Content::Agreement(entry) => Received::Agreement(entry.clone()),
            Content::Verification(text) => {
                Received::Verification(Acknowledgement::verify(text, peer, &documents, trail)?, text.clone())
            }
            Content::Finalization(text) => {
                Received::Finalization(Acknowledgement::verify(text, peer, &documents, trail)?, text.clone())
            }
            Content::Termination(text) => {
                let termination = Termination::verify(text, peer, &documents, trail)?;
                moves::PIDS.hold(termination.negotiation == negotiation.thread(), || {
                    format!("the termination is of {}", termination.negotiation)
                })?;
                Received::Termination(termination)
            }
            Content::State { .. } => return Err(checks::MESSAGE.refuse("an answer moves nothing").into()),
        })
    }

    fn vet_offer(
        &self,
        negotiation: &Negotiation,
        offer: &str,
        participant: &str,
        approval: &str,
        now: Timestamp,
        trail: &mut Trail,
    ) -> Result<OfferPaper, NodeFault> {
        let opening = negotiation.opening();
        let request = negotiation.request().ok_or_else(|| out_of_turn(negotiation, Kind::Offer))?;
        let documents = self.documents();
        let papers = Papers {
            provider: &Unverified::new(participant),
            consumer: &Unverified::new(&request.participant),
            approval: &Unverified::new(approval),
            trust: &self.settings.trust,
            documents: &documents,
        };
        let offer = Offer::verify(&Unverified::new(offer), &papers, now, trail)?;
        let asked = Asked {
            provider: opening.peer.clone(),
            consumer: opening.us.clone(),
            // Who asks for nothing else asks the provider to promise, to itself.
            promisor: request.promisor.clone().or_else(|| Some(opening.peer.clone())),
            promisee: request.promisee.clone().or_else(|| Some(opening.us.clone())),
            asset: request.asset.clone(),
            negotiation: opening.consumer_pid.clone().unwrap_or_default(),
            consumer_key: request.consumer_key.clone(),
        };
        offer.answers(&asked, now, trail)?;
        let known = self.registry.urn() == offer.claims.registry;
        moves::ENTRY.hold(known, || format!("this node does not read the registry {}", offer.claims.registry))?;
        let new = negotiation.offers().all(|before| before.contract_id != offer.claims.contract_id);
        moves::SUPERSEDED.hold(new, || "the contract id was used in an earlier offer".into())?;
        Ok(OfferPaper::of(&offer))
    }
}

fn out_of_turn(negotiation: &Negotiation, kind: Kind) -> NodeFault {
    moves::STATE.refuse(format!("{} is no arrow of {}", kind.name(), negotiation.state().name())).into()
}

use serde::{Deserialize, Serialize};

use super::{
    Arrow, Command, CorePaper, Countersigned, Decider, Ending, Event, Input, Kind, Negotiation, Observation,
    OfferPaper, Opening, ProposalPaper, Received, RequestPaper, Role, State, StateName, arrow, checks,
};
use crate::check::Refusal;
use crate::credential::{ContractId, Entry};
use crate::encoding::{Digest, Timestamp};

/// What a node does after a decision was committed; repeated until done, harmless when repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "effect")]
pub enum Effect {
    /// Tell the counterparty.
    Tell {
        /// What.
        notice: Notice,
    },
    /// Write the hash to the registry.
    Record {
        /// Under which id.
        contract_id: ContractId,
        /// Which hash.
        hash: Digest,
    },
}

/// What the counterparty is told; the node signs it and makes the courier's message of it when it commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "notice")]
pub enum Notice {
    /// The consumer's request, first or anew.
    Request(Box<RequestPaper>),
    /// The provider's proposal, with which it begins.
    Proposal(Box<ProposalPaper>),
    /// The provider's offer.
    Offer(Box<OfferPaper>),
    /// The consumer's acceptance.
    Acceptance(CorePaper),
    /// The provider recorded.
    Agreement {
        /// The entry.
        entry: Entry,
    },
    /// The consumer saw the entry.
    Verification {
        /// The signed acknowledgement.
        acknowledgement: String,
    },
    /// The provider confirms.
    Finalization {
        /// The signed acknowledgement.
        acknowledgement: String,
    },
    /// It is over, or the consumer asks that it be.
    Termination {
        /// The offer that it is about, where one stands.
        offer_sha256: Option<Digest>,
        /// Why.
        ending: Ending,
    },
}

impl Notice {
    /// The kind of message.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Request(_) => Kind::Request,
            Self::Proposal(_) | Self::Offer(_) => Kind::Offer,
            Self::Acceptance(_) => Kind::Acceptance,
            Self::Agreement { .. } => Kind::Agreement,
            Self::Verification { .. } => Kind::Verification,
            Self::Finalization { .. } => Kind::Finalization,
            Self::Termination { .. } => Kind::Termination,
        }
    }
}

/// Events and effects that belong together: given to a store's commit, or to nothing.
#[must_use = "a decision has no effect until it is committed"]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What happened.
    pub events: Vec<Event>,
    /// What follows from it.
    pub effects: Vec<Effect>,
}

impl Decision {
    fn moved(event: Event) -> Self {
        Self { events: vec![event], effects: vec![] }
    }

    fn telling(mut self, notice: Notice) -> Self {
        self.effects.push(Effect::Tell { notice });
        self
    }

    /// Whether nothing happens.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.effects.is_empty()
    }
}

impl Negotiation {
    /// The first decision of a negotiation: the consumer asks, or the provider takes a request in.
    pub fn begin(opening: Opening, request: RequestPaper, at: Timestamp) -> Decision {
        let asks = opening.role == Role::Consumer;
        let notice = asks.then(|| Notice::Request(Box::new(request.clone())));
        let decision = Decision::moved(Event::Requested { opening, request, at });
        match notice {
            Some(notice) => decision.telling(notice),
            None => decision,
        }
    }

    /// The first decision of a negotiation that the provider begins: it proposes terms, or its consumer takes them in.
    pub fn propose(opening: Opening, proposal: ProposalPaper, by: Option<Decider>, at: Timestamp) -> Decision {
        let tells = opening.role == Role::Provider;
        let notice = tells.then(|| Notice::Proposal(Box::new(proposal.clone())));
        let decision = Decision::moved(Event::Proposed { opening, proposal: Box::new(proposal), by, at });
        match notice {
            Some(notice) => decision.telling(notice),
            None => decision,
        }
    }

    /// What follows from `input` at `now`. An empty decision means: known already, nothing to do.
    ///
    /// # Errors
    /// A [`Refusal`] of `negotiation.*`; the negotiation is as it was.
    pub fn decide(&self, input: Input, now: Timestamp) -> Result<Decision, Refusal> {
        match input {
            Input::Received(received) => self.hear(received, now),
            Input::Ordered(command) => self.obey(command, now),
            Input::Observed(observation) => Ok(self.observe(observation, now)),
            Input::Elapsed => Ok(self.lapse(now)),
        }
    }

    fn hear(&self, received: Received, now: Timestamp) -> Result<Decision, Refusal> {
        let (peer, state) = (self.opening.role.other(), self.state.name());
        match arrow(state, peer, received.kind()) {
            Arrow::Refused | Arrow::Early => return Err(self.no_arrow(peer, received.kind())),
            Arrow::Known => return self.heard_before(&received),
            Arrow::To(_) | Arrow::Noted => {}
        }
        match received {
            Received::CounterRequest(request) => {
                if let State::Proposed(proposal) = &self.state {
                    let in_time = now <= proposal.answer_by;
                    checks::ACCEPT_BY.hold(in_time, || format!("the proposal stood until {}", proposal.answer_by))?;
                }
                Ok(Decision::moved(Event::CounterRequested { request, by: None, at: now }))
            }
            Received::Offer(offer) => {
                checks::ACCEPT_BY
                    .hold(now <= offer.accept_by, || format!("accept_by {} has passed", offer.accept_by))?;
                Ok(Decision::moved(Event::Offered { offer, by: None, at: now }))
            }
            Received::Acceptance(core) => {
                self.in_time_and_standing(&core, now)?;
                Ok(Decision::moved(Event::Accepted { core, by: None, at: now }))
            }
            Received::Agreement(entry) => {
                self.about_this_contract(&entry)?;
                Ok(Decision::moved(Event::Agreed { entry, at: now }))
            }
            Received::Verification(acknowledged, text) => {
                self.acknowledges_this_contract(&acknowledged)?;
                let Some(entry) = self.entry().cloned() else { return Err(self.no_arrow(peer, Kind::Verification)) };
                Ok(Decision::moved(Event::Verified { entry, acknowledgement: text, at: now }))
            }
            Received::Finalization(acknowledged, text) => {
                self.acknowledges_this_contract(&acknowledged)?;
                // This side saw its entry at finality, so that another block is another chain or a lie.
                let same = self.entry().is_some_and(|entry| {
                    (acknowledged.block, acknowledged.block_hash) == (entry.block, entry.block_hash)
                        && acknowledged.block_time == entry.block_time
                });
                checks::ENTRY
                    .hold(same, || format!("the acknowledgement is of an entry in block {}", acknowledged.block))?;
                Ok(Decision::moved(Event::Finalized { acknowledgement: text, entry: None, at: now }))
            }
            Received::Termination(termination) => {
                if let Some(named) = &termination.offer_sha256 {
                    let standing = self.offer().map(|offer| offer.sha256.b64u());
                    checks::SUPERSEDED.hold(standing.is_none() || standing.as_ref() == Some(named), || {
                        "the termination names an offer that does not stand".into()
                    })?;
                }
                if state == StateName::Accepted && peer == Role::Consumer {
                    if self.cancel_asked.is_some() {
                        return Ok(Decision::default());
                    }
                    let reason = termination.reason.clone();
                    return Ok(Decision::moved(Event::CancelAsked { reason, decided: None, at: now }));
                }
                let ending = Ending { by: peer, code: termination.code.clone(), reason: termination.reason.clone() };
                Ok(Decision::moved(Event::Terminated { ending, decided: None, at: now }))
            }
        }
    }

    /// A message whose news is known: harmless, unless it says something else than what is known.
    fn heard_before(&self, received: &Received) -> Result<Decision, Refusal> {
        match received {
            Received::Acceptance(core) => {
                let known = self.countersigned().map(|countersigned| &countersigned.core);
                checks::SAME_ACCEPTANCE
                    .hold(known == Some(core), || "another acceptance of this offer is on record".into())?;
            }
            Received::Agreement(entry) => self.about_this_contract(entry)?,
            Received::Verification(acknowledged, _) | Received::Finalization(acknowledged, _) => {
                self.acknowledges_this_contract(acknowledged)?;
            }
            _ => {}
        }
        Ok(Decision::default())
    }

    fn obey(&self, command: Command, now: Timestamp) -> Result<Decision, Refusal> {
        let (role, state) = (self.opening.role, self.state.name());
        checks::TERMINAL.hold(!matches!(state, StateName::Finalized | StateName::Terminated), || {
            format!("the negotiation is {state}")
        })?;
        let expect = |holds: bool, what: &str| {
            checks::STATE.hold(holds, || format!("a {role:?} cannot {what} in {state}").to_lowercase())
        };
        match command {
            Command::Offer(offer, by) => {
                expect(role == Role::Provider && state == StateName::Requested, "offer")?;
                let notice = Notice::Offer(offer.clone());
                Ok(Decision::moved(Event::Offered { offer, by: Some(by), at: now }).telling(notice))
            }
            Command::CounterRequest(request, by) => {
                expect(role == Role::Consumer && state == StateName::Offered, "ask anew")?;
                let notice = Notice::Request(Box::new(request.clone()));
                Ok(Decision::moved(Event::CounterRequested { request, by: Some(by), at: now }).telling(notice))
            }
            Command::Accept(core, by) => {
                expect(role == Role::Consumer && state == StateName::Offered, "accept")?;
                self.in_time_and_standing(&core, now)?;
                let notice = Notice::Acceptance(core.clone());
                Ok(Decision::moved(Event::Accepted { core, by: Some(by), at: now }).telling(notice))
            }
            Command::Record(by) => {
                expect(role == Role::Provider && state == StateName::Accepted, "record")?;
                if self.record_ordered {
                    return Ok(Decision::default());
                }
                let State::Accepted(Countersigned { offer, core }) = &self.state else {
                    return Err(self.no_arrow(role, Kind::Agreement));
                };
                checks::RECORD_BY
                    .hold(now <= offer.record_by, || format!("record_by {} has passed", offer.record_by))?;
                let mut decision = Decision::moved(Event::RecordOrdered { by, at: now });
                decision.effects.push(Effect::Record { contract_id: core.contract_id, hash: core.hash });
                Ok(decision)
            }
            Command::Terminate { code, reason, by } => self.end(code, reason, by, now),
        }
    }

    fn end(&self, code: String, reason: String, by: Decider, now: Timestamp) -> Result<Decision, Refusal> {
        let (role, state) = (self.opening.role, self.state.name());
        let ending = Ending { by: role, code, reason: reason.clone() };
        match state {
            StateName::Requested | StateName::Offered => Ok(self.terminating(ending, Some(by), now)),
            StateName::Accepted if role == Role::Consumer => {
                if self.cancel_asked.is_some() {
                    return Ok(Decision::default());
                }
                let notice = Notice::Termination { offer_sha256: self.offer().map(|offer| offer.sha256), ending };
                Ok(Decision::moved(Event::CancelAsked { reason, decided: Some(by), at: now }).telling(notice))
            }
            StateName::Accepted => {
                checks::RECORDED.hold(!self.record_ordered, || {
                    "the record was handed to the registry; once it stands, end the contract instead".into()
                })?;
                Ok(self.terminating(ending, Some(by), now))
            }
            _ => Err(checks::RECORDED.refuse(format!("in {state} there is an entry: end or withdraw the contract"))),
        }
    }

    fn observe(&self, observation: Observation, now: Timestamp) -> Decision {
        let role = self.opening.role;
        match (observation, &self.state) {
            (Observation::Receipt(entry), State::Accepted(accepted))
                if role == Role::Provider && accepted.core.is_entered_by(&entry, &accepted.offer) =>
            {
                Decision::moved(Event::Agreed { entry: entry.clone(), at: now }).telling(Notice::Agreement { entry })
            }
            (Observation::Concluded(entry, acknowledgement), State::Accepted(_) | State::Agreed(..))
                if role == Role::Consumer =>
            {
                let mut events = Vec::new();
                if self.state.name() == StateName::Accepted {
                    events.push(Event::Agreed { entry: entry.clone(), at: now });
                }
                events.push(Event::Verified { entry, acknowledgement: acknowledgement.clone(), at: now });
                Decision { events, effects: vec![] }.telling(Notice::Verification { acknowledgement })
            }
            (Observation::Concluded(entry, _), State::Accepted(_)) => {
                // The receipt was lost with a crash; the entry stands all the same.
                Decision::moved(Event::Agreed { entry: entry.clone(), at: now }).telling(Notice::Agreement { entry })
            }
            (Observation::Concluded(entry, acknowledgement), State::Verified(_, known, _))
                if role == Role::Provider =>
            {
                // The receipt's block may have been replaced since.
                let entry = (entry != *known).then_some(entry);
                Decision::moved(Event::Finalized { acknowledgement: acknowledgement.clone(), entry, at: now })
                    .telling(Notice::Finalization { acknowledgement })
            }
            (Observation::Concluded(entry, _), State::Terminated(_, Some(_)))
                if self.entry_despite_termination.is_none() =>
            {
                Decision::moved(Event::EntryDespiteTermination { entry, at: now })
            }
            (Observation::Broken(refusal), State::Accepted(_) | State::Agreed(..)) => {
                let (code, reason) = (refusal.check.id().to_owned(), refusal.detail);
                self.terminating(Ending { by: role, code, reason }, None, now)
            }
            (Observation::Nothing(head), State::Accepted(countersigned) | State::Agreed(countersigned, _))
                if head.time > countersigned.offer.record_by =>
            {
                let reason = format!(
                    "no entry stood at the finalised block {} of {}, after record_by {}",
                    head.number, head.time, countersigned.offer.record_by
                );
                self.terminating(Ending { by: role, code: "timeout.record-by".into(), reason }, None, now)
            }
            _ => Decision::default(),
        }
    }

    fn lapse(&self, now: Timestamp) -> Decision {
        match &self.state {
            State::Proposed(proposal) if now > proposal.answer_by => {
                let reason = format!("nobody took it up by {}", proposal.answer_by);
                self.terminating(Ending { by: self.opening.role, code: "timeout.answer-by".into(), reason }, None, now)
            }
            State::Offered(offer) if now > offer.accept_by => {
                let reason = format!("nobody accepted by {}", offer.accept_by);
                self.terminating(Ending { by: self.opening.role, code: "timeout.accept-by".into(), reason }, None, now)
            }
            State::Requested if self.lapses_at().is_some_and(|end| now > end) => {
                let reason = "the request was not answered".into();
                self.terminating(Ending { by: self.opening.role, code: "timeout.request".into(), reason }, None, now)
            }
            _ => Decision::default(),
        }
    }

    fn terminating(&self, ending: Ending, decided: Option<Decider>, at: Timestamp) -> Decision {
        let offer_sha256 = self.offer().map(|offer| offer.sha256);
        let notice = Notice::Termination { offer_sha256, ending: ending.clone() };
        Decision::moved(Event::Terminated { ending, decided, at }).telling(notice)
    }

    fn no_arrow(&self, sender: Role, kind: Kind) -> Refusal {
        let state = self.state.name();
        if matches!(state, StateName::Finalized | StateName::Terminated) {
            return checks::TERMINAL.refuse(format!("the negotiation is {state}"));
        }
        checks::STATE.refuse(format!("{} of the {sender:?} is no arrow of {state}", kind.name()).to_lowercase())
    }

    fn in_time_and_standing(&self, core: &CorePaper, now: Timestamp) -> Result<(), Refusal> {
        let State::Offered(offer) = &self.state else {
            return Err(self.no_arrow(Role::Consumer, Kind::Acceptance));
        };
        checks::SUPERSEDED.hold(core.offer_sha256 == offer.sha256 && core.contract_id == offer.contract_id, || {
            format!("accepted was {}, but {} stands", core.offer_sha256, offer.sha256)
        })?;
        checks::ACCEPT_BY.hold(now <= offer.accept_by, || format!("accept_by {} has passed", offer.accept_by))
    }

    fn about_this_contract(&self, entry: &Entry) -> Result<(), Refusal> {
        let fits = self
            .countersigned()
            .is_some_and(|countersigned| countersigned.core.is_entered_by(entry, &countersigned.offer));
        checks::ENTRY.hold(fits, || "the entry is not of this contract".into())
    }

    fn acknowledges_this_contract(&self, acknowledged: &crate::credential::Acknowledgement) -> Result<(), Refusal> {
        let fits = self.countersigned().is_some_and(|Countersigned { offer, core }| {
            acknowledged.signer == self.opening.peer
                && acknowledged.core_sha256 == core.core_sha256()
                && acknowledged.chain_id == offer.registry.chain_id
                && acknowledged.registry == offer.registry.address
        });
        checks::ENTRY.hold(fits, || "the acknowledgement is not the counterparty's of this contract".into())
    }
}

impl Received {
    /// The kind of message.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::CounterRequest(_) => Kind::Request,
            Self::Offer(_) => Kind::Offer,
            Self::Acceptance(_) => Kind::Acceptance,
            Self::Agreement(_) => Kind::Agreement,
            Self::Verification(..) => Kind::Verification,
            Self::Finalization(..) => Kind::Finalization,
            Self::Termination(_) => Kind::Termination,
        }
    }
}

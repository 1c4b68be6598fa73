use serde_json::Value;

use super::super::{Kind, Role, StateName, checks};
use super::{Event, Negotiation, Opening, Parties, Said, State, Word, arrow, same_terms};
use crate::check::Refusal;

impl Negotiation {
    /// The first message of a negotiation: the consumer's request, or an offer that the provider was not asked for.
    ///
    /// # Errors
    /// `negotiation.state` for another message.
    pub fn begin(opening: Opening, said: Said) -> Result<Event, Refusal> {
        let begins = said.sender == opening.began && arrow(None, said.sender, said.word.kind()).is_some();
        checks::STATE.hold(begins, || format!("a {} begins no negotiation", said.word.kind().name()))?;
        Ok(Event::Began { opening, said })
    }

    /// Whether the counterparty has sent this very message before.
    pub fn has_heard(&self, said: &Said) -> bool {
        said.sender != self.opening.role && self.has_heard_id(said.id.as_deref())
    }

    /// Whether the counterparty has sent a message of this id before.
    pub fn has_heard_id(&self, id: Option<&str>) -> bool {
        id.is_some_and(|id| self.heard.contains(id))
    }

    /// Whether the counterparty begins once more what it has begun: from where it heard then, with the offer and roles of then.
    ///
    /// EDC (0.15.1) says its first message again under another id when its loop is quicker than the answer, and takes a
    /// refusal of that for the end of what it has begun.
    pub fn was_begun_with(&self, address: &str, offer: Option<&Value>, parties: Option<&Parties>) -> bool {
        let (opening, first) = (&self.opening, self.offers.first());
        opening.began != opening.role
            && opening.address == address
            && first.is_some_and(|first| {
                Some(&first.offer) == offer && parties.is_none_or(|parties| *parties == first.parties)
            })
    }

    /// Whether the counterparty only says again what its state rests on, under another id of the message.
    ///
    /// No arrow of the specification, and tolerated for one connector: EDC (0.15.1, under load) says an agreement, a
    /// verification or a finalization again when its loop is quicker than the answer, gives the agreement another id and time
    /// then, and takes each 4xx for the end: a refusal would make it terminate what stands here. The agreement that came
    /// first stays the one that this side holds, and the other id is noted.
    fn knows(&self, said: &Said) -> bool {
        let state = self.state.name();
        said.sender != self.opening.role
            && match (&said.word, said.sender) {
                (Word::Agreement { agreement }, Role::Provider) => {
                    !matches!(self.state, State::Terminated(..))
                        && self.agreement().is_some()
                        && self.hold_agreement(agreement, said.parties.as_ref()).is_ok()
                }
                (Word::Verification, Role::Consumer) => matches!(state, StateName::Verified | StateName::Finalized),
                (Word::Finalization, Role::Provider) => state == StateName::Finalized,
                _ => false,
            }
    }

    /// The note that a known agreement was said under an id that it did not have so far.
    fn renamed(&self, said: &Said) -> Option<Event> {
        let Word::Agreement { agreement } = &said.word else { return None };
        let id = text(agreement, "@id")?;
        let known = |held: &str| held == id;
        let held = self.agreement().and_then(|plain| text(&plain.agreement, "@id")).is_some_and(known);
        let noted = self.history.iter().flat_map(|entered| &entered.renamed).any(|noted| known(noted));
        (!held && !noted).then(|| Event::Renamed { agreement: id.to_owned() })
    }

    /// What follows from a message, of either side. `None`: it is known already, and nothing follows.
    ///
    /// # Errors
    /// A [`Refusal`] of `negotiation.*`; the negotiation is as it was.
    pub fn decide(&self, said: Said) -> Result<Option<Event>, Refusal> {
        if self.has_heard(&said) {
            return Ok(None);
        }
        if self.knows(&said) {
            return Ok(self.renamed(&said));
        }
        let (state, kind) = (self.state.name(), said.word.kind());
        checks::TERMINAL.hold(!self.is_over(), || format!("it is {state} and takes no {}", kind.name()))?;
        checks::STATE.hold(arrow(Some(state), said.sender, kind).is_some(), || {
            format!("a {} of the {} is no arrow of {state}", kind.name(), side(said.sender))
        })?;
        match &said.word {
            Word::Acceptance { offer: Some(named) } => {
                let stands = self.offer().and_then(|offer| text(&offer.offer, "@id"));
                checks::SUPERSEDED.hold(stands == Some(named), || {
                    format!("it accepts {named}, and {} stands", stands.unwrap_or("no offer"))
                })?;
            }
            Word::Agreement { agreement } => self.hold_agreement(agreement, said.parties.as_ref())?,
            Word::Request { offer } | Word::Offer { offer } => {
                let target = text(offer, "target");
                checks::STATE.hold(target == Some(&self.opening.dataset), || {
                    format!("the negotiation is about {}, not {}", self.opening.dataset, target.unwrap_or("nothing"))
                })?;
                let parties = said.parties.clone().unwrap_or_else(|| self.parties());
                checks::OFFER_ID.hold(self.may_be_named(offer, &parties), || {
                    let id = text(offer, "@id").unwrap_or_default();
                    format!("{id} named an offer of other terms or roles before; give this one an id of its own")
                })?;
            }
            _ => {}
        }
        Ok(Some(Event::Said { said }))
    }

    /// Whether an offer may have the id that it has: nothing else was on the table under it. Who has read an offer accepts or
    /// agrees to it by its id, and to nothing that was put in its place.
    pub fn may_be_named(&self, offer: &Value, parties: &Parties) -> bool {
        let id = text(offer, "@id");
        let named = self.offers.iter().filter(|before| text(&before.offer, "@id") == id);
        named.into_iter().all(|before| before.parties == *parties && same_terms(&before.offer, offer))
    }

    /// An agreement is the offer that stands, with the two parties named; and with its roles, as far as it says any. Roles
    /// other than the usual it has to say: who knows nothing of them has agreed to the usual ones.
    fn hold_agreement(&self, agreement: &Value, roles: Option<&Parties>) -> Result<(), Refusal> {
        let stands = self.offer().map(|offer| &offer.offer);
        checks::AGREEMENT.hold(stands.is_some_and(|offer| same_terms(offer, agreement)), || {
            "the agreement has other terms than the offer that stands".into()
        })?;
        for (member, role) in [("assigner", Role::Provider), ("assignee", Role::Consumer)] {
            let party = self.opening.party(role).as_str();
            checks::AGREEMENT.hold(text(agreement, member) == Some(party), || {
                format!("{member} is {}, expected {party}", text(agreement, member).unwrap_or("nobody"))
            })?;
        }
        let (usual, stand) = (self.opening.parties(), self.parties());
        checks::AGREEMENT.hold(*roles.unwrap_or(&usual) == stand, || {
            let said = if roles.is_some() { "has other roles than" } else { "does not say the roles of" };
            format!("the agreement {said} the offer that stands: {} promises {}", stand.promisor, stand.promisee)
        })
    }

    /// Holds the ids that a message names to those that are known; the event that learns the counterparty's first one.
    ///
    /// # Errors
    /// `negotiation.pids`.
    pub fn hold_pids(&self, consumer: Option<&str>, provider: Option<&str>) -> Result<Option<Event>, Refusal> {
        let (own, peer) = match self.opening.role {
            Role::Consumer => (consumer, provider),
            Role::Provider => (provider, consumer),
        };
        checks::PIDS.hold(own.is_none_or(|own| own == self.opening.own_pid), || {
            "the message is about another negotiation of this node".into()
        })?;
        match (&self.opening.peer_pid, peer) {
            (Some(known), Some(named)) => {
                checks::PIDS.hold(known == named, || format!("{named} is another negotiation than {known}"))?;
                Ok(None)
            }
            (None, Some(named)) => Ok(Some(Event::Named { pid: named.to_owned() })),
            (_, None) => Ok(None),
        }
    }

    /// Which messages of this node's own side are arrows now.
    pub fn turns(&self) -> Vec<Kind> {
        let state = Some(self.state.name());
        Kind::ALL.into_iter().filter(|kind| arrow(state, self.opening.role, *kind).is_some()).collect()
    }
}

const fn side(role: Role) -> &'static str {
    match role {
        Role::Provider => "provider",
        Role::Consumer => "consumer",
    }
}

fn text<'v>(policy: &'v Value, name: &str) -> Option<&'v str> {
    policy.get(name).and_then(Value::as_str)
}

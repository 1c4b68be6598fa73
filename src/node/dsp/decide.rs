//! What follows by itself from where a negotiation stands: by script, by preset, by configuration; or a person decides.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::talk::{Draft, Talk};
use super::{Act, Connector, Handling, Order, PlainRule, Uncataloged};
use crate::negotiation::plain::{Negotiation, same_terms};
use crate::negotiation::{Decider, Role, StateName};
use crate::node::NodeFault;

/// How many decisions can follow from one another without a message between them.
const IN_A_ROW: usize = 4;

/// Whose turn it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// This node does something by itself.
    Itself { act: Act, by: Decider, after: Duration, terms: Option<Map<String, Value>>, code: Option<&'static str> },
    /// A person of this side decides.
    Person,
    /// The counterparty, or nobody any more.
    Other,
}

impl Next {
    fn rule(act: Act, name: &str) -> Self {
        Self::Itself { act, by: Decider::Rule(name.to_owned()), after: Duration::ZERO, terms: None, code: None }
    }
}

impl Connector {
    /// Whose turn it is in a talk; in one that a restored copy holds, the counterparty's alone.
    pub(super) fn next_in(&self, talk: &Talk, negotiation: &Negotiation) -> Next {
        if talk.held { Next::Other } else { self.next(negotiation) }
    }

    /// Whose turn it is in a negotiation.
    fn next(&self, negotiation: &Negotiation) -> Next {
        if negotiation.is_over() {
            return Next::Other;
        }
        if let Some(step) = self.script.step(negotiation) {
            return match step.act {
                Act::Hold => Next::Other,
                act => Next::Itself {
                    act,
                    by: Decider::Rule("script".into()),
                    after: Duration::from_millis(step.after_ms),
                    terms: step.terms.clone(),
                    code: None,
                },
            };
        }
        let decide = &self.settings.decide;
        let by = |handling: Handling, act: Act, name: &str| match handling {
            Handling::Automatic => Next::rule(act, name),
            Handling::Manual => Next::Person,
        };
        match (negotiation.opening().role, negotiation.state().name()) {
            (Role::Provider, StateName::Requested) => self.on_request(negotiation),
            (Role::Consumer, StateName::Offered) => self.on_offer(negotiation),
            (Role::Provider, StateName::Accepted) => by(decide.confirm, Act::Agree, "decide.confirm"),
            (Role::Consumer, StateName::Agreed) => by(decide.verify, Act::Verify, "decide.verify"),
            (Role::Provider, StateName::Verified) => by(decide.finalize, Act::Finalize, "decide.finalize"),
            _ => Next::Other,
        }
    }

    fn on_request(&self, negotiation: &Negotiation) -> Next {
        let cataloged = negotiation.offer().and_then(|offer| offer.cataloged) == Some(true);
        // Its own catalog says what this side promises, and what it has promised to it.
        let consents = cataloged || usual(negotiation);
        if let Some(rule) = self.preset(negotiation, cataloged, consents, &[Act::Agree, Act::Terminate]) {
            return Next::rule(rule.point, &rule.name);
        }
        match (cataloged, self.settings.uncataloged, self.settings.decide.agree) {
            (true, _, Handling::Automatic) => Next::rule(Act::Agree, "decide.agree"),
            (false, Uncataloged::Reject, _) => uncataloged(),
            _ => Next::Person,
        }
    }

    fn on_offer(&self, negotiation: &Negotiation) -> Next {
        let offers = negotiation.offers();
        let asked = offers.iter().rev().find(|offer| offer.by == Role::Consumer);
        let as_asked = asked.zip(negotiation.offer()).is_some_and(|(asked, offer)| {
            // The same words bind somebody else where the promise is turned round.
            asked.parties == offer.parties && same_terms(&asked.offer, &offer.offer)
        });
        let cataloged = negotiation.offer().and_then(|offer| offer.cataloged);
        let known = cataloged == Some(true) || as_asked;
        // The catalog is the counterparty's own word, and says nothing about what this side wants: a rule consents to the
        // usual roles and to those that this side asked for, and to nothing where it asked for nothing at all.
        let consents = asked.is_some_and(|asked| usual(negotiation) || asked.parties == negotiation.parties());
        if let Some(rule) = self.preset(negotiation, known, consents, &[Act::Accept, Act::Terminate]) {
            return Next::rule(rule.point, &rule.name);
        }
        match (as_asked, self.settings.decide.accept) {
            (true, Handling::Automatic) => Next::rule(Act::Accept, "decide.accept"),
            // Where nobody knows what the catalog has, a person looks.
            (false, _) if cataloged == Some(false) && self.settings.uncataloged == Uncataloged::Reject => uncataloged(),
            _ => Next::Person,
        }
    }

    /// The first rule that decides. A rule names no roles: whether any can consent to those of the offer is said to it.
    fn preset(&self, negotiation: &Negotiation, known: bool, consents: bool, points: &[Act]) -> Option<&PlainRule> {
        if !known && self.settings.uncataloged != Uncataloged::Rules {
            return None;
        }
        let consents = |rule: &PlainRule| consents || rule.point == Act::Terminate;
        let rules = self.settings.rules.iter();
        rules.filter(|rule| points.contains(&rule.point) && consents(rule)).find(|rule| rule.decides(negotiation))
    }

    /// Lets everything that follows by itself happen in the same decision; what has a delay comes later.
    pub(super) async fn follow(self: &Arc<Self>, talk: &Arc<Talk>, mut draft: Draft) -> Result<Draft, NodeFault> {
        for _ in 0..IN_A_ROW {
            let Next::Itself { act, by, after, terms, code } = self.next_in(talk, &draft.negotiation) else { break };
            if !after.is_zero() {
                self.later(talk, &draft.negotiation, after);
                break;
            }
            let order = Order { terms, code: code.map(str::to_owned), ..Order::default() };
            match self.done_by(&draft.negotiation, act, &order, by).await {
                Ok(Some(event)) => draft = draft.add(event)?,
                Ok(None) => break,
                Err(NodeFault::Refused(refusal)) => {
                    tracing::warn!(negotiation = talk.id, %refusal, ?act, "what a rule decides is not possible");
                    break;
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(draft)
    }

    /// Does what comes next after a time, unless something else has happened by then.
    pub(super) fn later(self: &Arc<Self>, talk: &Arc<Talk>, negotiation: &Negotiation, after: Duration) {
        let (connector, talk, entered) = (Arc::clone(self), Arc::clone(talk), negotiation.history().len());
        self.beside(async move {
            tokio::time::sleep(after).await;
            if let Err(fault) = connector.resume(&talk, entered).await {
                tracing::warn!(negotiation = talk.id, %fault, "what was to happen later did not");
            }
        });
    }

    async fn resume(self: &Arc<Self>, talk: &Arc<Talk>, entered: usize) -> Result<(), NodeFault> {
        let mut slot = talk.standing.lock().await;
        self.read(talk, &mut slot).await?;
        let Some(negotiation) = slot.as_ref().filter(|standing| standing.history().len() == entered) else {
            return Ok(());
        };
        let Next::Itself { act, by, terms, code, .. } = self.next_in(talk, negotiation) else { return Ok(()) };
        let order = Order { terms, code: code.map(str::to_owned), ..Order::default() };
        let Some(event) = self.done_by(negotiation, act, &order, by).await? else { return Ok(()) };
        let Some(negotiation) = slot.take() else { return Ok(()) };
        let draft = self.follow(talk, Draft::further(negotiation).add(event)?).await?;
        let settling = self.submit(talk, &mut slot, draft)?;
        drop(slot);
        settling.settled().await
    }
}

/// Whether the provider promises, as it does where nobody says otherwise.
fn usual(negotiation: &Negotiation) -> bool {
    negotiation.parties() == negotiation.opening().parties()
}

fn uncataloged() -> Next {
    let by = Decider::Rule("uncataloged".into());
    Next::Itself { act: Act::Terminate, by, after: Duration::ZERO, terms: None, code: Some("dsp.uncataloged") }
}

impl PlainRule {
    fn decides(&self, negotiation: &Negotiation) -> bool {
        let names_something = self.counterparties.is_some() || self.datasets.is_some() || self.terms.is_some();
        let opening = negotiation.opening();
        names_something
            && self.counterparties.as_ref().is_none_or(|who| who.has(&opening.peer))
            && self.datasets.as_ref().is_none_or(|ids| ids.contains(&opening.dataset))
            && self.terms.as_ref().is_none_or(|terms| {
                let mut wanted = Value::Object(terms.clone());
                wanted["target"] = Value::from(opening.dataset.clone());
                negotiation.offer().is_some_and(|offer| same_terms(&wanted, &offer.offer))
            })
    }
}

use serde::{Deserialize, Serialize};

use super::{DataAddress, Event, Kind, Message, Opening, Reason, Transfer, arrow, checks};
use crate::check::Refusal;
use crate::encoding::Timestamp;
use crate::negotiation::Role;

/// A message of the counterparty, whose identity the node has verified.
pub type Received = Message;

/// A decision of this side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Provider: the data can be had, there. Either, after a suspension: it goes on.
    Start(Option<DataAddress>),
    /// Not for now.
    Suspend(Reason),
    /// It is all there.
    Complete,
    /// It is over.
    Terminate(Reason),
}

impl Command {
    /// The kind of message that tells the other side.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Start(_) => Kind::Start,
            Self::Suspend(_) => Kind::Suspension,
            Self::Complete => Kind::Completion,
            Self::Terminate(_) => Kind::Termination,
        }
    }
}

/// What the counterparty is told. The pids are put in when it is sent: a consumer learns the provider's only then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The kind of message.
    pub kind: Kind,
    /// Where the data is, in a start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<DataAddress>,
    /// Why, in a suspension or a termination.
    #[serde(default)]
    pub reason: Reason,
}

impl Notice {
    /// The message for a transfer as it stands; `id` is the same in every attempt, `callback` where this node hears.
    pub fn message(&self, transfer: &Transfer, id: &str, callback: &str) -> Message {
        let opening = transfer.opening();
        let first = self.kind == Kind::Request;
        Message {
            kind: self.kind,
            id: Some(id.to_owned()),
            consumer_pid: opening.consumer_pid.clone(),
            provider_pid: opening.provider_pid.clone().filter(|_| !first),
            agreement: first.then(|| opening.agreement.clone()),
            callback: first.then(|| callback.to_owned()),
            address: self.address.clone(),
            reason: self.reason.clone(),
        }
    }
}

/// Events, and what follows from them: given to a store's commit, or to nothing.
#[must_use = "a decision has no effect until it is committed"]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What happened.
    pub events: Vec<Event>,
    /// What the counterparty is told.
    pub notice: Option<Notice>,
}

impl Transfer {
    /// The first decision: the consumer asks, or the provider takes a request in.
    pub fn begin(opening: Opening, at: Timestamp) -> Decision {
        let asks = opening.role == Role::Consumer;
        let notice = asks.then(|| Notice { kind: Kind::Request, address: None, reason: Reason::default() });
        Decision { events: vec![Event::Requested { opening, at }], notice }
    }

    /// What follows from a message of the counterparty.
    ///
    /// # Errors
    /// `transfer.pids`, `transfer.state`, `transfer.terminal`, `transfer.address`; the transfer is as it was.
    pub fn hear(&self, received: Received, at: Timestamp) -> Result<Decision, Refusal> {
        let (opening, peer) = (&self.opening, self.opening.role.other());
        let consumer = received.consumer_pid == opening.consumer_pid;
        let provider = match (&opening.provider_pid, &received.provider_pid) {
            (Some(known), Some(said)) => known == said,
            // The provider's message may overtake its answer to the request: this is how its pid is learned then.
            (None, Some(_)) => opening.role == Role::Consumer,
            (_, None) => false,
        };
        checks::PIDS.hold(consumer && provider, || "the pids are not those of this transfer".into())?;
        self.leads_on(peer, received.kind)?;
        let mut events = vec![];
        if let (None, Some(provider_pid)) = (&opening.provider_pid, received.provider_pid) {
            events.push(Event::Named { provider_pid });
        }
        let from_provider = peer == Role::Provider && received.kind == Kind::Start;
        if from_provider {
            let told = received.address.is_some() || self.address.is_some();
            checks::ADDRESS.hold(told, || "the start has no `dataAddress`, and none came before".into())?;
        }
        let address = received.address.filter(|_| from_provider);
        events.push(Event::Moved { by: peer, kind: received.kind, address, reason: received.reason, at });
        Ok(Decision { events, notice: None })
    }

    /// What follows from a decision of this side.
    ///
    /// # Errors
    /// `transfer.state`, `transfer.terminal`, `transfer.address`; the transfer is as it was.
    pub fn obey(&self, command: Command, at: Timestamp) -> Result<Decision, Refusal> {
        let (role, kind) = (self.opening.role, command.kind());
        self.leads_on(role, kind)?;
        let (address, reason) = match command {
            Command::Start(address) => {
                let needed = role == Role::Provider && self.address.is_none() && address.is_none();
                checks::ADDRESS.hold(!needed, || "nothing says where the data is".into())?;
                (address.filter(|_| role == Role::Provider), Reason::default())
            }
            Command::Suspend(reason) | Command::Terminate(reason) => (None, reason),
            Command::Complete => (None, Reason::default()),
        };
        let notice = Notice { kind, address: address.clone(), reason: reason.clone() };
        Ok(Decision { events: vec![Event::Moved { by: role, kind, address, reason, at }], notice: Some(notice) })
    }

    /// The consumer learns the provider's pid from the answer to its request; nothing where it knows it.
    ///
    /// # Errors
    /// `transfer.pids` where it knows another one.
    pub fn named(&self, provider_pid: &str) -> Result<Decision, Refusal> {
        match &self.opening.provider_pid {
            Some(known) => {
                checks::PIDS.hold(known == provider_pid, || "the provider has named another pid before".into())?;
                Ok(Decision::default())
            }
            None => {
                let provider_pid = provider_pid.to_owned();
                Ok(Decision { events: vec![Event::Named { provider_pid }], notice: None })
            }
        }
    }

    fn leads_on(&self, sender: Role, kind: Kind) -> Result<(), Refusal> {
        let state = self.state;
        let refused = || format!("a {} of the {sender:?} in {state}", kind.message_type());
        checks::TERMINAL.hold(!state.is_final(), refused)?;
        checks::STATE.hold(arrow(state, sender, kind).is_some(), refused)
    }
}

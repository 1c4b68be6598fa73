//! Picking up: over a connection at once, otherwise now and then; what is stored here is acknowledged, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{Connection, MediatedBy, MediationStanding, MediatorCourier, Route, Way};
use crate::identity::Did;
use crate::inbox::mediation::{Action, Answer, Held, MAX_HELD, Outcome, Request, Update};
use crate::inbox::{Contact, Invitation};
use crate::node::{Kept, NewContact, Node, NodeFault, NotDelivered, Reach, StoreFault, chance};

/// How long the first pause after a failure or an empty queue is.
const FIRST: Duration = Duration::from_secs(1);
/// How long a live connection is silent before the queue is asked about: what it missed is found then.
const SILENCE: Duration = Duration::from_secs(60);
/// How long an answer may take over a connection that is being set up.
const WITHIN: Duration = Duration::from_secs(20);

/// What picks up a wallet's messages at its mediator.
pub struct Pickup {
    pub(super) node: Arc<Node>,
    courier: Arc<dyn MediatorCourier>,
    /// Whether the mediator has said in this process that it keeps messages, and nothing went wrong since.
    settled: AtomicBool,
}

/// How a round of picking up ended.
enum Round {
    /// There was something.
    Found,
    /// There was nothing.
    Empty,
}

impl Pickup {
    /// Picks up for `node`, whose settings name the mediator.
    pub fn new(node: Arc<Node>, courier: Arc<dyn MediatorCourier>) -> Self {
        Self { node, courier, settled: AtomicBool::new(false) }
    }

    /// Picks up until it is dropped.
    pub async fn run(self) {
        let Some(by) = self.node.settings.mediator.clone() else { return };
        self.node.mediated.state().standing = MediationStanding::Asking;
        let longest = Duration::from_secs(by.poll_within.clamp(1, 3600));
        let mut pause = FIRST;
        loop {
            match self.session(&by).await {
                Ok(Round::Found) => pause = FIRST,
                Ok(Round::Empty) => {}
                Err(fault) => {
                    tracing::warn!(%fault, "messages could not be picked up; trying again");
                    self.settled.store(false, Ordering::Relaxed);
                    let mut state = self.node.mediated.state();
                    if state.way == Some(Way::Live) {
                        // It held for a while: the mediator is perhaps back at once.
                        pause = FIRST;
                    }
                    (state.trouble, state.way) = (Some(fault.to_string()), None);
                }
            }
            let _ = timeout(pause, self.node.mediated.bell.notified()).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Asks for mediation, picks up what waits, and then stays on a connection for as long as it lasts.
    async fn session(&self, by: &MediatedBy) -> Result<Round, NodeFault> {
        let mediator = self.introduced(by).await?;
        self.node.mediated.state().mediator = Some(mediator.clone());
        if self.node.mediated.known().is_none() {
            self.node.recall_route(&mediator).await?;
        }
        let reach = self.node.reach(&mediator).await?;
        let reach = reach.filter(|reach| reach.via.is_empty() && !reach.keys.is_empty()).ok_or_else(|| {
            NodeFault::Unready(format!(
                "no contact says where {mediator} is reached; `countersign contact add` takes one"
            ))
        })?;
        if !self.settled.load(Ordering::Relaxed) {
            self.settle(&mediator, &reach).await?;
            self.settled.store(true, Ordering::Relaxed);
        }
        let found = self.drain(&mediator, &reach).await?;
        if by.live {
            match self.courier.connect(&reach.inbox).await {
                Ok(connection) => self.stay(connection, &mediator, &reach).await?,
                Err(fault) => tracing::info!(%fault, "no live connection to the mediator; asking now and then"),
            }
        }
        let mut state = self.node.mediated.state();
        (state.way, state.trouble) = (Some(Way::Polling), None);
        Ok(if found { Round::Found } else { Round::Empty })
    }

    /// Who the mediator is, its contact kept.
    async fn introduced(&self, by: &MediatedBy) -> Result<Did, NodeFault> {
        let contact = match (&by.did, &by.contact, &by.invitation) {
            (Some(did), None, None) => {
                self.node.look_up(did).await?;
                return Ok(did.clone());
            }
            (None, Some(contact), None) => contact.clone(),
            (None, None, Some(invitation)) => Invitation::read(invitation)?.contact,
            _ => {
                let what = "[wallet.mediator] needs exactly one of did, contact and invitation";
                return Err(NodeFault::Unready(what.into()));
            }
        };
        self.node.add_contact(&NewContact { contact }).await
    }

    /// Asks for mediation, adds this wallet's DID, and knows from then on where it is reached.
    async fn settle(&self, mediator: &Did, reach: &Reach) -> Result<(), NodeFault> {
        let key = self.node.agreement.first().ok_or_else(|| NodeFault::Key("no key agreement key".into()))?.public();
        let routing: Vec<_> = reach.keys.first().cloned().into_iter().collect();
        let now = chance::now()?;
        let did = self.node.did().clone();
        let contact = Contact { did, url: reach.inbox.clone(), key, iat: now, routing: routing.clone() };
        let contact = Some(contact.sign(self.node.signer())?);
        let participant = self.node.own_participant().await.ok();
        let standing = match self.ask(&Request::Mediate { contact, participant }, mediator, reach).await? {
            Answer::Granted(dids) if dids == [mediator.clone()] => MediationStanding::Granted,
            Answer::Granted(dids) => {
                let what = format!("the mediator wants messages to go by way of {dids:?}, which is not known here");
                return Err(NodeFault::Unready(what));
            }
            Answer::Denied => MediationStanding::Denied,
            other => return Err(unexpected("mediate-request", &other)),
        };
        self.node.mediated.state().standing = standing;
        if standing == MediationStanding::Denied {
            self.node.forget_route(mediator).await?;
            let what = "the mediator has denied mediation: ask its owner, or join its data space (`countersign join`)";
            return Err(NodeFault::Unready(what.into()));
        }
        let update = Update { recipient: self.node.did().to_string(), action: Action::Add };
        match self.ask(&Request::Update { updates: vec![update], words: vec![] }, mediator, reach).await? {
            Answer::Updated(updated) if matches!(updated[..], [ref one] if matches!(one.result, Outcome::Success | Outcome::NoChange)) =>
                {}
            other => return Err(unexpected("recipient-update", &other)),
        }
        let (mediator, url) = (mediator.clone(), reach.inbox.clone());
        self.node.keep_route(Route { mediator, url, routing, since: now }).await
    }

    /// Picks up what waits, by single requests; whether there was anything.
    async fn drain(&self, mediator: &Did, reach: &Reach) -> Result<bool, NodeFault> {
        let mut found = false;
        let mut next = Some(Request::Deliver { limit: MAX_HELD, recipient: None });
        while let Some(request) = next {
            let answer = self.ask(&request, mediator, reach).await?;
            found |= matches!(answer, Answer::Delivery { .. });
            next = self.heard(answer).await?;
        }
        Ok(found)
    }

    /// Stays on a connection: what comes is stored and acknowledged.
    async fn stay(&self, mut connection: Box<dyn Connection>, mediator: &Did, reach: &Reach) -> Result<(), NodeFault> {
        self.tell(&mut *connection, &Request::Live { on: true }, mediator, reach).await?;
        let mut patience = WITHIN;
        loop {
            let envelope = match timeout(patience, connection.next()).await {
                Ok(envelope) => envelope?,
                Err(_) => {
                    self.tell(&mut *connection, &Request::Status { recipient: None }, mediator, reach).await?;
                    continue;
                }
            };
            let (answer, _) = self.opened(&envelope, mediator, reach)?;
            let Some(answer) = answer else { continue };
            if let Answer::Status(queue) = &answer
                && queue.live_delivery == Some(true)
            {
                let mut state = self.node.mediated.state();
                (state.way, state.trouble) = (Some(Way::Live), None);
                patience = SILENCE;
            }
            if let Some(request) = self.heard(answer).await? {
                self.tell(&mut *connection, &request, mediator, reach).await?;
            }
        }
    }

    async fn tell(
        &self,
        connection: &mut dyn Connection,
        request: &Request,
        mediator: &Did,
        reach: &Reach,
    ) -> Result<(), NodeFault> {
        let (_, envelope) = self.sealed(request, mediator, reach)?;
        Ok(connection.send(envelope).await?)
    }

    async fn ask(&self, request: &Request, mediator: &Did, reach: &Reach) -> Result<Answer, NodeFault> {
        let (id, envelope) = self.sealed(request, mediator, reach)?;
        let said = self.courier.ask(&reach.inbox, envelope).await?;
        let said = said.ok_or_else(|| NotDelivered("the mediator gave no answer on the same way".into()))?;
        let (answer, thread) = self.opened(&said, mediator, reach)?;
        let answer = answer.filter(|_| thread.as_deref() == Some(&id));
        let answer = answer.ok_or_else(|| NotDelivered("the mediator answered something else".into()))?;
        self.node.mediated.state().heard_at = chance::now().ok();
        Ok(answer)
    }

    /// Deals with what the mediator says; what is to be asked next.
    async fn heard(&self, answer: Answer) -> Result<Option<Request>, NodeFault> {
        self.node.mediated.state().heard_at = chance::now().ok();
        match answer {
            Answer::Delivery { held, .. } if held.is_empty() => Ok(None),
            Answer::Delivery { held, .. } => self.store(&held).await.map(Some),
            Answer::Status(queue) => {
                self.node.mediated.state().waiting = Some(queue.message_count);
                Ok((queue.message_count > 0).then_some(Request::Deliver { limit: MAX_HELD, recipient: None }))
            }
            Answer::Problem { code, comment } => {
                Err(NotDelivered(format!("the mediator says {code}: {comment}")).into())
            }
            _ => Ok(None),
        }
    }

    /// Stores what was delivered; the acknowledgement of what is durable now, and of nothing else.
    async fn store(&self, held: &[Held]) -> Result<Request, NodeFault> {
        let mut ids = Vec::new();
        for one in held {
            match self.node.take_envelope(one.envelope.as_bytes()).await? {
                Kept::New => {
                    self.node.mediated.state().picked_up += 1;
                    ids.push(one.id.clone());
                }
                Kept::Known => ids.push(one.id.clone()),
                // The rest stays where it is until there is room.
                Kept::Full if ids.is_empty() => {
                    return Err(
                        StoreFault::Failed("the inbox is full: the messages stay at the mediator".into()).into()
                    );
                }
                Kept::Full => {
                    sleep(FIRST).await;
                    break;
                }
            }
        }
        Ok(Request::Received { ids })
    }
}

fn unexpected(asked: &str, answer: &Answer) -> NodeFault {
    NotDelivered(match answer {
        Answer::Problem { code, comment } => format!("the mediator answered {asked} with {code}: {comment}"),
        other => format!("the mediator answered {asked} with {other:?}").chars().take(300).collect(),
    })
    .into()
}

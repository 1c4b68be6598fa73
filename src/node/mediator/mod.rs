//! A mediator: keeps sealed envelopes for parties that cannot always be reached, until they have picked them up.
//!
//! It opens what is said to itself, and never what it keeps.

mod answer;
mod known;
mod lines;
mod port;
mod settings;

use std::sync::Arc;
use std::time::Duration;

pub use lines::Line;
use lines::Lines;
pub use port::{Arrival, Arrived, Granted, MediatorStore, MemberView};
use serde::Serialize;
pub use settings::{Admit, MediatorSettings, Quota};
use tokio::sync::mpsc::Receiver;

use super::{Courier, Directory, NodeFault, chance};
use crate::check::Trail;
use crate::credential::Trust;
use crate::encoding::Timestamp;
use crate::identity::{Did, DidUrl, Documents, Signer};
use crate::inbox::mediation::Answer;
use crate::inbox::{
    self, AgreementKey, AgreementPublic, Attachment, Contact, Contents, Forward, MAX_ENVELOPE, MAX_OUTER, Message,
    Sealed, asks_a_mediator,
};

/// How often what nobody picked up is looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// How long an answer is good, in seconds.
const ANSWER_LASTS: i64 = 3600;

/// A node as mediator.
pub struct Mediator {
    signer: Arc<dyn Signer>,
    agreement: Vec<AgreementKey>,
    settings: MediatorSettings,
    trust: Trust,
    url: String,
    store: Arc<dyn MediatorStore>,
    courier: Arc<dyn Courier>,
    directory: Arc<Directory>,
    lines: Arc<Lines>,
}

/// What became of an envelope that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It holds another one, which is kept for its recipient.
    Kept,
    /// It holds another one, and there is no room for it.
    Full,
    /// It asked something; this is the answer, sealed.
    Answered(Vec<u8>),
    /// It asked something, and nothing goes back on this way.
    Heard,
    /// It is none for a mediator: a signed message for whoever else lives at this DID.
    Another,
}

/// The mediator, for its owner.
#[derive(Clone, Debug, Serialize)]
pub struct MediatorView {
    /// Its DID.
    pub did: Did,
    /// Where it is reached.
    pub url: String,
    /// Its signed contact, for those who use it.
    pub contact: String,
    /// Whom it keeps envelopes for, and how much.
    #[serde(flatten)]
    pub settings: MediatorSettings,
    /// Who uses it.
    pub members: Vec<MemberView>,
}

/// Somebody who asks, and the key that answers are sealed for.
#[derive(Clone, Debug)]
struct Peer {
    did: Did,
    key: AgreementPublic,
}

impl Mediator {
    /// A mediator of `signer`'s DID that opens envelopes with `agreement` and is reached at `url`.
    #[allow(clippy::too_many_arguments, reason = "what a node is made of")]
    pub fn new(
        signer: Arc<dyn Signer>,
        agreement: Vec<AgreementKey>,
        settings: MediatorSettings,
        trust: Trust,
        url: String,
        store: Arc<dyn MediatorStore>,
        courier: Arc<dyn Courier>,
    ) -> Self {
        let directory = Arc::new(Directory::closed(Documents::default()));
        Self { signer, agreement, settings, trust, url, store, courier, directory, lines: Arc::default() }
    }

    /// The same mediator, which looks did:web members up in `directory`; without one it knows what DIDs spell themselves.
    #[must_use]
    pub fn knowing(self, directory: Arc<Directory>) -> Self {
        Self { directory, ..self }
    }

    /// Its DID.
    pub fn did(&self) -> &Did {
        self.signer.did()
    }

    /// Forgets, until it is dropped, what nobody picked up in time.
    pub async fn run(self: Arc<Self>) {
        loop {
            let swept = match chance::now() {
                Ok(now) => self.store.expire(now).await.map_err(NodeFault::from),
                Err(fault) => Err(fault),
            };
            match swept {
                Ok(0) => {}
                Ok(gone) => tracing::info!(gone, "envelopes that nobody picked up in time are given up"),
                Err(fault) => tracing::error!(%fault, "what has expired could not be given up; trying again"),
            }
            tokio::time::sleep(SWEEP).await;
        }
    }

    /// A lasting connection, with the ids of what arrives for its owner in live mode.
    pub fn line(&self) -> (Line, Receiver<String>) {
        self.lines.line()
    }

    /// Its signed contact.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub fn contact(&self) -> Result<String, NodeFault> {
        Ok(self.own_contact()?.sign(&*self.signer)?)
    }

    fn own_contact(&self) -> Result<Contact, NodeFault> {
        let key = self.agreement.first().ok_or_else(|| NodeFault::Key("no key agreement key".into()))?.public();
        let (did, url) = (self.did().clone(), self.url.clone());
        Ok(Contact { did, url, key, iat: chance::now()?, routing: vec![] })
    }

    /// What its owner sees: who uses it and how much, never what.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn view(&self) -> Result<MediatorView, NodeFault> {
        let mut members = self.store.members().await?;
        for member in &mut members {
            member.live = self.lines.of(&member.did);
        }
        let (did, url, settings) = (self.did().clone(), self.url.clone(), self.settings.clone());
        Ok(MediatorView { did, url, contact: self.contact()?, settings, members })
    }

    /// Ends a member's mediation; what waits for it is given up.
    ///
    /// # Errors
    /// `Unknown` for somebody who is no member.
    pub async fn dismiss(&self, member: &Did) -> Result<(), NodeFault> {
        let there = self.store.dismiss(member).await?;
        if there { Ok(()) } else { Err(NodeFault::unknown("member", member.as_str())) }
    }

    /// Deals with one envelope that came on `line`, or with a single request when there is none.
    ///
    /// # Errors
    /// `Unknown` for a recipient that nobody registered here; `inbox.*`, `mediation.*`, `encoding.*` and what a signature
    /// is held to. What a member did wrong is answered instead, once it is known who it is.
    pub async fn take(&self, envelope: &[u8], mut line: Option<&mut Line>) -> Result<Taken, NodeFault> {
        let now = chance::now()?;
        let mut sealed = Sealed::read(envelope, MAX_OUTER)?;
        let whose = sealed.recipients().first().map(|kid| kid.did().clone());
        let own = whose.as_ref().is_some_and(|did| did == self.did());
        if !own {
            return Err(NodeFault::unknown("recipient", whose.map_or_else(String::new, |did| did.to_string())));
        }
        let (message, peer, returns) = loop {
            let key = match sealed.sender() {
                Some(skid) => Some(self.key_of(skid).await?),
                None => None,
            };
            match sealed.open(&self.agreement, key.as_ref())? {
                Contents::Sealed(inner) => sealed = *inner,
                Contents::Plain(plain) => {
                    if let Some(forward) = plain.forward()? {
                        return self.keep(&forward, now).await;
                    }
                    let message = plain.verify(self.did(), now, &mut Trail::default())?.into_inner();
                    let peer = key.map(|key| Peer { did: message.from.clone(), key });
                    let peer = peer.ok_or_else(|| plain.not_signed())?;
                    break (message, peer, plain.returns());
                }
                Contents::Signed(opened) => {
                    if !asks_a_mediator(opened.kind()) {
                        return Ok(Taken::Another);
                    }
                    self.acquaint_with(opened.signer_kid()).await?;
                    let documents = self.directory.documents();
                    let message = opened.verify(self.did(), &documents, now, &mut Trail::default())?.into_inner();
                    let key = match key {
                        Some(key) => key,
                        None => self.key_for(&message).await?,
                    };
                    break (message.clone(), Peer { did: message.from, key }, opened.returns());
                }
            }
        };
        if !asks_a_mediator(&message.kind) {
            // A signature would make it somebody's message; a plaintext is nobody's here.
            return Err(inbox::checks::UNSIGNED
                .refuse(format!("{} is none that a mediator is asked", message.kind))
                .into());
        }
        if let Some(line) = line.as_deref_mut() {
            line.belongs_to(&peer, self.settings.quota.live)?;
            line.returns |= returns;
        }
        // From here on it is known who asks: what is wrong with it is answered.
        let answer = match self.answer(&message, line.as_deref_mut(), now).await {
            Ok(answer) => answer,
            Err(NodeFault::Refused(refusal)) => {
                tracing::info!(member = %peer.did, %refusal, "a mediator's member was refused");
                Answer::Problem { code: format!("e.p.{}", refusal.check.id()), comment: refusal.detail }
            }
            Err(fault) => return Err(fault),
        };
        if let Some(line) = line.as_deref_mut() {
            line.serves |= !matches!(answer, Answer::Denied | Answer::Problem { .. });
        }
        let here = returns || line.is_some_and(|line| line.returns || line.is_live());
        if here {
            return Ok(Taken::Answered(self.reply(&peer, Some(&message), &answer, now)?));
        }
        // The queue's state is told to whoever is connected, and to nobody else: it would be stale on arrival.
        if !matches!(answer, Answer::Status(_) | Answer::Delivery { .. }) {
            self.post(&peer, self.reply(&peer, Some(&message), &answer, now)?).await?;
        }
        Ok(Taken::Heard)
    }

    /// What a connection in live mode is sent: an envelope that has arrived; `None` when it was picked up meanwhile.
    ///
    /// # Errors
    /// When the store or a key fails.
    pub async fn arrival(&self, line: &Line, id: &str) -> Result<Option<Vec<u8>>, NodeFault> {
        let Some(peer) = line.peer.as_ref().filter(|_| line.is_live()) else { return Ok(None) };
        let Some(held) = self.store.held(&peer.did, id).await? else { return Ok(None) };
        let delivery = Answer::Delivery { recipient: None, held: vec![held] };
        self.reply(peer, None, &delivery, chance::now()?).map(Some)
    }

    async fn keep(&self, forward: &Forward, now: Timestamp) -> Result<Taken, NodeFault> {
        let recipient = match forward.next.parse::<Did>() {
            Ok(did) => did,
            Err(_) => forward.next.parse::<DidUrl>()?.did().clone(),
        };
        inbox::checks::SIZE.hold(forward.envelope.len() <= MAX_ENVELOPE, || {
            format!("an envelope of {} bytes to be kept, at most {MAX_ENVELOPE}", forward.envelope.len())
        })?;
        let latest = now.plus(self.settings.quota.keep_for.max(1));
        let until = forward.expires_time.map_or(latest, |expires| expires.min(latest));
        inbox::checks::EXPIRED.hold(now < until, || format!("expired at {until}, it is {now}"))?;
        let id = chance::nonce()?;
        let arrival = Arrival { id: &id, recipient: &recipient, envelope: &forward.envelope, at: now, until };
        match self.store.hold(arrival, &self.settings.quota).await? {
            Arrived::Kept(member) => {
                self.lines.ring(&member, &id);
                Ok(Taken::Kept)
            }
            Arrived::Known => Ok(Taken::Kept),
            Arrived::Full => Ok(Taken::Full),
            Arrived::Nobody => Err(NodeFault::unknown("recipient", recipient.as_str())),
        }
    }

    /// An answer, sealed: authcrypt where a key of the peer's curve is here, else signed and sealed anonymously.
    fn reply(
        &self,
        peer: &Peer,
        asked: Option<&Message>,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<Vec<u8>, NodeFault> {
        let (kind, body, attachments): (_, _, Vec<Attachment>) = answer.write();
        let asked = asked.map(|asked| asked.id.clone());
        let problem = matches!(answer, Answer::Problem { .. });
        let message = Message {
            id: chance::uuid()?.to_string(),
            kind,
            from: self.did().clone(),
            to: vec![peer.did.clone()],
            pthid: asked.clone().filter(|_| problem),
            thid: asked.filter(|_| !problem),
            created_time: Some(now),
            expires_time: Some(now.plus(ANSWER_LASTS)),
            body,
            attachments,
        };
        let curve = peer.key.curve()?;
        let own = self.agreement.iter().find(|key| key.public().curve().ok() == Some(curve));
        let recipients = std::slice::from_ref(&peer.key);
        chance::drawing(|random| {
            Ok(match own {
                Some(own) => inbox::seal_from(&message, own, recipients, random)?,
                None => inbox::seal(&message, &*self.signer, recipients, random)?,
            })
        })
    }

    /// Sends an answer to where the peer has said that it is reached; not repeated, for whoever asked asks again.
    async fn post(&self, peer: &Peer, answer: Vec<u8>) -> Result<(), NodeFault> {
        let Some(contact) = self.contact_of(&peer.did).await? else { return Ok(()) };
        let wrapped = chance::drawing(|random| Ok(inbox::wrap(answer.clone(), &peer.did, &contact.routing, random)?))?;
        let (courier, member) = (Arc::clone(&self.courier), peer.did.clone());
        tokio::spawn(async move {
            if let Err(fault) = courier.deliver(&contact.url, wrapped).await {
                tracing::debug!(%fault, %member, "an answer was not delivered");
            }
        });
        Ok(())
    }
}

/// How much one delivery holds, so that its envelope can be read by everybody: encoded twice it stays below the limit.
const DELIVERY: usize = MAX_ENVELOPE;

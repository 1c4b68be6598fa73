//! What is said to a mediator, sealed; and what it says, opened.

use super::Pickup;
use crate::check::Trail;
use crate::identity::Did;
use crate::inbox::mediation::{Answer, Request};
use crate::inbox::{self, Contents, MAX_OUTER, Message, Sealed, agreement_keys_of};
use crate::node::{NodeFault, Reach, chance};

/// How long a request is good, in seconds.
const LASTS: i64 = 300;

impl Pickup {
    /// A request, sealed; and its id. The one for mediation is signed, for it brings the contact that names the key of
    /// all others.
    pub(super) fn sealed(
        &self,
        request: &Request,
        mediator: &Did,
        reach: &Reach,
    ) -> Result<(String, Vec<u8>), NodeFault> {
        let now = chance::now()?;
        let (kind, body, attachments) = request.write();
        let message = Message {
            id: chance::uuid()?.to_string(),
            kind,
            from: self.node.did().clone(),
            to: vec![mediator.clone()],
            thid: None,
            pthid: None,
            created_time: Some(now),
            expires_time: Some(now.plus(LASTS)),
            body,
            attachments,
        };
        let own = self.node.agreement.iter().find_map(|own| {
            let curve = own.public().curve().ok()?;
            let theirs: Vec<_> = reach.keys.iter().filter(|key| key.curve().ok() == Some(curve)).cloned().collect();
            (!theirs.is_empty()).then_some((own, theirs))
        });
        let envelope = chance::drawing(|random| {
            Ok(match own {
                Some((own, theirs)) if !matches!(request, Request::Mediate { .. }) => {
                    inbox::seal_from(&message, own, &theirs, random)?
                }
                Some((_, theirs)) => inbox::seal(&message, self.node.signer(), &theirs, random)?,
                None => {
                    let first = reach.keys.first().map(inbox::AgreementPublic::curve).transpose()?;
                    let keys: Vec<_> = reach.keys.iter().filter(|key| key.curve().ok() == first).cloned().collect();
                    inbox::seal(&message, self.node.signer(), &keys, random)?
                }
            })
        })?;
        Ok((message.id, envelope))
    }

    /// What the mediator says, held to be its own word; and the id of the request that it answers.
    pub(super) fn opened(
        &self,
        envelope: &[u8],
        mediator: &Did,
        reach: &Reach,
    ) -> Result<(Option<Answer>, Option<String>), NodeFault> {
        let (node, now) = (&self.node, chance::now()?);
        let mut sealed = Sealed::read(envelope, MAX_OUTER)?;
        let message = loop {
            let key = match sealed.sender() {
                None => None,
                Some(skid) => {
                    let mut known = reach.keys.clone();
                    known.extend(agreement_keys_of(mediator).unwrap_or_default());
                    let found = known.into_iter().find(|key| key.kid == *skid);
                    Some(found.ok_or_else(|| {
                        inbox::checks::SENDER_KEY.refuse(format!("{skid} is not known to be the mediator's"))
                    })?)
                }
            };
            match sealed.open(&node.agreement, key.as_ref())? {
                Contents::Sealed(inner) => sealed = *inner,
                Contents::Plain(plain) => break plain.verify(node.did(), now, &mut Trail::default())?,
                Contents::Signed(opened) => {
                    break opened.verify(node.did(), &node.documents(), now, &mut Trail::default())?;
                }
            }
        };
        inbox::checks::FROM
            .hold(message.from == *mediator, || format!("from {}, expected {mediator}", message.from))?;
        Ok((Answer::read(&message)?, message.thid.clone().or_else(|| message.pthid.clone())))
    }
}

//! Whom the data is open to: the holder of a started transfer's token, as long as its agreement opens the gate.

use serde_json::Value;
use tokio::sync::watch;
use tracing::warn;

use super::{StandingAgreement, Transfers, chance};
use crate::check::Refusal;
use crate::encoding::{Digest, Timestamp};
use crate::gate::checks as gate;
use crate::node::gatekeeper::{ends, moment};
use crate::node::{Admitted, Gatekeeper, NodeFault, Standing};
use crate::policy::{Facts, Policy};
use crate::transfer::{StateName, Transfer, checks};

const ODRL: &str = "http://www.w3.org/ns/odrl.jsonld";

/// A download that a transfer's token opens.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The transfer.
    pub transfer: String,
    /// Tells when the download has to be cut.
    pub standing: watch::Receiver<Standing>,
    /// The contract that it is delivered under, and receipted for; none where nobody signed one.
    pub contract: Option<Admitted>,
    /// What it is delivered under, by the name that it has here: whichever of its transfers opens it, it has one share.
    pub agreement: String,
}

impl Transfers {
    /// Holds an agreement to the gate's conditions; the URL of its asset.
    ///
    /// Of a contract the gate judges what it would judge of its presentation. Of an unsigned agreement there are only its
    /// terms, and whether the configuration names the counterparty.
    ///
    /// # Errors
    /// `transfer.guarded`, `transfer.plain`, `transfer.counted`, `policy.*`; of a contract whatever closes a gate to it.
    pub(super) async fn opens(&self, agreement: &StandingAgreement) -> Result<String, NodeFault> {
        let url = self.endpoint(agreement)?;
        match &agreement.contract {
            Some(contract) => self.gate()?.would_open(contract).await?,
            None => drop(self.permits(agreement).await?),
        }
        Ok(url)
    }

    fn endpoint(&self, agreement: &StandingAgreement) -> Result<String, Refusal> {
        let guarded = self.settings.guarded.get(&agreement.asset).cloned();
        guarded.ok_or_else(|| checks::GUARDED.refuse(format!("`{}` is not guarded here", agreement.asset)))
    }

    fn gate(&self) -> Result<&Gatekeeper, Refusal> {
        self.gate.get().map(|gate| &**gate).ok_or_else(|| checks::GUARDED.refuse("there is no gate here"))
    }

    /// Holds an unsigned agreement to what the configuration and its terms permit; until when, where they name an end.
    /// What runs from its first use runs from now, as long as there was none.
    async fn permits(&self, agreement: &StandingAgreement) -> Result<Option<Timestamp>, NodeFault> {
        let named = self.settings.plain_for.contains(&agreement.peer);
        checks::PLAIN.hold(named, || format!("`{}` is not named", agreement.peer))?;
        let terms = Policy::parse(&in_context(&agreement.terms))?;
        // Nothing here counts uses, so that terms which do cannot be kept.
        checks::COUNTED.hold(!terms.counts_uses(), || "the terms count uses".into())?;
        // Without a gate nothing is delivered, so that nothing is used.
        let gate = self.gate.get();
        let now = chance::now()?;
        let first_use = match gate {
            Some(gate) => gate.first_use(&name(agreement), None).await?,
            None => None,
        };
        let facts = Facts { first_use, ..Facts::at(gate.map_or(now, |gate| moment(gate.timepiece(), now))) };
        terms.permits("use", &facts)?;
        Ok(terms.leeway("use", &facts, 0).until)
    }

    /// Keeps when what a download uses was used first: now, unless it was before. After all that can fail, and before the
    /// first byte goes out.
    ///
    /// # Errors
    /// When there is no time, or the store fails.
    pub async fn begin(&self, opened: &Opened) -> Result<(), NodeFault> {
        let Some(gate) = self.gate.get() else { return Ok(()) };
        match &opened.contract {
            Some(admitted) => gate.begins(admitted).await,
            None => gate.first_use(&opened.agreement, Some(chance::now()?)).await.map(drop),
        }
    }

    /// What a bearer token opens, if it is the token of a transfer of `asset`; `None` where it is no transfer's.
    ///
    /// # Errors
    /// `transfer.open`, and whatever keeps the agreement from opening its data.
    pub async fn open(&self, token: &str, asset: &str) -> Result<Option<Opened>, NodeFault> {
        // Looked up by its hash, so that the time of the look-up says nothing about a token that is near.
        let Some(id) = self.store.transfer_of_token(Digest::of(token)).await? else { return Ok(None) };
        let opened = self.judge(&id, asset, Digest::of(token)).await;
        if let Err(NodeFault::Refused(Refusal { check, detail })) = &opened {
            warn!(check = check.id(), detail, transfer = id, "a transfer's token was refused");
        }
        opened.map(Some)
    }

    async fn judge(&self, id: &str, asset: &str, token: Digest) -> Result<Opened, NodeFault> {
        // Before it is read: what happens to it from here on is in the channel.
        let receiver =
            self.lock().entry(id.to_owned()).or_insert_with(|| watch::Sender::new(Standing::Open)).subscribe();
        let (transfer, _) = self.read(id).await?;
        gate::TOKEN_ASSET.hold(transfer.opening().asset == asset, || format!("asked for is `{asset}`"))?;
        started(&transfer)?;
        let agreement = self.standing_of(&transfer).await?;
        self.endpoint(&agreement)?;
        let mut ends_at = None;
        let contract = match &agreement.contract {
            Some(contract) => Some(self.gate()?.opens(contract, id, token).await?),
            None => {
                ends_at = self.permits(&agreement).await?;
                None
            }
        };
        match &*receiver.borrow() {
            Standing::Open => {}
            Standing::Suspended { refusal, .. } | Standing::Shut(refusal) => return Err(refusal.clone().into()),
        }
        // A contract's own end is the gate's to watch.
        let standing = match self.gate.get() {
            Some(gate) => ends(receiver, ends_at, gate.timepiece()),
            None => receiver,
        };
        let agreement = match &contract {
            Some(admitted) => admitted.grant.core.b64u(),
            None => name(&agreement),
        };
        Ok(Opened { transfer: id.to_owned(), standing, contract, agreement })
    }

    /// Tells running downloads how their transfer stands now.
    pub(super) fn moved(&self, transfer: &Transfer) {
        let id = transfer.own_pid();
        let mut standing = self.lock();
        match started(transfer) {
            Ok(()) => {
                if let Some(sender) = standing.get(id) {
                    sender.send_replace(Standing::Open);
                }
            }
            Err(refusal) => {
                if let Some(sender) = standing.remove(id) {
                    sender.send_replace(Standing::Shut(refusal));
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, std::collections::HashMap<String, watch::Sender<Standing>>> {
        // Nobody panics while holding it; if somebody did, the map is still whole.
        self.standing.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What an agreement that nobody signed is called at the gate.
fn name(agreement: &StandingAgreement) -> String {
    format!("agreement {} {}", agreement.peer, agreement.id)
}

/// Terms within a message have the message's context, which is that of the Dataspace Protocol.
fn in_context(terms: &Value) -> Value {
    let mut terms = terms.clone();
    if let Some(members) = terms.as_object_mut() {
        members.entry("@context").or_insert_with(|| ODRL.into());
    }
    terms
}

fn started(transfer: &Transfer) -> Result<(), Refusal> {
    let state = transfer.state();
    checks::OPEN.hold(state == StateName::Started, || format!("the transfer is {state}"))
}

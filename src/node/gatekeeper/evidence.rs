//! What a gate keeps of what happened under a contract, and for how long (`protocol.md` 8).

use std::collections::hash_map::Entry;

use serde_json::{Value, json};

use super::{Gatekeeper, Open, kind};
use crate::check::Refusal;
use crate::encoding::{Digest, Timestamp};
use crate::gate::{Answer, checks};
use crate::node::{Evidence, EvidenceKind, EvidenceSum, NodeFault, StoreFault};

/// A place among a contract's good tokens, for one that is asked for; given back if none comes of it.
pub(super) struct Reserved<'a> {
    gate: &'a Gatekeeper,
    core: Digest,
    taken: bool,
}

impl Reserved<'_> {
    /// The token is there, and counts itself from now on.
    pub(super) fn take(mut self, open: &mut Open) {
        self.taken = true;
        self.give_back(open);
    }

    fn give_back(&self, open: &mut Open) {
        if let Entry::Occupied(mut reserved) = open.reserved.entry(self.core) {
            match reserved.get_mut() {
                0 | 1 => drop(reserved.remove()),
                many => *many -= 1,
            }
        }
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if !self.taken {
            self.give_back(&mut self.gate.lock());
        }
    }
}

impl Gatekeeper {
    /// What happened under a contract here since its first presentation, what is not kept any more included.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sum_of(&self, core: &Digest) -> Result<Option<EvidenceSum>, NodeFault> {
        Ok(self.store.evidence_sum(core).await?)
    }

    /// Holds a contract to its share of good tokens, before anything of its answer is kept or counted; what is asked for at
    /// the same time counts as well, as long as the answer holds what comes back.
    pub(super) fn hold_tokens(&self, core: &Digest, now: Timestamp) -> Result<Reserved<'_>, Refusal> {
        let share = self.settings.shares.tokens;
        let mut open = self.lock();
        let good = |token: &&super::token::Token| token.grant.core == *core && now < token.expires;
        let asked_for = open.reserved.get(core).copied().unwrap_or_default();
        let held = open.tokens.values().filter(good).count().saturating_add(asked_for);
        checks::SHARE_TOKENS.hold(held < share, || {
            format!("{held} tokens of this contract are good, its share is {share}: use one of them, or wait until they run out")
        })?;
        open.reserved.insert(*core, asked_for.saturating_add(1));
        Ok(Reserved { gate: self, core: *core, taken: false })
    }

    /// Keeps a presentation that opened the gate. All presentations of a contract that disclose the same differ in their
    /// key binding JWT only: the rest stands in the first one, which stays.
    pub(super) async fn keep_presentation(
        &self,
        core: Digest,
        answer: &Answer,
        at: Timestamp,
    ) -> Result<(), NodeFault> {
        let id = Digest::of(&answer.presentation).hex();
        let apart =
            |text: &str| text.rsplit_once('~').map(|(shown, key_binding)| (shown.to_owned(), key_binding.to_owned()));
        let first = self.store.first_evidence(&core, EvidenceKind::Presentation).await?;
        let own = apart(&answer.presentation);
        let alike = first.and_then(|(first, value)| {
            let (shown, _) = apart(value.get("presentation")?.as_str()?)?;
            own.as_ref().filter(|(own, _)| *own == shown).map(|(_, key_binding)| (first, key_binding.clone()))
        });
        let mut value = json!({ "core": core, "purpose": answer.purpose, "at": at });
        match alike {
            Some((first, key_binding)) => {
                value["shown"] = json!(first);
                value["kb_jwt"] = json!(key_binding);
            }
            None => value["presentation"] = json!(answer.presentation),
        }
        self.keep_evidence(EvidenceKind::Presentation, id, core, at, 0, value).await
    }

    /// The text of a presentation that is kept, by its hash.
    ///
    /// # Errors
    /// When the store fails, or what it kept does not fit together.
    pub async fn presentation(&self, id: &Digest) -> Result<Option<String>, NodeFault> {
        let read = async |id: &str| self.store.evidence(EvidenceKind::Presentation, id).await;
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let Some(value) = read(&id.hex()).await? else { return Ok(None) };
        if let Some(whole) = text(&value, "presentation") {
            return Ok(Some(whole));
        }
        let damaged = || StoreFault::Damaged(format!("the presentation {}", id.hex()));
        let (first, key_binding) = text(&value, "shown").zip(text(&value, "kb_jwt")).ok_or_else(damaged)?;
        let first = read(&first).await?.and_then(|value| text(&value, "presentation")).ok_or_else(damaged)?;
        let (shown, _) = first.rsplit_once('~').ok_or_else(damaged)?;
        let whole = format!("{shown}~{key_binding}");
        if Digest::of(&whole) != *id {
            return Err(damaged().into());
        }
        Ok(Some(whole))
    }

    /// Keeps that a transfer opened the gate; once, for it opens it with each of its downloads, and what is kept of that may
    /// have gone meanwhile.
    pub(super) async fn keep_transfer(
        &self,
        core: Digest,
        id: Digest,
        at: Timestamp,
        value: Value,
    ) -> Result<(), NodeFault> {
        if self.store.one(kind::OPENING, &id.hex()).await?.is_some() {
            return Ok(());
        }
        self.keep_evidence(EvidenceKind::Transfer, id.hex(), core, at, 0, value).await?;
        self.store.put_once(kind::OPENING, &id.hex(), &json!(at)).await?;
        Ok(())
    }

    /// Keeps a delivery that ended.
    pub(super) async fn keep_delivery(
        &self,
        core: Digest,
        id: &str,
        at: Timestamp,
        bytes: u64,
        value: Value,
    ) -> Result<(), NodeFault> {
        self.keep_evidence(EvidenceKind::Delivery, id.to_owned(), core, at, bytes, value).await
    }

    /// A delivery that ended, as it is kept.
    pub(super) async fn kept_delivery(&self, id: &str) -> Result<Option<Value>, NodeFault> {
        Ok(self.store.evidence(EvidenceKind::Delivery, id).await?)
    }

    /// Drops what is older than it is kept, and what there is no room for; bit by bit, so that nobody waits for it.
    pub(super) async fn forget(&self, now: Timestamp) -> Result<(), NodeFault> {
        while self.store.forget_evidence(self.settings.shares.kept_since(now)).await? > 0 {}
        Ok(())
    }

    async fn keep_evidence(
        &self,
        kind: EvidenceKind,
        id: String,
        contract: Digest,
        at: Timestamp,
        bytes: u64,
        value: Value,
    ) -> Result<(), NodeFault> {
        let evidence = Evidence { kind, id, contract, at, bytes, value };
        Ok(self.store.keep_evidence(&evidence, self.settings.shares.kept()).await?)
    }
}

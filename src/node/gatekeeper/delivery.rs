use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::token::Admitted;
use super::{Carried, Gatekeeper, Standing, read, running};
use crate::credential::rfc3339;
use crate::encoding::{Digest, Timestamp};
use crate::gate::{ByteRange, Grant, Listed, Receipt, checks};
use crate::identity::Thumbprint;
use crate::node::{NodeFault, chance};

/// What of an asset is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portion {
    /// The file of a directory; none where it is the asset itself.
    pub part: Option<Listed>,
    /// Which bytes of it; none where it is the whole of it.
    pub range: Option<ByteRange>,
    /// Whether a digest that the contract reaches is of it. Nobody signs for anything else.
    pub vouched: bool,
}

/// A delivery that runs.
#[derive(Debug)]
pub struct Delivery {
    /// Its id, as its receipt is asked for.
    pub id: String,
    /// Tells when it has to be cut.
    pub standing: watch::Receiver<Standing>,
    grant: Grant,
    token: Digest,
    key: Option<Thumbprint>,
    presentation: Digest,
    portion: Portion,
    from: Timestamp,
}

/// How far a receipt is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptState {
    /// The delivery runs.
    Running,
    /// It is signed.
    Signed(String),
    /// It delivered other bytes than the contract's.
    Refused,
    /// There is no such delivery for this token, or it broke off.
    None,
}

/// A delivery as the gate keeps it, done or broken off.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    token: Digest,
    /// The key that the token is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Thumbprint>,
    core: Digest,
    presentation: Digest,
    asset: String,
    bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<Listed>,
    range: Option<ByteRange>,
    #[serde(with = "rfc3339")]
    from: Timestamp,
    #[serde(with = "rfc3339")]
    to: Timestamp,
    receipt: Option<String>,
    /// Whether all bytes went out; without a receipt they were not the contract's.
    complete: bool,
    /// Whether no digest is of it, so that there is no receipt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unvouched: bool,
}

impl Gatekeeper {
    /// Begins a delivery of the asset, or of a portion of it; it is cut when the contract is shut, and when its terms run
    /// out.
    ///
    /// # Errors
    /// When there is no time or randomness.
    pub fn begin(&self, admitted: Admitted, portion: Portion) -> Result<Delivery, NodeFault> {
        let Admitted { grant, token, key, presentation, standing, .. } = admitted;
        let standing = running::ends(standing, grant.until, &self.timepiece);
        let (id, from) = (chance::nonce()?, chance::now()?);
        self.lock().deliveries.insert(id.clone(), (token, key.clone()));
        Ok(Delivery { id, standing, grant, token, key, presentation, portion, from })
    }

    /// Signs the receipt of a delivery that went through and keeps it with the presentation. `digest` is of what was
    /// delivered, where that was the whole asset or a whole file of a directory: other bytes than the contract's get no
    /// receipt, and neither does what no digest is of.
    pub async fn delivered(&self, delivery: Delivery, bytes: u64, digest: Option<Digest>) {
        self.counts.sent(bytes);
        let id = delivery.id.clone();
        let expected = delivery.portion.part.as_ref().map_or(&delivery.grant.asset_sha256, |part| &part.sha256);
        let receipt = match digest.map(|digest| digest.hex()) {
            Some(found) if found.strip_prefix("0x") != Some(expected) => {
                let check = checks::DELIVERY_DIGEST.id();
                error!(check, delivery = id, found, expected, "delivered other bytes than the contract's asset");
                Ok(None)
            }
            _ if !delivery.portion.vouched => Ok(None),
            _ => self.receipt(&delivery, bytes).map(Some),
        };
        let kept = match receipt {
            Ok(receipt) => self.keep(delivery, bytes, receipt, true).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = kept {
            error!(%fault, delivery = id, "a delivery's receipt could not be kept");
        }
        self.lock().deliveries.remove(&id);
    }

    /// Keeps what is known of a delivery that broke off or was cut; it gets no receipt.
    pub async fn broke_off(&self, delivery: Delivery, bytes: u64) {
        self.counts.sent(bytes);
        let id = delivery.id.clone();
        let cut = delivery.standing.borrow().cuts();
        warn!(delivery = id, contract = %delivery.grant.contract_id, bytes, cut, "a delivery broke off");
        if let Err(fault) = self.keep(delivery, bytes, None, false).await {
            error!(%fault, delivery = id, "a delivery could not be kept");
        }
        self.lock().deliveries.remove(&id);
    }

    /// Waits until every delivery that began is kept; for an orderly end, after the server took its last request.
    pub async fn settled(&self) {
        while !self.lock().deliveries.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The receipt of a delivery, for the token that it was made with and, where that is bound, a proof of its key.
    ///
    /// # Errors
    /// `Refused`: `gate.token.missing`, `gate.token.bound`, `gate.proof.*`; when the store fails.
    pub async fn receipt_of(&self, carried: &Carried<'_>, delivery: &str) -> Result<ReceiptState, NodeFault> {
        let token = Digest::of(carried.token()?);
        let running = self.lock().deliveries.get(delivery).cloned();
        let kept = self.kept_delivery(delivery).await?;
        let kept: Option<Kept> = kept.map(|value| read("delivery", delivery, value)).transpose()?;
        let (state, key) = match (kept, running) {
            (Some(kept), _) if kept.token == token => match kept.receipt {
                Some(receipt) => (ReceiptState::Signed(receipt), kept.key),
                None if kept.complete && !kept.unvouched => (ReceiptState::Refused, kept.key),
                None => (ReceiptState::None, kept.key),
            },
            (None, Some((of, key))) if of == token => (ReceiptState::Running, key),
            _ => return Ok(ReceiptState::None),
        };
        self.prove(carried, key.as_ref(), chance::now()?).await?;
        Ok(state)
    }

    fn receipt(&self, delivery: &Delivery, bytes: u64) -> Result<String, NodeFault> {
        let receipt = Receipt {
            iss: self.signer.did().clone(),
            core_sha256: delivery.grant.core.b64u(),
            asset_sha256: delivery.grant.asset_sha256.clone(),
            bytes,
            part: delivery.portion.part.clone(),
            range: delivery.portion.range,
            from: delivery.from,
            to: chance::now()?.max(delivery.from),
        };
        Ok(receipt.sign(&*self.signer)?)
    }

    async fn keep(
        &self,
        delivery: Delivery,
        bytes: u64,
        receipt: Option<String>,
        complete: bool,
    ) -> Result<(), NodeFault> {
        let Delivery { id, grant, token, key, presentation, portion, from, .. } = delivery;
        let Portion { part, range, vouched } = portion;
        if receipt.is_some() {
            info!(delivery = id, contract = %grant.contract_id, asset = grant.asset, bytes, "delivered");
        }
        let to = chance::now()?.max(from);
        let kept = Kept {
            token,
            key,
            core: grant.core,
            presentation,
            asset: grant.asset,
            bytes,
            part,
            range,
            from,
            to,
            receipt,
            complete,
            unvouched: !vouched,
        };
        self.keep_delivery(kept.core, &id, to, bytes, json!(kept)).await
    }
}

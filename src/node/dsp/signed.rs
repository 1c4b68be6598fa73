//! Credential mode over the Dataspace Protocol: the signed message of the inbox travels in the member `countersign` of the
//! protocol's own message. What a plain connector reads is beside it; what a wallet believes is the signed one.

use std::sync::{Arc, Weak};

use serde_json::{Value, json};

use super::hear::{Answered, Unheard};
use super::reply::{Verdict, judge};
use super::{Connector, PATH};
use crate::check::Trail;
use crate::dsp::{self, NOBODY, Named, checks};
use crate::identity::Did;
use crate::inbox::{Message, Opened};
use crate::negotiation::plain::ParticipantId;
use crate::negotiation::{Role, StateName};
use crate::node::{Node, NodeFault, StoreFault, wire};

/// The kind under which addresses of peers that wrote over the Dataspace Protocol are kept.
const ADDRESS: &str = "dsp-address";

/// A wallet and its connector know each other.
pub fn introduce(node: &Arc<Node>, connector: &Arc<Connector>) {
    // A second introduction would only repeat the first.
    let _ = connector.wallet.set(Arc::clone(node));
    let _ = node.connector.set(Arc::downgrade(connector));
}

impl Node {
    /// The connector beside this wallet, where there is one.
    pub(in crate::node) fn connector(&self) -> Option<Arc<Connector>> {
        self.connector.get().and_then(Weak::upgrade)
    }
}

impl Connector {
    /// Where a party takes signed messages over the Dataspace Protocol, if that is how it is reached: by the
    /// configuration, or because it wrote that way.
    pub(in crate::node) async fn address_of(&self, party: &Did) -> Result<Option<String>, NodeFault> {
        let named = self.settings.peers.iter().find(|peer| peer.participant.as_str() == party.as_str());
        if let Some(peer) = named {
            return Ok(Some(peer.address.trim_end_matches('/').to_owned()));
        }
        let kept = self.kept.one(ADDRESS, party.as_str()).await?;
        Ok(kept.and_then(|kept| kept.get("address")?.as_str().map(str::to_owned)))
    }

    /// Carries a signed message of this wallet; `None` where the Dataspace Protocol has no message for what it says.
    pub(in crate::node) async fn carry(&self, address: &str, to: &Did, signed: &str) -> Option<Result<(), String>> {
        let documents = self.wallet.get()?.documents_ever();
        let message = Opened::read(signed).ok()?.verify_kept(&documents, &mut Trail::default()).ok()?;
        let path = path(&message)?;
        let body = self.wrapped(&message, signed);
        Some(self.post_signed(&format!("{address}{path}"), to, &body).await)
    }

    async fn post_signed(&self, url: &str, to: &Did, body: &Value) -> Result<(), String> {
        let said = |fault: &dyn std::fmt::Display| fault.to_string();
        let proof = self.identity.prove_to(&ParticipantId::from(to)).map_err(|fault| said(&fault))?;
        let message = body.to_string().into_bytes();
        let posted = self.messenger.post(url, &proof, message).await.map_err(|fault| said(&fault))?;
        match judge(posted) {
            Verdict::Taken(_) => Ok(()),
            Verdict::NotYet(why) | Verdict::Later(why) | Verdict::Refused(why) => Err(why),
        }
    }

    /// The protocol's own message around a signed one.
    fn wrapped(&self, message: &Message, signed: &str) -> Value {
        let mut body = message.body.clone();
        body["@id"] = json!(message.id);
        body["countersign"] = json!({ "signed": signed });
        dsp::spell_operands(&mut body);
        if body.get("callbackAddress").is_some() {
            body["callbackAddress"] = json!(self.base);
        }
        body
    }

    /// Takes the signed message in another one, if there is one: then it is no matter of plain mode, whatever becomes of it.
    pub(super) async fn hear_signed(&self, from: &ParticipantId, value: &Value) -> Option<Result<Answered, Unheard>> {
        let signed = value.pointer("/countersign/signed")?;
        let pid = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let Some(signed) = signed.as_str().map(str::to_owned) else {
            let named = Named { consumer_pid: pid("consumerPid"), provider_pid: pid("providerPid") };
            return Some(Err(Unheard { fault: checks::SIGNED.refuse("`signed` is not a text").into(), named }));
        };
        let named = Named { consumer_pid: pid("consumerPid"), provider_pid: pid("providerPid") };
        let callback = pid("callbackAddress");
        Some(self.take_signed(from, &signed, callback).await.map_err(|fault| Unheard { fault, named }))
    }

    async fn take_signed(
        &self,
        from: &ParticipantId,
        signed: &str,
        callback: Option<String>,
    ) -> Result<Answered, NodeFault> {
        let wallet = self.wallet.get().ok_or_else(|| checks::SIGNED.refuse("this node signs no contracts"))?;
        let opened = Opened::read(signed)?;
        let signer = opened.signer_kid().did().clone();
        checks::SIGNED.hold(signer.as_str() == from.as_str(), || format!("{signer} signed what {from} sent"))?;
        if let Some(callback) = &callback {
            self.messenger.may_call(callback).map_err(|fault| checks::CALLBACK.refuse(fault.to_string()))?;
        }
        // As envelopes stay closed by a clock that is off; the sender repeats what was not taken.
        wallet.timepiece.hold()?;
        match wallet.hear(&opened).await {
            Ok(()) | Err(NodeFault::Store(StoreFault::Repeated)) => {}
            Err(fault) => return Err(fault),
        }
        tracing::info!(%signer, "a signed message came over the Dataspace Protocol");
        if let Some(callback) = callback {
            let address = json!({ "address": callback.trim_end_matches('/') });
            self.kept.put(ADDRESS, signer.as_str(), &address).await?;
        }
        let message = opened.verify_kept(&wallet.documents_ever(), &mut Trail::default())?;
        let began = wire::type_name(&message.kind) == Some("request") && message.body.get("providerPid").is_none();
        Ok(Answered { acknowledgement: self.where_it_stands(wallet, &signer, &message).await?, began })
    }

    async fn where_it_stands(&self, wallet: &Node, peer: &Did, message: &Message) -> Result<Value, NodeFault> {
        let pid = message.body.get("consumerPid").and_then(Value::as_str).filter(|pid| !pid.is_empty());
        Ok(match wallet.store().find(peer, pid.unwrap_or_default()).await? {
            Some(id) => {
                let negotiation = wallet.negotiation(&id).await?;
                stands([pid, negotiation.opening().provider_pid.as_deref()], negotiation.state().name())
            }
            None => stands([pid, None], StateName::Terminated),
        })
    }

    /// Where a negotiation of the wallet stands, for its counterparty: by either party's id of it, as the inbox knows both.
    pub(super) async fn signed_state_for(&self, from: &ParticipantId, id: &str) -> Result<Option<Value>, NodeFault> {
        let (Some(wallet), Ok(peer)) = (self.wallet.get(), from.as_str().parse::<Did>()) else { return Ok(None) };
        let Some(found) = wallet.store().find(&peer, id).await? else { return Ok(None) };
        let negotiation = wallet.negotiation(&found).await?;
        let opening = negotiation.opening();
        let pids = [opening.consumer_pid.as_deref(), opening.provider_pid.as_deref()];
        Ok(Some(stands(pids, negotiation.state().name())))
    }
}

/// The protocol's own word about where a negotiation stands, by the consumer's and the provider's id of it.
fn stands(pids: [Option<&str>; 2], state: StateName) -> Value {
    let [consumer, provider] = pids.map(|pid| pid.unwrap_or(NOBODY));
    json!({
        "@context": [dsp::CONTEXT], "@type": "ContractNegotiation", "consumerPid": consumer, "providerPid": provider,
        "state": state,
    })
}

/// Where a message stands below the receiver's base; `None` for what the Dataspace Protocol has no endpoint for.
fn path(message: &Message) -> Option<String> {
    let pid = |role: Role| {
        let member = if role == Role::Provider { "providerPid" } else { "consumerPid" };
        let named = message.body.get(member).or_else(|| message.body.get("consumerPid"));
        named.and_then(Value::as_str).map(super::send::escaped)
    };
    let begins = message.body.get("callbackAddress").is_some();
    let (to, last) = match wire::type_name(&message.kind)? {
        "request" if begins => return Some("/negotiations/request".to_owned()),
        "request" => (Role::Provider, "request"),
        "acceptance" => (Role::Provider, "events"),
        "verification" => (Role::Provider, "agreement/verification"),
        "offer" => (Role::Consumer, "offers"),
        "agreement" => (Role::Consumer, "agreement"),
        "finalization" => (Role::Consumer, "events"),
        "termination" => (Role::Consumer, "termination"),
        // The answer to a signed message is signed too; the protocol's own answer to a request is not.
        "state" => (Role::Consumer, "state"),
        _ => return None,
    };
    Some(format!("/negotiations/{}/{last}", pid(to)?))
}

/// The address under which a node at `public_url` is reached over the Dataspace Protocol.
pub fn address_at(public_url: &str) -> String {
    format!("{}{PATH}", public_url.trim_end_matches('/'))
}

//! The operator's desk: admits members, approves templates, audits statements.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Acquaintance, COPY, Depth, Directory, NodeFault, Registry, Store, StoreFault, chance, kind};
use crate::check::Trail;
use crate::credential::{
    Account, Admission, ApprovedTemplate, LegalId, Participant, Trust, checks as credentials, rfc3339,
};
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Did, DidDocument, Documents, Jws, Method, Signer, Thumbprint, Unverified};
use crate::operator::{
    Audit, Books, MAX_STATEMENT, Receipt, Statement, StatementClaims, Summary, audit, checks as operator,
};
use crate::policy::Template;

/// How long a member is admitted, unless the order says otherwise, in seconds.
const A_YEAR: i64 = 365 * 24 * 3600;
/// How many places of the registry are looked up at a time.
const ABREAST: usize = 8;

/// An operator: its key, what it keeps, and the registry that it reads.
pub struct Auditor {
    signer: Arc<dyn Signer>,
    store: Arc<dyn Store>,
    registry: Arc<dyn Registry>,
    directory: Arc<Directory>,
}

/// Whom to admit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdmissionOrder {
    /// The member.
    pub did: Did,
    /// Its name in law.
    pub legal_name: String,
    /// Its registration.
    pub legal_id: LegalId,
    /// ISO 3166-1 alpha-2 code.
    pub country: String,
    /// Thumbprints of the keys that it signs with; those that a did:key or did:jwk spells when absent.
    #[serde(default)]
    pub keys: Option<Vec<Thumbprint>>,
    /// CAIP-10 accounts that record for it.
    #[serde(default)]
    pub recorders: Vec<String>,
    /// Valid from; now when absent.
    #[serde(default)]
    pub nbf: Option<At>,
    /// Valid before; a year later when absent.
    #[serde(default)]
    pub exp: Option<At>,
}

/// A time in a JSON document: RFC 3339, UTC.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub struct At(#[serde(with = "rfc3339")] pub Timestamp);

/// A member, as it was admitted once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    /// The member.
    pub did: Did,
    /// Its name in law.
    pub legal_name: String,
    /// Its registration.
    pub legal_id: LegalId,
    /// ISO 3166-1 alpha-2 code.
    pub country: String,
    /// Thumbprints of the keys that it signs with.
    pub keys: Vec<Thumbprint>,
    /// CAIP-10 accounts that record for it.
    pub recorders: Vec<String>,
    /// Valid from.
    #[serde(with = "rfc3339")]
    pub nbf: Timestamp,
    /// Valid before.
    #[serde(with = "rfc3339")]
    pub exp: Timestamp,
    /// `b64u(H(credential))`, as offers name it.
    pub digest: String,
    /// The participant credential, its tilde included.
    pub credential: String,
}

/// A template that was approved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Approval {
    /// The template's id.
    pub id: String,
    /// The template's version.
    pub version: String,
    /// For people.
    pub title: String,
    /// `b64u(H(the template's bytes))`, as offers name it.
    pub hash: String,
    /// The approval: a JWS whose payload is the template.
    pub approval: String,
}

/// An audit with what the operator signed about it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Audited {
    /// The audit.
    pub audit: Audit,
    /// The receipt: a JWS.
    pub receipt: String,
}

impl Member {
    /// Signs the participant credential of a member that signs with `keys`, whatever keys the order names.
    ///
    /// # Errors
    /// `participant.claims`, `account.form`, `did.document` when the order breaks a rule.
    pub fn admit(order: &AdmissionOrder, keys: Vec<Thumbprint>, operator: &dyn Signer) -> Result<Self, NodeFault> {
        let now = chance::now()?;
        let (nbf, exp) = (order.nbf.map_or(now, |at| at.0), order.exp.map_or(now.plus(A_YEAR), |at| at.0));
        for recorder in &order.recorders {
            account(recorder).ok_or_else(|| {
                credentials::ACCOUNT.refuse(format!("`{recorder}` is not eip155:<chain id>: and an account"))
            })?;
        }
        let admission = Admission {
            did: order.did.clone(),
            legal_name: order.legal_name.clone(),
            legal_id: order.legal_id.clone(),
            country: order.country.clone(),
            keys,
            recorders: order.recorders.clone(),
            iat: now,
            nbf,
            exp,
        };
        let credential = Participant::admit(&admission, operator)?;
        let member = Self {
            did: admission.did,
            legal_name: admission.legal_name,
            legal_id: admission.legal_id,
            country: admission.country,
            keys: admission.keys,
            recorders: admission.recorders,
            nbf,
            exp,
            digest: Digest::of(&credential).b64u(),
            credential,
        };
        Ok(member)
    }

    /// Keeps it. Each admission stays: an audit judges a recorder by the credential that was valid at its entry.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keep(&self, store: &dyn Store) -> Result<(), NodeFault> {
        Ok(store.put(kind::MEMBER, &self.digest, &json!(self)).await?)
    }

    fn of(participant: &Participant) -> Self {
        Self {
            did: participant.did.clone(),
            legal_name: participant.legal_name.clone(),
            legal_id: participant.legal_id.clone(),
            country: participant.country.clone(),
            keys: participant.keys.clone(),
            recorders: participant.recorders.clone(),
            nbf: participant.nbf,
            exp: participant.exp,
            digest: participant.digest.clone(),
            credential: participant.text.clone(),
        }
    }
}

impl Approval {
    /// Signs a template's bytes as they are.
    ///
    /// # Errors
    /// `template.*`, `fee.schedule`, `encoding.*` when the bytes are no template.
    pub fn sign(template: &[u8], operator: &dyn Signer) -> Result<Self, NodeFault> {
        let Template { id, version, title, .. } = Template::parse(template)?;
        let hash = Digest::of(template).b64u();
        Ok(Self { id, version, title, hash, approval: ApprovedTemplate::approve(template, operator)? })
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keep(&self, store: &dyn Store) -> Result<(), NodeFault> {
        Ok(store.put(kind::APPROVAL, &self.hash, &json!(self)).await?)
    }
}

impl Auditor {
    /// An operator of `signer`'s DID that reads `registry`.
    pub fn new(signer: Arc<dyn Signer>, store: Arc<dyn Store>, registry: Arc<dyn Registry>) -> Self {
        let directory = Arc::new(Directory::closed(Documents::default()));
        Self { signer, store, registry, directory }
    }

    /// The same desk, which looks did:web members up in `directory`.
    #[must_use]
    pub fn knowing(self, directory: Arc<Directory>) -> Self {
        Self { directory, ..self }
    }

    /// The operator's DID: what others pin.
    pub fn did(&self) -> &Did {
        self.signer.did()
    }

    /// Admits a member: signs its participant credential and keeps a copy.
    ///
    /// # Errors
    /// `participant.claims`, `account.form`, `did.document` when the order breaks a rule.
    pub async fn admit(&self, order: &AdmissionOrder) -> Result<Member, NodeFault> {
        let keys = match &order.keys {
            Some(keys) => keys.clone(),
            None => self.listed_keys(&order.did).await?,
        };
        let member = Member::admit(order, keys, &*self.signer)?;
        member.keep(&*self.store).await?;
        Ok(member)
    }

    /// Every admission.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn members(&self) -> Result<Vec<Member>, NodeFault> {
        self.kept(kind::MEMBER).await
    }

    /// Approves a template: signs its bytes as they are and keeps a copy.
    ///
    /// # Errors
    /// `template.*`, `fee.schedule`, `encoding.*` when the bytes are no template.
    pub async fn approve(&self, template: &[u8]) -> Result<Approval, NodeFault> {
        let approval = Approval::sign(template, &*self.signer)?;
        approval.keep(&*self.store).await?;
        Ok(approval)
    }

    /// Every approval.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn approvals(&self) -> Result<Vec<Approval>, NodeFault> {
        self.kept(kind::APPROVAL).await
    }

    /// Audits a statement against the registry, keeps the audit and signs a receipt.
    ///
    /// # Errors
    /// What [`Statement::verify`] refuses; `Registry` when the chain cannot be read: nothing is kept then.
    pub async fn receive_statement(&self, statement: &str) -> Result<Audited, NodeFault> {
        let id = Digest::of(statement).b64u();
        let whole = |known: &Audited| {
            known.audit.problems.is_empty() && known.audit.entries.iter().all(|found| found.entry.is_some())
        };
        if let Some(known) = self.one(&id).await?.filter(whole) {
            return Ok(known);
        }
        let now = chance::now()?;
        let (text, operator) = (Unverified::new(statement), self.did().clone());
        let received = statement;
        let documents = self.documents_of(statement).await?;
        let known = documents.clone();
        let statement =
            off_the_runtime(move || Statement::verify(&text, &operator, &known, now, &mut Trail::default())).await??;
        let urn = self.registry.urn();
        self.keep_member(&statement.member).await?;
        let mut members = self.members().await?;
        members.retain(|member| member.did == statement.claims.iss);
        let named = members.iter().map(|member| &member.recorders).chain([&statement.member.recorders]);
        let recorders: BTreeSet<Account> = named.flat_map(|recorders| self.accounts(recorders)).collect();

        let head = self.registry.head(Depth::Finalised).await?;
        let mut entries = Vec::new();
        for recorder in recorders {
            entries.extend(self.registry.entries(recorder, statement.claims.from, statement.claims.until).await?);
        }
        let sightings: Vec<_> = stream::iter(statement.lookups(&urn))
            .map(|at| self.registry.sighting(Depth::Finalised, at.recorder, at.contract_id, at.account, at.since))
            .buffered(ABREAST)
            .try_collect()
            .await?;
        let admitted: Vec<_> = members.into_iter().map(|member| Unverified::new(member.credential)).collect();
        let operator = self.did().clone();
        let audit = off_the_runtime(move || {
            let books = Books {
                operator: &operator,
                documents: &documents,
                admitted: &admitted,
                registry: urn,
                head,
                entries: &entries,
                sightings: &sightings,
                now,
            };
            audit(&statement, &books)
        })
        .await?;
        let receipt = Receipt::sign(&audit, &*self.signer)?;
        let audited = Audited { audit, receipt };
        // What a fee rests on is kept before what rests on it.
        self.store.put_once(kind::STATED, &id, &json!(received)).await?;
        self.store.put(kind::AUDIT, &id, &json!(audited)).await?;
        Ok(audited)
    }

    /// Every audit in one line, by period.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn audits(&self) -> Result<Vec<Summary>, NodeFault> {
        let audits: Vec<Audited> = self.kept(kind::AUDIT).await?;
        let mut lines: Vec<Summary> = audits.iter().map(|audited| audited.audit.summary()).collect();
        lines.sort_by_key(|line| (line.from, line.until, line.at));
        Ok(lines)
    }

    /// One audit.
    ///
    /// # Errors
    /// `Unknown` when there is none of that id.
    pub async fn audited(&self, id: &str) -> Result<Audited, NodeFault> {
        self.one(id).await?.ok_or_else(|| NodeFault::unknown("audit", id))
    }

    /// A statement as it came: a JWS.
    ///
    /// # Errors
    /// `Unknown` when there is none of that id.
    pub async fn statement(&self, id: &str) -> Result<String, NodeFault> {
        let kept = self.store.one(kind::STATED, id).await?.ok_or_else(|| NodeFault::unknown("statement", id))?;
        Ok(read(kind::STATED, id, kept)?)
    }

    /// The registry that it reads.
    pub fn registry(&self) -> &dyn Registry {
        &*self.registry
    }

    /// When this operator's store was copied, if it was restored from a copy.
    pub(super) async fn copied(&self) -> Result<Option<Timestamp>, NodeFault> {
        let mark = self.store.one(COPY, COPY).await?;
        Ok(mark.map(|mark| super::copied::copied_at(COPY, &mark)).transpose()?)
    }

    /// The audits of a provider's statements, each with its receipt.
    pub(super) async fn audits_of(&self, provider: &Did) -> Result<Vec<(Audit, String)>, NodeFault> {
        let audits: Vec<Audited> = self.kept(kind::AUDIT).await?;
        let own = audits.into_iter().filter(|audited| audited.audit.provider == *provider);
        Ok(own.map(|audited| (audited.audit, audited.receipt)).collect())
    }

    /// The accounts on the registry's chain among CAIP-10 texts.
    pub(super) fn accounts(&self, recorders: &[String]) -> Vec<Account> {
        let chain_id = self.registry.urn().chain_id;
        let named = recorders.iter().filter_map(|recorder| account(recorder));
        named.filter_map(|(chain, account)| (chain == chain_id).then_some(account)).collect()
    }

    /// A member that this operator admitted elsewhere shows its credential with its first statement.
    /// The keys that a DID signs with, as it says itself.
    async fn listed_keys(&self, did: &Did) -> Result<Vec<Thumbprint>, NodeFault> {
        self.directory.ask_now(did).await?;
        let documents = self.directory.documents();
        let keys = match documents.document(did) {
            Some(document) => document.keys.clone(),
            None => DidDocument::of_key_did(did)?.keys,
        };
        credentials::PARTICIPANT_CLAIMS
            .hold(!keys.is_empty(), || format!("the document of {did} lists no P-256 or Ed25519 key that signs"))?;
        Ok(keys.iter().map(|(_, key)| key.thumbprint()).collect())
    }

    /// What a statement is verified with. Of a did:web only a member is looked up: one whose credential in the statement
    /// this operator signed. The statement itself is signed with a key of now; what it holds may be signed with a key that
    /// the member was admitted with, or that its document says signed until after the period began.
    async fn documents_of(&self, statement: &str) -> Result<Documents, NodeFault> {
        let jws = Jws::parse_within(statement, MAX_STATEMENT)?;
        let kid = jws.header().kid.clone().filter(|kid| kid.did().method() == Method::Web);
        let Some(kid) = kid else { return Ok(self.directory.documents()) };
        let claims = StatementClaims::deserialize(Value::Object(jws.claims()?))
            .map_err(|cause| operator::STATEMENT.refuse(cause.to_string()))?;
        let trust = Trust { operators: vec![self.did().clone()], ..Trust::default() };
        let credential = Unverified::<Participant>::new(&claims.participant);
        let own = self.directory.documents();
        let judged = [claims.until.plus(-1), claims.from, claims.iat]
            .into_iter()
            .map(|at| Participant::verify(&credential, &trust, &own, at, &mut Trail::default()));
        let member = judged.reduce(Result::or).transpose()?.filter(|member| member.did == *kid.did());
        let mut listed = member.map(|member| member.keys.clone()).ok_or_else(|| {
            operator::SIGNER.refuse(format!("the credential in it is not about {}, which signed it", kid.did()))
        })?;
        self.directory.acquaint_with(&kid, Acquaintance::Known).await?;
        let documents = self.directory.documents();
        documents.key(&kid)?;
        let mut documents = documents.as_of(claims.from);
        if let Some(known) = self.directory.known(kid.did()) {
            let members = self.members().await?.into_iter().filter(|member| member.did == *kid.did());
            listed.extend(members.flat_map(|member| member.keys));
            documents.vouch_listed(&known.document, &listed);
        }
        Ok(documents)
    }

    async fn keep_member(&self, participant: &Participant) -> Result<(), NodeFault> {
        let member = Member::of(participant);
        self.store.put_once(kind::MEMBER, &member.digest, &json!(member)).await?;
        Ok(())
    }

    async fn one(&self, id: &str) -> Result<Option<Audited>, NodeFault> {
        let kept = self.store.one(kind::AUDIT, id).await?;
        Ok(kept.map(|kept| read(kind::AUDIT, id, kept)).transpose()?)
    }

    async fn kept<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>, NodeFault> {
        let kept = self.store.all(kind).await?;
        Ok(kept.into_iter().map(|(id, value)| read(kind, &id, value)).collect::<Result<_, _>>()?)
    }
}

fn read<T: DeserializeOwned>(kind: &str, id: &str, kept: serde_json::Value) -> Result<T, StoreFault> {
    serde_json::from_value(kept).map_err(|cause| StoreFault::Damaged(format!("{kind} {id}: {cause}")))
}

/// Chain and account of a CAIP-10 text for an EVM chain.
fn account(caip10: &str) -> Option<(u64, Account)> {
    let (chain, account) = caip10.strip_prefix("eip155:")?.split_once(':')?;
    let parsed: u64 = chain.parse().ok()?;
    (parsed.to_string() == chain).then_some((parsed, account.parse().ok()?))
}

/// A long statement holds thousands of signatures; other callers do not wait for them.
async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, NodeFault> {
    tokio::task::spawn_blocking(work).await.map_err(|cause| StoreFault::Failed(cause.to_string()).into())
}

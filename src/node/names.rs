//! Meeting: invitations out and in, and the names that the owner gives to contacts.
//!
//! A name is a convenience of this desk. It stands beside a DID wherever people read, and never in anything signed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{NewContact, Node, NodeFault, chance, checks, kind};
use crate::check::{Refusal, Trail};
use crate::credential::rfc3339;
use crate::encoding::Timestamp;
use crate::identity::{Did, Method, Unverified};
use crate::inbox::{self, Contact, Invitation};

/// How long an invitation lasts unless its maker says otherwise, and at most, in seconds.
const WEEK: i64 = 7 * 24 * 3600;
const YEAR: i64 = 365 * 24 * 3600;
const LONGEST_NAME: usize = 64;
const LONGEST_GOAL: usize = 200;

/// How this party is introduced to another.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InvitationOrder {
    /// What for, in a sentence.
    pub goal: Option<String>,
    /// Whom for: nobody else's wallet takes it. Anybody when absent.
    #[serde(rename = "for")]
    pub to: Option<Did>,
    /// For how many seconds; a week when absent, a year at most.
    pub expires_in: Option<i64>,
}

/// An invitation that was made.
#[derive(Clone, Debug, Serialize)]
pub struct InvitationView {
    /// Its id.
    pub id: String,
    /// The link that carries it whole.
    pub link: String,
    /// The message in it, as JSON text.
    pub invitation: String,
    /// Until when it is taken.
    #[serde(with = "rfc3339")]
    pub expires: Timestamp,
}

/// How somebody becomes a contact: exactly one of a signed contact, an invitation and a did:web.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Introduction {
    /// A contact, a JWS of typ `countersign-contact+jwt`.
    pub contact: Option<String>,
    /// An invitation: its link, or its JSON.
    pub invitation: Option<String>,
    /// A did:web, whose document says where it is reached.
    pub did: Option<Did>,
    /// The name that the owner gives it.
    pub name: Option<String>,
}

/// Somebody who became a contact.
#[derive(Clone, Debug, Serialize)]
pub struct Met {
    /// Who.
    pub did: Did,
    /// Under which name.
    pub name: Option<String>,
    /// What the invitation is for, in its maker's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<String>,
}

impl Node {
    /// Makes an invitation: a link that lets another wallet reach this one, with the signed contact inside.
    ///
    /// # Errors
    /// `invitation.form` for a goal that is too long or a time out of range.
    pub fn invite(&self, order: &InvitationOrder) -> Result<InvitationView, NodeFault> {
        let now = chance::now()?;
        let lasts = order.expires_in.unwrap_or(WEEK);
        inbox::checks::INVITATION.hold((1..=YEAR).contains(&lasts), || {
            format!("it would last {lasts} seconds, and 1 second to 365 days are allowed")
        })?;
        let goal = order.goal.as_deref().map(str::trim).filter(|goal| !goal.is_empty());
        inbox::checks::INVITATION.hold(goal.is_none_or(|goal| goal.chars().count() <= LONGEST_GOAL), || {
            format!("a goal of more than {LONGEST_GOAL} letters")
        })?;
        let invitation = Invitation {
            id: chance::uuid()?.to_string(),
            from: self.did().clone(),
            to: order.to.clone(),
            goal: goal.map(str::to_owned),
            created: Some(now),
            expires: Some(now.plus(lasts)),
            contact: self.contact_anew()?,
        };
        // Whoever opens the link in a browser is told what it is, where this node is reached over https.
        let base = self.settings.inbox_url.strip_suffix("/inbox").filter(|base| base.starts_with("https://"));
        let link = invitation.link(base)?;
        Ok(InvitationView {
            id: invitation.id.clone(),
            link,
            invitation: invitation.write()?,
            expires: now.plus(lasts),
        })
    }

    /// Takes somebody among the contacts, by a signed contact, an invitation or a did:web.
    ///
    /// # Errors
    /// `contact.introduction`, `contact.name`, `contact.newest`; `invitation.*`, `inbox.contact*`, `jws.*` when it is not what it claims
    /// to be.
    pub async fn meet(&self, introduction: &Introduction) -> Result<Met, NodeFault> {
        if let Some(name) = &introduction.name {
            fits(name)?;
        }
        let (did, goal) = match introduction {
            Introduction { contact: Some(contact), invitation: None, did: None, .. } => {
                (self.vet(contact).await?, None)
            }
            Introduction { contact: None, invitation: Some(text), did: None, .. } => {
                let invitation = Invitation::read(text)?;
                invitation.hold(self.did(), chance::now()?)?;
                self.hold_unused(&invitation).await?;
                let did = self.vet(&invitation.contact).await?;
                inbox::checks::INVITATION_CONTACT.hold(did == invitation.from, || {
                    format!("the contact inside is {did}'s, the invitation {}'s", invitation.from)
                })?;
                (did, invitation.goal)
            }
            Introduction { contact: None, invitation: None, did: Some(did), .. } => {
                checks::INTRODUCTION.hold(did.method() == Method::Web, || {
                    format!("{did} does not say by itself where it is reached: ask for its invitation or its contact")
                })?;
                self.look_up_now(did).await?;
                (did.clone(), None)
            }
            _ => return Err(checks::INTRODUCTION.refuse("give one of `contact`, `invitation` and `did`").into()),
        };
        checks::INTRODUCTION.hold(did != *self.did(), || "that is this wallet itself".into())?;
        // A name that is taken refuses before anything is kept.
        if let Some(name) = &introduction.name {
            self.free(&did, name).await?;
        }
        let contact = introduction.contact.clone();
        let contact = match (&contact, &introduction.invitation) {
            (None, Some(text)) => Some(Invitation::read(text)?.contact),
            _ => contact,
        };
        match contact {
            Some(contact) => {
                self.hold_newest(&contact).await?;
                drop(self.add_contact(&NewContact { contact }).await?);
            }
            None => self.know_web(&did).await?,
        }
        if let Some(name) = &introduction.name {
            self.rename(&did, Some(name)).await?;
        }
        if let Some(text) = &introduction.invitation {
            let invitation = Invitation::read(text)?;
            let taken = json!({ "at": chance::now()?.rfc3339() });
            self.store.put(kind::INVITATION, &taken_as(&invitation), &taken).await?;
        }
        Ok(Met { name: self.name_of(&did).await?, did, goal })
    }

    /// An invitation that was taken is of use again only when whom it introduced was forgotten.
    async fn hold_unused(&self, invitation: &Invitation) -> Result<(), NodeFault> {
        let taken = self.store.one(kind::INVITATION, &taken_as(invitation)).await?;
        let known = self.store.one(kind::CONTACT, invitation.from.as_str()).await?;
        let at = taken.filter(|_| known.is_some()).and_then(|taken| {
            Timestamp::parse_rfc3339(taken.get("at").and_then(Value::as_str).unwrap_or_default()).ok()
        });
        Ok(invitation.once(at)?)
    }

    async fn vet(&self, contact: &str) -> Result<Did, NodeFault> {
        self.acquaint_with_signer(contact).await?;
        let contact = Unverified::<Contact>::new(contact);
        Ok(Contact::verify(&contact, &self.documents(), &mut Trail::default())?.into_inner().did)
    }

    /// The name that the owner gave to a DID.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn name_of(&self, did: &Did) -> Result<Option<String>, NodeFault> {
        let kept = self.store.one(kind::CONTACT, did.as_str()).await?;
        Ok(kept.as_ref().and_then(|kept| kept.get("name")).and_then(Value::as_str).map(str::to_owned))
    }

    /// Gives a contact another name, or none.
    ///
    /// # Errors
    /// `Unknown` for somebody who is no contact; `contact.name` for a name that is taken or none.
    pub async fn rename(&self, did: &Did, name: Option<&str>) -> Result<(), NodeFault> {
        let kept = self.store.one(kind::CONTACT, did.as_str()).await?;
        let mut kept = kept.ok_or_else(|| NodeFault::unknown("contact", did.as_str()))?;
        match name {
            Some(name) => {
                fits(name)?;
                self.free(did, name).await?;
                kept["name"] = name.into();
            }
            None => drop(kept.as_object_mut().and_then(|kept| kept.remove("name"))),
        }
        Ok(self.store.put(kind::CONTACT, did.as_str(), &kept).await?)
    }

    /// Forgets a contact, its name and its address; negotiations and contracts with it stay as they are.
    ///
    /// # Errors
    /// `Unknown` for somebody who is no contact.
    pub async fn forget(&self, did: &Did) -> Result<(), NodeFault> {
        let there = self.store.remove(kind::CONTACT, did.as_str()).await?;
        if there { Ok(()) } else { Err(NodeFault::unknown("contact", did.as_str())) }
    }

    /// Two contacts of one name would make a command mean either.
    async fn free(&self, did: &Did, name: &str) -> Result<(), NodeFault> {
        for (other, kept) in self.store.all(kind::CONTACT).await? {
            let taken = kept.get("name").and_then(Value::as_str).is_some_and(|taken| same(taken, name));
            checks::NAME
                .hold(!taken || other == did.as_str(), || format!("`{name}` is the name of {other} already"))?;
        }
        Ok(())
    }
}

/// Its maker chose the id, so that it counts only beside its maker.
fn taken_as(invitation: &Invitation) -> String {
    format!("{} {}", invitation.from, invitation.id)
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// A name has to be one at a glance, and can be mistaken for neither a DID nor an id nor an option.
fn fits(name: &str) -> Result<(), Refusal> {
    let plain = |c: char| c.is_alphanumeric() || " .,&'_-+()".contains(c);
    let long = (1..=LONGEST_NAME).contains(&name.chars().count());
    let whole = name.starts_with(char::is_alphanumeric) && name.trim() == name;
    checks::NAME.hold(long && whole && name.chars().all(plain) && !same(name, "me") && !same(name, "you"), || {
        format!("a name is 1 to {LONGEST_NAME} letters, digits and .,&'_-+() with a letter or digit in front; not `me`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_at_a_glance() {
        for name in ["alice", "Alice Maps GmbH", "Müller & Söhne (Berlin)", "3D-Karten"] {
            assert!(fits(name).is_ok(), "{name}");
        }
        for name in ["", " alice", "alice ", "-h", "did:key:zDn", "a\u{202e}b", "a/b", "a\nb", "Me", &"x".repeat(65)] {
            assert_eq!(fits(name).unwrap_err().check, &checks::NAME, "{name:?}");
        }
    }
}

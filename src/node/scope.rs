use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a key to the management interface may do. Each holds the one before it: who decides may read, and an
/// administrator may do everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Needs no key.
    Open,
    /// Looks, and changes nothing.
    Read,
    /// Decides in negotiations and uses contracts: request, offer, accept, reject, cancel, record, present, end.
    Decide,
    /// Sets up: contacts, templates, listings, members, keys, backups.
    Admin,
}

/// No such scope.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a key's scope is `read`, `decide` or `admin`")]
pub struct NoScope;

impl Scope {
    /// Its name, as commands and answers write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Decide => "decide",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scope {
    type Err = NoScope;

    /// A scope that a key can have.
    fn from_str(text: &str) -> Result<Self, NoScope> {
        [Self::Read, Self::Decide, Self::Admin].into_iter().find(|scope| scope.name() == text).ok_or(NoScope)
    }
}

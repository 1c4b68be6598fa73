use std::fmt;

use serde::{Deserialize, Serialize};

/// What a key may do. Each holds the one before it: who decides may read, and an administrator may do everything.
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

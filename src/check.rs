//! Checks and refusals: every rule a verifier applies has an id, one place that applies it and a line in `docs/checks.md`.

use std::fmt;

/// One rule that hostile input is held against.
///
/// The id is stable (`area.rule`): logs, verdicts, evidence and `docs/checks.md` name a check by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Check {
    id: &'static str,
    rule: &'static str,
}

impl Check {
    /// Used by [`checks!`]; a check that is in no module's list is not in the documentation either.
    pub const fn new(id: &'static str, rule: &'static str) -> Self {
        Self { id, rule }
    }

    /// The stable id, for example `offer.digest.hidden`.
    pub const fn id(self) -> &'static str {
        self.id
    }

    /// What has to hold, as one sentence.
    pub const fn rule(self) -> &'static str {
        self.rule
    }

    /// A refusal by this check; `detail` says what was found and what was expected, never a secret.
    pub fn refuse(&'static self, detail: impl Into<String>) -> Refusal {
        Refusal { check: self, detail: detail.into() }
    }

    /// Holds `condition` to this check.
    ///
    /// # Errors
    /// [`Refusal`] with `detail()` when the condition does not hold.
    pub fn hold(&'static self, condition: bool, detail: impl FnOnce() -> String) -> Result<(), Refusal> {
        if condition { Ok(()) } else { Err(self.refuse(detail())) }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

/// Why something was refused: the check that failed, and what was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{check}: {detail}")]
pub struct Refusal {
    /// The check that failed.
    pub check: &'static Check,
    /// What was found and what was expected; safe to show to the party that sent it.
    pub detail: String,
}

/// The checks that held, in the order they were made; the evidence behind a verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    held: Vec<&'static Check>,
}

impl Trail {
    /// Holds `condition` to `check` and remembers that it held.
    ///
    /// # Errors
    /// [`Refusal`] when it does not.
    pub fn hold(
        &mut self,
        check: &'static Check,
        condition: bool,
        detail: impl FnOnce() -> String,
    ) -> Result<(), Refusal> {
        check.hold(condition, detail)?;
        self.held.push(check);
        Ok(())
    }

    /// Remembers a check whose holding was shown by other means, for example by parsing.
    pub fn held(&mut self, check: &'static Check) {
        self.held.push(check);
    }

    /// The checks that held, oldest first.
    pub fn checks(&self) -> &[&'static Check] {
        &self.held
    }
}

/// Declares a module's checks: `pub static NAME: Check` for each, and `ALL`, the list that the documentation is held to.
#[macro_export]
macro_rules! checks {
    ($($name:ident = $id:literal : $rule:literal;)+) => {
        $(
            #[doc = concat!("`", $id, "`: ", $rule)]
            pub static $name: $crate::check::Check = $crate::check::Check::new($id, $rule);
        )+
        /// Every check of this module.
        pub static ALL: &[&$crate::check::Check] = &[$(&$name),+];
    };
}

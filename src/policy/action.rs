use super::checks;
use super::operand::{is_named, without_odrl};
use crate::check::Refusal;

/// The action in its one spelling: ODRL's own without prefix, others as they are.
pub(super) fn action(text: &str) -> Result<String, Refusal> {
    let own = without_odrl(text);
    let known = ACTIONS.iter().any(|(name, _)| *name == own);
    checks::POLICY_ACTION.hold(known || (own == text && is_named(text)), || {
        format!("`{text}` is no action of ODRL 2.2, nor namespaced")
    })?;
    Ok(own.to_owned())
}

/// Whether a rule about `ruled` is a rule about `asked`: the same action, or one that ODRL includes in it.
pub(super) fn covers(ruled: &str, asked: &str) -> bool {
    let mut action = asked;
    loop {
        if action == ruled {
            return true;
        }
        match ACTIONS.iter().find(|(name, _)| *name == action) {
            Some((_, Some(wider))) => action = wider,
            _ => return false,
        }
    }
}

/// Whether nothing says that `asked` lies outside a rule about `ruled`: what a prohibition goes by, so that an action
/// that only a foreign vocabulary knows does not slip past a prohibition of all use.
pub(super) fn may_cover(ruled: &str, asked: &str) -> bool {
    let foreign = !ACTIONS.iter().any(|(name, _)| *name == asked);
    covers(ruled, asked) || (foreign && ACTIONS.iter().any(|(name, _)| *name == ruled))
}

// The actions of the ODRL 2.2 vocabulary that are not deprecated, and the action that each is included in.
const ACTIONS: &[(&str, Option<&str>)] = &[
    ("use", None),
    ("transfer", None),
    ("acceptTracking", Some("use")),
    ("aggregate", Some("use")),
    ("annotate", Some("use")),
    ("anonymize", Some("use")),
    ("archive", Some("use")),
    ("attribute", Some("use")),
    ("compensate", Some("use")),
    ("concurrentUse", Some("use")),
    ("delete", Some("use")),
    ("derive", Some("use")),
    ("digitize", Some("use")),
    ("display", Some("play")),
    ("distribute", Some("use")),
    ("ensureExclusivity", Some("use")),
    ("execute", Some("use")),
    ("extract", Some("reproduce")),
    ("give", Some("transfer")),
    ("grantUse", Some("use")),
    ("include", Some("use")),
    ("index", Some("use")),
    ("inform", Some("use")),
    ("install", Some("use")),
    ("modify", Some("use")),
    ("move", Some("use")),
    ("nextPolicy", Some("use")),
    ("obtainConsent", Some("use")),
    ("play", Some("use")),
    ("present", Some("use")),
    ("print", Some("use")),
    ("read", Some("use")),
    ("reproduce", Some("use")),
    ("reviewPolicy", Some("use")),
    ("sell", Some("transfer")),
    ("stream", Some("use")),
    ("synchronize", Some("use")),
    ("textToSpeech", Some("use")),
    ("transform", Some("use")),
    ("translate", Some("use")),
    ("uninstall", Some("use")),
    ("watermark", Some("use")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wider_actions_cover_narrower_ones() {
        assert!(covers("use", "use") && covers("use", "extract") && covers("reproduce", "extract"));
        assert!(!covers("read", "use") && !covers("use", "sell") && !covers("use", "cx:train"));
        assert!(may_cover("use", "cx:train") && !may_cover("distribute", "use") && !may_cover("cx:train", "use"));
        assert!(ACTIONS.iter().all(|(name, _)| covers("use", name) || covers("transfer", name)));
    }

    #[test]
    fn one_action_has_one_spelling() {
        for same in ["use", "odrl:use", "http://www.w3.org/ns/odrl/2/use"] {
            assert_eq!(action(same).unwrap(), "use");
        }
        assert_eq!(action("cx-policy:access").unwrap(), "cx-policy:access");
        for bad in ["", "Use", "steal", "odrl:steal", "cx:", ":use", "a b:c"] {
            assert_eq!(action(bad).unwrap_err().check, &checks::POLICY_ACTION, "{bad}");
        }
    }
}

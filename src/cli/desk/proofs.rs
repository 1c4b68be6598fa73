//! What of a contract is proven, by whose signature, and what is only somebody's word.

use jiff::Timestamp;
use serde_json::Value;

use super::words::{money, text};

/// Prints both, each in a sentence.
pub fn print(view: &Value) {
    let (proven, claimed) = (proven(view), claimed(view));
    for (name, sentences) in [("Proven", proven), ("Only claimed", claimed)] {
        if !sentences.is_empty() {
            println!("\n{name}");
        }
        for sentence in sentences {
            println!("  - {sentence}");
        }
    }
}

/// Whether a time is past.
pub fn over(time: &str) -> bool {
    time.parse::<Timestamp>().is_ok_and(|at| at <= Timestamp::now())
}

fn parties(view: &Value) -> impl Iterator<Item = &Value> {
    view["parties"].as_array().into_iter().flatten()
}

fn proven(view: &Value) -> Vec<String> {
    let mut proven = Vec::new();
    for party in parties(view) {
        let (role, name) = (text(party, "/role"), text(party, "/legal_name"));
        match party["proof"].as_str() {
            Some("operator") => {
                let until = super::words::when(&text(party, "/valid_until"));
                let by = text(party, "/proven_by");
                let said = match (over(&text(party, "/valid_until")), view["hash"].is_string()) {
                    (false, _) => format!("vouches for it until {until}."),
                    (true, false) => format!("vouched for it until {until}, and that is over."),
                    (true, true) => format!("vouched for it until {until}: when both signed, and no more."),
                };
                proven.push(format!("The {role} is {name}: the operator {by} {said}"));
            }
            Some("pinned") => proven.push(format!("The {role}'s DID is one that your configuration pins.")),
            _ => {}
        }
    }
    let offer = &view["offer"];
    if offer.is_object() {
        proven.push("The provider signed this offer, with every term, the price and the fee in it.".into());
        let by = text(offer, "/template_by");
        let by = if by.is_empty() { String::new() } else { format!(" that {by} approved") };
        proven.push(format!("Terms and fee are those of the template{by}, with the values of this offer."));
    }
    let proposal = &view["proposal"];
    if proposal.is_object() {
        proven.push("The provider signed the message that proposes these terms; it is no offer yet.".into());
        let by = text(proposal, "/template_by");
        let by = if by.is_empty() { String::new() } else { format!(" that {by} approved") };
        proven.push(format!("Terms and fee are those of the template{by}, with the values of this proposal."));
    }
    if view["hash"].is_string() {
        proven
            .push(format!("The consumer countersigned exactly this offer; both signatures: {}.", text(view, "/hash")));
    }
    if view["entry"].is_object() || view["entry_despite_termination"].is_object() {
        proven
            .push("The registry has the contract's hash, recorded in time by the account that the offer names.".into());
    }
    if matches!(view["state"].as_str(), Some("VERIFIED" | "FINALIZED")) {
        proven.push("The consumer's own node saw that entry in a finalised block: the contract exists.".into());
    }
    proven
}

fn claimed(view: &Value) -> Vec<String> {
    let mut claimed = Vec::new();
    for party in parties(view) {
        let (role, name) = (text(party, "/role"), text(party, "/legal_name"));
        match party["proof"].as_str() {
            Some("claimed") => {
                let why = text(party, "/unproven");
                claimed.push(format!("That the {role} is {name}: it says so itself ({why})."));
            }
            Some("pinned") => claimed.push(format!("That the {role} is {name}: its own word, and you know its DID.")),
            Some("absent") => claimed.push(format!("Who the {role} is: no credential has come yet.")),
            _ => {}
        }
        if party["own"] != true && party["name"].is_string() {
            claimed.push(format!("“{}” is your own name for the {role}.", text(party, "/name")));
        }
    }
    let offer = &view["offer"];
    if offer.is_object() {
        claimed
            .push("What the asset is: title and type are the provider's word; `fetch` proves the bytes alone.".into());
        claimed.push(format!("That {} is paid: payments are not seen here.", money(&offer["price"])));
        if !view["entry"].is_object() && !view["entry_despite_termination"].is_object() {
            claimed.push("That there will be a contract: nothing is recorded yet.".into());
        }
    }
    if view["proposal"].is_object() {
        claimed.push("That there will be an offer and a contract of it: nothing is offered yet.".into());
    }
    claimed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_is_proven_or_claimed_and_never_both() {
        let party = |proof: &str| json!({ "role": "provider", "legal_name": "Alice", "proof": proof, "did": "did:x" });
        let view = |proof: &str| json!({ "parties": [party(proof)], "state": "REQUESTED" });
        assert!(proven(&view("operator"))[0].contains("Alice") && claimed(&view("operator")).is_empty());
        assert!(proven(&view("claimed")).is_empty() && claimed(&view("claimed"))[0].contains("Alice"));
        assert!(claimed(&view("absent"))[0].contains("no credential"));
    }

    #[test]
    fn a_membership_that_is_over_is_said_to_be() {
        let party =
            |until: &str| json!({ "role": "consumer", "legal_name": "Bob", "proof": "operator", "valid_until": until });
        let said = |until: &str, hash| proven(&json!({ "parties": [party(until)], "hash": hash })).remove(0);
        assert!(said("2999-01-01T00:00:00Z", json!(null)).contains("vouches for it until 2999"));
        assert!(said("2020-01-01T00:00:00Z", json!(null)).ends_with("and that is over."));
        assert!(said("2020-01-01T00:00:00Z", json!("0x00")).ends_with("and no more."));
    }

    #[test]
    fn before_the_entry_a_contract_is_a_claim() {
        let offered =
            json!({ "parties": [], "state": "OFFERED", "offer": { "price": { "amount": "1.00", "currency": "EUR" } } });
        assert!(claimed(&offered).iter().any(|said| said.contains("nothing is recorded yet")));
        let mut recorded = offered;
        recorded["entry"] = json!({});
        assert!(!claimed(&recorded).iter().any(|said| said.contains("nothing is recorded yet")));
    }
}

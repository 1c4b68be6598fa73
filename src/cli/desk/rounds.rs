//! What was put on the table one after the other, and what changed each time.

use serde_json::Value;

use super::words::{money, text, when};

/// Prints each round in a line, with what it says differently from before.
pub fn print(view: &Value) {
    let rounds = view["rounds"].as_array().map(Vec::as_slice).unwrap_or_default();
    if rounds.len() > 1 {
        println!("\nRounds");
        for round in rounds {
            let changes: Vec<String> = round["changes"].as_array().into_iter().flatten().map(changed).collect();
            let changes = if changes.is_empty() { String::new() } else { format!(": {}", changes.join(", ")) };
            println!(
                "  {}  {} by the {}{changes}",
                when(&text(round, "/at")),
                text(round, "/kind"),
                text(round, "/by")
            );
        }
    }
    let Some(last) = rounds.last().filter(|_| view["offer"].is_null() && view["proposal"].is_null()) else { return };
    let terms: Vec<_> = last["terms"].as_object().into_iter().flatten().collect();
    if !terms.is_empty() {
        println!("\nOn the table: the {}'s {}", text(last, "/by"), text(last, "/kind"));
        for (name, value) in terms {
            println!("  {:<12} {}", text(&Value::from(name.as_str()), ""), said(value));
        }
    }
}

fn changed(change: &Value) -> String {
    format!("{} {} instead of {}", text(change, "/term"), said(&change["to"]), said(&change["from"]))
}

fn said(value: &Value) -> String {
    if value["currency"].is_string() {
        return money(value);
    }
    if value.is_string() { text(value, "") } else { text(&Value::from(value.to_string()), "") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_says_what_was_and_what_is() {
        let euro = |amount: &str| json!({ "amount": amount, "currency": "EUR" });
        let change = json!({ "term": "price", "from": euro("400.00"), "to": euro("380.00") });
        assert_eq!(changed(&change), "price 380.00 EUR instead of 400.00 EUR");
        assert_eq!(changed(&json!({ "term": "parameter uses", "from": 3, "to": 5 })), "parameter uses 5 instead of 3");
    }
}

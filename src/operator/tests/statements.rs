use std::sync::OnceLock;

use super::*;
use crate::credential::NotSigned;
use crate::credential::checks as credential;
use crate::credential::vocabulary::{TYP_FEE_RECEIPT, TYP_FEE_STATEMENT};
use crate::identity::{checks as identity, sign_jws};

fn honest() -> Case {
    Case::of(vec![contract(1, &fixed(), "7000.00", |_| ()), contract(2, &percentage(), "8.00", |_| ())])
}

fn forged(typ: &str, payload: &Value, signer: &SecretKey) -> String {
    sign_jws(signer, typ, true, payload.to_string().as_bytes()).unwrap()
}

/// What becomes of an honest statement that differs by `change`, validly signed.
fn changed(change: impl FnOnce(&mut Value)) -> Result<Verified<Statement>, &'static Check> {
    // Signing is slow without optimisation, so the honest one is made once.
    static HONEST: OnceLock<Value> = OnceLock::new();
    let mut claims = HONEST.get_or_init(|| json!(honest().claims)).clone();
    change(&mut claims);
    verified(&forged(TYP_FEE_STATEMENT, &claims, &key(2)))
}

#[test]
fn fees_are_summed_exactly_and_nothing_else_is_seen() {
    let case = honest();
    let audit = case.audit();
    assert_eq!(audit.problems, []);
    assert_eq!(audit.id, Digest::of(case.statement()).b64u());
    let fees: Vec<_> = audit.entries.iter().map(|entry| entry.fee.to_string()).collect();
    assert_eq!(fees, ["0.10 EUR", "0.20 EUR"]);
    assert_eq!(json!(audit.totals), json!([{"amount": "0.30", "currency": "EUR"}]));
    assert_eq!(audit.entries[0].base, None);
    assert_eq!(json!(audit.entries[1].base), json!("8.00"));
    for (entry, contract) in audit.entries.iter().zip(&case.contracts) {
        assert_eq!(entry.disclosures, [contract.disclosures[6].as_str()]);
    }
    let statement = verified(&case.statement()).unwrap();
    assert_eq!(statement.lookups(&registry()).len(), 2);
    let seen = format!("{}{}", json!(audit), json!(statement.claims));
    for hidden in [key(3).did().as_str(), "junction", "7000.00"] {
        assert!(!seen.contains(hidden), "{hidden}");
    }
    assert_eq!(serde_json::from_value::<Audit>(json!(audit)).unwrap(), audit);
}

#[test]
fn totals_are_kept_apart_by_currency() {
    let dollars = json!({"kind": "fixed", "amount": "3.00", "currency": "USD"});
    let mut case = Case::of(vec![contract(1, &fixed(), "8.00", |_| ()), contract(2, &dollars, "8.00", |_| ())]);
    case.claims.templates.push(ApprovedTemplate::approve(&template(&dollars), &key(1)).unwrap());
    let expected = json!([{"amount": "0.10", "currency": "EUR"}, {"amount": "3.00", "currency": "USD"}]);
    assert_eq!(json!(case.audit().totals), expected);
}

#[test]
fn a_statement_says_exactly_what_belongs_into_one() {
    assert!(changed(|_| ()).is_ok());
    let refused = |change: fn(&mut Value)| changed(change).unwrap_err();
    assert_eq!(refused(|claims| claims["price"] = json!("8.00")), &checks::STATEMENT);
    assert_eq!(refused(|claims| drop(claims.as_object_mut().unwrap().remove("templates"))), &checks::STATEMENT);
    assert_eq!(refused(|claims| claims["contracts"][0]["asset"] = json!("x")), &checks::STATEMENT);
    let many = |claims: &mut Value| claims["contracts"] = json!(vec![json!({"core": "", "fee": ""}); 4097]);
    assert_eq!(refused(many), &checks::STATEMENT);
    let wrong = verified(&forged("countersign-entry+jwt", &json!(honest().claims), &key(2)));
    assert_eq!(wrong.unwrap_err(), &identity::JWS_TYP);
    assert_eq!(verified(&"x".repeat(MAX_STATEMENT + 1)).unwrap_err(), &identity::JWS_FORM);
}

#[test]
fn a_member_of_this_operator_makes_it() {
    let claims = json!(honest().claims);
    let by_another = verified(&forged(TYP_FEE_STATEMENT, &claims, &key(3)));
    assert_eq!(by_another.unwrap_err(), &identity::JWS_KID);
    let other_party =
        |claims: &mut Value| claims["participant"] = json!(admitted(&key(3), recorder(), at(DAY), &key(1)));
    assert_eq!(changed(other_party).unwrap_err(), &checks::SIGNER);
    let self_made = |claims: &mut Value| claims["participant"] = json!(admitted(&key(2), recorder(), at(DAY), &key(2)));
    assert_eq!(changed(self_made).unwrap_err(), &credential::PARTICIPANT_ISSUER);
    let lapsed = |claims: &mut Value| claims["participant"] = json!(admitted(&key(2), recorder(), at(-1), &key(1)));
    assert_eq!(changed(lapsed).unwrap_err(), &credential::PARTICIPANT_WINDOW);
    let lapsed_since =
        |claims: &mut Value| claims["participant"] = json!(admitted(&key(2), recorder(), at(9), &key(1)));
    assert!(changed(lapsed_since).is_ok(), "who was a member in the period can still state it");
    let not_signed = Statement::sign(&honest().claims, &key(3)).unwrap_err();
    assert!(matches!(not_signed, NotSigned::Refused(refusal) if refusal.check == &checks::SIGNER));
}

#[test]
fn a_period_is_over_before_it_is_stated() {
    let refused = |name: &str, to: Timestamp| changed(|claims| claims[name] = json!(to)).unwrap_err();
    assert_eq!(refused("from", at(DAY)), &checks::PERIOD);
    assert_eq!(refused("iat", at(DAY - 1)), &checks::PERIOD);
    assert_eq!(refused("iat", at(2 * DAY + 61)), &checks::PERIOD);
    let mut case = honest();
    case.head.time = at(DAY - 1);
    assert_eq!(case.problems(), [checks::FINAL.id()]);
}

#[test]
fn a_receipt_is_about_one_statement_of_one_provider() {
    let (case, operator, provider) = (honest(), key(1), key(2));
    let statement = case.statement();
    let text = Receipt::sign(&case.audit(), &operator).unwrap();
    let check = |text: &str, by: &SecretKey, to: &SecretKey, about: &str| {
        let operators = [by.did().clone()];
        Receipt::verify(text, &operators, to.did(), about, &Documents::default(), &mut Trail::default())
            .map_err(|refusal| refusal.check)
    };
    let receipt = check(&text, &operator, &provider, &statement).unwrap();
    assert_eq!((receipt.entries, receipt.problems), (2, 0));
    assert_eq!(json!(receipt.totals), json!([{"amount": "0.30", "currency": "EUR"}]));
    assert_eq!(check(&text, &key(9), &provider, &statement).unwrap_err(), &checks::RECEIPT);
    assert_eq!(check(&text, &operator, &key(9), &statement).unwrap_err(), &checks::RECEIPT);
    assert_eq!(check(&text, &operator, &provider, "another").unwrap_err(), &checks::RECEIPT);
    let mut more = json!(*receipt);
    more["paid"] = json!(true);
    let more = forged(TYP_FEE_RECEIPT, &more, &operator);
    assert_eq!(check(&more, &operator, &provider, &statement).unwrap_err(), &checks::RECEIPT);
}

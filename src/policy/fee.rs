use serde::{Deserialize, Serialize};

use super::amount::{MAX_SCALE, divide_half_up};
use super::{Amount, Currency, Money, checks};
use crate::check::Refusal;

const MAX_TIERS: usize = 64;

/// What the operator is due for one contract, as the offer discloses it (protocol section 9).
///
/// Two fees are equal when they are written the same, digit by digit.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Fee {
    /// How much, at the currency's scale.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// By which kind of rule.
    pub rule: FeeRule,
    /// The price that a percentage or a tier was taken of; a fixed fee has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Amount>,
}

impl Fee {
    /// The amount with its currency.
    pub fn money(&self) -> Money {
        Money { amount: self.amount, currency: self.currency }
    }
}

impl PartialEq for Fee {
    fn eq(&self, other: &Self) -> bool {
        let same_base = match (self.base, other.base) {
            (Some(one), Some(another)) => one.spelled_like(another),
            (one, another) => one.is_none() && another.is_none(),
        };
        self.amount.spelled_like(other.amount)
            && self.currency == other.currency
            && self.rule == other.rule
            && same_base
    }
}

impl Eq for Fee {}

/// The kinds of fee rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeeRule {
    /// The same for every contract.
    Fixed,
    /// A share of the price, at least a minimum.
    Percentage,
    /// By the price's size.
    Tiered,
}

/// A template's fee rule: what the fee is for which price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum FeeSchedule {
    /// The same for every contract.
    Fixed {
        /// The fee.
        amount: Amount,
        /// Its currency.
        currency: Currency,
    },
    /// A share of the price.
    Percentage {
        /// Of a hundred, at most 100.
        percent: Amount,
        /// What is due at least.
        minimum: Amount,
        /// Currency of the fee, and of every price under this rule.
        currency: Currency,
    },
    /// By the price's size.
    Tiered {
        /// Currency of the fee, and of every price under this rule.
        currency: Currency,
        /// Ascending; the last is open.
        tiers: Vec<Tier>,
    },
}

/// The fee for prices up to a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The highest price that falls under this tier, itself included; the last tier has none.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub up_to: Option<Amount>,
    /// The fee.
    pub amount: Amount,
}

impl FeeSchedule {
    /// What is due for `price`: rounded half up to the currency's scale; a percentage is never below its minimum.
    ///
    /// # Errors
    /// `fee.currency` when the rule needs a price of its own currency, `amount.range`.
    pub fn fee(&self, price: &Money) -> Result<Fee, Refusal> {
        match self {
            Self::Fixed { amount, currency } => {
                Ok(Fee { amount: amount.rounded(*currency)?, currency: *currency, rule: FeeRule::Fixed, base: None })
            }
            Self::Percentage { percent, minimum, currency } => {
                let base = base(price, *currency)?;
                let amount = share(base, *percent, *currency)?.max(minimum.rounded(*currency)?);
                Ok(Fee { amount, currency: *currency, rule: FeeRule::Percentage, base: Some(base) })
            }
            Self::Tiered { currency, tiers } => {
                let base = base(price, *currency)?;
                let tier = tiers
                    .iter()
                    .find(|tier| tier.up_to.is_none_or(|limit| base <= limit))
                    .ok_or_else(|| checks::FEE_SCHEDULE.refuse(format!("no tier covers {base}")))?;
                let amount = tier.amount.rounded(*currency)?;
                Ok(Fee { amount, currency: *currency, rule: FeeRule::Tiered, base: Some(base) })
            }
        }
    }

    /// Holds a disclosed fee to this rule.
    ///
    /// # Errors
    /// `fee.template` when it is another than [`FeeSchedule::fee`] yields, and the errors of that.
    pub fn hold(&self, fee: &Fee, price: &Money) -> Result<(), Refusal> {
        let due = self.fee(price)?;
        checks::FEE_TEMPLATE.hold(*fee == due, || {
            format!("the fee is {} where the template yields {} for {price}", shown(fee), shown(&due))
        })
    }

    /// Holds the rule itself to what can be paid and covers every price.
    ///
    /// # Errors
    /// `fee.schedule`.
    pub(super) fn sound(&self) -> Result<(), Refusal> {
        let payable = |amount: &Amount, currency: &Currency| {
            checks::FEE_SCHEDULE
                .hold(amount.decimals() <= currency.scale(), || format!("{amount} has more decimals than {currency}"))
        };
        match self {
            Self::Fixed { amount, currency } => payable(amount, currency),
            Self::Percentage { percent, minimum, currency } => {
                let whole = percent.to_units(MAX_SCALE) <= 100 * 10_i128.pow(MAX_SCALE);
                checks::FEE_SCHEDULE.hold(whole, || format!("{percent} percent is more than all"))?;
                payable(minimum, currency)
            }
            Self::Tiered { currency, tiers } => {
                checks::FEE_SCHEDULE.hold(tiers.len() <= MAX_TIERS, || format!("{} tiers", tiers.len()))?;
                tiers.iter().try_for_each(|tier| payable(&tier.amount, currency))?;
                let open_end = tiers.last().is_some_and(|tier| tier.up_to.is_none());
                checks::FEE_SCHEDULE.hold(open_end, || "the last tier has an upper limit".to_owned())?;
                let rising = tiers.windows(2).all(|pair| match (pair[0].up_to, pair[1].up_to) {
                    (Some(one), Some(next)) => one < next,
                    (one, _) => one.is_some(),
                });
                checks::FEE_SCHEDULE.hold(rising, || "the limits of the tiers do not rise".to_owned())
            }
        }
    }
}

fn base(price: &Money, currency: Currency) -> Result<Amount, Refusal> {
    checks::FEE_CURRENCY
        .hold(price.currency == currency, || format!("the price is in {}, the fee in {currency}", price.currency))?;
    Ok(price.amount)
}

// Integers, because 21 digits times 9 digits are more than the decimal type holds exactly.
fn share(base: Amount, percent: Amount, currency: Currency) -> Result<Amount, Refusal> {
    let product = base.to_units(MAX_SCALE) * percent.to_units(MAX_SCALE);
    let scale = currency.scale();
    Amount::from_units(divide_half_up(product, 10_i128.pow(2 * MAX_SCALE + 2 - scale)), scale)
}

fn shown(fee: &Fee) -> String {
    let rule = match fee.rule {
        FeeRule::Fixed => "fixed",
        FeeRule::Percentage => "a percentage",
        FeeRule::Tiered => "tiered",
    };
    match fee.base {
        Some(base) => format!("{} ({rule}, of {base})", fee.money()),
        None => format!("{} ({rule})", fee.money()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    amount: Amount,
    currency: Currency,
    rule: FeeRule,
    #[serde(default, deserialize_with = "present")]
    base: Option<Amount>,
}

// A member that is null would be a second spelling of one that is not there.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Amount>, D::Error> {
    Amount::deserialize(deserializer).map(Some)
}

impl TryFrom<Written> for Fee {
    type Error = Refusal;

    fn try_from(written: Written) -> Result<Self, Refusal> {
        let Written { amount, currency, rule, base } = written;
        checks::FEE_FORM.hold(base.is_some() == (rule != FeeRule::Fixed), || {
            "a percentage and tiers name their base, a fixed fee has none".to_owned()
        })?;
        checks::FEE_FORM.hold(amount.decimals() == currency.scale(), || {
            format!("{amount} is not written with the {} decimals of {currency}", currency.scale())
        })?;
        Ok(Self { amount, currency, rule, base })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn schedule(value: Value) -> FeeSchedule {
        let schedule: FeeSchedule = serde_json::from_value(value).unwrap();
        schedule.sound().unwrap();
        schedule
    }

    fn money(amount: &str, currency: &str) -> Money {
        Money { amount: amount.parse().unwrap(), currency: currency.parse().unwrap() }
    }

    fn tiered() -> Value {
        json!({"kind": "tiered", "currency": "EUR", "tiers": [
            {"up_to": "100", "amount": "1.00"}, {"up_to": "1000.00", "amount": "5"}, {"amount": "9.00"}]})
    }

    fn percentage(percent: &str, minimum: &str) -> Value {
        json!({"kind": "percentage", "percent": percent, "minimum": minimum, "currency": "EUR"})
    }

    #[test]
    fn a_tier_includes_its_limit() {
        let schedule = schedule(tiered());
        for (price, fee) in [
            ("0", "1.00"),
            ("100.00", "1.00"),
            ("100.000001", "5.00"),
            ("1000", "5.00"),
            ("999999999999999.999999", "9.00"),
        ] {
            let due = schedule.fee(&money(price, "EUR")).unwrap();
            assert_eq!((due.amount.to_string().as_str(), due.base.unwrap().to_string().as_str()), (fee, price));
        }
    }

    #[test]
    fn fees_are_written_at_the_currency_s_scale() {
        let yen = schedule(json!({"kind": "fixed", "amount": "250", "currency": "JPY"}));
        assert_eq!(yen.fee(&money("1.00", "EUR")).unwrap().money().to_string(), "250 JPY");
        let most = schedule(percentage("100", "0"));
        assert_eq!(most.fee(&money("999999999999999.99", "EUR")).unwrap().amount.to_string(), "999999999999999.99");
        let over = most.fee(&money("999999999999999.999999", "EUR")).unwrap_err();
        assert_eq!(over.check, &checks::AMOUNT_RANGE);
    }

    #[test]
    fn a_share_is_taken_of_a_price_in_its_own_currency() {
        for schedule in [schedule(tiered()), schedule(percentage("2.5", "5.00"))] {
            assert_eq!(schedule.fee(&money("10.00", "USD")).unwrap_err().check, &checks::FEE_CURRENCY);
        }
    }

    #[test]
    fn unsound_rules_are_refused() {
        for bad in [
            json!({"kind": "fixed", "amount": "0.005", "currency": "EUR"}),
            percentage("100.000001", "0"),
            percentage("1", "0.001"),
            json!({"kind": "tiered", "currency": "EUR", "tiers": []}),
            json!({"kind": "tiered", "currency": "EUR", "tiers": [{"up_to": "1", "amount": "1"}]}),
            json!({"kind": "tiered", "currency": "EUR", "tiers": [{"amount": "1"}, {"amount": "1"}]}),
            json!({"kind": "tiered", "currency": "EUR", "tiers": [
                {"up_to": "2", "amount": "1"}, {"up_to": "2.00", "amount": "1"}, {"amount": "1"}]}),
            json!({"kind": "tiered", "currency": "EUR", "tiers": [{"amount": "0.001"}]}),
            json!({"kind": "tiered", "currency": "EUR", "tiers": vec![json!({"amount": "1"}); 65]}),
        ] {
            let schedule: FeeSchedule = serde_json::from_value(bad.clone()).unwrap();
            assert_eq!(schedule.sound().unwrap_err().check, &checks::FEE_SCHEDULE, "{bad}");
        }
        for malformed in [
            json!({"kind": "tiered", "currency": "EUR", "tiers": [{"up_to": null, "amount": "1"}]}),
            json!({"kind": "percentage", "percent": "1", "currency": "EUR"}),
            json!({"kind": "fixed", "amount": "1", "currency": "EUR", "percent": "1"}),
        ] {
            assert!(serde_json::from_value::<FeeSchedule>(malformed.clone()).is_err(), "{malformed}");
        }
    }

    #[test]
    fn a_fee_has_the_members_of_its_rule() {
        let read = |value: Value| serde_json::from_value::<Fee>(value);
        assert!(read(json!({"amount": "25.00", "currency": "EUR", "rule": "fixed"})).is_ok());
        for bad in [
            json!({"amount": "25.00", "currency": "EUR", "rule": "fixed", "base": "1"}),
            json!({"amount": "25.00", "currency": "EUR", "rule": "fixed", "base": null}),
            json!({"amount": "25.00", "currency": "EUR", "rule": "fixed", "note": "x"}),
            json!({"amount": "25.00", "currency": "EUR", "rule": "percentage"}),
            json!({"amount": "25.00", "currency": "EUR", "rule": "Fixed"}),
            json!({"amount": "25.0", "currency": "EUR", "rule": "fixed"}),
            json!({"amount": "25", "currency": "EUR", "rule": "fixed"}),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
        let form = Written {
            amount: "1".parse().unwrap(),
            currency: "EUR".parse().unwrap(),
            rule: FeeRule::Fixed,
            base: None,
        };
        assert_eq!(Fee::try_from(form).unwrap_err().check, &checks::FEE_FORM);
    }

    #[test]
    fn another_fee_than_the_rule_s_is_refused() {
        let schedule = schedule(percentage("2.5", "5.00"));
        let price = money("1000.00", "EUR");
        let fee = schedule.fee(&price).unwrap();
        schedule.hold(&fee, &price).unwrap();
        for other in [
            Fee { amount: "25.01".parse().unwrap(), ..fee.clone() },
            Fee { currency: "USD".parse().unwrap(), ..fee.clone() },
            Fee { rule: FeeRule::Tiered, ..fee.clone() },
            Fee { base: Some("1000.0".parse().unwrap()), ..fee.clone() },
            Fee { base: None, ..fee.clone() },
        ] {
            assert_eq!(schedule.hold(&other, &price).unwrap_err().check, &checks::FEE_TEMPLATE, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn a_percentage_is_that_of_integers(cents in 0_u64..1_000_000_000_000, basis_points in 0_u64..=10_000, least in 0_u64..10_000) {
            let text = |number: u64| format!("{}.{:02}", number / 100, number % 100);
            let schedule = schedule(percentage(&text(basis_points), &text(least)));
            let fee = schedule.fee(&money(&text(cents), "EUR")).unwrap();
            // Half a cent counts as a whole one: the remainder decides.
            let product = cents * basis_points;
            let share = product / 10_000 + u64::from(product % 10_000 >= 5_000);
            prop_assert_eq!(fee.amount.to_string(), text(share.max(least)));
        }
    }
}

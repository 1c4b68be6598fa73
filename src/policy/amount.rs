use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Currency, checks};
use crate::check::Refusal;

/// The most decimals that an amount may have.
pub(super) const MAX_SCALE: u32 = 6;
const MAX_DIGITS: usize = 15;

/// An exact decimal amount: 1 to 15 digits and at most 6 decimals.
///
/// It keeps the spelling it came with: `25.0` equals `25.00` and sorts with it, but each is written as it was read;
/// [`Amount::spelled_like`] tells them apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(Decimal);

impl Amount {
    /// Zero in the currency's spelling, where sums begin: `0.00` for EUR.
    pub fn zero(currency: Currency) -> Self {
        Self(Decimal::from_i128_with_scale(0, currency.scale()))
    }

    /// `units` of 10 to the power of -`scale`, as long as that is an amount.
    ///
    /// # Errors
    /// `amount.range` for a negative number, more than 6 decimals or more than 15 digits before them.
    pub fn from_units(units: i128, scale: u32) -> Result<Self, Refusal> {
        let refuse = || checks::AMOUNT_RANGE.refuse(format!("{units}e-{scale} is not an amount"));
        // 21 digits are far inside the 28 that the decimal holds, so building it never fails.
        let most = 10_i128.pow(MAX_DIGITS as u32 + scale.min(MAX_SCALE));
        if scale > MAX_SCALE || !(0..most).contains(&units) {
            return Err(refuse());
        }
        Decimal::try_from_i128_with_scale(units, scale).map(Self).map_err(|_| refuse())
    }

    /// The amount in units of 10 to the power of -`scale` (at most 6), rounded half up.
    pub fn to_units(self, scale: u32) -> i128 {
        let units = self.0.mantissa();
        let own = self.0.scale();
        let scale = scale.min(MAX_SCALE);
        if own <= scale {
            // At most 21 digits and 6 more.
            units * 10_i128.pow(scale - own)
        } else {
            divide_half_up(units, 10_i128.pow(own - scale))
        }
    }

    /// The amount at the currency's scale, rounded half up.
    ///
    /// # Errors
    /// `amount.range` when rounding gives it a sixteenth digit.
    pub fn rounded(self, currency: Currency) -> Result<Self, Refusal> {
        Self::from_units(self.to_units(currency.scale()), currency.scale())
    }

    /// How many decimals it is written with.
    pub fn decimals(self) -> u32 {
        self.0.scale()
    }

    /// Whether both are written the same, digit by digit.
    pub fn spelled_like(self, other: Self) -> bool {
        self == other && self.decimals() == other.decimals()
    }

    /// The sum, with the decimals of the longer one.
    ///
    /// # Errors
    /// `amount.range` beyond 15 digits.
    pub fn plus(self, other: Self) -> Result<Self, Refusal> {
        let scale = self.decimals().max(other.decimals());
        // Two numbers of at most 21 digits.
        Self::from_units(self.to_units(scale) + other.to_units(scale), scale)
    }
}

/// `dividend / divisor` for numbers that are not negative, half a unit rounded up.
pub(super) fn divide_half_up(dividend: i128, divisor: i128) -> i128 {
    (dividend + divisor / 2) / divisor
}

impl FromStr for Amount {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let refuse = || {
            let found: String = text.chars().take(40).collect();
            checks::AMOUNT.refuse(format!("`{found}` is not an amount like `25.00`"))
        };
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let (whole, decimals) = match text.split_once('.') {
            Some((whole, decimals)) if digits(decimals) && decimals.len() <= MAX_SCALE as usize => (whole, decimals),
            Some(_) => return Err(refuse()),
            None => (text, ""),
        };
        if !digits(whole) || whole.len() > MAX_DIGITS || (whole.len() > 1 && whole.starts_with('0')) {
            return Err(refuse());
        }
        let units = format!("{whole}{decimals}").parse().map_err(|_| refuse())?;
        Self::from_units(units, decimals.len() as u32)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|refusal: Refusal| serde::de::Error::custom(refusal.detail))
    }
}

/// An amount in a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// How much.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
}

impl Money {
    /// The sum of two amounts in one currency.
    ///
    /// # Errors
    /// `amount.currency.same`, `amount.range`.
    pub fn plus(self, other: Self) -> Result<Self, Refusal> {
        checks::AMOUNT_SAME.hold(self.currency == other.currency, || {
            format!("{} cannot be added to {}", other.currency, self.currency)
        })?;
        Ok(Self { amount: self.amount.plus(other.amount)?, currency: self.currency })
    }
}

/// Amounts in different currencies have no order.
impl PartialOrd for Money {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.currency == other.currency).then(|| self.amount.cmp(&other.amount))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    #[test]
    fn an_amount_keeps_its_spelling() {
        for text in ["0", "0.00", "25.00", "25.0", "1000", "999999999999999.999999", "0.000001"] {
            assert_eq!(amount(text).to_string(), text);
            assert_eq!(serde_json::to_string(&amount(text)).unwrap(), format!("\"{text}\""));
        }
        assert_eq!(amount("25.0"), amount("25.00"));
        assert!(!amount("25.0").spelled_like(amount("25.00")));
    }

    #[test]
    fn other_spellings_are_refused() {
        for bad in [
            "",
            ".5",
            "5.",
            "-1",
            "+1",
            "1e3",
            "01",
            "00.1",
            "1,5",
            " 1",
            "1 ",
            "1_000",
            "1.0000000",
            "NaN",
            "١",
            "1000000000000000",
            "0x10",
            "1.2.3",
        ] {
            assert_eq!(bad.parse::<Amount>().unwrap_err().check, &checks::AMOUNT, "{bad}");
        }
        assert!(serde_json::from_str::<Amount>("25.0").is_err());
        assert!(serde_json::from_str::<Money>(r#"{"amount":"1","currency":"EUR","more":1}"#).is_err());
    }

    #[test]
    fn halves_round_up() {
        let eur = "EUR".parse().unwrap();
        for (text, rounded) in [("1.005", "1.01"), ("1.004999", "1.00"), ("0", "0.00"), ("2.5", "2.50")] {
            assert_eq!(amount(text).rounded(eur).unwrap().to_string(), rounded);
        }
        let most = amount("999999999999999.999");
        assert_eq!(most.rounded(eur).unwrap_err().check, &checks::AMOUNT_RANGE);
    }

    #[test]
    fn only_one_currency_is_added_and_compared() {
        let money = |text: &str, currency: &str| Money { amount: amount(text), currency: currency.parse().unwrap() };
        assert_eq!(money("0.10", "EUR").plus(money("0.2", "EUR")).unwrap().to_string(), "0.30 EUR");
        assert_eq!(money("1", "EUR").plus(money("1", "USD")).unwrap_err().check, &checks::AMOUNT_SAME);
        let most = money("999999999999999", "EUR");
        assert_eq!(most.plus(money("1", "EUR")).unwrap_err().check, &checks::AMOUNT_RANGE);
        assert!(money("2", "EUR") > money("1.50", "EUR"));
        assert_eq!(money("2", "EUR").partial_cmp(&money("1", "USD")), None);
    }

    proptest! {
        #[test]
        fn sums_are_those_of_integers(a in 0_i128..10_i128.pow(18), b in 0_i128..10_i128.pow(18), s in 0_u32..=6, t in 0_u32..=6) {
            let sum = Amount::from_units(a / 10_i128.pow(4), s).and_then(|x| x.plus(Amount::from_units(b / 10_i128.pow(4), t)?));
            let model = (a / 10_i128.pow(4)) * 10_i128.pow(6 - s) + (b / 10_i128.pow(4)) * 10_i128.pow(6 - t);
            prop_assert_eq!(sum.unwrap().to_units(6), model);
        }

        #[test]
        fn hostile_text_never_panics(text in ".{0,40}") {
            if let Ok(amount) = text.parse::<Amount>() {
                prop_assert_eq!(amount.to_string(), text);
            }
        }
    }
}

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::checks;
use crate::check::Refusal;

/// A currency: an active ISO 4217 code, or XTZ.
///
/// Codes without a minor unit (metals, bond units, testing) are none: nothing can be rounded to them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency(&'static str);

impl Currency {
    /// The three capitals.
    pub const fn code(self) -> &'static str {
        self.0
    }

    /// How many decimals the currency's smallest unit has: 2 for EUR, 0 for JPY, 6 for XTZ.
    pub fn scale(self) -> u32 {
        MINOR_UNITS.iter().find(|(_, codes)| codes.contains(&self.0)).map_or(2, |(scale, _)| *scale)
    }
}

impl FromStr for Currency {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let known = MINOR_UNITS.iter().flat_map(|(_, codes)| codes.iter()).find(|code| **code == text);
        known.map(|code| Self(code)).ok_or_else(|| {
            let found: String = text.chars().take(8).collect();
            checks::AMOUNT_CURRENCY.refuse(format!("`{found}` is not an active ISO 4217 code, nor XTZ"))
        })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|refusal: Refusal| serde::de::Error::custom(refusal.detail))
    }
}

#[rustfmt::skip]
const MINOR_UNITS: &[(u32, &[&str])] = &[
    (2, &[
        "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BMD", "BND", "BOB", "BOV",
        "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHE", "CHF", "CHW", "CNY", "COP", "COU", "CRC", "CUP",
        "CVE", "CZK", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD",
        "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IRR", "JMD", "KES", "KGS", "KHR", "KPW", "KYD",
        "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR",
        "MWK", "MXN", "MXV", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR",
        "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP",
        "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "USD", "USN", "UYU",
        "UZS", "VED", "VES", "WST", "XAD", "XCD", "XCG", "YER", "ZAR", "ZMW", "ZWG",
    ]),
    (0, &[
        "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
        "XPF",
    ]),
    (3, &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]),
    (4, &["CLF", "UYW"]),
    (6, &["XTZ"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_units_are_those_of_the_standard() {
        for (code, scale) in [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("XTZ", 6)] {
            assert_eq!(code.parse::<Currency>().unwrap().scale(), scale, "{code}");
        }
    }

    #[test]
    fn codes_that_are_not_active_are_refused() {
        for bad in ["eur", "EURO", "", "DEM", "XAU", "XXX", "HRK", "€"] {
            assert_eq!(bad.parse::<Currency>().unwrap_err().check, &checks::AMOUNT_CURRENCY, "{bad}");
        }
    }

    #[test]
    fn no_code_stands_twice() {
        let mut codes: Vec<_> = MINOR_UNITS.iter().flat_map(|(_, codes)| codes.iter()).collect();
        let all = codes.len();
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }
}

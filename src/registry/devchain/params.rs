//! Parameters of requests, read as Etherlink's node reads them.

use std::str::FromStr;

use alloy::primitives::{Address, B256, Bytes, U256};
use serde_json::Value;

use super::execution::Call;
use super::ledger::Ledger;
use super::rpc::Fault;

/// How many blocks one search for logs may span.
const LOG_BLOCKS: u64 = 500;

/// A request's parameters by position.
pub(super) struct Params<'a>(pub(super) &'a [Value]);

/// What logs are asked for.
pub(super) struct LogFilter {
    pub(super) from: u64,
    pub(super) to: u64,
    addresses: Vec<Address>,
    topics: Vec<Vec<B256>>,
}

impl LogFilter {
    pub(super) fn fits(&self, log: &alloy::primitives::Log) -> bool {
        let topics = log.topics();
        (self.addresses.is_empty() || self.addresses.contains(&log.address))
            && self.topics.len() <= topics.len()
            && self.topics.iter().zip(topics).all(|(any, topic)| any.is_empty() || any.contains(topic))
    }
}

impl Params<'_> {
    pub(super) fn value(&self, index: usize) -> Option<&Value> {
        self.0.get(index).filter(|value| !value.is_null())
    }

    /// A hexadecimal value.
    pub(super) fn hex<T: FromStr>(&self, index: usize) -> Result<T, Fault> {
        hex(self.value(index))
    }

    /// The number of a block that exists; `latest` where nothing is said.
    pub(super) fn block(&self, index: usize, ledger: &Ledger) -> Result<u64, Fault> {
        self.value(index).map_or(Ok(ledger.head().number), |value| block(value, ledger))
    }

    /// A call object.
    pub(super) fn call(&self, index: usize) -> Result<Call, Fault> {
        let Some(Value::Object(call)) = self.value(index) else { return Err(Fault::invalid("expected a call object")) };
        let member = |name: &str| call.get(name).filter(|value| !value.is_null());
        if let Some(kind) = member("type")
            && quantity(kind)? == 3
        {
            return Err(Fault::invalid("blob transactions are not supported"));
        }
        let address = |name| member(name).map(|value| hex::<Address>(Some(value))).transpose();
        let data = member("input").or_else(|| member("data"));
        Ok(Call {
            from: address("from")?.unwrap_or_default(),
            to: address("to")?,
            value: member("value").map(|value| hex::<U256>(Some(value))).transpose()?.unwrap_or_default(),
            data: data.map(|value| hex::<Bytes>(Some(value))).transpose()?.unwrap_or_default(),
            gas: member("gas").map(quantity).transpose()?,
        })
    }

    /// A log filter within the limits.
    pub(super) fn filter(&self, ledger: &Ledger) -> Result<LogFilter, Fault> {
        let Some(Value::Object(filter)) = self.value(0) else { return Err(Fault::invalid("expected a filter object")) };
        let member = |name: &str| filter.get(name).filter(|value| !value.is_null());
        let (from, to) = match member("blockHash") {
            Some(hash) => {
                let hash = hex(Some(hash))?;
                let number = ledger.number_of(hash).ok_or_else(|| Fault::missing(&hash.to_string()))?;
                (number, number)
            }
            None => {
                let end = |name| member(name).map_or(Ok(ledger.head().number), |value| number(value, ledger));
                (end("fromBlock")?, end("toBlock")?)
            }
        };
        if to > ledger.head().number || from > to {
            return Err(Fault::new(-32603, format!("Block range {from} to {to} unavailable")));
        }
        if to - from >= LOG_BLOCKS {
            return Err(Fault::invalid(format!("Cannot request logs over more than {LOG_BLOCKS} blocks")));
        }
        let topics = match member("topics") {
            None => Vec::new(),
            Some(Value::Array(list)) if list.len() <= 4 => list.iter().map(any).collect::<Result<_, _>>()?,
            Some(_) => return Err(Fault::invalid("expected up to four topics")),
        };
        Ok(LogFilter { from, to, addresses: member("address").map_or(Ok(Vec::new()), any)?, topics })
    }
}

/// A block parameter: a number, a tag, or an object with a hash or a number. `safe` is none of them on Etherlink.
fn block(value: &Value, ledger: &Ledger) -> Result<u64, Fault> {
    if let Value::Object(object) = value {
        if let Some(hash) = object.get("blockHash") {
            let hash = hex(Some(hash))?;
            return ledger.number_of(hash).ok_or_else(|| Fault::missing(&hash.to_string()));
        }
        let inner = object.get("blockNumber").ok_or_else(|| Fault::invalid("expected blockHash or blockNumber"))?;
        return block_number(inner, ledger);
    }
    block_number(value, ledger)
}

fn block_number(value: &Value, ledger: &Ledger) -> Result<u64, Fault> {
    let number = number(value, ledger)?;
    if number > ledger.head().number { Err(Fault::missing(&number.to_string())) } else { Ok(number) }
}

fn number(value: &Value, ledger: &Ledger) -> Result<u64, Fault> {
    match value.as_str() {
        Some("latest" | "pending") => Ok(ledger.head().number),
        Some("finalized") => Ok(ledger.finalised()),
        Some("earliest") => Ok(0),
        _ => quantity(value),
    }
}

fn any<T: FromStr>(value: &Value) -> Result<Vec<T>, Fault> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(list) => list.iter().map(|one| hex(Some(one))).collect(),
        one => Ok(vec![hex(Some(one))?]),
    }
}

/// A number: `0x` and hexadecimal digits.
pub(super) fn quantity(value: &Value) -> Result<u64, Fault> {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
    digits
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or_else(|| Fault::invalid("expected a quantity or a block: 0x and digits, latest, finalized, …"))
}

fn hex<T: FromStr>(value: Option<&Value>) -> Result<T, Fault> {
    let text = value.and_then(Value::as_str).filter(|text| text.starts_with("0x"));
    text.and_then(|text| text.parse().ok()).ok_or_else(|| Fault::invalid("expected 0x and hexadecimal digits"))
}

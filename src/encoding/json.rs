use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use super::checks;
use crate::check::Refusal;

/// How deep JSON from outside may be nested.
pub const MAX_DEPTH: usize = 32;

/// JSON that was read strictly; an alias that reminds a signature's reader where its value has to come from.
pub type Json = Value;

/// Reads JSON from outside: at most `limit` bytes, [`MAX_DEPTH`] levels, no member twice.
///
/// # Errors
/// `encoding.size`, `encoding.json`, `encoding.json.depth`, `encoding.json.duplicate`.
pub fn parse_json(text: &[u8], limit: usize) -> Result<Json, Refusal> {
    checks::SIZE.hold(text.len() <= limit, || format!("{} bytes where at most {limit} are allowed", text.len()))?;
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict { depth: 0 }.deserialize(&mut reader).map_err(refusal)?;
    reader.end().map_err(refusal)?;
    Ok(value)
}

/// RFC 8785 (JCS): the one spelling of a JSON value that is hashed.
///
/// # Errors
/// `encoding.json` for a number that has no canonical form.
pub fn canonical(value: &impl serde::Serialize) -> Result<String, Refusal> {
    serde_json_canonicalizer::to_string(value).map_err(|cause| checks::JSON.refuse(cause.to_string()))
}

const DUPLICATE: &str = "duplicate member";
const DEPTH: &str = "nested too deep";

fn refusal(cause: serde_json::Error) -> Refusal {
    let text = cause.to_string();
    if text.starts_with(DUPLICATE) {
        checks::JSON_DUPLICATE.refuse(text)
    } else if text.starts_with(DEPTH) || text.starts_with("recursion limit") {
        checks::JSON_DEPTH.refuse(text)
    } else {
        checks::JSON.refuse(text)
    }
}

struct Strict {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Strict {
    /// One level further in; an empty list or object is a level too.
    fn deeper<E: serde::de::Error>(&self) -> Result<usize, E> {
        if self.depth < MAX_DEPTH {
            Ok(self.depth + 1)
        } else {
            Err(E::custom(format_args!("{DEPTH}: more than {MAX_DEPTH} levels")))
        }
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let (mut list, depth) = (Vec::new(), self.deeper()?);
        while let Some(item) = items.next_element_seed(Self { depth })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let (mut object, depth) = (Map::new(), self.deeper()?);
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Self { depth })?;
            match object.entry(name) {
                Entry::Vacant(place) => drop(place.insert(value)),
                Entry::Occupied(taken) => {
                    return Err(A::Error::custom(format_args!("{DUPLICATE} `{}`", taken.key())));
                }
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_depth_size_and_trailing_text_are_refused() {
        assert!(parse_json(br#"{"a":[1,{"b":null}]}"#, 100).is_ok());
        let check = |text: &[u8], limit| parse_json(text, limit).unwrap_err().check;
        assert_eq!(check(br#"{"a":1,"a":2}"#, 100), &checks::JSON_DUPLICATE);
        assert_eq!(check(br#"{"a":{"b":1,"b":1}}"#, 100), &checks::JSON_DUPLICATE);
        assert_eq!(check("[".repeat(40).as_bytes(), 100), &checks::JSON_DEPTH);
        let nested = |inner: &str| format!("{}{inner}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert!(parse_json(nested("1").as_bytes(), 100).is_ok());
        assert_eq!(check(nested("{}").as_bytes(), 100), &checks::JSON_DEPTH);
        assert_eq!(check(nested("[]").as_bytes(), 100), &checks::JSON_DEPTH);
        assert_eq!(check(b"[1] x", 100), &checks::JSON);
        assert_eq!(check(b"[1]", 2), &checks::SIZE);
    }
}

//! A small fuzzer for stable Rust: valid artefacts, mutated with an eye to what they are made of, for a set time.
//!
//! `FUZZ_SECONDS` is the time of one target (default 1), `FUZZ_SEED` repeats a run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use countersign::encoding::{decode, encode};
use serde_json::Value;

/// Texts that readers stumble over.
const WORDS: [&str; 40] = [
    "",
    "0",
    "-1",
    "1e400",
    "-0.0",
    "18446744073709551616",
    "9223372036854775807",
    "253402207201",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "~",
    "~~",
    ".",
    "..",
    "#",
    "%00",
    "\u{0}",
    "\u{202e}",
    "\u{fffd}",
    "é",
    "𝔘",
    "none",
    "HS256",
    "EdDSA",
    "_sd",
    "...",
    "crit",
    "jwk",
    "kid",
    "typ",
    "cnf",
    "did:key:z",
    "did:web:example.com",
    "urn:uuid:",
    "0x",
    "=",
    "A",
];

/// What a run found, so that nobody mistakes a target that does nothing for one that finds nothing.
#[derive(Debug, Default)]
pub struct Found {
    pub tried: u64,
    pub accepted: u64,
}

/// Numbers that look random and come from a seed (SplitMix64).
pub struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len())]
    }
}

/// Throws mutations of `corpus` at `accepts` until the time is up; a panic fails with what caused it.
///
/// `accepts` says whether the input was accepted, and asserts what has to hold of an accepted one.
pub fn fuzz(name: &str, corpus: &[Vec<u8>], accepts: impl Fn(&[u8]) -> bool) -> Found {
    let set = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let fresh = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.subsec_nanos().into());
    let seed = set("FUZZ_SEED").unwrap_or(fresh);
    let until = Instant::now() + Duration::from_secs(set("FUZZ_SECONDS").unwrap_or(1));
    println!("{name}: FUZZ_SEED={seed}");
    for valid in corpus {
        assert!(accepts(valid), "{name} refuses what is valid: {}", String::from_utf8_lossy(valid));
    }
    let mut dice = Dice(seed);
    let mut found = Found::default();
    while Instant::now() < until || found.tried < 50 {
        let mut input = corpus[dice.below(corpus.len())].clone();
        for _ in 0..=dice.below(3) {
            input = mutated(&input, corpus, &mut dice, 0);
        }
        found.tried += 1;
        match catch_unwind(AssertUnwindSafe(|| accepts(&input))) {
            Ok(accepted) => found.accepted += u64::from(accepted),
            Err(_) => panic!(
                "{name}, FUZZ_SEED={seed}, input {} of the run, base64url {}\n{}",
                found.tried,
                encode(&input),
                String::from_utf8_lossy(&input)
            ),
        }
    }
    println!("{name}: {found:?}");
    found
}

/// [`fuzz`] for what is signed as a whole: nothing is accepted that differs from what was signed.
pub fn fuzz_signed(name: &str, corpus: &[String], verifies: impl Fn(&str) -> bool) -> Found {
    let bytes: Vec<Vec<u8>> = corpus.iter().map(|text| text.clone().into_bytes()).collect();
    let found = fuzz(name, &bytes, |input| {
        let Ok(text) = std::str::from_utf8(input) else { return false };
        let accepted = verifies(text);
        assert!(!accepted || corpus.iter().any(|signed| signed == text), "accepted, though nobody signed it");
        accepted
    });
    assert!(found.tried > found.accepted, "{name}: no mutation was refused");
    found
}

fn mutated(input: &[u8], corpus: &[Vec<u8>], dice: &mut Dice, depth: usize) -> Vec<u8> {
    let text = std::str::from_utf8(input).ok();
    if let (Some(text), true) = (text, depth < 4) {
        match dice.below(8) {
            0..=2 => {
                if let Ok(value) = serde_json::from_str::<Value>(text)
                    && (value.is_object() || value.is_array())
                {
                    return json(value, corpus, dice, depth);
                }
                if text.contains(['.', '~']) {
                    return token(text, corpus, dice, depth);
                }
            }
            3..=5 => {
                if let Some(inner) = decode(text).ok().filter(|inner| inner.len() > 1) {
                    return encode(mutated(&inner, corpus, dice, depth + 1)).into_bytes();
                }
                if text.contains(['.', '~']) {
                    return token(text, corpus, dice, depth);
                }
                if let Ok(value) = serde_json::from_str::<Value>(text) {
                    return json(value, corpus, dice, depth);
                }
            }
            _ => {}
        }
    }
    bytes(input, corpus, dice)
}

fn bytes(input: &[u8], corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut out = input.to_vec();
    let at = dice.below(out.len() + 1);
    let end = (at + dice.below(24)).min(out.len());
    match dice.below(9) {
        0 if at < out.len() => out[at] ^= 1 << dice.below(8),
        1 if at < out.len() => out[at] = u8::try_from(dice.below(256)).unwrap(),
        2 => drop(out.drain(at..end)),
        3 => {
            let again = out[at..end].to_vec();
            out.splice(at..at, again);
        }
        4 => out.truncate(at),
        5 => {
            let other = &corpus[dice.below(corpus.len())];
            let from = dice.below(other.len() + 1);
            out.truncate(at);
            out.extend_from_slice(&other[from..]);
        }
        6 => {
            let many = dice.below(300);
            let letter = b"[{\"A0."[dice.below(6)];
            out.splice(at..at, std::iter::repeat_n(letter, many));
        }
        7 if at < out.len() => out[at] = b"AZaz09-_=+/.~\"{}[],: "[dice.below(21)],
        _ => {
            out.splice(at..at, dice.word().bytes());
        }
    }
    out
}

/// A compact JWS or an SD-JWT: parts are changed within, repeated, dropped, exchanged and spelled otherwise.
fn token(text: &str, corpus: &[Vec<u8>], dice: &mut Dice, depth: usize) -> Vec<u8> {
    let separator = if text.contains('~') { '~' } else { '.' };
    let mut parts: Vec<String> = text.split(separator).map(str::to_owned).collect();
    let at = dice.below(parts.len());
    match dice.below(8) {
        0 => drop(parts.remove(at)),
        1 => parts.insert(at, parts[at].clone()),
        2 => {
            let other = dice.below(parts.len());
            parts.swap(at, other);
        }
        3 => parts[at].push(['=', 'A', '.', '~'][dice.below(4)]),
        // The last letter of a base64url text may have loose bits.
        4 => {
            if let Some(last) = parts[at].pop() {
                parts[at].push(char::from_u32(u32::from(last) ^ 1).unwrap_or('A'));
            }
        }
        _ => {
            let changed = mutated(parts[at].as_bytes(), corpus, dice, depth + 1);
            parts[at] = String::from_utf8_lossy(&changed).into_owned();
        }
    }
    parts.join(&separator.to_string()).into_bytes()
}

fn json(mut value: Value, corpus: &[Vec<u8>], dice: &mut Dice, depth: usize) -> Vec<u8> {
    // A member twice: no `Value` can hold that, so it is written by hand.
    if let (Value::Object(members), 0) = (&value, dice.below(8))
        && !members.is_empty()
    {
        let (name, held) = members.iter().nth(dice.below(members.len())).unwrap();
        let text = value.to_string();
        return format!("{{{}:{held},{}", Value::from(name.as_str()), &text[1..]).into_bytes();
    }
    let nodes = count(&value);
    change(&mut value, &mut dice.below(nodes), &mut |node| altered(node, corpus, dice, depth));
    value.to_string().into_bytes()
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// Applies `how` to the node that `left` counts down to.
fn change(value: &mut Value, left: &mut usize, how: &mut dyn FnMut(&mut Value)) -> bool {
    if *left == 0 {
        how(value);
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change(item, left, how)),
        Value::Object(members) => members.values_mut().any(|member| change(member, left, how)),
        _ => false,
    }
}

fn altered(node: &mut Value, corpus: &[Vec<u8>], dice: &mut Dice, depth: usize) {
    let word = dice.word();
    let scalar = serde_json::from_str(word).unwrap_or_else(|_| Value::from(word));
    match (dice.below(8), &mut *node) {
        (0..=2, Value::Object(members)) if !members.is_empty() => {
            let name = members.keys().nth(dice.below(members.len())).unwrap().clone();
            let held = members.remove(&name).unwrap();
            match dice.below(3) {
                0 => {}
                1 => drop(members.insert(format!("{name}{word}"), held)),
                _ => drop(members.insert(name, scalar)),
            }
        }
        (3..=4, Value::Object(members)) => drop(members.insert(word.to_owned(), scalar)),
        (0..=1, Value::Array(items)) if !items.is_empty() => drop(items.remove(dice.below(items.len()))),
        (2..=3, Value::Array(items)) if !items.is_empty() => {
            let copy = items[dice.below(items.len())].clone();
            items.push(copy);
        }
        (4, Value::Array(items)) => items.reverse(),
        (0..=4, Value::String(text)) => {
            *text = String::from_utf8_lossy(&mutated(text.as_bytes(), corpus, dice, depth + 1)).into_owned();
        }
        (0..=4, Value::Number(number)) => {
            let close = number.as_i64().map(|number| number.wrapping_add([-1, 1, 60, 86_400][dice.below(4)]));
            *node = close.map_or(scalar, Value::from);
        }
        (5, _) => {
            let held = node.take();
            *node = (0..1 + dice.below(40)).fold(held, |held, _| Value::Array(vec![held]));
        }
        (6, _) => *node = Value::Null,
        _ => *node = scalar,
    }
}

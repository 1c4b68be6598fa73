//! What the tests and the bench share: how each of the other implementations is asked.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use countersign::encoding::Timestamp;
use countersign::identity::{Jwk, PublicKey};
use jsonwebtoken::DecodingKey;
use sd_jwt_rs::{SDJWTSerializationFormat, SDJWTVerifier};
use serde_json::{Value, json};

/// The key as sd-jwt-rs takes it.
pub fn decoding_key(key: &PublicKey) -> DecodingKey {
    let Jwk { x, y, .. } = key.jwk();
    DecodingKey::from_ec_components(&x, &y.expect("a key on P-256")).expect("a key on P-256")
}

/// sd-jwt-rs verifies `text`; with an audience and a nonce, its key binding too. It goes by the clock of the machine.
pub fn sd_jwt_rs(text: &str, issuer: &DecodingKey, binding: Option<(&str, &str)>) -> Result<Value, String> {
    let issuer = issuer.clone();
    let (aud, nonce) = binding.map(|(aud, nonce)| (aud.to_owned(), nonce.to_owned())).unzip();
    let resolver = Box::new(move |_: &str, _: &_| issuer.clone());
    SDJWTVerifier::new(text.to_owned(), resolver, aud, nonce, SDJWTSerializationFormat::Compact)
        .map(|verifier| verifier.verified_claims)
        .map_err(|refusal| refusal.to_string())
}

/// ssi at work on one token, in a process of its own.
pub struct Ssi {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Its verdict: the claims, or why it refused.
    pub verdict: Result<Value, String>,
}

impl Ssi {
    /// Starts the program beside this one; `cargo build --release -p countersign-oracle-ssi` makes it.
    pub fn new(text: &str, issuer: &PublicKey, at: Timestamp) -> Self {
        let program = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.parent()?.to_owned()));
        let program: PathBuf = program.expect("a path of its own").join("countersign-oracle-ssi");
        let mut child =
            Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap_or_else(|cause| {
                panic!("{}: {cause}; build -p countersign-oracle-ssi first", program.display())
            });
        let (asks, answers) = child.stdin.take().zip(child.stdout.take()).expect("both are piped");
        let mut ssi = Self { child, asks, answers: BufReader::new(answers), verdict: Err(String::new()) };
        let answer = ssi.ask(&json!({ "sd_jwt": text, "issuer": issuer.jwk(), "at": at }).to_string());
        ssi.verdict = match answer.strip_prefix("refused: ") {
            Some(refusal) => Err(refusal.to_owned()),
            None => Ok(serde_json::from_str(&answer).expect("claims")),
        };
        ssi
    }

    /// How many nanoseconds `count` verifications take.
    pub fn time(&mut self, count: u32) -> u64 {
        self.ask(&count.to_string()).parse().expect("nanoseconds")
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.asks, "{line}").expect("ssi listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("ssi answers");
        answer.trim_end().to_owned()
    }
}

impl Drop for Ssi {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

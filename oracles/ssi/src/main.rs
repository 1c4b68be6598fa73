//! ssi's SD-JWT layer as a process, for its neighbours to question.
//!
//! First line on stdin: `{"sd_jwt", "issuer": JWK, "at"}`; answer: the processed claims as JSON, or `refused: …`.
//! Each further line is a count: the token is verified so many times, end to end, and the answer is the nanoseconds.

use std::hint::black_box;
use std::io::{BufRead as _, Write as _};
use std::time::Instant;

use chrono::{DateTime, Utc};
use futures::executor::block_on;
use serde_json::Value;
use ssi_claims_core::VerificationParameters;
use ssi_jwk::JWK;
use ssi_sd_jwt::{RevealedSdJwt, SdJwt};

type Parameters = VerificationParameters<JWK>;

fn verify<'a>(text: &'a str, parameters: &Parameters) -> Result<RevealedSdJwt<'a>, String> {
    let sd_jwt = SdJwt::new(text).map_err(|refusal| refusal.to_string())?;
    let verdict = block_on(sd_jwt.decode_reveal_verify_any(parameters));
    let (revealed, verification) = verdict.map_err(|refusal| refusal.to_string())?;
    verification.map_err(|refusal| refusal.to_string())?;
    Ok(revealed)
}

fn main() {
    let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
    let asked: Value = serde_json::from_str(&lines.next().expect("a first line")).expect("JSON");
    let text = asked["sd_jwt"].as_str().expect("sd_jwt");
    let mut parameters = Parameters::from_resolver(serde_json::from_value(asked["issuer"].clone()).expect("a JWK"));
    let at: DateTime<Utc> = DateTime::from_timestamp(asked["at"].as_i64().expect("at"), 0).expect("a time");
    parameters.date_time = Some(at);
    let mut stdout = std::io::stdout();
    let mut answer = |line: String| writeln!(stdout, "{line}").and_then(|()| stdout.flush()).expect("stdout");
    match verify(text, &parameters) {
        Ok(revealed) => answer(serde_json::to_string(revealed.claims()).expect("JSON")),
        Err(refusal) => answer(format!("refused: {}", refusal.replace('\n', " "))),
    }
    for line in lines {
        let count: u32 = line.parse().expect("a count");
        let begun = Instant::now();
        for _ in 0..count {
            black_box(verify(black_box(text), &parameters)).expect("verified before");
        }
        answer(begun.elapsed().as_nanos().to_string());
    }
}

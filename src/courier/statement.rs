use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use url::Url;

use crate::encoding::parse_json;
use crate::node::NotDelivered;

/// An audit reads the chain; it may take this long.
const WITHIN: Duration = Duration::from_secs(120);
const MAX_ANSWER: usize = 256 * 1024;

/// Posts a fee statement to an operator and reads its answer.
pub(super) async fn post(client: &reqwest::Client, url: Url, statement: &str) -> Result<String, NotDelivered> {
    let request = client.post(url).timeout(WITHIN).header("content-type", "application/jwt");
    let answer = request.body(statement.to_owned()).send().await;
    let answer = answer.map_err(|cause| NotDelivered(cause.without_url().to_string()))?;
    let status = answer.status();
    let text = read(answer).await?;
    if status.is_success() {
        return Ok(text);
    }
    Err(NotDelivered(format!("the operator answered {status} {}", why(text.as_bytes()))))
}

/// What another node says of a refusal, as far as it reads: a stranger's words.
pub(super) fn why(answer: &[u8]) -> String {
    let why = parse_json(answer, MAX_ANSWER).ok();
    let said = |member: &str| why.as_ref()?.pointer(member).and_then(Value::as_str);
    let why: String =
        [said("/error/check"), said("/error/message")].into_iter().flatten().collect::<Vec<_>>().join(": ");
    why.chars().filter(|c| !c.is_control()).take(500).collect()
}

async fn read(mut answer: Response) -> Result<String, NotDelivered> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|cause| NotDelivered(cause.without_url().to_string()))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(NotDelivered("the operator's answer is too long".into()));
        }
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body).map_err(|_| NotDelivered("the operator's answer is no text".into()))
}

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::checks;
use crate::check::Refusal;
use crate::dsp::hold_by;

/// The one format of transfers: the consumer gets the data over HTTP.
pub const PULL: &str = "HttpData-PULL";
/// The `endpointType` of data behind HTTP.
pub const HTTP: &str = "https://w3id.org/idsa/v4.1/HTTP";

/// Where data is, and the bearer token that opens it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataAddress {
    /// The URL.
    pub endpoint: String,
    /// The token, where one is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl std::fmt::Debug for DataAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataAddress").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl DataAddress {
    /// What a start message says.
    ///
    /// # Errors
    /// `transfer.message` for a member of a wrong type, `transfer.address` for an endpoint that is no http URL.
    pub fn read(value: &Value) -> Result<Self, Refusal> {
        hold_by(&checks::MESSAGE, "DataAddress", value)?;
        let endpoint = value.get("endpoint").and_then(Value::as_str).unwrap_or_default().to_owned();
        let web = Url::parse(&endpoint).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        checks::ADDRESS.hold(web, || "the data address has no http or https endpoint".into())?;
        let properties = value.get("endpointProperties").and_then(Value::as_array);
        let token = properties.into_iter().flatten().rfind(|property| property["name"] == "authorization");
        Ok(Self { endpoint, token: token.and_then(|it| it["value"].as_str()).map(str::to_owned) })
    }

    /// The member `dataAddress` of a start message.
    pub fn body(&self) -> Value {
        let property = |name: &str, value: &str| json!({ "@type": "EndpointProperty", "name": name, "value": value });
        let mut body = json!({ "@type": "DataAddress", "endpointType": HTTP, "endpoint": self.endpoint });
        if let Some(token) = &self.token {
            body["endpointProperties"] = json!([property("authorization", token), property("authType", "bearer")]);
        }
        body
    }
}

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::checks;
use crate::check::Refusal;

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
    /// What a start message says; `Ok(None)` where it says nothing.
    ///
    /// # Errors
    /// `transfer.message` for a member of a wrong type, `transfer.address` for an endpoint that is no http URL.
    pub fn read(value: Option<&Value>) -> Result<Option<Self>, Refusal> {
        let Some(value) = value else { return Ok(None) };
        let text = |member: &str| value.get(member).and_then(Value::as_str);
        let shaped =
            value.get("@type").and_then(Value::as_str) == Some("DataAddress") && text("endpointType").is_some();
        checks::MESSAGE.hold(shaped, || "`dataAddress` is a DataAddress with an endpointType".into())?;
        let endpoint = text("endpoint").unwrap_or_default().to_owned();
        let web = Url::parse(&endpoint).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        checks::ADDRESS.hold(web, || "the data address has no http or https endpoint".into())?;
        let mut token = None;
        if let Some(properties) = value.get("endpointProperties") {
            let list = properties.as_array().filter(|list| !list.is_empty());
            let list =
                list.ok_or_else(|| checks::MESSAGE.refuse("`endpointProperties` is a list that is not empty"))?;
            for property in list {
                let member = |name: &str| property.get(name).and_then(Value::as_str);
                let pair = member("name").zip(member("value")).filter(|_| member("@type") == Some("EndpointProperty"));
                let shape = "an endpoint property is an EndpointProperty with name and value, both strings";
                let (name, value) = pair.ok_or_else(|| checks::MESSAGE.refuse(shape))?;
                if name == "authorization" {
                    token = Some(value.to_owned());
                }
            }
        }
        Ok(Some(Self { endpoint, token }))
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

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Did, Money};

/// What a contract gives access to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// Its IRI.
    #[schema(example = "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c0001")]
    id: String,
    /// For people.
    #[schema(example = "Motorway junction")]
    title: String,
    /// IANA media type.
    #[schema(example = "application/xml")]
    media_type: String,
    /// SHA-256 of its bytes.
    #[schema(pattern = "^[0-9a-f]{64}$", example = "4bec736d21e354a3ab37505bd3757cd129b7afb72ac8e217133ed707ae617c09")]
    sha256: String,
    /// Its length in bytes; exactly one of `size` and `version` is there.
    #[schema(minimum = 0, nullable = false, example = 16711)]
    size: Option<u64>,
    /// Its version.
    #[schema(nullable = false)]
    version: Option<String>,
    /// The URL of the data, behind the gate.
    #[schema(format = "uri", example = "https://data.example/assets/junction.xodr")]
    endpoint: String,
}

/// An asset as its provider lists it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// The asset.
    asset: Asset,
    /// The template's id.
    #[schema(example = "urn:uuid:5b0f6a3e-6c0d-4a57-9d2c-7f5f0f6f1a01")]
    template: String,
    /// Values of the template's parameters.
    #[schema(required = false, example = json!({ "uses": 3 }))]
    parameters: BTreeMap<String, Value>,
    /// The price.
    price: Money,
    /// For people and search.
    #[schema(required = false)]
    description: String,
    /// For search.
    #[schema(required = false)]
    keywords: Vec<String>,
    /// Whether the catalog shows it; what is not shown can still be asked for and proposed. Absent where it does.
    #[schema(required = false)]
    cataloged: bool,
}

/// A catalog that was asked for.
#[derive(ToSchema)]
pub struct CatalogView {
    /// What asking for it returned.
    id: String,
    /// What the provider lists; null while its answer is on its way.
    catalog: Option<Catalog>,
}

/// A DCAT catalog as the Dataspace Protocol writes it.
#[derive(ToSchema)]
pub struct Catalog {
    /// The JSON-LD context.
    #[schema(rename = "@context")]
    context: Vec<String>,
    /// `Catalog`.
    #[schema(rename = "@type")]
    kind: String,
    /// Its id.
    #[schema(rename = "@id")]
    id: String,
    /// Whose it is.
    #[schema(rename = "participantId")]
    participant: Did,
    /// What it lists; absent when that is nothing.
    #[schema(nullable = false)]
    dataset: Option<Vec<Dataset>>,
}

/// A dataset of a catalog.
#[derive(ToSchema)]
pub struct Dataset {
    /// The asset's id.
    #[schema(rename = "@id")]
    id: String,
    /// `Dataset`.
    #[schema(rename = "@type")]
    kind: String,
    /// What it is offered on; `@id` is the template's.
    #[schema(rename = "hasPolicy")]
    policy: Vec<Value>,
    /// Where the data is.
    distribution: Vec<Value>,
    /// What a contract is made of.
    countersign: Listing,
}

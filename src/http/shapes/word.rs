//! The small words that the others are made of.

use serde::Deserialize;
use utoipa::ToSchema;

/// A party's identifier.
#[derive(Deserialize, ToSchema)]
#[schema(pattern = "^did:[a-z0-9]+:.+$", example = "did:key:zDnaeWgbpcUat3VPa1GqrFdcr7jVBCVfoDMVXxNUxKxHSqEVs")]
pub struct Did(String);

/// SHA-256 or Keccak-256: `0x` and 64 lowercase hexadecimal digits.
#[derive(Deserialize, ToSchema)]
#[schema(pattern = "^0x[0-9a-f]{64}$", example = "0xcf278ece273c9a6a2d3f5d19c7b35a1e0f8d2a64f0b1c2d3e4f5061728390b41")]
pub struct Digest(String);

/// SHA-256 in base64url without padding.
#[derive(Deserialize, ToSchema)]
#[schema(pattern = "^[A-Za-z0-9_-]{43}$", example = "Qw3vC0sZ0b0mJm3rP8l2b8m1V8mUuVZ0aZ4hHq2sJxE")]
pub struct Hash(String);

/// An account on an EVM chain: `0x` and 40 lowercase hexadecimal digits.
#[derive(Deserialize, ToSchema)]
#[schema(pattern = "^0x[0-9a-f]{40}$", example = "0x5b38da6a701c568545dcfcb03fcb875f56beddc4")]
pub struct Account(String);

/// A time, RFC 3339 in UTC, whole seconds.
#[derive(Deserialize, ToSchema)]
#[schema(format = DateTime, pattern = "Z$", example = "2026-11-22T10:22:29Z")]
pub struct Time(String);

/// A contract's id.
#[derive(Deserialize, ToSchema)]
#[schema(pattern = "^urn:uuid:[0-9a-f-]{36}$", example = "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c0001")]
pub struct ContractId(String);

/// A signed text: JWS in compact form, or an SD-JWT.
#[derive(Deserialize, ToSchema)]
#[schema(pattern = r"^[A-Za-z0-9_~.-]+$", example = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJkaWQ6a2V5In0.c2ln")]
pub struct Jws(String);

/// A decimal number as text: exact, 1 to 15 digits, at most 6 decimals.
#[derive(Deserialize, ToSchema)]
#[schema(pattern = r"^[0-9]{1,15}(\.[0-9]{1,6})?$", example = "400.00")]
pub struct Amount(String);

/// An amount in a currency.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// How much.
    amount: Amount,
    /// ISO 4217 code.
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    currency: String,
}

/// What was made or changed.
#[derive(ToSchema)]
pub struct Named {
    /// Its id.
    #[schema(example = "urn:uuid:f46f8a7e-6a6f-4a3f-9e0b-0f5d2c7316a1")]
    id: String,
}

/// It is done, and there is nothing to say.
#[derive(ToSchema)]
pub struct Nothing {}

/// What went to the chain.
#[derive(ToSchema)]
pub struct Transaction {
    /// The transaction's hash.
    transaction: Digest,
}

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::checks;
use crate::check::Refusal;

/// Base64url without padding (RFC 7515 section 2).
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes behind a base64url text without padding.
///
/// # Errors
/// `encoding.base64url` for padding, foreign letters or unused bits that are not zero.
pub fn decode(text: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(text).map_err(|cause| checks::BASE64URL.refuse(cause.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loose_bits_padding_and_foreign_letters_are_refused() {
        assert_eq!(decode("AA").unwrap(), [0]);
        for bad in ["AB", "AA==", "A+==", "A/", "A", "A A"] {
            assert_eq!(decode(bad).unwrap_err().check, &checks::BASE64URL, "{bad}");
        }
    }
}

//! Checks of the spelling of what arrives.

crate::checks! {
    BASE64URL = "encoding.base64url": "base64url has no padding, no foreign letters and no loose bits";
    SIZE = "encoding.size": "the text is not longer than its kind may be";
    JSON = "encoding.json": "the text is well-formed JSON of the expected shape";
    JSON_DEPTH = "encoding.json.depth": "JSON is nested at most 32 levels deep";
    JSON_DUPLICATE = "encoding.json.duplicate": "a JSON object has each member once";
    TIME = "encoding.time": "a time is an integer NumericDate or an RFC 3339 UTC text between the years 2000 and 9999";
}

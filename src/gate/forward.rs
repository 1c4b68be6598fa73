//! What a proxy says about a request that it asks the gate to judge.

use url::Url;

use super::checks;
use crate::check::Refusal;

/// The path of a request target, without its query, if every server reads it alike: a proxy and what stands behind it
/// decode and tidy paths, each in its way, and the gate must not judge another path than the one that is served.
///
/// # Errors
/// `gate.forward.request`.
pub fn one_reading(target: &str) -> Result<&str, Refusal> {
    let refuse = || checks::FORWARD_REQUEST.refuse("the request's path has more than one reading");
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let segments = path.strip_prefix('/').ok_or_else(refuse)?;
    let letters = path.bytes().all(|b| b.is_ascii_graphic() && !b"\\#;\"<>^`{|}".contains(&b));
    let plain = segments.is_empty() || segments.split('/').all(unambiguous);
    if letters && plain { Ok(path) } else { Err(refuse()) }
}

/// Neither empty nor leading up, hidden, or with an escape that stands for a letter that means something in a path.
fn unambiguous(segment: &str) -> bool {
    if segment.is_empty() || segment.starts_with('.') {
        return false;
    }
    let mut rest = segment;
    while let Some((_, behind)) = rest.split_once('%') {
        let byte = behind.get(..2).filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(byte) = byte.and_then(|pair| u8::from_str_radix(pair, 16).ok()) else { return false };
        if byte.is_ascii_control() || b"/\\.%?#;".contains(&byte) {
            return false;
        }
        rest = &behind[2..];
    }
    true
}

/// Whether `host`, asked for by `scheme` where the proxy says which, is the gate's origin.
///
/// # Errors
/// `gate.forward.origin`.
pub fn of_origin(origin: &str, scheme: Option<&str>, host: &str) -> Result<(), Refusal> {
    let own = origin.split_once("://").map_or("", |(scheme, _)| scheme);
    let url = format!("{}://{host}/", scheme.unwrap_or(own));
    let plain = !host.is_empty() && !host.contains(['/', '@', '?', '#', '\\']);
    let asked = Url::parse(&url).ok().filter(|_| plain).map(|url| url.origin().ascii_serialization());
    checks::FORWARD_ORIGIN
        .hold(asked.as_deref() == Some(origin), || format!("asked for is {url}, this gate's origin is {origin}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_reading() {
        for (target, path) in [
            ("/assets/highway", "/assets/highway"),
            ("/assets/a%20b/c.xodr?x=/../y", "/assets/a%20b/c.xodr"),
            ("/", "/"),
            ("/assets/%C3%A9", "/assets/%C3%A9"),
        ] {
            assert_eq!(one_reading(target), Ok(path), "{target}");
        }
        for target in [
            "",
            "assets",
            "*",
            "http://data.example/assets",
            "/a/../b",
            "/a/./b",
            "/a/%2e%2e/b",
            "/a/.%2E/b",
            "/a//b",
            "/a/",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/a%00",
            "/a%252fb",
            "/a%3Fb",
            "/a;b/c",
            "/a%3bb",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a b",
            "/a\tb",
            "/é",
            "/.git",
            "/a#b",
            "/a%0d%0ab",
        ] {
            let refused = one_reading(target).unwrap_err();
            assert_eq!(refused.check, &checks::FORWARD_REQUEST, "{target}");
        }
    }

    #[test]
    fn a_request_is_to_the_gates_origin() {
        let asked = |scheme, host| of_origin("https://data.example", scheme, host).map_err(|refusal| refusal.check);
        for (scheme, host) in
            [(Some("https"), "data.example"), (None, "data.example"), (Some("https"), "Data.Example:443")]
        {
            assert_eq!(asked(scheme, host), Ok(()), "{scheme:?} {host}");
        }
        for (scheme, host) in [
            (Some("http"), "data.example"),
            (Some("https"), "data.example:8443"),
            (None, "other.example"),
            (None, "data.example.other.example"),
            (None, "me@data.example"),
            (None, "data.example/"),
            (None, ""),
            (Some("https, http"), "data.example"),
        ] {
            assert_eq!(asked(scheme, host), Err(&checks::FORWARD_ORIGIN), "{scheme:?} {host}");
        }
    }
}

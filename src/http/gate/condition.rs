use axum::http::{HeaderMap, HeaderName, header};

/// What the conditions of a request say about a resource with an entity tag (RFC 9110, 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// It is sent.
    Holds,
    /// The caller has it already.
    NotModified,
    /// The caller asked for another version.
    Fails,
}

/// Judges `If-Match` and `If-None-Match`. Times are not judged: what is served here has no time but its tag.
pub(super) fn condition(headers: &HeaderMap, etag: Option<&str>) -> Condition {
    let named = |name: &HeaderName, weak: bool| {
        let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).peekable();
        values.peek()?;
        let same = |given: &str| {
            let given = given.trim();
            let given = if weak { given.strip_prefix("W/").unwrap_or(given) } else { given };
            given == "*" || Some(given) == etag
        };
        Some(values.any(|value| value.split(',').any(same)))
    };
    if named(&header::IF_MATCH, false) == Some(false) {
        return Condition::Fails;
    }
    match named(&header::IF_NONE_MATCH, true) {
        Some(true) => Condition::NotModified,
        _ => Condition::Holds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(name: HeaderName, value: &str) -> Condition {
        condition(&HeaderMap::from_iter([(name, value.parse().unwrap())]), Some("\"a\""))
    }

    #[test]
    fn a_condition_is_about_the_version_that_is_there() {
        use Condition::{Fails, Holds, NotModified};
        assert_eq!(condition(&HeaderMap::new(), Some("\"a\"")), Holds);
        for (value, expected) in [
            ("\"a\"", NotModified),
            ("W/\"a\"", NotModified),
            ("\"b\", \"a\"", NotModified),
            ("*", NotModified),
            ("\"b\"", Holds),
            ("a", Holds),
        ] {
            assert_eq!(judged(header::IF_NONE_MATCH, value), expected, "{value}");
        }
        for (value, expected) in [("\"a\"", Holds), ("*", Holds), ("\"b\"", Fails), ("W/\"a\"", Fails)] {
            assert_eq!(judged(header::IF_MATCH, value), expected, "{value}");
        }
    }
}

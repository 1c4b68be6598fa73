use axum::http::{HeaderMap, header};

use crate::gate::ByteRange;

/// What a request asks of a resource whose length is known (RFC 9110, 14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// All of it; also where the header asks for what is not served: several ranges, other units.
    Whole,
    Part(ByteRange),
    /// A range without a single byte of the resource.
    Outside,
}

/// Reads `Range`, which counts only while `If-Range`, if it is there, names `etag`.
pub(super) fn asked(headers: &HeaderMap, length: u64, etag: Option<&str>) -> Asked {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(spec) = text(header::RANGE).and_then(|value| value.strip_prefix("bytes=")) else { return Asked::Whole };
    if headers.contains_key(header::IF_RANGE) && (etag.is_none() || text(header::IF_RANGE) != etag) {
        return Asked::Whole;
    }
    part(spec.trim(), length).unwrap_or(Asked::Whole)
}

fn part(spec: &str, length: u64) -> Option<Asked> {
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let (first, last) = spec.split_once('-')?;
    let end = length.checked_sub(1);
    let asked = match (first, last) {
        ("", suffix) => {
            let bytes = number(suffix)?.min(length);
            end.filter(|_| bytes > 0).map(|last| ByteRange { first: length - bytes, last })
        }
        (first, "") => {
            let first = number(first)?;
            end.filter(|last| first <= *last).map(|last| ByteRange { first, last })
        }
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            end.filter(|end| first <= *end).map(|end| ByteRange { first, last: last.min(end) })
        }
    };
    Some(asked.map_or(Asked::Outside, Asked::Part))
}

/// The range of a `Content-Range` that an upstream gave.
pub(super) fn content_range(value: &str) -> Option<ByteRange> {
    let (range, _) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let range = ByteRange { first: first.parse().ok()?, last: last.parse().ok()? };
    (range.first <= range.last).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_the_rfc_has_it() {
        let ask = |spec: &str, length| {
            let headers = HeaderMap::from_iter([(header::RANGE, spec.parse().unwrap())]);
            asked(&headers, length, None)
        };
        let part = |first, last| Asked::Part(ByteRange { first, last });
        assert_eq!(ask("bytes=0-99", 1000), part(0, 99));
        assert_eq!(ask("bytes=0-", 10), part(0, 9));
        assert_eq!(ask("bytes=-3", 10), part(7, 9));
        assert_eq!(ask("bytes=-30", 10), part(0, 9));
        assert_eq!(ask("bytes=5-5000", 10), part(5, 9));
        for outside in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(ask(outside, 10), Asked::Outside, "{outside}");
        }
        assert_eq!(ask("bytes=0-0", 0), Asked::Outside);
        for whole in [
            "items=0-1",
            "bytes=0-1,3-4",
            "bytes=3-1",
            "bytes=a-",
            "bytes=-",
            "bytes=+1-2",
            "bytes=0-99999999999999999999",
        ] {
            assert_eq!(ask(whole, 10), Asked::Whole, "{whole}");
        }
    }

    #[test]
    fn a_range_of_another_version_is_not_taken() {
        let mut headers = HeaderMap::from_iter([(header::RANGE, "bytes=0-1".parse().unwrap())]);
        headers.insert(header::IF_RANGE, "\"a\"".parse().unwrap());
        assert_eq!(asked(&headers, 10, Some("\"b\"")), Asked::Whole);
        assert_eq!(asked(&headers, 10, Some("\"a\"")), Asked::Part(ByteRange { first: 0, last: 1 }));
    }
}

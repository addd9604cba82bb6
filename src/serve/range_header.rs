//! The `Range` header as a server reads it.

use hyper::StatusCode;

use crate::range::ByteRange;

/// The bytes that a `Range` header asks for of `size` bytes, cut at their end. `None` stands for all of them: there is no header,
/// it cannot be understood, or it names several ranges, which the Hub ignores too. Status 416 where nothing of it exists.
pub(super) fn requested(header: Option<&str>, size: u64) -> Result<Option<ByteRange>, StatusCode> {
    let (start, end) = match header.and_then(ends) {
        Some((Some(first), Some(last))) if first <= last => (first, last.saturating_add(1).min(size)),
        Some((Some(first), None)) => (first, size),
        Some((None, Some(suffix))) => (size.saturating_sub(suffix), size),
        _ => return Ok(None),
    };
    if start < end { Ok(Some(ByteRange::new(start, end))) } else { Err(StatusCode::RANGE_NOT_SATISFIABLE) }
}

/// First and last byte as they are written; one of them may be left out.
fn ends(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let number = |text: &str| match text {
        "" => Some(None),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => Some(Some(text.parse().unwrap_or(u64::MAX))),
        _ => None,
    };
    let (first, last) = header.trim().strip_prefix("bytes=")?.trim().split_once('-')?;
    Some((number(first)?, number(last)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_three_forms_of_one_range_are_understood() {
        let cases = [
            ("bytes=0-0", 0, 1),
            ("bytes=5-9", 5, 10),
            ("bytes=5-99", 5, 10),
            ("bytes=3-", 3, 10),
            ("bytes=-4", 6, 10),
            ("bytes=-40", 0, 10),
        ];
        for (header, start, end) in cases {
            assert_eq!(requested(Some(header), 10), Ok(Some(ByteRange::new(start, end))), "{header}");
        }
    }

    #[test]
    fn a_range_beyond_the_end_cannot_be_satisfied() {
        for header in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(requested(Some(header), 10), Err(StatusCode::RANGE_NOT_SATISFIABLE), "{header}");
        }
        assert_eq!(requested(Some("bytes=0-0"), 0), Err(StatusCode::RANGE_NOT_SATISFIABLE));
        assert_eq!(requested(Some("bytes=-5"), 0), Err(StatusCode::RANGE_NOT_SATISFIABLE));
    }

    #[test]
    fn several_ranges_and_nonsense_give_the_whole() {
        for header in ["bytes=0-1,3-4", "bytes=4-2", "bytes=", "bytes=-", "bytes=a-b", "lines=0-1", "bytes=+1-2"] {
            assert_eq!(requested(Some(header), 10), Ok(None), "{header}");
        }
        assert_eq!(requested(None, 10), Ok(None));
    }

    proptest! {
        #[test]
        fn what_a_client_writes_is_what_the_server_reads(start in 0_u64..50, len in 1_u64..50, size in 1_u64..100) {
            let asked = ByteRange::new(start, start + len);
            let expected = if start < size {
                Ok(Some(ByteRange::new(start, (start + len).min(size))))
            } else {
                Err(StatusCode::RANGE_NOT_SATISFIABLE)
            };
            prop_assert_eq!(requested(Some(&asked.to_header()), size), expected);
        }
    }
}

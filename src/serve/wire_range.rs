//! The `Range` header as a server reads it.

use crate::range::ByteRange;

/// What of a representation is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: there is no `Range`, it cannot be understood, or it names several ranges. The Hub ignores those too.
    Whole,
    /// These bytes, cut at the end of the representation.
    Part(ByteRange),
    /// Nothing that exists: status 416.
    Beyond,
}

/// Reads a `Range` header against a representation of `size` bytes.
pub(super) fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some(spec) = header.and_then(|value| value.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-').filter(|_| !spec.contains(',')) else {
        return Wanted::Whole;
    };
    let digits = |text: &str| -> Option<u64> {
        (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (digits(first), digits(last)) {
        (None, Some(suffix)) if first.is_empty() => {
            let start = size.saturating_sub(suffix);
            part(start, size)
        }
        (Some(start), None) if last.is_empty() && start < size => part(start, size),
        (Some(start), Some(end)) if start <= end && start < size => part(start, end.saturating_add(1).min(size)),
        (Some(start), None) if last.is_empty() && start >= size => Wanted::Beyond,
        (Some(start), Some(end)) if start <= end => Wanted::Beyond,
        _ => Wanted::Whole,
    }
}

fn part(start: u64, end: u64) -> Wanted {
    if start < end { Wanted::Part(ByteRange::new(start, end)) } else { Wanted::Beyond }
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
            assert_eq!(wanted(Some(header), 10), Wanted::Part(ByteRange::new(start, end)), "{header}");
        }
    }

    #[test]
    fn a_range_beyond_the_end_cannot_be_satisfied() {
        for header in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(wanted(Some(header), 10), Wanted::Beyond, "{header}");
        }
        assert_eq!(wanted(Some("bytes=0-0"), 0), Wanted::Beyond);
        assert_eq!(wanted(Some("bytes=-5"), 0), Wanted::Beyond);
    }

    #[test]
    fn several_ranges_and_nonsense_give_the_whole() {
        for header in ["bytes=0-1,3-4", "bytes=4-2", "bytes=", "bytes=-", "bytes=a-b", "lines=0-1", "bytes=+1-2"] {
            assert_eq!(wanted(Some(header), 10), Wanted::Whole, "{header}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
    }

    proptest! {
        #[test]
        fn what_a_client_writes_is_what_the_server_reads(start in 0_u64..50, len in 1_u64..50, size in 1_u64..100) {
            let asked = ByteRange::new(start, start + len);
            let expected = if start < size {
                Wanted::Part(ByteRange::new(start, (start + len).min(size)))
            } else {
                Wanted::Beyond
            };
            prop_assert_eq!(wanted(Some(&asked.to_header()), size), expected);
        }
    }
}

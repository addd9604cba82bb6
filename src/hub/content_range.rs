//! The `Content-Range` header: what a server claims to have sent.

use std::{fmt, str::FromStr};

use crate::range::ByteRange;

/// A parsed `Content-Range: bytes a-b/total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// The bytes in the body.
    pub range: ByteRange,
    /// Size of the whole file; `None` where the server wrote `*`.
    pub total: Option<u64>,
}

/// Not a `Content-Range` of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl FromStr for ContentRange {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let digits = |part: &str| -> Result<u64, Malformed> {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(Malformed);
            }
            part.parse().map_err(|_| Malformed)
        };
        let rest = text.trim().strip_prefix("bytes ").ok_or(Malformed)?;
        let (range, total) = rest.split_once('/').ok_or(Malformed)?;
        let (first, last) = range.split_once('-').ok_or(Malformed)?;
        let (first, last) = (digits(first)?, digits(last)?);
        let end = last.checked_add(1).ok_or(Malformed)?;
        if last < first {
            return Err(Malformed);
        }
        let total = match total {
            "*" => None,
            number => Some(digits(number)?),
        };
        if total.is_some_and(|total| end > total) {
            return Err(Malformed);
        }
        Ok(Self { range: ByteRange::new(first, end), total })
    }
}

impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {}-{}/", self.range.start, self.range.end.saturating_sub(1))?;
        match self.total {
            Some(total) => write!(f, "{total}"),
            None => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_range_and_its_total_are_read() {
        let parsed: ContentRange = "bytes 2-5/12".parse().unwrap();
        assert_eq!(parsed.range, ByteRange::new(2, 6));
        assert_eq!(parsed.total, Some(12));
        assert_eq!("bytes 0-0/*".parse::<ContentRange>().unwrap().total, None);
    }

    #[test]
    fn what_is_not_a_byte_range_is_refused() {
        for text in [
            "",
            "bytes",
            "bytes */12",
            "bytes 5-2/12",
            "bytes 2-12/12",
            "bytes 2-5",
            "lines 2-5/12",
            "bytes +2-5/12",
            "bytes 2-18446744073709551615/*",
            "bytes -5/12",
        ] {
            assert!(text.parse::<ContentRange>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(start in 0_u64..u64::MAX / 4, len in 1_u64..1_000_000, more in prop::option::of(0_u64..1000)) {
            let range = ByteRange::new(start, start + len);
            let written = ContentRange { range, total: more.map(|more| range.end + more) };
            prop_assert_eq!(written.to_string().parse::<ContentRange>(), Ok(written));
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".*") {
            let _ = text.parse::<ContentRange>();
        }
    }
}

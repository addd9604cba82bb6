//! A `Content-Range` is refused, or is a range that is not empty, lies in the file, and is written as it was read.

#![no_main]

use hub_audit::hub::ContentRange;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(read) = text.parse::<ContentRange>() {
        assert!(read.range.start < read.range.end);
        assert!(read.total.is_none_or(|total| read.range.end <= total));
        assert_eq!(read.to_string().parse::<ContentRange>(), Ok(read));
    }
});

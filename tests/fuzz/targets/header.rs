//! A header is refused, or the reference reads the same tensors from the same bytes.

#![no_main]

use hub_audit::checkpoint::Header;
use libfuzzer_sys::fuzz_target;
use safetensors::SafeTensors;

fuzz_target!(|bytes: &[u8]| {
    let file_len = bytes.len() as u64;
    let _ = Header::total_length(bytes, u64::MAX);
    let header = match Header::parse(bytes, file_len) {
        Ok(header) => header,
        Err(error) => {
            let said = format!("{error}");
            assert!(!said.chars().any(char::is_control), "{said:?}");
            assert!(said.len() < 10_000, "{} bytes of message", said.len());
            return;
        }
    };
    let mut at = header.length;
    let mut ranges: Vec<_> = header.tensors.iter().map(|tensor| tensor.range).collect();
    ranges.sort_by_key(|range| (range.start, range.end));
    for range in ranges {
        assert_eq!(range.start, at, "a hole or an overlap was let through");
        at = range.end;
    }
    for tensor in &header.tensors {
        assert_eq!(header.get(&tensor.name), Some(tensor));
    }
    assert_eq!(at, file_len);
    if header.tensors.iter().any(|tensor| tensor.dtype.bits().is_none()) {
        return;
    }
    let (_, reference) = SafeTensors::read_metadata(bytes).expect("this is stricter than the reference");
    let theirs = reference.tensors();
    assert_eq!(theirs.len(), header.tensors.len());
    for tensor in &header.tensors {
        let (begin, end) = theirs[&tensor.name].data_offsets;
        assert_eq!(header.length + begin as u64, tensor.range.start);
        assert_eq!(header.length + end as u64, tensor.range.end);
    }
});

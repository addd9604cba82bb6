//! A kept tensor of any bytes is refused, or read with as many values as its shape says.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok((values, shape)) = hub_audit::cache::read_npy(Cursor::new(bytes)) {
        assert_eq!(values.len() as u64, shape.iter().product::<u64>());
        assert!(values.len() <= bytes.len());
    }
});

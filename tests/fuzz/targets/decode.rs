//! Any bytes of any type are refused, or give one value for each element. The first byte chooses the type.

#![no_main]

use hub_audit::dtype::{Dtype, decode};
use libfuzzer_sys::fuzz_target;

#[rustfmt::skip]
const NAMES: [&str; 23] = [
    "BOOL", "F4", "F6_E2M3", "F6_E3M2", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I16",
    "U16", "F16", "BF16", "I32", "U32", "F32", "C64", "F64", "I64", "U64", "F2",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, data)) = bytes.split_first() else {
        return;
    };
    let dtype = Dtype::from(NAMES[usize::from(first) % NAMES.len()].to_owned());
    if let Ok(values) = decode(&dtype, data) {
        let bits = dtype.bits().expect("a type that is decoded has a width");
        assert_eq!(values.len() as u64 * bits, data.len() as u64 * 8);
        if let Some(floats) = values.as_f32() {
            assert_eq!(floats.len(), values.len());
        }
    }
});

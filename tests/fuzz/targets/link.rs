//! The next page of any `Link` is a piece of the header, without the brackets around it.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &str| {
    if let Some(target) = hub_audit::hub::next_page(header) {
        assert!(header.contains(&format!("<{target}>")));
        assert!(!target.contains('>'));
    }
});

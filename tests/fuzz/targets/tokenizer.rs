//! Any `tokenizer.json` is refused, or gives each number once, in order.

#![no_main]

use hub_audit::tokens::Vocabulary;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| match Vocabulary::parse(bytes) {
    Ok(vocabulary) => {
        let ids: Vec<u32> = vocabulary.entries.iter().map(|(id, _)| *id).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    }
    Err(error) => {
        let said = format!("{error}");
        assert!(!said.chars().any(char::is_control), "{said:?}");
    }
});

//! Any configuration is refused or read; what is derived from it divides by nothing that may be zero.

#![no_main]

use hub_audit::family::ModelConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(config) = ModelConfig::parse(bytes) {
        let _ = (config.width_of_head(), config.key_value_heads());
        assert!(config.quantisation_block.is_none_or(|block| block.iter().all(|&length| length > 0)));
        let again = ModelConfig::parse(bytes).expect("it was read before");
        assert_eq!(config, again);
    }
});

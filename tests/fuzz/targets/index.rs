//! An index is refused, or every path in it stays below the index's own folder however often it is decoded.

#![no_main]

use hub_audit::checkpoint::ShardIndex;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let index = match ShardIndex::parse(bytes, "folder") {
        Ok(index) => index,
        Err(error) => {
            let said = format!("{error}");
            assert!(!said.chars().any(char::is_control), "{said:?}");
            return;
        }
    };
    let mut placed = 0;
    for shard in index.shards() {
        assert!(shard.starts_with("folder/"), "{shard:?}");
        let decoded = shard.replace("%2e", ".").replace("%2E", ".").replace("%2f", "/").replace("%2F", "/");
        assert!(!decoded.split('/').any(|segment| matches!(segment, "" | "." | "..")), "{shard:?}");
        placed += index.tensors_of(shard).count();
        let _ = index.predicted_header_length(shard);
    }
    assert_eq!(placed, index.tensors().count());
});

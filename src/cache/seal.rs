//! JSON that knows whether it has been altered.
//!
//! The values of an entry are guarded by the digest in its sidecar; the sidecar itself, and the record of a commit, carry a
//! digest of their own content. A flipped digit in a kept byte range would otherwise fetch the wrong bytes, and keep them
//! under the right name.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::digest::sha256_hex;

/// The field that holds the digest of all others.
const SEAL: &str = "seal";

/// `content`, which must be an object, as indented JSON with a seal.
pub(super) fn seal(content: &impl Serialize) -> serde_json::Result<String> {
    let mut value = serde_json::to_value(content)?;
    let digest = sha256_hex(value.to_string().as_bytes());
    value[SEAL] = Value::String(digest);
    let mut text = serde_json::to_string_pretty(&value)?;
    text.push('\n');
    Ok(text)
}

/// The content of sealed JSON; `None` where it is not what was sealed, or not of this type.
pub(super) fn unseal<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    let mut value: Value = serde_json::from_slice(text).ok()?;
    let digest = value.as_object_mut()?.shift_remove(SEAL)?;
    let intact = digest.as_str()? == sha256_hex(value.to_string().as_bytes());
    intact.then(|| serde_json::from_value(value).ok())?
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn any_changed_byte_breaks_the_seal() {
        let content = BTreeMap::from([("a".to_owned(), 17_u64), ("b".to_owned(), 4)]);
        let text = seal(&content).unwrap();
        assert_eq!(unseal::<BTreeMap<String, u64>>(text.as_bytes()), Some(content.clone()));
        for at in 0..text.len() {
            let mut altered = text.clone().into_bytes();
            altered[at] ^= 1;
            // Space may become another character that JSON ignores; the content is then what it was.
            let read = unseal::<BTreeMap<String, u64>>(&altered);
            assert!(read.is_none_or(|read| read == content), "{at}");
            // All but the last line break is content.
            assert!(at + 1 == text.len() || unseal::<BTreeMap<String, u64>>(&text.as_bytes()[..at]).is_none(), "{at}");
        }
    }
}

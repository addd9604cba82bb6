//! JSON that knows whether it has been altered.
//!
//! The values of an entry are guarded by the digest in its sidecar; the sidecar itself, and the record of a commit, carry a
//! digest of their own content. A flipped digit in a kept byte range would otherwise fetch the wrong bytes, and keep them
//! under the right name.

use std::io::{self, BufWriter, Write};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::digest::Digesting;

/// The field that holds the digest of all others.
const SEAL: &str = "seal";

/// Writes `content`, which must be an object, as indented JSON with a seal. A record may have a hundred megabytes: its text is never
/// held.
pub(super) fn seal(content: &impl Serialize, to: &mut dyn Write) -> io::Result<()> {
    let mut value = serde_json::to_value(content)?;
    let digest = digest(&value)?;
    value[SEAL] = Value::String(digest);
    serde_json::to_writer_pretty(&mut *to, &value)?;
    to.write_all(b"\n")
}

/// The content of sealed JSON; `None` where it is not what was sealed, or not of this type.
pub(super) fn unseal<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    let mut value: Value = serde_json::from_slice(text).ok()?;
    let sealed = value.as_object_mut()?.shift_remove(SEAL)?;
    let intact = sealed.as_str()? == digest(&value).ok()?;
    intact.then(|| serde_json::from_value(value).ok())?
}

/// The digest of a value as JSON without spaces.
fn digest(value: &Value) -> io::Result<String> {
    let mut digest = Digesting::new(io::sink());
    let mut buffered = BufWriter::with_capacity(1 << 16, &mut digest);
    serde_json::to_writer(&mut buffered, value)?;
    buffered.flush()?;
    drop(buffered);
    Ok(digest.finish().1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn any_changed_byte_breaks_the_seal() {
        let content = BTreeMap::from([("a".to_owned(), 17_u64), ("b".to_owned(), 4)]);
        let mut text = Vec::new();
        seal(&content, &mut text).unwrap();
        assert_eq!(unseal::<BTreeMap<String, u64>>(&text), Some(content.clone()));
        for at in 0..text.len() {
            let mut altered = text.clone();
            altered[at] ^= 1;
            // Space may become another character that JSON ignores; the content is then what it was.
            let read = unseal::<BTreeMap<String, u64>>(&altered);
            assert!(read.is_none_or(|read| read == content), "{at}");
            // All but the last line break is content.
            assert!(at + 1 == text.len() || unseal::<BTreeMap<String, u64>>(&text[..at]).is_none(), "{at}");
        }
    }
}

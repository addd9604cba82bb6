//! Files of the replica: which shard holds which tensor, the header of each, and its bytes at any offset.

use std::fmt::Write as _;

use bytes::Bytes;

use super::tensors::Tensor;
use crate::range::ByteRange;

/// A text, or a safetensors file whose tensors exist only while they are read.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: String,
    /// The text, or the header: the 8 bytes of length and the JSON, padded with spaces to a multiple of 8.
    head: Bytes,
    /// Tensors in file order, each with its first byte behind the header. A text has none.
    tensors: Vec<(u64, Tensor)>,
    data_len: u64,
}

impl File {
    pub(super) fn from_text(name: &str, text: String) -> Self {
        Self { name: name.to_owned(), head: text.into(), tensors: Vec::new(), data_len: 0 }
    }

    /// A file of these tensors, ordered as the safetensors writer orders them: wider types first, then by name.
    pub(super) fn shard(name: String, mut members: Vec<Tensor>) -> Self {
        members.sort_by(|a, b| b.width.cmp(&a.width).then_with(|| a.name.cmp(&b.name)));
        let mut data_len = 0;
        let tensors: Vec<(u64, Tensor)> = members
            .into_iter()
            .map(|tensor| {
                let begin = data_len;
                data_len += tensor.bytes();
                (begin, tensor)
            })
            .collect();
        Self { name, head: header(&tensors), tensors, data_len }
    }

    /// The tensors, in file order.
    pub(super) fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.tensors.iter().map(|(_, tensor)| tensor)
    }

    /// Length of the file in bytes.
    pub(super) fn len(&self) -> u64 {
        self.head.len() as u64 + self.data_len
    }

    /// Bytes of all tensors.
    pub(super) fn data_len(&self) -> u64 {
        self.data_len
    }

    /// The whole of a text; `None` for a shard.
    pub(super) fn text(&self) -> Option<Bytes> {
        self.tensors.is_empty().then(|| self.head.clone())
    }

    /// The bytes of a range; what lies beyond the end is left out.
    pub(super) fn read(&self, range: ByteRange) -> Bytes {
        let end = range.end.min(self.len());
        let mut out = vec![0; usize::try_from(end.saturating_sub(range.start)).unwrap_or_default()];
        let mut at = range.start;
        let mut rest = out.as_mut_slice();
        if let Some(head) = usize::try_from(at).ok().and_then(|start| self.head.get(start..)) {
            let (now, later) = rest.split_at_mut(head.len().min(rest.len()));
            now.copy_from_slice(&head[..now.len()]);
            at += now.len() as u64;
            rest = later;
        }
        while !rest.is_empty() {
            let offset = at - self.head.len() as u64;
            let index = self.tensors.partition_point(|(begin, _)| *begin <= offset).saturating_sub(1);
            let Some((begin, tensor)) = self.tensors.get(index) else {
                break;
            };
            let left = usize::try_from(begin + tensor.bytes() - offset).unwrap_or(usize::MAX);
            if left == 0 {
                break;
            }
            let (now, later) = rest.split_at_mut(left.min(rest.len()));
            tensor.values.fill(tensor.width, offset - begin, now);
            at += now.len() as u64;
            rest = later;
        }
        out.into()
    }
}

fn header(tensors: &[(u64, Tensor)]) -> Bytes {
    let mut json = String::from(r#"{"__metadata__":{"format":"pt"}"#);
    for (begin, tensor) in tensors {
        let shape: Vec<String> = tensor.shape.iter().map(u64::to_string).collect();
        let _ = write!(
            json,
            r#","{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{begin},{}]}}"#,
            tensor.name,
            tensor.dtype(),
            shape.join(","),
            begin + tensor.bytes(),
        );
    }
    json.push('}');
    json.push_str(&" ".repeat((8 - json.len() % 8) % 8));
    [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat().into()
}

/// Distributes tensors over files named as the Hub's are: as many as fit into `most_bytes`, or one file a layer.
pub(super) fn shards(tensors: Vec<Tensor>, most_bytes: Option<u64>) -> Vec<File> {
    let mut groups: Vec<Vec<Tensor>> = Vec::new();
    let mut filled = 0;
    for tensor in tensors {
        let new = match (most_bytes, groups.last().and_then(|group| group.last())) {
            (_, None) => true,
            (Some(limit), Some(_)) => filled + tensor.bytes() > limit,
            (None, Some(previous)) => previous.layer != tensor.layer,
        };
        if new {
            groups.push(Vec::new());
            filled = 0;
        }
        filled += tensor.bytes();
        if let Some(group) = groups.last_mut() {
            group.push(tensor);
        }
    }
    let count = groups.len();
    let name = |number: usize| format!("model-{number:05}-of-{count:05}.safetensors");
    groups.into_iter().enumerate().map(|(index, group)| File::shard(name(index + 1), group)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use safetensors::SafeTensors;

    use super::{super::values::Values, *};

    fn tensor(name: &str, width: u64, shape: &[u64]) -> Tensor {
        Tensor {
            name: name.to_owned(),
            width,
            shape: shape.to_vec(),
            values: Values::Noise { seed: 5, sd: 1.0 },
            layer: 0,
        }
    }

    fn small() -> File {
        File::shard(
            "model.safetensors".to_owned(),
            vec![tensor("b", 2, &[3, 5]), tensor("a", 2, &[7]), tensor("c", 4, &[2]), tensor("empty", 2, &[0])],
        )
    }

    #[test]
    fn a_shard_is_a_valid_safetensors_file_with_wide_types_first() {
        let shard = small();
        let file = shard.read(ByteRange::new(0, shard.len()));
        assert_eq!(file.len() as u64, shard.len());
        let (header_len, metadata) = SafeTensors::read_metadata(&file).unwrap();
        assert_eq!(8 + header_len + metadata.data_len(), file.len());
        assert_eq!(header_len % 8, 0);
        assert_eq!(metadata.offset_keys()[0], "c");
        assert_eq!(metadata.info("b").unwrap().shape, [3, 5]);
    }

    proptest! {
        #[test]
        fn any_range_equals_the_whole_file_there(start in 0_u64..400, len in 0_u64..400) {
            let shard = small();
            let whole = shard.read(ByteRange::new(0, shard.len()));
            let end = (start + len).min(shard.len());
            let expected = whole.get(usize::try_from(start).unwrap()..usize::try_from(end).unwrap()).unwrap_or_default();
            prop_assert_eq!(shard.read(ByteRange::new(start, start + len)), expected);
        }
    }

    #[test]
    fn a_new_file_begins_when_the_next_tensor_would_pass_the_limit() {
        let tensors = (0..5).map(|n| tensor(&format!("t{n}"), 2, &[10])).collect();
        let files = shards(tensors, Some(50));
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "model-00001-of-00003.safetensors",
                "model-00002-of-00003.safetensors",
                "model-00003-of-00003.safetensors"
            ]
        );
    }
}

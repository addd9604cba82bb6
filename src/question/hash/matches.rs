//! Tensors that are equal, whatever they are called and wherever they are.

use std::collections::BTreeMap;

use crate::{digest::TensorHash, dtype::Dtype, named::named};

/// A tensor with its digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// The model, as it was named.
    pub model: String,
    /// Its commit; empty of a folder.
    pub commit: String,
    /// The tensor's name.
    pub tensor: String,
    /// Its role; empty where no family knows.
    pub role: String,
    /// Its layer.
    pub layer: Option<u32>,
    /// Its element type.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<u64>,
    /// What identifies it.
    pub hash: TensorHash,
}

named! {
    /// In what the members of a group agree, as tables name it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Kinship {
        /// Every stored byte.
        Bytes = "bytes",
        /// Every value, once rounded to BF16; the stored bytes differ. A re-save in another type does that, and so does a change
        /// too small for BF16.
        Rounded = "bf16",
    }
}

/// Two or more equal tensors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// In what they agree.
    pub kinship: Kinship,
    /// Whether their equality is no evidence: all members are of a trivial class.
    pub trivial: bool,
    /// Positions in the list, ascending.
    pub members: Vec<usize>,
}

/// The groups of equal tensors: those that mean something first, equal bytes before equal rounded values, in the order of
/// their first members.
///
/// Equal rounded values make a group only where they join tensors whose bytes differ; it holds all tensors that have them.
/// Tensors without elements are in no group.
pub fn matches(tensors: &[Hashed]) -> Vec<Group> {
    let mut groups = Vec::new();
    for kinship in Kinship::ALL {
        let mut by_digest: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (position, tensor) in tensors.iter().enumerate() {
            let digest = match kinship {
                Kinship::Bytes => Some(&tensor.hash.sha256),
                Kinship::Rounded => tensor.hash.canonical.as_ref(),
            };
            if let Some(digest) = digest.filter(|_| !tensor.shape.contains(&0)) {
                by_digest.entry(digest).or_default().push(position);
            }
        }
        for members in by_digest.into_values() {
            let first = &tensors[members[0]].hash.sha256;
            let differ = members.iter().any(|&member| tensors[member].hash.sha256 != *first);
            if members.len() > 1 && (kinship == Kinship::Bytes || differ) {
                groups.push(Group {
                    kinship,
                    trivial: members.iter().all(|&member| tensors[member].hash.trivial.is_some()),
                    members,
                });
            }
        }
    }
    groups.sort_by(|a, b| (a.trivial, a.kinship, &a.members).cmp(&(b.trivial, b.kinship, &b.members)));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::TrivialClass;

    fn tensor(model: &str, sha256: &str, canonical: &str, trivial: Option<TrivialClass>) -> Hashed {
        Hashed {
            model: model.to_owned(),
            commit: String::new(),
            tensor: "t".to_owned(),
            role: String::new(),
            layer: None,
            dtype: Dtype::F32,
            shape: vec![64],
            hash: TensorHash { sha256: sha256.to_owned(), canonical: Some(canonical.to_owned()), trivial },
        }
    }

    #[test]
    fn equal_bytes_come_first_and_trivial_ones_last() {
        let ones = Some(TrivialClass::Constant);
        let list = [
            tensor("a", "1", "1", ones),
            tensor("a", "2", "r", None),
            tensor("b", "3", "r", None),
            tensor("b", "1", "1", ones),
            tensor("c", "3", "r", None),
            tensor("c", "4", "4", None),
        ];
        let found = matches(&list);
        let found: Vec<_> =
            found.iter().map(|group| (group.kinship, group.trivial, group.members.as_slice())).collect();
        assert_eq!(
            found,
            [
                (Kinship::Bytes, false, &[2, 4][..]),
                (Kinship::Rounded, false, &[1, 2, 4]),
                (Kinship::Bytes, true, &[0, 3]),
            ]
        );
    }

    #[test]
    fn tensors_without_elements_are_no_match() {
        let mut list =
            [tensor("a", "e", "e", Some(TrivialClass::Tiny)), tensor("b", "e", "e", Some(TrivialClass::Tiny))];
        for tensor in &mut list {
            tensor.shape = vec![0, 64];
        }
        assert_eq!(matches(&list), []);
    }
}

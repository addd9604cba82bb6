//! `families.toml` as data, and how entries take over from one another.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{FusedLayout, Role};

/// One name or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Names {
    One(String),
    Many(Vec<String>),
}

impl Names {
    pub(super) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }
}

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    #[serde(default)]
    block: BTreeMap<String, Entry>,
    family: Vec<Entry>,
}

/// One block or family as written, or a family with everything that it takes over written out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Entry {
    pub(super) name: String,
    like: Vec<String>,
    pub(super) roots: Option<Vec<String>>,
    pub(super) layer: Option<Names>,
    pub(super) model_types: Vec<String>,
    pub(super) architectures: Vec<String>,
    pub(super) zero_centred: Option<Vec<Role>>,
    pub(super) mlx_keeps_centre: Option<bool>,
    pub(super) transposed: Option<Vec<Role>>,
    pub(super) either_way: Vec<Role>,
    pub(super) interleaved: Vec<Role>,
    pub(super) buffers: Option<Vec<String>>,
    /// Templates of the main stack, by role; then those of the others.
    pub(super) names: BTreeMap<Role, Names>,
    pub(super) encoder: BTreeMap<Role, Names>,
    pub(super) decoder: BTreeMap<Role, Names>,
    pub(super) absent: BTreeMap<Role, String>,
    pub(super) fused: BTreeMap<Role, FusedLayout>,
}

/// More steps than any sensible table has; only a circle gets there.
const MAX_STEPS: usize = 16;

impl Table {
    /// Writes every family out, in the table's order. What is wrong is a mistake in this crate, found by its own tests.
    pub(super) fn resolve(&self) -> Result<Vec<Entry>, String> {
        let resolved = |entry| {
            let mut family = Entry::default();
            self.take_over(&mut family, entry, MAX_STEPS).map(|()| family)
        };
        self.family.iter().map(resolved).collect()
    }

    fn take_over(&self, family: &mut Entry, entry: &Entry, steps: usize) -> Result<(), String> {
        for like in &entry.like {
            let other = self.block.get(like).or_else(|| self.family.iter().find(|other| other.name == *like));
            let circle = || format!("`{}` is like `{like}`, which stands nowhere or leads back to it", entry.name);
            self.take_over(family, other.filter(|_| steps > 0).ok_or_else(circle)?, steps - 1)?;
        }
        let (own, before) = (entry.clone(), std::mem::take(family));
        *family = Entry {
            roots: own.roots.or(before.roots),
            layer: own.layer.or(before.layer),
            zero_centred: own.zero_centred.or(before.zero_centred),
            mlx_keeps_centre: own.mlx_keeps_centre.or(before.mlx_keeps_centre),
            transposed: own.transposed.or(before.transposed),
            buffers: own.buffers.or(before.buffers),
            names: merged(before.names, own.names),
            encoder: merged(before.encoder, own.encoder),
            decoder: merged(before.decoder, own.decoder),
            absent: before.absent.into_iter().chain(own.absent).collect(),
            fused: before.fused.into_iter().chain(own.fused).collect(),
            ..own
        };
        Ok(())
    }
}

/// A role of which an entry has an empty list is taken away.
fn merged(mut names: BTreeMap<Role, Names>, own: BTreeMap<Role, Names>) -> BTreeMap<Role, Names> {
    names.extend(own);
    names.retain(|_, names| !names.as_slice().is_empty());
    names
}

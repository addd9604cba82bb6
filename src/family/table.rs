//! `families.toml` as data, and how entries take over from one another.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{FusedLayout, Role};

/// One name or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Many(Vec<String>),
}

impl Names {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name],
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

/// One block or family as written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Entry {
    name: String,
    like: Vec<String>,
    roots: Option<Vec<String>>,
    layer: Option<Names>,
    model_types: Vec<String>,
    architectures: Vec<String>,
    zero_centred: Option<Vec<Role>>,
    mlx_keeps_centre: Option<bool>,
    transposed: Option<Vec<Role>>,
    either_way: Vec<Role>,
    interleaved: Vec<Role>,
    buffers: Option<Vec<String>>,
    names: BTreeMap<Role, Names>,
    encoder: BTreeMap<Role, Names>,
    decoder: BTreeMap<Role, Names>,
    absent: BTreeMap<Role, String>,
    fused: BTreeMap<Role, FusedLayout>,
}

/// One family with everything that it takes over written out.
#[derive(Debug, Clone, Default)]
pub(super) struct Resolved {
    pub(super) name: String,
    pub(super) roots: Vec<String>,
    pub(super) layers: Vec<String>,
    pub(super) model_types: Vec<String>,
    pub(super) architectures: Vec<String>,
    pub(super) zero_centred: Vec<Role>,
    pub(super) mlx_keeps_centre: bool,
    pub(super) transposed: Vec<Role>,
    pub(super) either_way: Vec<Role>,
    pub(super) interleaved: Vec<Role>,
    pub(super) buffers: Vec<String>,
    /// Templates of each stack, by role.
    pub(super) main: BTreeMap<Role, Vec<String>>,
    pub(super) encoder: BTreeMap<Role, Vec<String>>,
    pub(super) decoder: BTreeMap<Role, Vec<String>>,
    pub(super) absent: BTreeMap<Role, String>,
    pub(super) fused: BTreeMap<Role, FusedLayout>,
}

/// More steps than any sensible table has; only a circle gets there.
const MAX_STEPS: usize = 16;

impl Table {
    /// Writes every family out, in the table's order. What is wrong is a mistake in this crate, found by its own tests.
    pub(super) fn resolve(&self) -> Result<Vec<Resolved>, String> {
        self.family
            .iter()
            .map(|entry| {
                let mut family = Resolved::default();
                self.take_over(&mut family, entry, MAX_STEPS)?;
                family.name.clone_from(&entry.name);
                family.model_types.clone_from(&entry.model_types);
                family.architectures.clone_from(&entry.architectures);
                Ok(family)
            })
            .collect()
    }

    fn take_over(&self, family: &mut Resolved, entry: &Entry, steps: usize) -> Result<(), String> {
        for like in &entry.like {
            let other = self
                .block
                .get(like)
                .or_else(|| self.family.iter().find(|other| other.name == *like))
                .filter(|_| steps > 0)
                .ok_or_else(|| {
                    format!("`{}` is like `{like}`, which stands nowhere or leads back to it", entry.name)
                })?;
            self.take_over(family, other, steps - 1)?;
        }
        let own = entry.clone();
        family.roots = own.roots.unwrap_or_else(|| std::mem::take(&mut family.roots));
        family.layers = own.layer.map_or_else(|| std::mem::take(&mut family.layers), Names::into_vec);
        family.zero_centred = own.zero_centred.unwrap_or_else(|| std::mem::take(&mut family.zero_centred));
        family.mlx_keeps_centre = own.mlx_keeps_centre.unwrap_or(family.mlx_keeps_centre);
        family.transposed = own.transposed.unwrap_or_else(|| std::mem::take(&mut family.transposed));
        family.either_way = own.either_way;
        family.interleaved = own.interleaved;
        family.buffers = own.buffers.unwrap_or_else(|| std::mem::take(&mut family.buffers));
        for (into, names) in
            [(&mut family.main, own.names), (&mut family.encoder, own.encoder), (&mut family.decoder, own.decoder)]
        {
            for (role, names) in names {
                match names.into_vec() {
                    none if none.is_empty() => into.remove(&role),
                    names => into.insert(role, names),
                };
            }
        }
        family.absent.extend(own.absent);
        family.fused.extend(own.fused);
        Ok(())
    }
}

//! What a reader should know about a model's files: what is missing, unused, in several copies, or other than stated.

use std::collections::{BTreeMap, BTreeSet};

use super::Model;
use crate::family::LayerIndex;

impl Model {
    pub(super) fn warn_of_layout(&mut self) {
        let by_whom = if self.layout.index.is_some() { "the index names" } else { "the numbers of the files imply" };
        for shard in &self.layout.missing_shards {
            let what =
                if self.repository.is_dangling(shard) { "is a link that leads nowhere" } else { "does not exist" };
            self.warnings.push(format!("{by_whom} shard `{}`, which {what}", shard.escape_debug()));
        }
        if self.repository.is_partly_known() {
            self.warnings.push(
                "the network is switched off: only the files that the Hugging Face cache has are known".to_owned(),
            );
        }
        if let Some(named) = self.repository.renamed_from() {
            let now = self.repository.place();
            self.warnings.push(format!("`{named}` is now {now}"));
        }
        for file in &self.layout.unused {
            self.warnings.push(format!("file `{}` is not counted: {}", file.path.escape_debug(), file.why));
        }
    }

    /// Tells where index and headers do not agree: the first of either kind by name, of the others how many.
    pub(super) fn warn_of_disagreements(&mut self) {
        let Some(index) = &self.index else { return };
        let (mut missing, mut unknown) = (Named::default(), Named::default());
        for (shard, header) in &self.headers {
            let [absent, beyond] = index.disagreements(shard, header);
            let told = shard.escape_debug();
            for name in absent {
                missing.add(|| format!("tensor `{}` is in the index, but not in shard `{told}`", name.escape_debug()));
            }
            // A copy that does not count is told as one.
            let is_copy = |name: &str| self.find(name).is_ok_and(|(counted, _)| counted != shard);
            for name in beyond.into_iter().filter(|name| !is_copy(name)) {
                unknown.add(|| format!("tensor `{}` of shard `{told}` is not in the index", name.escape_debug()));
            }
        }
        let told = [missing.told("are in the index, but not in their shards"), unknown.told("are not in the index")];
        self.warnings.extend(told.into_iter().flatten());
    }

    /// Tells a total size that the index states and that is not that of its tensors.
    pub(super) fn warn_of_size(&mut self) {
        let Some(index) = self.index.as_ref().filter(|_| self.layout.missing_shards.is_empty()) else { return };
        if self.headers.len() < self.layout.shards.len() {
            return;
        }
        let bytes: u64 = self.counted().map(|(_, info)| info.range.len()).fold(0, u64::saturating_add);
        let stated = match (&index.total_size, &index.unclear_size) {
            (Some(stated), _) if *stated != bytes => format!("{stated} bytes"),
            (None, Some(text)) => format!("`{}`", text.escape_debug()),
            _ => return,
        };
        self.warnings.push(format!("the index states a total size of {stated}, and its tensors have {bytes} bytes"));
    }

    /// Tells layers past the last that the configuration states, where nothing says that they predict further tokens.
    pub(super) fn warn_of_layers_past(&mut self) {
        let Some(stated) = self.config.num_hidden_layers.filter(|_| !self.config.predicts) else { return };
        let past = self.names().into_iter().filter_map(|name| self.slot_of(name)).filter(|slot| slot.mtp);
        let past: BTreeSet<LayerIndex> = past.filter_map(|slot| slot.layer).collect();
        if let (Some(first), Some(last)) = (past.first(), past.last()) {
            self.warnings.push(format!(
                "the configuration states {stated} layers, and tensors of layers {first} to {last} are there as well: they are kept apart"
            ));
        }
    }

    /// Names the copies of a tensor that do not count, and those of which none does.
    pub(super) fn warn_of_copies(&mut self) {
        if self.headers.len() < 2 {
            return;
        }
        let mut holders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (shard, header) in &self.headers {
            for info in &header.tensors {
                holders.entry(&info.name).or_default().push(shard);
            }
        }
        let several = holders.into_iter().filter(|(_, shards)| shards.len() > 1);
        let told = |(name, shards): (&str, Vec<&str>)| match self.find(name) {
            Ok((counted, _)) => {
                let others = shards.into_iter().filter(|shard| *shard != counted);
                let others: Vec<String> = others.map(|shard| format!("`{}`", shard.escape_debug())).collect();
                format!(
                    "tensor `{}` counts as it is in shard `{}`, which the index names; its copy in {} does not",
                    name.escape_debug(),
                    counted.escape_debug(),
                    others.join(", ")
                )
            }
            Err(reason) => format!("tensor `{}` does not count: {reason}", name.escape_debug()),
        };
        let mut copies = Named::default();
        several.for_each(|holders| copies.add(|| told(holders)));
        self.warnings.extend(copies.told("have several copies"));
    }
}

/// Warnings of one kind: the first in full, and how many more there are.
#[derive(Default)]
struct Named {
    first: Vec<String>,
    more: usize,
}

/// Tensors of one kind that are named; a file may have a million.
const MOST_NAMED: usize = 20;

impl Named {
    fn add(&mut self, told: impl FnOnce() -> String) {
        if self.first.len() < MOST_NAMED {
            self.first.push(told());
        } else {
            self.more += 1;
        }
    }

    fn told(self, what: &str) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("{} more tensors {what}", self.more));
        self.first.into_iter().chain(more).collect()
    }
}

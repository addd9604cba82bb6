//! Which models meet, and what each pair has in common.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ask::{ChunkCorpus, ChunkModel},
    fingerprints::NodeIndex,
    row::{Method, TensorRow, Verdict},
    tensors::{Side, rows},
    terms::{Span, TermIndex},
};
use crate::hub::Unexamined;

/// Distinct chunks below which a pair of models is not spoken of: about a megabyte.
pub const FEW_CHUNKS: u64 = 16;

/// What models have in common.
#[derive(Debug)]
pub struct ChunksAnswer {
    /// The models, and what is known of their files.
    pub corpus: ChunkCorpus,
    /// One model with itself, or two with each other; of a longer list each model with those before it in which its files or chunks
    /// are first found.
    pub pairs: Vec<ChunkPair>,
    /// Bytes of weights that were read to decide the rest; `None` where none were.
    pub bytes_read: Option<u64>,
}

/// Two models, or one with itself.
#[derive(Debug)]
pub struct ChunkPair {
    /// Place of the first in the list.
    pub a: usize,
    /// Place of the second.
    pub b: usize,
    /// Tensors of the second, each beside one of the first.
    pub tensors: Vec<TensorRow>,
    /// Distinct stored chunks outside of buffers that both have; those of equal files, which are not looked into, are not among them.
    pub distinct_chunks: u64,
    /// Whether more runs meet than could be looked at, so that less is shown than there is.
    pub is_cut: bool,
}

impl ChunkPair {
    /// Bytes of the second model that also stand in the first, at least, without those that are no evidence.
    pub fn shared_bytes(&self) -> u64 {
        let telling = self.tensors.iter().filter(|row| row.trivial.is_none());
        telling.map(|row| row.same + row.moved).sum()
    }

    /// How many tensors have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.tensors.iter().filter(|row| row.verdict == verdict).count()
    }

    /// Tensors that are identical without a byte of them read, by their names in both models: by what they are.
    pub fn proven<'c>(&self, models: &'c [ChunkModel]) -> BTreeMap<(&'c str, &'c str), Method> {
        let name = |model: usize, tensor: usize| models[model].tensors[tensor].name.as_str();
        let identical = self.tensors.iter().filter(|row| row.verdict == Verdict::Identical);
        identical.filter_map(|row| Some(((name(self.a, row.a?), name(self.b, row.b)), row.method?))).collect()
    }

    /// Whether the first is among what the card of the second names, or the other way round: as "card's model, relation".
    pub fn claimed(&self, models: &[ChunkModel]) -> Option<String> {
        let by = |of: usize, base: usize| {
            let claim = models[of].claim.as_ref()?;
            claim.bases.iter().any(|id| id.eq_ignore_ascii_case(&models[base].model)).then(|| {
                let relation = claim.relation.as_deref().unwrap_or("derived");
                format!("{}: {relation} of {}", models[of].model, models[base].model)
            })
        };
        by(self.b, self.a).or_else(|| by(self.a, self.b))
    }
}

impl ChunksAnswer {
    /// Meets the models of a corpus.
    pub fn of(mut corpus: ChunkCorpus) -> Self {
        let index = TermIndex::new(corpus.contents.iter().map(|content| content.terms.as_slice()), &corpus.lengths);
        for &content in index.inconsistent() {
            let reason = "two terms of one stored block give its chunks different lengths".to_owned();
            corpus.contents[content as usize].unexamined = Some((Unexamined::Inconsistent, reason));
        }
        let nodes = NodeIndex::new(corpus.contents.iter().map(|content| content.nodes.as_slice()));
        for content in &mut corpus.contents {
            // The indexes have them.
            (content.terms, content.nodes) = (Vec::new(), Vec::new());
        }
        let contents: Vec<Vec<u32>> =
            corpus.models.iter().map(|model| model.files.iter().map(|file| file.content).collect()).collect();
        let unexamined =
            |content: u32| corpus.contents.get(content as usize)?.unexamined.as_ref().map(|(state, _)| *state);
        let constant = |content, range| index.constant_bytes(content, range);
        let is_cut = |model: usize| contents[model].iter().any(|&content| corpus.contents[content as usize].is_cut);
        let meet = |(a, b): (usize, usize)| {
            let sides = [a, b].map(|model| Side::new(&corpus.models[model].tensors, &contents[model]));
            let by_terms = index.spans(&contents[a], &contents[b], a == b);
            let by_nodes = nodes.spans(&contents[a], &contents[b], a == b);
            let spans = [by_terms.spans, by_nodes.spans].concat();
            let tells = |span: &Span| sides[1].has_weights_in(span);
            ChunkPair {
                a,
                b,
                distinct_chunks: TermIndex::distinct_chunks(&spans, tells).max(NodeIndex::chunks(&spans, tells)),
                tensors: rows([&sides[0], &sides[1]], &spans, &unexamined, &constant, a == b),
                is_cut: by_terms.is_cut || by_nodes.is_cut || [a, b].into_iter().any(is_cut),
            }
        };
        let pairs = match contents.len() {
            0 => Vec::new(),
            1 => vec![meet((0, 0))],
            2 => vec![meet((0, 1))],
            _ => edges(&contents, corpus.contents.len(), &index, &nodes).into_iter().map(meet).collect(),
        };
        Self { corpus, pairs, bytes_read: None }
    }

    /// Contents that several models have, with the models: largest first.
    pub fn classes(&self) -> Vec<(u64, Vec<(usize, &str)>)> {
        let mut classes: BTreeMap<u32, Vec<(usize, &str)>> = BTreeMap::new();
        for (at, model) in self.corpus.models.iter().enumerate() {
            for file in &model.files {
                classes.entry(file.content).or_default().push((at, &file.path));
            }
        }
        let size = |content: u32| self.corpus.contents[content as usize].size;
        let several = |files: &Vec<(usize, &str)>| files.iter().any(|(model, _)| *model != files[0].0);
        let classes = classes.into_iter().filter(|(_, files)| several(files));
        let mut classes: Vec<(u64, Vec<(usize, &str)>)> =
            classes.map(|(content, files)| (size(content), files)).collect();
        classes.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        classes
    }

    /// Files of a model of which nothing is known, by the reason: the reason in short, one in full, and how many files.
    pub fn unexamined(&self, model: usize) -> BTreeMap<Unexamined, (&str, usize)> {
        let mut found: BTreeMap<Unexamined, (&str, usize)> = BTreeMap::new();
        for file in &self.corpus.models[model].files {
            if let Some((state, reason)) = &self.corpus.contents[file.content as usize].unexamined {
                found.entry(*state).or_insert((reason, 0)).1 += 1;
            }
        }
        found
    }

    /// Whether any file could not be examined, or more runs met than could be looked at.
    pub fn is_incomplete(&self) -> bool {
        let is_unknown = self.corpus.contents.iter().any(|content| content.unexamined.is_some());
        is_unknown || self.pairs.iter().any(|pair| pair.is_cut)
    }
}

/// Which models of a list are met: each with the first that has one of its files, and with those in which enough of its chunks are first
/// found. So a file or run that many have makes a row a model, and not one a pair.
fn edges(contents: &[Vec<u32>], count: usize, terms: &TermIndex, nodes: &NodeIndex) -> BTreeSet<(usize, usize)> {
    let mut first: Vec<Option<usize>> = vec![None; count];
    let mut edges = BTreeSet::new();
    for (model, contents) in contents.iter().enumerate() {
        for &content in contents {
            let holder = *first[content as usize].get_or_insert(model);
            if holder != model {
                edges.insert((holder, model));
            }
        }
    }
    let models: Vec<u32> =
        first.into_iter().map(|model| model.and_then(|model| u32::try_from(model).ok()).unwrap_or(u32::MAX)).collect();
    let chunks = terms.first_holders(&models).into_iter().chain(nodes.first_holders(&models));
    let chunks = chunks.filter(|(_, chunks)| u64::from(*chunks) >= FEW_CHUNKS);
    edges.extend(chunks.map(|((holder, model), _)| (holder as usize, model as usize)));
    edges
}

//! The replica's repositories, laid out when they are first looked at.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::Value;

use super::{
    documents,
    model::Model,
    models::{MODELS, QWEN3_4B},
    shards::{Shard, shards},
    tensors::{Tensor, consolidated_tensors, tensors},
    tokenizer::tokenizer,
};
use crate::range::ByteRange;

/// Nine synthetic models that are computed, not stored, and one more that is found by its name only.
#[derive(Debug, Clone)]
pub struct Replica {
    repos: Arc<[ReplicaRepo]>,
    beside: Arc<ReplicaRepo>,
}

impl Replica {
    /// The nine models of the study: `upstage/Solar-Open-100B`, `zai-org/GLM-4.5-Air`, `microsoft/Phi-3.5-MoE-instruct`,
    /// `mistralai/Mixtral-8x7B-Instruct-v0.1`, `mistralai/Mistral-7B-Instruct-v0.3`, `01-ai/Yi-1.5-6B-Chat`,
    /// `01-ai/Yi-1.5-9B-Chat`, `internlm/internlm2-chat-7b` and `Qwen/Qwen1.5-7B-Chat`.
    ///
    /// Independent models correlate by chance alone; Mixtral with Mistral-7B and Yi-6B with Yi-9B correlate at 0.99 in the
    /// norms of every layer that both have. Nothing is laid out before it is asked for.
    ///
    /// Beside the nine, and in no list of them, stands `Qwen/Qwen3-4B`: another width, norms on queries and keys, and tied
    /// embeddings.
    pub fn nine() -> Self {
        let repo = |model| ReplicaRepo { model, files: OnceLock::new() };
        Self { repos: MODELS.iter().map(repo).collect(), beside: Arc::new(repo(&QWEN3_4B)) }
    }

    /// The ids, in the order of the study.
    pub fn ids(&self) -> impl Iterator<Item = &'static str> {
        self.repos.iter().map(|repo| repo.model.id)
    }

    #[cfg(test)]
    pub(in crate::serve) fn repos(&self) -> &[ReplicaRepo] {
        &self.repos
    }

    /// The repository of this name, in the list or not; capitals make no difference.
    pub(in crate::serve) fn find(&self, id: &str) -> Option<&ReplicaRepo> {
        let all = self.repos.iter().chain(std::iter::once(self.beside.as_ref()));
        all.into_iter().find(|repo| repo.id().eq_ignore_ascii_case(id))
    }
}

/// One repository of the replica.
#[derive(Debug)]
pub(in crate::serve) struct ReplicaRepo {
    model: &'static Model,
    files: OnceLock<Vec<(String, File)>>,
}

#[derive(Debug)]
enum File {
    Text(Bytes),
    Shard(Shard),
}

impl ReplicaRepo {
    pub(in crate::serve) fn id(&self) -> &'static str {
        self.model.id
    }

    pub(in crate::serve) fn tags(&self) -> Vec<String> {
        documents::tags(self.model)
    }

    pub(in crate::serve) fn card(&self) -> Value {
        documents::card(self.model)
    }

    /// Number of elements by type, as the Hub counts them: in the shards, not once more in a consolidated file.
    pub(in crate::serve) fn parameters(&self) -> Vec<(&'static str, u64)> {
        let mut counts = [("BF16", 0), ("F32", 0)];
        let shards = self.files().iter().filter(|(path, _)| path.starts_with("model-"));
        for tensor in shards.filter_map(|(_, file)| file.shard()).flat_map(Shard::tensors) {
            counts[usize::from(tensor.width == 4)].1 += Tensor::elements(tensor);
        }
        counts.into_iter().filter(|&(_, count)| count > 0).collect()
    }

    /// Path and size of each file, in the order of paths.
    pub(in crate::serve) fn entries(&self) -> Vec<(String, u64)> {
        self.files().iter().map(|(path, file)| (path.clone(), file.len())).collect()
    }

    /// The whole of a text file; `None` for a shard.
    pub(in crate::serve) fn text(&self, path: &str) -> Option<Bytes> {
        match self.file(path)? {
            File::Text(text) => Some(text.clone()),
            File::Shard(_) => None,
        }
    }

    /// Bytes of a file; what lies beyond its end is left out.
    pub(in crate::serve) fn read(&self, path: &str, range: ByteRange) -> Option<Bytes> {
        match self.file(path)? {
            File::Shard(shard) => Some(shard.read(range).into()),
            File::Text(text) => {
                let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
                Some(text.slice(at(range.start)..at(range.end)))
            }
        }
    }

    fn file(&self, path: &str) -> Option<&File> {
        let files = self.files();
        let found = files.binary_search_by(|(name, _)| name.as_str().cmp(path)).ok()?;
        files.get(found).map(|(_, file)| file)
    }

    fn files(&self) -> &[(String, File)] {
        self.files.get_or_init(|| {
            let model = self.model;
            let shards = shards(tensors(model), model.sharding);
            let text = |path: &str, text: String| (path.to_owned(), File::Text(text.into()));
            let mut files = vec![
                text(".gitattributes", "*.safetensors filter=lfs diff=lfs merge=lfs -text\n".to_owned()),
                text("README.md", documents::readme(model)),
                text("config.json", documents::config(model)),
                text("model.safetensors.index.json", documents::index(&shards)),
            ];
            files.extend(tokenizer(model).map(|json| text("tokenizer.json", json)));
            if model.consolidated {
                let name = "consolidated.safetensors".to_owned();
                let shard = Shard::new(name.clone(), consolidated_tensors(model));
                files.push((name, File::Shard(shard)));
                files.push(text("params.json", documents::params(model)));
            }
            files.extend(shards.into_iter().map(|shard| (shard.name.clone(), File::Shard(shard))));
            files.sort_by(|a, b| a.0.cmp(&b.0));
            files
        })
    }
}

impl File {
    fn len(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Shard(shard) => shard.len(),
        }
    }

    fn shard(&self) -> Option<&Shard> {
        match self {
            Self::Text(_) => None,
            Self::Shard(shard) => Some(shard),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norm(repo: &ReplicaRepo, layer: u64) -> Vec<f64> {
        let names = [
            format!("model.layers.{layer}.input_layernorm.weight"),
            format!("model.layers.{layer}.attention_norm.weight"),
        ];
        let shard = repo.files().iter().filter(|(path, _)| path.starts_with("model-"));
        let tensor = shard
            .filter_map(|(_, file)| file.shard())
            .flat_map(Shard::tensors)
            .find(|tensor| names.contains(&tensor.name))
            .unwrap();
        let mut bytes = vec![0; 8192];
        tensor.values.fill(2, 0, &mut bytes);
        let values = bytes.chunks_exact(2).map(|pair| half::bf16::from_le_bytes([pair[0], pair[1]]).to_f64());
        values.collect()
    }

    fn moments(x: &[f64]) -> (f64, f64) {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let variance = x.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / x.len() as f64;
        (mean, variance.sqrt())
    }

    fn pearson(x: &[f64], y: &[f64]) -> f64 {
        let ((mx, sx), (my, sy)) = (moments(x), moments(y));
        let sum: f64 = x.iter().zip(y).map(|(a, b)| (a - mx) * (b - my)).sum();
        sum / (x.len() as f64 * sx * sy)
    }

    fn cosine(x: &[f64], y: &[f64]) -> f64 {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        dot(x, y) / (dot(x, x) * dot(y, y)).sqrt()
    }

    #[test]
    fn the_number_of_shards_is_that_of_the_study() {
        let replica = Replica::nine();
        let counts: Vec<usize> = replica
            .repos()
            .iter()
            .map(|repo| repo.entries().iter().filter(|(path, _)| path.starts_with("model-")).count())
            .collect();
        assert_eq!(counts, [42, 47, 17, 19, 3, 3, 4, 8, 4]);
        let total: u64 = replica.repos().iter().flat_map(ReplicaRepo::entries).map(|(_, size)| size).sum();
        assert_eq!(total / 1_000_000_000, 693, "{total} bytes");
    }

    #[test]
    fn layers_lie_in_the_shards_where_the_study_found_them() {
        let replica = Replica::nine();
        let shard_of = |repo: usize, layer: u64| {
            let repo = &replica.repos()[repo];
            let index = repo.text("model.safetensors.index.json").unwrap();
            let index: Value = serde_json::from_slice(&index).unwrap();
            let name = format!("model.layers.{layer}.input_layernorm.weight");
            index["weight_map"][name].as_str().unwrap()[6..11].parse::<u32>().unwrap()
        };
        let layers = [0, 5, 10, 15, 20, 25, 30, 40];
        assert_eq!(layers.map(|layer| shard_of(0, layer)), [2, 6, 10, 14, 19, 23, 27, 35]);
        assert_eq!(layers.map(|layer| shard_of(1, layer)), [1, 6, 11, 16, 21, 26, 31, 41]);
    }

    #[test]
    fn every_header_describes_exactly_its_file() {
        for repo in Replica::nine().repos() {
            for (_, file) in repo.files() {
                let Some(shard) = file.shard() else { continue };
                let header = shard.header();
                let metadata: safetensors::tensor::Metadata = serde_json::from_slice(&header[8..]).unwrap();
                assert_eq!((header.len() + metadata.data_len()) as u64, shard.len(), "{}", shard.name);
            }
        }
    }

    #[test]
    fn only_the_planted_pairs_correlate_at_layer_ten() {
        let replica = Replica::nine();
        let norms: Vec<Vec<f64>> = replica.repos().iter().map(|repo| norm(repo, 10)).collect();
        for (i, x) in norms.iter().enumerate() {
            for (j, y) in norms.iter().enumerate().skip(i + 1) {
                let r = pearson(x, y);
                if (i, j) == (3, 4) || (i, j) == (5, 6) {
                    assert!((r - 0.995).abs() < 0.002, "{i} {j}: {r}");
                } else {
                    assert!(r.abs() < 0.06, "{i} {j}: {r}");
                }
            }
        }
    }

    #[test]
    fn means_spreads_and_layers_are_those_of_the_study() {
        let replica = Replica::nine();
        let solar = |layer| norm(&replica.repos()[0], layer);
        let (mean, sd) = moments(&solar(10));
        assert!((mean - 0.2357).abs() < 0.002 && (sd - 0.041).abs() < 0.001, "{mean} {sd}");
        let odd = cosine(&solar(0), &solar(10));
        assert!((odd - 0.373).abs() < 0.03, "{odd}");
        let near = pearson(&solar(10), &solar(11));
        assert!((0.5..0.8).contains(&near), "{near}");
    }
}

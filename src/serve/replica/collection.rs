//! The replica's repositories, laid out when they are first looked at.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use serde_json::Value;

use super::{
    documents,
    file::{File, shards},
    model::{Model, models},
    tensors::{consolidated_tensors, tensors},
    tokenizer::tokenizer,
};
use crate::{
    digest::{sha256_hex, xet::Chunker},
    range::ByteRange,
    serve::repo::{Digests, Entry, Repo},
};

/// Nine synthetic models that are computed, not stored, and one more that is found by its name only.
#[derive(Debug, Clone)]
pub struct Replica(Arc<[(Model, OnceLock<Vec<File>>)]>);

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
        Self(models().into_iter().map(|model| (model, OnceLock::new())).collect())
    }

    /// The ids, in the order of the study.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(model, _)| model.listed).map(|(model, _)| model.id.as_str())
    }

    /// The repository of this name, in the list or not; capitals make no difference.
    pub(in crate::serve) fn find(&self, id: &str) -> Option<Repo> {
        let (model, files) = self.model(id)?;
        let entries = files.iter().map(|file| Entry { path: file.name.clone(), size: file.len() });
        Some(Repo {
            id: model.id.clone(),
            commit: sha256_hex(format!("replica:{}", model.id).as_bytes())[..40].to_owned(),
            modified: "2026-01-01T00:00:00.000Z".to_owned(),
            gated: Value::Bool(false),
            tags: documents::tags(model),
            card: documents::card(model),
            entries: entries.collect(),
            ..Repo::default()
        })
    }

    /// What names the content of a file. For a shard, whose bytes are never hashed, the SHA-256 is that of
    /// `replica:` + id + `/` + path: stable and unique, but not the digest of the bytes that are served; and it has no name in Xet
    /// storage.
    pub(in crate::serve) fn digests(&self, id: &str, entry: &Entry) -> io::Result<Digests> {
        let Some(content) = self.file(id, &entry.path)?.text() else {
            let content = format!("replica:{id}/{}", entry.path);
            return Ok(Digests::of(entry, &sha256_hex(content.as_bytes()), content.as_bytes()));
        };
        let mut chunker = Chunker::default();
        if entry.is_large() {
            chunker.update(&content);
        }
        Ok(Digests::of(entry, &sha256_hex(&content), &content).chunked(chunker.finish()))
    }

    /// Bytes of a file; what lies beyond its end is left out.
    pub(in crate::serve) fn read(&self, id: &str, path: &str, range: ByteRange) -> io::Result<Bytes> {
        Ok(self.file(id, path)?.read(range))
    }

    /// Number of elements by type, as the Hub counts them: in the shards, not once more in a consolidated file.
    pub(in crate::serve) fn parameters(&self, id: &str) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        let files = self.model(id).into_iter().flat_map(|(_, files)| files);
        for tensor in files.filter(|file| file.name.starts_with("model-")).flat_map(File::tensors) {
            *counts.entry(tensor.dtype().to_owned()).or_default() += tensor.elements();
        }
        counts
    }

    /// A model and its files, which are laid out when they are first asked for.
    fn model(&self, id: &str) -> Option<(&Model, &[File])> {
        let (model, files) = self.0.iter().find(|(model, _)| model.id.eq_ignore_ascii_case(id))?;
        Some((model, files.get_or_init(|| laid_out(model))))
    }

    fn file(&self, id: &str, path: &str) -> io::Result<&File> {
        let (_, files) = self.model(id).ok_or(io::ErrorKind::NotFound)?;
        let found = files.binary_search_by(|file| file.name.as_str().cmp(path)).ok();
        found.and_then(|at| files.get(at)).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// The files of a model, in the order of their names.
fn laid_out(model: &Model) -> Vec<File> {
    let shards = shards(tensors(model), model.shard_bytes);
    let mut files = vec![
        File::from_text(".gitattributes", "*.safetensors filter=lfs diff=lfs merge=lfs -text\n".to_owned()),
        File::from_text("README.md", documents::readme(model)),
        File::from_text("config.json", documents::config(model)),
        File::from_text("model.safetensors.index.json", documents::index(&shards)),
    ];
    files.extend(tokenizer(model).map(|json| File::from_text("tokenizer.json", json)));
    if model.consolidated {
        files.push(File::shard("consolidated.safetensors".to_owned(), consolidated_tensors(model)));
        files.push(File::from_text("params.json", documents::params(model)));
    }
    files.extend(shards);
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norm(model: &Model, layer: u64) -> Vec<f64> {
        let names = [
            format!("model.layers.{layer}.input_layernorm.weight"),
            format!("model.layers.{layer}.attention_norm.weight"),
        ];
        let files = laid_out(model);
        let shards = files.iter().filter(|file| file.name.starts_with("model-"));
        let tensor = shards.flat_map(File::tensors).find(|tensor| names.contains(&tensor.name)).unwrap();
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
        let models: Vec<Vec<File>> = models().iter().filter(|model| model.listed).map(laid_out).collect();
        let shards = |files: &Vec<File>| files.iter().filter(|file| file.name.starts_with("model-")).count();
        assert_eq!(models.iter().map(shards).collect::<Vec<_>>(), [42, 47, 17, 19, 3, 3, 4, 8, 4]);
        let total: u64 = models.iter().flatten().map(File::len).sum();
        assert_eq!(total / 1_000_000_000, 693, "{total} bytes");
    }

    #[test]
    fn layers_lie_in_the_shards_where_the_study_found_them() {
        let replica = Replica::nine();
        let shard_of = |repo: usize, layer: u64| {
            let index = replica.file(&replica.0[repo].0.id, "model.safetensors.index.json").unwrap().text().unwrap();
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
        for model in models() {
            for shard in laid_out(&model).iter().filter(|file| file.text().is_none()) {
                let length = shard.len() - shard.data_len();
                let header = shard.read(ByteRange::new(8, length));
                let metadata: safetensors::tensor::Metadata = serde_json::from_slice(&header).unwrap();
                assert_eq!(length + metadata.data_len() as u64, shard.len(), "{}", shard.name);
            }
        }
    }

    #[test]
    fn only_the_planted_pairs_correlate_at_layer_ten() {
        let norms: Vec<Vec<f64>> = models().iter().filter(|model| model.listed).map(|model| norm(model, 10)).collect();
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
        let models = models();
        let solar = |layer| norm(&models[0], layer);
        let (mean, sd) = moments(&solar(10));
        assert!((mean - 0.2357).abs() < 0.002 && (sd - 0.041).abs() < 0.001, "{mean} {sd}");
        let odd = cosine(&solar(0), &solar(10));
        assert!((odd - 0.373).abs() < 0.03, "{odd}");
        let near = pearson(&solar(10), &solar(11));
        assert!((0.5..0.8).contains(&near), "{near}");
    }
}

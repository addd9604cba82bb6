//! I want to know what is printed for each kind of relation: one planted pair a kind, one command each, and the sentences that
//! `docs/lineage-gallery.md` lists.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::{Map, json};

use super::lineage::{is_honest, noise};
use crate::support::{Tensor, Workspace, llama_config};

const GALLERY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/lineage-gallery.md");

const WIDTH: usize = 192;
const INNER: usize = 256;
const HEAD: usize = 32;
const LAYERS: usize = 8;
const WORDS: usize = 400;

/// A matrix, row-major; gains of a norm are one row.
#[derive(Clone)]
struct Matrix {
    columns: usize,
    values: Vec<f32>,
}

impl Matrix {
    fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    fn is_norm(&self) -> bool {
        self.rows() == 1
    }

    /// Each element changed by what `change` makes of it and its place.
    fn map(&self, change: impl Fn(usize, f32) -> f32) -> Self {
        let values = self.values.iter().enumerate().map(|(at, value)| rounded(change(at, *value)));
        Self { columns: self.columns, values: values.collect() }
    }

    /// This and `share` of its own size of `change`.
    fn plus(&self, change: &[f32], share: f32) -> Self {
        let size = |values: &[f32]| values.iter().map(|x| x * x).sum::<f32>().sqrt();
        let scale = share * size(&self.values) / size(change);
        self.map(|at, value| value + scale * change[at])
    }

    /// Rows and columns in these orders.
    fn ordered(&self, rows: &[usize], columns: &[usize]) -> Self {
        let row = |&row: &usize| columns.iter().map(move |column| self.values[row * self.columns + column]);
        Self { columns: self.columns, values: rows.iter().flat_map(row).collect() }
    }

    /// Runs of so many elements of a row, each rounded by `round`, which is given the run.
    fn by_runs(&self, length: usize, round: impl Fn(&[f32], f32) -> f32) -> Self {
        let run = |at: usize| &self.values[at - at % length..][..length];
        self.map(|at, value| round(run(at), value))
    }
}

/// To the nearest BF16.
fn rounded(value: f32) -> f32 {
    let bits = value.to_bits();
    f32::from_bits((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000)
}

/// Matrices by layer and name; those outside the layers come last.
#[derive(Clone)]
struct Checkpoint {
    layers: Vec<BTreeMap<&'static str, Matrix>>,
    outside: BTreeMap<&'static str, Matrix>,
}

type Place<'a> = (usize, &'a str);

impl Checkpoint {
    fn of(seed: u64) -> Self {
        let matrix = |salt: u64, rows: usize, columns: usize| {
            let around = if rows == 1 { 1.0 } else { 0.0 };
            let values = noise(1_000_000 * seed + salt, rows * columns).into_iter().map(|x| rounded(around + x));
            Matrix { columns, values: values.collect() }
        };
        let layer = |layer: u64| {
            let salt = 10 + 10 * layer;
            BTreeMap::from([
                ("input_layernorm", matrix(salt, 1, WIDTH)),
                ("mlp.down_proj", matrix(salt + 1, WIDTH, INNER)),
                ("mlp.up_proj", matrix(salt + 2, INNER, WIDTH)),
                ("post_attention_layernorm", matrix(salt + 3, 1, WIDTH)),
                ("self_attn.q_proj", matrix(salt + 4, WIDTH, WIDTH)),
                ("self_attn.v_proj", matrix(salt + 5, WIDTH, WIDTH)),
            ])
        };
        let outside = BTreeMap::from([("embed_tokens", matrix(1, WORDS, WIDTH)), ("norm", matrix(2, 1, WIDTH))]);
        Self { layers: (0..LAYERS as u64).map(layer).collect(), outside }
    }

    /// Every matrix changed by what `change` makes of it and its place; outside the layers the number is that of the layers.
    fn map(&self, change: impl Fn(Place<'_>, &Matrix) -> Matrix) -> Self {
        let each = |layer: usize, of: &BTreeMap<&'static str, Matrix>| {
            of.iter().map(|(name, matrix)| (*name, change((layer, name), matrix))).collect()
        };
        let layers = self.layers.iter().enumerate().map(|(layer, of)| each(layer, of)).collect();
        Self { layers, outside: each(self.layers.len(), &self.outside) }
    }

    fn get(&self, (layer, name): Place<'_>) -> &Matrix {
        &self.layers.get(layer).unwrap_or(&self.outside)[name]
    }

    /// Every matrix changed by `share` of its size, as training does: some directions more than others, elements with heavy tails, rows
    /// of different size.
    fn trained(&self, seed: u64, share: f32) -> Self {
        self.map(|place, matrix| {
            let (rows, columns, seed) = (matrix.rows(), matrix.columns, seed_of(seed, place));
            let [left, right, own] =
                [(0, rows * 8), (1, columns * 8), (2, rows * columns)].map(|(salt, count)| noise(seed + salt, count));
            let size: Vec<f32> = noise(seed + 3, rows).iter().map(|x| (1.5 * x).exp()).collect();
            let change = (0..rows * columns).map(|at| {
                let (row, column) = (at / columns, at % columns);
                let ranks = (0_u8..8)
                    .map(|k| left[row * 8 + usize::from(k)] * right[column * 8 + usize::from(k)] / f32::from(k + 1));
                ranks.sum::<f32>() + 8.0 * own[at].powi(3) * size[row]
            });
            matrix.plus(&change.collect::<Vec<f32>>(), share)
        })
    }

    /// Updates of this rank to some matrices of the layers.
    fn adapted(&self, rank: usize, share: f32, names: &[&str]) -> Self {
        self.map(|place, matrix| {
            if !names.contains(&place.1) {
                return matrix.clone();
            }
            let (rows, columns, seed) = (matrix.rows(), matrix.columns, seed_of(30, place));
            let (left, right) = (noise(seed, rows * rank), noise(seed + 1, columns * rank));
            let product = |row: &[f32], column: &[f32]| row.iter().zip(column).map(|(a, b)| a * b).sum::<f32>();
            let change = left.chunks(rank).flat_map(|row| right.chunks(rank).map(move |column| product(row, column)));
            matrix.plus(&change.collect::<Vec<f32>>(), share)
        })
    }

    /// Every element a function of those of several checkpoints.
    fn mixed(&self, others: &[&Self], mix: impl Fn(f32, &[f32]) -> f32) -> Self {
        self.map(|place, matrix| {
            matrix.map(|at, own| mix(own, &others.iter().map(|of| of.get(place).values[at]).collect::<Vec<f32>>()))
        })
    }

    /// These layers, one after the other, and the rest of the first checkpoint.
    fn of_layers(sources: &[(&Self, usize)]) -> Self {
        let layers = sources.iter().map(|(of, layer)| of.layers[*layer].clone()).collect();
        Self { layers, outside: sources[0].0.outside.clone() }
    }

    /// Matrices of the layers, rounded by `round`.
    fn quantised(&self, round: impl Fn(&Matrix) -> Matrix) -> Self {
        let layers = self.layers.len();
        self.map(|(layer, _), matrix| if layer == layers || matrix.is_norm() { matrix.clone() } else { round(matrix) })
    }

    /// Units of the MLPs and value dimensions within each head in another order in every layer.
    fn with_units_reordered(&self) -> Self {
        let same: Vec<usize> = (0..WIDTH).collect();
        self.map(|(layer, name), matrix| {
            let units = turned(INNER, layer);
            let values: Vec<usize> = (0..WIDTH / HEAD)
                .flat_map(|head| turned(HEAD, layer).into_iter().map(move |at| head * HEAD + at))
                .collect();
            match name {
                "mlp.up_proj" => matrix.ordered(&units, &same),
                "mlp.down_proj" => matrix.ordered(&same, &units),
                "self_attn.v_proj" => matrix.ordered(&values, &same),
                _ => matrix.clone(),
            }
        })
    }

    /// Hidden coordinates in another order, the same everywhere.
    fn with_coordinates_reordered(&self) -> Self {
        let order = turned(WIDTH, 0);
        self.map(|(_, name), matrix| {
            let rows: Vec<usize> = (0..matrix.rows()).collect();
            let columns: Vec<usize> = (0..matrix.columns).collect();
            if name == "mlp.down_proj" { matrix.ordered(&order, &columns) } else { matrix.ordered(&rows, &order) }
        })
    }

    fn write(&self, at: &Workspace, id: &str) {
        let tensor = |name: String, matrix: &Matrix| {
            let bytes = Tensor::bf16("", &matrix.values).bytes;
            let shape = [matrix.rows() as u64, matrix.columns as u64];
            Tensor::raw(&name, "BF16", if matrix.is_norm() { &shape[1..] } else { &shape }, bytes)
        };
        let in_layers = self.layers.iter().enumerate().flat_map(|(layer, of)| {
            of.iter().map(move |(name, matrix)| tensor(format!("model.layers.{layer}.{name}.weight"), matrix))
        });
        let outside = self.outside.iter().map(|(name, matrix)| tensor(format!("model.{name}.weight"), matrix));
        let mut config = llama_config(self.layers.len(), WIDTH);
        config["num_attention_heads"] = json!(WIDTH / HEAD);
        config["num_key_value_heads"] = json!(WIDTH / HEAD);
        at.model(id, &config, &in_layers.chain(outside).collect::<Vec<Tensor>>());
        let words = self.outside["embed_tokens"].rows();
        let pieces: Map<_, _> = (0..words).map(|id| (format!("\u{120}word{id}"), json!(id))).collect();
        let tokenizer = json!({
            "added_tokens": [],
            "pre_tokenizer": { "type": "ByteLevel" },
            "model": { "type": "BPE", "vocab": pieces, "merges": [] },
        });
        at.file(id, "tokenizer.json", tokenizer.to_string());
    }
}

/// A seed of its own for every matrix.
fn seed_of(seed: u64, (layer, name): Place<'_>) -> u64 {
    let of_name = name.bytes().fold(0_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 9973);
    1_000_000_000 * seed + 10_000_000 * layer as u64 + 10 * of_name
}

/// An order in which nothing stays where it was.
fn turned(count: usize, layer: usize) -> Vec<usize> {
    (0..count).map(|at| (at * 35 + 11 + 2 * layer) % count).collect()
}

/// The largest of the sizes.
fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |most, x| most.max(x.abs()))
}

/// The size that so large a share of the differences are below.
fn cut(base: &Matrix, child: &Matrix, share: f32) -> f32 {
    let mut sizes: Vec<f32> = base.values.iter().zip(&child.values).map(|(a, b)| (b - a).abs()).collect();
    sizes.sort_by(f32::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a list"
    )]
    let place = (share * sizes.len() as f32) as usize;
    sizes[place]
}

/// The largest fifth of each child's changes; where both change an element to one side, their mean, else the larger of the two.
fn trimmed_and_merged(base: &Checkpoint, children: [&Checkpoint; 2]) -> Checkpoint {
    base.map(|place, matrix| {
        let of = children.map(|child| child.get(place));
        let cuts = of.map(|child| cut(matrix, child, 0.8));
        matrix.map(|at, own| {
            let changes = [0, 1].map(|child| of[child].values[at] - own);
            let [a, b] = [0, 1].map(|child| if changes[child].abs() >= cuts[child] { changes[child] } else { 0.0 });
            let sum = a + b;
            let agreeing: Vec<f32> = [a, b].into_iter().filter(|x| x * sum > 0.0).collect();
            own + agreeing.iter().sum::<f32>() / f32::from(u8::try_from(agreeing.len().max(1)).unwrap())
        })
    })
}

/// One of ten changes, ten times as large, chosen without regard to its size.
fn dropped(base: &Checkpoint, child: &Checkpoint) -> Checkpoint {
    base.map(|place, matrix| {
        let chance = noise(seed_of(51, place), matrix.values.len());
        let of_child = &child.get(place).values;
        matrix.map(|at, own| if chance[at] < -0.4 { own + 10.0 * (of_child[at] - own) } else { own })
    })
}

fn grown(base: &Checkpoint, words: usize) -> Checkpoint {
    let mut grown = base.clone();
    let table = grown.outside.get_mut("embed_tokens").unwrap();
    table.values.extend(noise(60, words * WIDTH).into_iter().map(rounded));
    grown
}

/// Every checkpoint of the gallery, under `gallery/`.
fn place() -> (Workspace, BTreeSet<String>) {
    let (base, other) = (Checkpoint::of(1), Checkpoint::of(2));
    let [one, two] = [(41, 0.1), (42, 0.08)].map(|(seed, share)| base.trained(seed, share));
    let layers = |numbers: &[usize]| numbers.iter().map(|&layer| (&base, layer)).collect::<Vec<_>>();
    let pruned = Checkpoint::of_layers(&layers(&[0, 1, 2, 4, 6, 7])).trained(71, 0.05);
    let upscaled = Checkpoint::of_layers(&layers(&[0, 1, 2, 3, 4, 5, 2, 3, 4, 5, 6, 7])).trained(72, 0.1);
    let assembled: Vec<(&Checkpoint, usize)> =
        (0..LAYERS).map(|layer| (if layer < 4 { &base } else { &other }, layer)).collect();
    let by_rows = |matrix: &Matrix| {
        matrix.by_runs(matrix.columns, |row, value| {
            let step = largest(row) / 127.0;
            (value / step).round() * step
        })
    };
    // Sixteen levels for 32 elements; the largest of them is the lowest level.
    let by_runs = |matrix: &Matrix| {
        matrix.by_runs(32, |run, value| {
            let top = run.iter().fold(0.0_f32, |top, x| if x.abs() > top.abs() { *x } else { top });
            let step = top / -8.0;
            (value / step).round().clamp(-8.0, 7.0) * step
        })
    };
    let checkpoints = [
        ("trained", one.clone()),
        ("pruned", pruned),
        ("upscaled", upscaled),
        ("assembled", Checkpoint::of_layers(&assembled)),
        ("linear", one.mixed(&[&two], |one, others| 0.3 * one + 0.7 * others[0])),
        ("ties", trimmed_and_merged(&base, [&one, &two])),
        ("dare", dropped(&base, &one)),
        ("lora-8", base.adapted(8, 0.05, &["self_attn.q_proj", "self_attn.v_proj"])),
        ("lora-64", base.adapted(64, 0.1, &["self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj", "mlp.down_proj"])),
        ("int8", base.quantised(by_rows)),
        ("q4", base.quantised(by_runs)),
        ("grown", grown(&base, 40)),
        ("units-reordered", one.with_units_reordered()),
        ("basis-reordered", one.with_coordinates_reordered()),
        ("both-reordered", one.with_units_reordered().with_coordinates_reordered()),
        ("two", two),
        ("other", other),
        ("base", base),
    ];
    let mut at = Workspace::new();
    let mut ids = BTreeSet::new();
    for (name, checkpoint) in checkpoints {
        let id = format!("gallery/{name}");
        checkpoint.write(&at, &id);
        if let Some(folder) = std::env::var_os("HUB_AUDIT_GALLERY") {
            keep(&at.repo(&id), &Path::new(&folder).join(&id));
        }
        ids.insert(id);
    }
    at.serve();
    (at, ids)
}

/// For whoever wants to run the commands.
fn keep(checkpoint: &Path, at: &Path) {
    fs_err::create_dir_all(at).unwrap();
    for file in fs_err::read_dir(checkpoint).unwrap().map(Result::unwrap) {
        fs_err::copy(file.path(), at.join(file.file_name())).unwrap();
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_kind_of_relation_is_said_as_the_gallery_lists_it() {
    let (at, mut unseen) = place();
    let gallery = fs_err::read_to_string(GALLERY).unwrap();
    let blocks: Vec<&str> = gallery.split("```console\n$ hub-audit ").skip(1).collect();
    assert!(blocks.len() >= 16, "{}", blocks.len());
    for block in blocks {
        let (command, said) = block.split("```").next().unwrap().split_once('\n').unwrap();
        let arguments: Vec<&str> = command.split(' ').collect();
        for argument in &arguments {
            unseen.remove(*argument);
        }
        let outcome = at.run(&arguments).expect(0);
        is_honest(&outcome);
        let printed = words(&outcome.stdout);
        for sentence in said.lines().filter(|line| !line.is_empty()) {
            assert!(printed.contains(&words(sentence)), "`{sentence}` is not in what `{command}` prints:\n{outcome}");
        }
    }
    assert!(unseen.is_empty(), "not in the gallery: {unseen:?}");
}

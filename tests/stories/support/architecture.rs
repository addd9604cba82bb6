//! Checkpoints of many architectures, made from `fixtures/architectures.toml`: which tensors a layout stores, and how each is
//! made of the model's weights. Nothing here knows a name of a tensor.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{LazyLock, Mutex},
    thread,
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Tensor, Workspace, gain, shard_with};

/// The table as data.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    sizes: BTreeMap<String, usize>,
    shapes: BTreeMap<String, Vec<String>>,
    configs: BTreeMap<String, toml::Table>,
    names: BTreeMap<String, BTreeMap<String, Made>>,
    pub(crate) architecture: Vec<Architecture>,
}

/// An architecture, and the layouts in which its models are saved. The first is the one as published.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Architecture {
    pub(crate) name: String,
    config: toml::Table,
    pub(crate) layout: Vec<Layout>,
    /// What `lineage` is asked of it.
    #[serde(default)]
    pub(crate) lineage: Vec<String>,
    /// Sizes of its own.
    #[serde(default)]
    sizes: BTreeMap<String, usize>,
}

/// One way to save a model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layout {
    pub(crate) called: String,
    /// Blocks of names.
    names: Vec<String>,
    /// Beginnings of names, and what stands in their place.
    #[serde(default)]
    renamed: BTreeMap<String, String>,
    /// The file of the weights.
    #[serde(default = "model_file")]
    file: String,
    /// The file of the configuration; the architecture's own unless `config` is given.
    #[serde(default = "config_file")]
    config_file: String,
    config: Option<toml::Table>,
    #[serde(default = "format")]
    format: String,
    /// Beginnings of names that do not meet the published ones, each with words of the reason.
    #[serde(default)]
    pub(crate) apart: BTreeMap<String, String>,
    /// Groups that `lineage` cannot set beside those of the published layout, each with its reason.
    #[serde(default)]
    pub(crate) units_apart: BTreeMap<String, String>,
}

fn model_file() -> String {
    "model.safetensors".to_owned()
}

fn config_file() -> String {
    "config.json".to_owned()
}

fn format() -> String {
    "pt".to_owned()
}

/// How a stored tensor is made: its sources (all experts in turn where the name does not say which), each seen in the shape `view`,
/// joined along `axis`, cut into the shape `cut`, the axes put into the order `turn`, and stored in the shape `shape`. An extent
/// is a formula of sizes; `*` is what is left.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Made {
    As(String),
    Of(Recipe),
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Recipe {
    from: Vec<String>,
    view: Option<Vec<String>>,
    axis: usize,
    cut: Option<Vec<String>>,
    turn: Option<Vec<usize>>,
    shape: Option<Vec<String>>,
    add: f32,
}

/// Values in rows.
#[derive(Debug, Clone)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl Array {
    fn seen(mut self, shape: Vec<usize>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), self.values.len(), "{shape:?} of {:?}", self.shape);
        self.shape = shape;
        self
    }

    fn joined(arrays: &[Self], axis: usize) -> Self {
        let mut shape = arrays[0].shape.clone();
        shape[axis] = arrays.iter().map(|array| array.shape[axis]).sum();
        let before: usize = shape[..axis].iter().product();
        let mut values = Vec::new();
        for outer in 0..before {
            for array in arrays {
                let run = array.values.len() / before;
                values.extend_from_slice(&array.values[outer * run..(outer + 1) * run]);
            }
        }
        Self { shape, values: Vec::new() }.with(values)
    }

    fn with(mut self, values: Vec<f32>) -> Self {
        assert_eq!(self.shape.iter().product::<usize>(), values.len());
        self.values = values;
        self
    }

    fn turned(&self, order: &[usize]) -> Self {
        let shape: Vec<usize> = order.iter().map(|&axis| self.shape[axis]).collect();
        let stride = |axis: usize| self.shape[axis + 1..].iter().product::<usize>();
        let strides: Vec<usize> = order.iter().map(|&axis| stride(axis)).collect();
        let place = |mut at: usize| {
            let mut found = 0;
            for (extent, stride) in shape.iter().zip(&strides).rev() {
                found += at % extent * stride;
                at /= extent;
            }
            found
        };
        let values = (0..self.values.len()).map(|at| self.values[place(at)]).collect();
        Self { shape: shape.clone(), values: Vec::new() }.with(values)
    }

    /// The indices of an axis in another order.
    pub(crate) fn reordered(&self, axis: usize, order: &[usize]) -> Self {
        let run: usize = self.shape[axis + 1..].iter().product();
        let period = run * self.shape[axis];
        let outer = 0..self.values.len() / period;
        let of = |at: usize| order.iter().map(move |index| at * period + index * run);
        let values = outer.flat_map(of).flat_map(|first| self.values[first..first + run].to_vec()).collect();
        Self { shape: self.shape.clone(), values: Vec::new() }.with(values)
    }
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/architectures.toml");
    toml::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
});

/// A model's weights, each as a Linear has it, by what it is called in the table.
pub(crate) type Weights = BTreeMap<String, Array>;

/// An architecture at certain sizes.
pub(crate) struct Sized<'t> {
    table: &'t Table,
    pub(crate) of: &'t Architecture,
    pub(crate) sizes: BTreeMap<String, usize>,
}

/// All architectures, at the sizes of the table, with others in their place.
pub(crate) fn architectures(sizes: &[(&str, usize)]) -> impl Iterator<Item = Sized<'static>> {
    let table = &*TABLE;
    table.architecture.iter().map(move |of| {
        let mut known = table.sizes.clone();
        known.extend(of.sizes.clone());
        known.extend(sizes.iter().map(|&(name, size)| (name.to_owned(), size)));
        Sized { table, of, sizes: known }
    })
}

impl Sized<'_> {
    /// What `extent` comes to: a sum of products of sizes and numbers.
    fn extent(&self, formula: &str) -> usize {
        let factor = |word: &str| word.parse().unwrap_or_else(|_| self.sizes[word]);
        formula.split('+').map(|product| product.split('*').map(|word| factor(word.trim())).product::<usize>()).sum()
    }

    fn shape(&self, formulas: &[String], elements: usize) -> Vec<usize> {
        let known: usize =
            formulas.iter().filter(|formula| *formula != "*").map(|formula| self.extent(formula)).product();
        let extent = |formula: &String| if formula == "*" { elements / known } else { self.extent(formula) };
        formulas.iter().map(extent).collect()
    }

    fn experts(&self) -> Range<usize> {
        0..self.sizes["experts"]
    }

    /// The stored names of a layout, and how each is made.
    fn made(&self, layout: &Layout) -> BTreeMap<String, Recipe> {
        let mut made = BTreeMap::new();
        let blocks: BTreeMap<&String, &Made> = layout.names.iter().flat_map(|block| &self.table.names[block]).collect();
        for (name, how) in blocks {
            let recipe = match how {
                Made::As(source) if source.is_empty() => continue,
                Made::As(source) => Recipe { from: vec![source.clone()], ..Recipe::default() },
                Made::Of(recipe) => recipe.clone(),
            };
            for (name, recipe) in self.numbered(name, &recipe) {
                let renamed = layout.renamed.iter().filter(|(start, _)| name.starts_with(start.as_str()));
                let longest = renamed.max_by_key(|(start, _)| start.len());
                let name = longest.map_or(name.clone(), |(start, new)| format!("{new}{}", &name[start.len()..]));
                assert!(made.insert(name.clone(), recipe).is_none(), "{name} twice");
            }
        }
        made
    }

    /// A name with its numbers filled in, and those of its sources.
    fn numbered(&self, name: &str, recipe: &Recipe) -> Vec<(String, Recipe)> {
        let fill = |text: &str, word: &str, number: usize| text.replace(word, &number.to_string());
        let mut found = vec![(name.to_owned(), recipe.clone())];
        let layers = self.sizes["layers"];
        for (word, range) in [("{l}", 0..layers), ("{n}", layers..layers + 1), ("{e}", self.experts())] {
            if name.contains(word) {
                let with = |(name, recipe): (String, Recipe), number: usize| {
                    let from = recipe.from.iter().map(|source| fill(source, word, number)).collect();
                    (fill(&name, word, number), Recipe { from, ..recipe })
                };
                let all = found.into_iter().flat_map(|one| range.clone().map(move |number| (one.clone(), number)));
                found = all.map(|(one, number)| with(one, number)).collect();
            }
        }
        for (_, recipe) in &mut found {
            if recipe.from.iter().any(|source| source.contains("{e}")) {
                let of = |expert: usize| recipe.from.iter().map(move |source| fill(source, "{e}", expert));
                recipe.from = self.experts().flat_map(of).collect();
            }
        }
        found
    }

    /// The weights that the published layout stores, made from a seed.
    pub(crate) fn weights(&self, seed: u64) -> Weights {
        let made = self.made(&self.of.layout[0]);
        let mut weights = Weights::new();
        for source in made.values().flat_map(|recipe| &recipe.from) {
            let formulas = self.shape_of(source);
            let shape: Vec<usize> = formulas.iter().map(|formula| self.extent(formula)).collect();
            let salt = source.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
            let values = gain(salt, shape.iter().product());
            let centre = if shape.len() == 1 && !source.ends_with("bias") { 0.0 } else { 1.0 };
            let values = values.into_iter().map(|value| value - centre).collect();
            weights.insert(source.clone(), Array { shape, values });
        }
        weights
    }

    fn shape_of(&self, source: &str) -> &[String] {
        let pattern: Vec<&str> =
            source.split('.').map(|word| if word.parse::<usize>().is_ok() { "#" } else { word }).collect();
        let key = pattern.join(".");
        self.table.shapes.get(&key).unwrap_or_else(|| panic!("no shape of {key}"))
    }

    fn array(&self, weights: &Weights, recipe: &Recipe) -> Array {
        let source = |name: &String| {
            let array = weights.get(name).unwrap_or_else(|| panic!("{}: no {name}", self.of.name)).clone();
            let elements = array.values.len();
            recipe.view.as_ref().map_or(array.clone(), |view| array.seen(self.shape(view, elements)))
        };
        let mut array = Array::joined(&recipe.from.iter().map(source).collect::<Vec<_>>(), recipe.axis);
        let elements = array.values.len();
        if let Some(cut) = &recipe.cut {
            array = array.seen(self.shape(cut, elements));
        }
        if let Some(turn) = &recipe.turn {
            array = array.turned(turn);
        }
        if let Some(shape) = &recipe.shape {
            array = array.seen(self.shape(shape, elements));
        }
        array.values.iter_mut().for_each(|value| *value += recipe.add);
        array
    }

    /// What a layout stores of these weights.
    pub(crate) fn stored(&self, layout: &Layout, weights: &Weights) -> Vec<Tensor> {
        let made = self.made(layout);
        let tensor = |(name, recipe): (&String, &Recipe)| {
            let array = self.array(weights, recipe);
            let shape = array.shape.iter().map(|&extent| extent as u64).collect();
            Tensor { shape, ..Tensor::f32(name, &array.values) }
        };
        made.iter().map(tensor).collect()
    }

    /// Writes a model.
    pub(crate) fn write(&self, at: &Workspace, id: &str, layout: &Layout, tensors: &[Tensor]) {
        at.file(id, &layout.config_file, self.config(layout).to_string());
        at.file(id, &layout.file, shard_with(&layout.format, tensors).bytes);
    }

    fn config(&self, layout: &Layout) -> Value {
        let table = layout.config.as_ref().unwrap_or(&self.of.config);
        self.values(table)
    }

    /// A configuration: a text that begins with `=` is a formula, and `like` is another one's to start from.
    fn values(&self, table: &toml::Table) -> Value {
        let mut config = table
            .get("like")
            .map_or_else(|| json!({}), |like| self.values(&self.table.configs[like.as_str().unwrap()]));
        for (key, value) in table.iter().filter(|(key, _)| *key != "like") {
            config[key] = match value {
                toml::Value::String(text) if text.starts_with('=') => json!(self.extent(&text[1..])),
                toml::Value::Table(inner) => self.values(inner),
                other => serde_json::to_value(other).unwrap(),
            };
        }
        config
    }
}

/// Tries all, two at once, prints a line of each that is right, and fails with those that are not.
#[track_caller]
#[allow(clippy::print_stdout, reason = "the table is for whoever runs the story with --nocapture")]
pub(crate) fn tell_all<T: Sync>(all: &[T], attempt: impl Fn(&T) -> Result<String, String> + Sync) {
    let next = Mutex::new(all.iter().enumerate());
    let found = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some((number, one)) = next.lock().unwrap().next() else { break };
                    let told = attempt(one);
                    found.lock().unwrap().insert(number, told);
                }
            });
        }
    });
    let (right, wrong): (Vec<_>, Vec<_>) = found.into_inner().unwrap().into_values().partition(Result::is_ok);
    right.iter().flatten().for_each(|line| println!("{line}"));
    let wrong: Vec<String> = wrong.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty() && !right.is_empty() && right.len() == all.len(), "{}", wrong.join("\n"));
}

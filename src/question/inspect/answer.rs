//! What is in a checkpoint, from its headers alone: no byte of a weight is read.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    checkpoint::{Storage, TensorInfo},
    family::{Classified, LayerIndex, ModelConfig, Part, Role, Slot, Stack},
    model::{Model, ModelSummary, Opened},
    question::lineage::{Group, testable},
    tensor::{View, layout, straight},
};

/// Tensors, elements and bytes of one element type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DtypeCount {
    /// Tensors.
    pub tensors: usize,
    /// Elements.
    pub elements: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What a model has of one role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleCount {
    /// Tensors, weights and biases together.
    pub tensors: usize,
    /// Layers that have a weight of the role.
    pub layers: BTreeSet<LayerIndex>,
    /// Distinct shapes of the weights.
    pub shapes: BTreeSet<Vec<u64>>,
    /// Those shapes as `[out, in]`, by which weights are compared.
    pub laid_out: BTreeSet<Vec<u64>>,
}

/// How weights of one role are stored that are not stored as they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stored {
    /// The role, or that no rule knows it.
    pub what: String,
    /// How, and where that is not clear why.
    pub how: String,
    /// The last segments of the names that stand beside them.
    pub companions: Vec<String>,
}

/// One tensor as `--tensors` lists it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The shard that holds it.
    pub shard: Arc<str>,
    /// Name, element type, shape, place.
    pub info: TensorInfo,
    /// `role`, `role_bias`, `buffer` or `unclassified`.
    pub what: Cow<'static, str>,
    /// Its layer.
    pub layer: Option<LayerIndex>,
}

/// What is in one checkpoint.
#[derive(Debug)]
pub struct Inspection {
    /// The model.
    pub summary: ModelSummary,
    /// Facts that need the headers; `None` if the model was not read.
    pub contents: Option<Contents>,
}

/// The contents of a checkpoint that was read.
#[derive(Debug, Default)]
pub struct Contents {
    /// Safetensors files that make up the checkpoint, and their bytes.
    pub shards: usize,
    /// Bytes of those files.
    pub bytes: u64,
    /// Whether a shard index was used.
    pub indexed: bool,
    /// By element type.
    pub dtypes: BTreeMap<String, DtypeCount>,
    /// Elements of all tensors that are not buffers and do not merely describe a quantisation.
    pub parameters: u64,
    /// How many tensors are in `parameters` with their stored elements, because it is not known how many weights those hold.
    pub uncounted: usize,
    /// The weights that are not stored as they are, and how many there are of each kind.
    pub storage: BTreeMap<Stored, usize>,
    /// By stack and role, weights and biases together, multi-token-prediction blocks apart.
    pub roles: BTreeMap<(Stack, Role), RoleCount>,
    /// How many tensors belong to multi-token-prediction blocks.
    pub mtp_tensors: usize,
    /// Whether those are no such blocks, but layers past the last that the configuration states.
    pub past_the_last: bool,
    /// Parameters of those, which are among `parameters`.
    pub mtp_parameters: u64,
    /// Known buffers: not learned.
    pub buffers: Vec<String>,
    /// Which groups `lineage` can test, and why not the others.
    pub groups: Vec<(Group, Result<(), String>)>,
    /// Figures of the configuration that tell architectures apart; those that it does not state are absent.
    pub configuration: Vec<(&'static str, Option<String>)>,
    /// `quantization_config.quant_method` or the like.
    pub quantisation: Option<String>,
    /// All tensors, in the order of the files.
    pub tensors: Vec<Listed>,
}

/// Describes each opened model.
pub fn inspect(opened: &[Opened]) -> Vec<Inspection> {
    opened
        .iter()
        .map(|opened| {
            let contents = opened.outcome.as_ref().ok().map(|model| contents(model));
            let mut summary = ModelSummary::of(opened);
            if let Some(contents) = &contents {
                summary.dtypes = contents.dtypes.keys().cloned().collect();
            }
            Inspection { summary, contents }
        })
        .collect()
}

fn contents(model: &Model) -> Contents {
    let shards = &model.layout.shards;
    let mut contents = Contents {
        shards: shards.len(),
        bytes: shards.iter().filter_map(|shard| model.repository.snapshot().file(shard)).map(|file| file.size).sum(),
        indexed: model.layout.index.is_some(),
        past_the_last: !model.config.predicts,
        groups: testable(model),
        configuration: configuration(&model.config),
        quantisation: model.config.quantisation.clone(),
        tensors: Vec::with_capacity(model.headers.values().map(|header| header.tensors.len()).sum()),
        ..Contents::default()
    };
    let shards: BTreeMap<&str, Arc<str>> =
        model.headers.keys().map(|shard| (shard.as_str(), shard.as_str().into())).collect();
    for (shard, info) in model.counted() {
        contents.count(model, &shards[shard], info);
    }
    contents
}

/// By their names in `config.json`.
fn configuration(config: &ModelConfig) -> Vec<(&'static str, Option<String>)> {
    let figure = |value: Option<u64>| value.map(|value| value.to_string());
    vec![
        ("num_hidden_layers", config.num_hidden_layers.map(|layers| layers.to_string())),
        ("hidden_size", figure(config.hidden_size)),
        ("intermediate_size", figure(config.intermediate_size)),
        ("num_attention_heads", figure(config.num_attention_heads)),
        ("num_key_value_heads", figure(config.key_value_heads())),
        ("head_dim", figure(config.width_of_head())),
        ("num_experts", figure(config.num_experts)),
        ("num_experts_per_tok", figure(config.experts_per_token)),
        ("moe_intermediate_size", figure(config.expert_size)),
        ("vocab_size", figure(config.vocab_size)),
        ("rope_theta", config.rope_theta.map(|theta| theta.to_string())),
        ("tie_word_embeddings", config.tie_word_embeddings.map(|tied| tied.to_string())),
    ]
}

const UNCLASSIFIED: &str = "unclassified";

impl Contents {
    /// Names that no rule of the family knows.
    pub fn unclassified(&self) -> Vec<&str> {
        let unknown = self.tensors.iter().filter(|listed| listed.what == UNCLASSIFIED);
        unknown.map(|listed| listed.info.name.as_str()).collect()
    }

    fn count(&mut self, model: &Model, shard: &Arc<str>, info: &TensorInfo) {
        let elements = info.numel();
        let dtype = self.dtypes.entry(info.dtype.to_string()).or_default();
        dtype.tensors += 1;
        dtype.elements += elements;
        dtype.bytes += info.range.len();
        let class =
            model.family.family.map_or(Classified::Unclassified, |family| family.classify(&info.name, &model.config));
        let (what, layer): (Cow<'static, str>, _) = match class {
            Classified::Slot(slot) => {
                if slot.mtp {
                    self.mtp_tensors += 1;
                } else {
                    let count = self.roles.entry((slot.stack, slot.role)).or_default();
                    count.tensors += 1;
                    if slot.part == Part::Weight {
                        count.layers.extend(slot.layer);
                        count.shapes.insert(info.shape.clone());
                        count.laid_out.insert(laid_out(model, slot, info));
                    }
                }
                let bias = if slot.part == Part::Bias { "_bias" } else { "" };
                let mtp = match (slot.mtp, self.past_the_last) {
                    (false, _) => "",
                    (true, false) => "mtp:",
                    (true, true) => "past:",
                };
                (format!("{mtp}{}{bias}", slot.role).into(), slot.layer)
            }
            Classified::Auxiliary(slot) => (format!("auxiliary:{}", slot.role).into(), slot.layer),
            Classified::Buffer => {
                self.buffers.push(info.name.clone());
                ("buffer".into(), None)
            }
            Classified::Unclassified
                if matches!(model.quantisation().storage(&info.name), Storage::Auxiliary { .. }) =>
            {
                ("auxiliary".into(), None)
            }
            Classified::Unclassified => (UNCLASSIFIED.into(), None),
        };
        if !matches!(class, Classified::Auxiliary(_) | Classified::Buffer) {
            let weights = model.quantisation().weights(info);
            self.uncounted += usize::from(weights.is_none());
            let weights = weights.unwrap_or(elements);
            self.parameters += weights;
            if class.slot().is_some_and(|slot| slot.mtp) {
                self.mtp_parameters += weights;
            }
            self.count_storage(model, info, &what);
        }
        self.tensors.push(Listed { shard: Arc::clone(shard), info: info.clone(), what, layer });
    }

    fn count_storage(&mut self, model: &Model, info: &TensorInfo, what: &str) {
        let quantisation = model.quantisation();
        let how = match quantisation.storage(&info.name) {
            Storage::Plain | Storage::Auxiliary { .. } => return,
            Storage::Unclear { reason } => format!("unclear: {reason}"),
            other => other.to_string(),
        };
        let companions = quantisation.companions(&info.name);
        let companions = companions.iter().map(|name| name.rsplit('.').next().unwrap_or(name).to_owned()).collect();
        *self.storage.entry(Stored { what: what.to_owned(), how, companions }).or_default() += 1;
    }
}

/// The shape of a weight as `[out, in]`, and as stored where that is not known.
fn laid_out(model: &Model, slot: Slot, info: &TensorInfo) -> Vec<u64> {
    let view = layout(model, Some(slot), info).map_or(View::Whole, |layout| straight(&info.shape, layout));
    view.shape(&info.shape).unwrap_or_else(|| info.shape.clone())
}

/// Whether the weights of one role can be compared across models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparable {
    /// The role.
    pub role: Role,
    /// For each model its shapes, or why it has none.
    pub models: Vec<Result<String, String>>,
    /// `Ok` with the number of models that share a shape, or the reason why no two do.
    pub verdict: Result<usize, String>,
}

/// For every role that at least one model has: which models share its shape, and why the others do not.
pub fn comparable(opened: &[Opened], inspections: &[Inspection]) -> Vec<Comparable> {
    let roles: BTreeSet<Role> = inspections
        .iter()
        .filter_map(|inspection| inspection.contents.as_ref())
        .flat_map(|contents| contents.roles.keys().map(|&(_, role)| role))
        .collect();
    roles
        .into_iter()
        .map(|role| {
            let shapes: Vec<BTreeSet<Vec<u64>>> = inspections
                .iter()
                .map(|inspection| {
                    let roles = inspection.contents.iter().flat_map(|contents| &contents.roles);
                    roles
                        .filter(|((_, other), _)| *other == role)
                        .flat_map(|(_, count)| count.laid_out.clone())
                        .collect()
                })
                .collect();
            let models = opened
                .iter()
                .zip(&shapes)
                .map(|(opened, shapes)| match &opened.outcome {
                    Ok(_) if !shapes.is_empty() => {
                        Ok(shapes.iter().map(|shape| shape_text(shape)).collect::<Vec<_>>().join(" | "))
                    }
                    Ok(model) => Err(model.absent_reason(role).unwrap_or("it has no such tensor").to_owned()),
                    Err(_) => Err("the model was not read".to_owned()),
                })
                .collect();
            Comparable { role, models, verdict: verdict(&shapes) }
        })
        .collect()
}

fn verdict(shapes: &[BTreeSet<Vec<u64>>]) -> Result<usize, String> {
    let mut holders: BTreeMap<&Vec<u64>, usize> = BTreeMap::new();
    for shape in shapes.iter().flatten() {
        *holders.entry(shape).or_default() += 1;
    }
    let with = shapes.iter().filter(|shapes| !shapes.is_empty()).count();
    match holders.values().max() {
        Some(&most) if most > 1 => Ok(most),
        _ if with < 2 => Err("only one model has it".to_owned()),
        _ => Err("the shapes differ".to_owned()),
    }
}

/// `4096×1024`; `scalar` for no axis.
pub fn shape_text(shape: &[u64]) -> String {
    if shape.is_empty() {
        return "scalar".to_owned();
    }
    shape.iter().map(u64::to_string).collect::<Vec<_>>().join("×")
}

//! What each tensor of a quantised checkpoint is: a weight as it stands, a weight that needs its scales, a packed one, or
//! something that only describes another.
//!
//! Told by what the headers show, tensor by tensor, because checkpoints mix: norms and embeddings stay as they were, and
//! exporters leave out layers. The configuration is asked for one thing only that no header says, how long a block is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{
    PackedFormat, Packing, ScaleGrid, TensorInfo,
    companions::{Companions, is_called_scale, multiplies},
    packed::{Named, packed},
};
use crate::{dtype::Dtype, escaped::Escaped, family::ModelConfig};

/// How a weight is scaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaling {
    /// Name of the tensor of scales.
    pub scale: String,
    /// Name of the tensor of zero points, where there is one; it is as long as that of the scales.
    pub zero_point: Option<String>,
    /// Which scale belongs to which element.
    pub grid: ScaleGrid,
    /// What each scale is divided by: 127 where it is the largest magnitude of its elements, else 1.
    pub divisor: u8,
}

/// What a tensor is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// Its elements are its values.
    Plain,
    /// Its values are its elements times scales: a [`Dequantiser`](super::Dequantiser) makes them.
    Scaled(Scaling),
    /// Its elements hold several weights each.
    Packed(PackedFormat),
    /// It is quantised, and what stands beside it does not say how.
    #[expect(missing_docs, reason = "the comment above says what is not said")]
    Unclear { reason: String },
    /// It describes the weight `of`, and holds none.
    #[expect(missing_docs, reason = "named above")]
    Auxiliary { of: String },
}

impl Storage {
    /// Why its elements are not compared as weights; `None` for those that are, as they stand or dequantised.
    pub fn why_not(&self) -> Option<String> {
        match self {
            Self::Plain | Self::Scaled(_) => None,
            Self::Packed(format) => {
                let (name, reason) = format.describe();
                Some(format!("{name}: {reason}"))
            }
            Self::Unclear { reason } => Some(reason.clone()),
            Self::Auxiliary { of } => Some(format!("it describes the quantisation of `{}`", Escaped(of))),
        }
    }
}

impl fmt::Display for Storage {
    /// `plain`, `scaled, one scale a row`, `GPTQ`, `unclear`, `auxiliary`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("plain"),
            Self::Scaled(scaling) => write!(f, "scaled, {}", scaling.grid.describe()),
            Self::Packed(format) => f.write_str(format.describe().0),
            Self::Unclear { .. } => f.write_str("unclear"),
            Self::Auxiliary { .. } => f.write_str("auxiliary"),
        }
    }
}

/// What the tensors of a checkpoint are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quantisation {
    /// Those that are not plain.
    storage: BTreeMap<String, Storage>,
    /// How many weights the packed ones hold, where that is known.
    weights: BTreeMap<String, u64>,
    /// How the rows of packed ones are read, or why they are not.
    packings: BTreeMap<String, Result<Packing, String>>,
    /// What describes each of them.
    companions: BTreeMap<String, Vec<String>>,
}

impl Quantisation {
    /// Of the tensors of all shards but fixed buffers, whose integers are no codes: a weight and its scales may lie in different ones, and a weight whose scales are not
    /// among `tensors` looks plain.
    pub fn of<'a>(tensors: impl IntoIterator<Item = &'a TensorInfo>, config: &ModelConfig) -> Self {
        let all: Named<'a> = tensors.into_iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let axes = Axes::of(&all);
        let (mut storage, mut weights, mut auxiliary) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut packings = BTreeMap::new();
        for tensor in all.values() {
            let packed = packed(tensor, &all, config.quantisation.as_deref())
                .map(|(format, beside)| (Storage::Packed(format), beside));
            let Some((found, beside)) = packed.or_else(|| scaled(tensor, &all, config.quantisation_block, &axes))
            else {
                continue;
            };
            for name in beside.into_iter().filter(|name| all.contains_key(name.as_str())) {
                auxiliary.entry(name).or_insert_with(|| tensor.name.clone());
            }
            if let Storage::Packed(format) = found {
                weights.extend(format.weights(tensor, &all, config).map(|count| (tensor.name.clone(), count)));
                packings.insert(tensor.name.clone(), Packing::of(format, tensor, &all, config));
            }
            storage.insert(tensor.name.clone(), found);
        }
        let mut companions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, of) in auxiliary {
            if !matches!(storage.get(&name), Some(Storage::Scaled(_) | Storage::Packed(_))) {
                companions.entry(of.clone()).or_default().push(name.clone());
                storage.insert(name, Storage::Auxiliary { of });
            }
        }
        Self { storage, weights, packings, companions }
    }

    /// How many weights a tensor holds: none where it describes another; `None` where that is not known.
    pub fn weights(&self, tensor: &TensorInfo) -> Option<u64> {
        match self.storage(&tensor.name) {
            Storage::Plain | Storage::Scaled(_) => Some(tensor.numel()),
            Storage::Packed(_) => self.weights.get(&tensor.name).copied(),
            Storage::Unclear { .. } => is_scaled_type(&tensor.dtype).then(|| tensor.numel()),
            Storage::Auxiliary { .. } => Some(0),
        }
    }

    /// How rows of the packed tensor of this name are read, or why they are not; `None` of one that is not packed.
    pub fn packing(&self, name: &str) -> Option<Result<&Packing, &str>> {
        self.packings.get(name).map(|packing| packing.as_ref().map_err(String::as_str))
    }

    /// The tensors that only describe the one of this name.
    pub fn companions(&self, name: &str) -> &[String] {
        self.companions.get(name).map_or(&[], Vec::as_slice)
    }

    /// What the tensor of this name is.
    pub fn storage(&self, name: &str) -> &Storage {
        self.storage.get(name).unwrap_or(&Storage::Plain)
    }
}

/// What a weight with scales beside it is, and the names of those that describe it. `None` where it has none, and is no
/// integer matrix: those are codes or indices, whatever stands beside them.
fn scaled(
    tensor: &TensorInfo,
    all: &Named<'_>,
    block: Option<[u64; 2]>,
    axes: &Axes<'_>,
) -> Option<(Storage, Vec<String>)> {
    let is_integer = is_integer(&tensor.dtype);
    let is_matrix = tensor.shape.len() > 1;
    if !is_scaled_type(&tensor.dtype) && !is_integer {
        return None;
    }
    let beside = Companions::of(tensor, all);
    let names = beside.names();
    let first = beside.scales.first().or(beside.shared.first());
    let Some(first) = first.copied() else {
        let storage = if is_called_scale(&tensor.name) {
            Storage::Auxiliary { of: tensor.name.rsplit_once('.').map_or("", |(module, _)| module).to_owned() }
        } else {
            let reason =
                format!("an integer matrix ({}) in no form that is known here: codes or indices", tensor.dtype);
            Storage::Unclear { reason }
        };
        return (is_integer && is_matrix).then_some((storage, names));
    };
    if is_integer && !is_matrix && !tensor.name.ends_with("bias") {
        return None;
    }
    let storage = match (beside.scales.as_slice(), beside.zero_points.as_slice(), beside.further.first()) {
        ([], ..) => Err(format!("`{}` stands beside it, and nothing says what it scales", Escaped(&first.name))),
        ([one, another, ..], ..) => {
            Err(format!("it has scales twice: `{}`, `{}`", Escaped(&one.name), Escaped(&another.name)))
        }
        (_, _, Some(further)) => Err(format!("it has a second level of scales, `{}`", Escaped(&further.name))),
        (_, [one, another, ..], _) => {
            Err(format!("it has zero points twice: `{}`, `{}`", Escaped(&one.name), Escaped(&another.name)))
        }
        ([scale], zero_points, None) => match fp4_in_bytes(tensor, scale) {
            Some(format) => return Some((Storage::Packed(format), names)),
            None => scaling(tensor, scale, zero_points.first().copied(), block, axes),
        },
    };
    Some((storage.map_or_else(|reason| Storage::Unclear { reason }, Storage::Scaled), names))
}

/// Two FP4 in a byte, whatever its type is called: the scales say how many elements share one.
fn fp4_in_bytes(weight: &TensorInfo, scale: &TensorInfo) -> Option<PackedFormat> {
    let (columns, rows) = weight.shape.split_last()?;
    let (blocks, others) = scale.shape.split_last()?;
    if !matches!(weight.dtype, Dtype::I8 | Dtype::U8) || rows != others || *blocks == 0 {
        return None;
    }
    match scale.dtype {
        Dtype::F8_E8M0 | Dtype::U8 if blocks.checked_mul(16) == Some(*columns) => Some(PackedFormat::Mxfp4),
        Dtype::F8_E4M3 if blocks.checked_mul(8) == Some(*columns) => Some(PackedFormat::Nvfp4),
        _ => None,
    }
}

/// How a weight is scaled by these, or why that is not clear.
fn scaling(
    weight: &TensorInfo,
    scale: &TensorInfo,
    zero_points: Option<&TensorInfo>,
    block: Option<[u64; 2]>,
    axes: &Axes<'_>,
) -> Result<Scaling, String> {
    let named = Escaped(&scale.name);
    if !is_scaled_type(&weight.dtype) {
        return Err(format!("how `{named}` scales elements of type {} is not known", weight.dtype));
    }
    if !is_factor_type(&scale.dtype) {
        return Err(format!("its scales `{named}` are of type {}", scale.dtype));
    }
    if let Some(zero_points) = zero_points {
        if weight.dtype != Dtype::I8 || zero_points.dtype != Dtype::I8 {
            return Err(format!("zero points of type {} on a weight of type {}", zero_points.dtype, weight.dtype));
        }
        if zero_points.shape != scale.shape {
            let (zero_points, scale) = (&zero_points.shape, &scale.shape);
            return Err(format!("zero points of shape {zero_points:?} do not match scales of shape {scale:?}"));
        }
    }
    let is_scb = scale.name.ends_with("SCB");
    let shape = match (is_scb, weight.shape.as_slice(), scale.shape.as_slice()) {
        (true, [rows, _], [count]) if rows == count && weight.dtype == Dtype::I8 => vec![*rows, 1],
        (true, ..) => return Err(format!("`{named}` is not the absolute maximum of each row")),
        _ if !multiplies(&weight.name, &scale.name) => {
            return Err(format!("whether `{named}` multiplies or divides is not known"));
        }
        _ => axes.shape(weight, scale),
    };
    let grid = ScaleGrid::new(&weight.shape, &shape, block).map_err(|reason| format!("`{named}`: {reason}"))?;
    Ok(Scaling {
        scale: scale.name.clone(),
        zero_point: zero_points.map(|tensor| tensor.name.clone()),
        grid,
        divisor: if is_scb { 127 } else { 1 },
    })
}

fn is_scaled_type(dtype: &Dtype) -> bool {
    matches!(*dtype, Dtype::I8 | Dtype::F8_E4M3 | Dtype::F8_E5M2 | Dtype::F8_E4M3FNUZ | Dtype::F8_E5M2FNUZ)
}

fn is_integer(dtype: &Dtype) -> bool {
    use Dtype as D;
    matches!(*dtype, D::I8 | D::U8 | D::I16 | D::U16 | D::I32 | D::U32 | D::I64 | D::U64)
}

/// Types that decode to f32, so that a product is rounded once.
fn is_factor_type(dtype: &Dtype) -> bool {
    is_scaled_type(dtype) && *dtype != Dtype::I8
        || matches!(*dtype, Dtype::F32 | Dtype::BF16 | Dtype::F16 | Dtype::F8_E8M0)
}

/// Along which axis vectors of scales lie, by the last segments of weight and scales, as the matrices of the checkpoint show
/// that are not square.
#[derive(Debug, Default)]
struct Axes<'a>(BTreeMap<(&'a str, &'a str), BTreeSet<usize>>);

impl<'a> Axes<'a> {
    fn of(all: &Named<'a>) -> Self {
        let mut axes = Self::default();
        for weight in all.values().filter(|tensor| is_scaled_type(&tensor.dtype)) {
            let &[rows, columns] = weight.shape.as_slice() else { continue };
            for scale in Companions::of(weight, all).scales {
                let axis = match *scale.shape {
                    [count] if rows != columns && count == rows => 0,
                    [count] if rows != columns && count == columns => 1,
                    _ => continue,
                };
                axes.0.entry((segment(&weight.name), segment(&scale.name))).or_default().insert(axis);
            }
        }
        axes
    }

    /// The shape of a vector of scales with the axis of the weight told, which a square matrix does not tell.
    fn shape(&self, weight: &TensorInfo, scale: &TensorInfo) -> Vec<u64> {
        let known = self.0.get(&(segment(&weight.name), segment(&scale.name)));
        let axis = known.filter(|axes| axes.len() == 1).and_then(BTreeSet::first);
        match (weight.shape.as_slice(), scale.shape.as_slice(), axis) {
            (&[rows, columns], &[count], Some(0)) if rows == columns && count == rows => vec![rows, 1],
            (&[rows, columns], &[count], Some(1)) if rows == columns && count == columns => vec![1, columns],
            (_, shape, _) => shape.to_vec(),
        }
    }
}

fn segment(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::ByteRange;

    fn tensors(list: &[(&str, Dtype, &[u64])]) -> Vec<TensorInfo> {
        list.iter()
            .map(|(name, dtype, shape)| TensorInfo {
                name: (*name).to_owned(),
                dtype: dtype.clone(),
                shape: shape.to_vec(),
                range: ByteRange::new(0, 0),
            })
            .collect()
    }

    fn of(list: &[(&str, Dtype, &[u64])], method: Option<&str>, block: Option<[u64; 2]>) -> Quantisation {
        let config = ModelConfig {
            quantisation: method.map(str::to_owned),
            quantisation_block: block,
            ..ModelConfig::default()
        };
        Quantisation::of(&tensors(list), &config)
    }

    fn is_auxiliary(quantisation: &Quantisation, name: &str, weight: &str) -> bool {
        *quantisation.storage(name) == Storage::Auxiliary { of: weight.to_owned() }
    }

    #[test]
    fn a_checkpoint_without_quantisation_is_plain() {
        let plain = of(
            &[
                ("a.weight", Dtype::BF16, &[8, 8]),
                ("a.weight_scale", Dtype::F32, &[8]),
                ("b.weight", Dtype::F8_E4M3, &[8, 8]),
                ("offsets", Dtype::I64, &[8]),
            ],
            None,
            None,
        );
        assert!(plain.storage.is_empty());
        assert_eq!(plain.storage("a.weight_scale"), &Storage::Plain);
    }

    #[test]
    fn scaled_weights_are_told_with_their_scales() {
        let fp8 = of(
            &[
                ("q.weight", Dtype::F8_E4M3, &[300, 256]),
                ("q.weight_scale_inv", Dtype::F32, &[3, 2]),
                ("k.weight", Dtype::F8_E4M3, &[300, 256]),
                ("k.weight_scale", Dtype::BF16, &[300, 1]),
                ("k.input_scale", Dtype::F32, &[]),
                ("experts.up_proj", Dtype::F8_E4M3, &[2, 256, 256]),
                ("experts.up_proj_scale_inv", Dtype::F32, &[2, 2, 2]),
                ("norm.weight", Dtype::BF16, &[256]),
                ("v.weight", Dtype::I8, &[6, 4]),
                ("v.weight_scale", Dtype::F32, &[6]),
                ("v.weight_zero_point", Dtype::I8, &[6]),
            ],
            Some("fp8"),
            Some([128, 128]),
        );
        let block = |name: &str| match fp8.storage(name) {
            Storage::Scaled(scaling) => Some(scaling.grid.block.clone()),
            _ => None,
        };
        assert_eq!(block("q.weight"), Some(vec![128, 128]));
        assert_eq!(block("k.weight"), Some(vec![1, 256]));
        assert_eq!(block("experts.up_proj"), Some(vec![1, 128, 128]));
        assert_eq!(block("v.weight"), Some(vec![1, 4]));
        assert_eq!(block("norm.weight"), None);
        assert!(matches!(
            fp8.storage("v.weight"),
            Storage::Scaled(Scaling { zero_point: Some(name), .. }) if name == "v.weight_zero_point"
        ));
        assert!(is_auxiliary(&fp8, "k.input_scale", "k.weight"));
        assert!(is_auxiliary(&fp8, "q.weight_scale_inv", "q.weight"));
        assert_eq!(fp8.storage("norm.weight"), &Storage::Plain);
        assert_eq!(fp8.storage.len(), 10);
    }

    #[test]
    fn what_is_not_said_is_a_reason_and_no_guess() {
        let reason = |list: &[(&str, Dtype, &[u64])]| {
            let found = of(list, None, None).storage("w.weight").clone();
            match found {
                Storage::Unclear { reason } => reason,
                other => panic!("{other:?}"),
            }
        };
        let square: (&str, Dtype, &[u64]) = ("w.weight", Dtype::I8, &[8, 8]);
        let vector: (&str, Dtype, &[u64]) = ("w.weight_scale", Dtype::F32, &[8]);
        assert!(reason(&[square.clone(), vector.clone()]).contains("more than one of its axes"));
        assert!(reason(&[square.clone(), vector.clone(), ("w.weight_scale_inv", Dtype::F32, &[8])]).contains("twice"));
        assert!(reason(&[square.clone(), ("w.weight_scale", Dtype::F64, &[8, 1])]).contains("F64"));
        let matrix: (&str, Dtype, &[u64]) = ("w.weight_scale", Dtype::F32, &[8, 1]);
        assert!(
            reason(&[square.clone(), matrix.clone(), ("w.weight_zero_point", Dtype::I8, &[8])])
                .contains("do not match")
        );
        assert!(
            reason(&[square.clone(), matrix.clone(), ("w.weight_zero_point", Dtype::F32, &[8, 1])]).contains("F32")
        );
        assert!(reason(&[square, matrix, ("w.weight_scale_2", Dtype::F32, &[])]).contains("second level"));
    }

    #[test]
    fn scales_are_found_by_every_spelling_in_use() {
        for (weight, scale) in [
            ("q.weight", "q.weight_scale"),
            ("q.weight", "q.weight_scale_inv"),
            ("q.weight", "q.scale"),
            ("q.weight", "q.scale_weight"),
            ("q.weight", "q.scales"),
            ("q.weight", "q.weight_scales"),
            ("q.weight", "q.weights_scaling_factor"),
            ("q.weight", "q.weight.scale"),
            ("q.weight", "q.scale_inv"),
            ("q.weight", "q.w_scale"),
            ("q.weight._data", "q.weight._scale"),
            ("q._weight_qdata", "q._weight_scale"),
            ("experts.gate_up_proj", "experts.gate_up_proj_weight_scale"),
        ] {
            for dtype in [Dtype::F8_E4M3, Dtype::I8] {
                let list: [(&str, Dtype, &[u64]); 3] =
                    [(weight, dtype, &[8, 4]), (scale, Dtype::F32, &[8, 1]), ("q.input_scale", Dtype::F32, &[])];
                let found = of(&list, None, None);
                assert!(matches!(found.storage(weight), Storage::Scaled(scaling) if scaling.scale == scale), "{scale}");
                assert!(is_auxiliary(&found, scale, weight), "{scale}");
            }
        }
        let other: [(&str, Dtype, &[u64]); 2] =
            [("q.weight", Dtype::F8_E4M3, &[8, 4]), ("q.odd_scaler", Dtype::F32, &[8, 1])];
        assert!(of(&other, None, None).storage("q.weight").why_not().unwrap().contains("q.odd_scaler"));
    }

    #[test]
    fn bitsandbytes_rows_are_divided_by_127() {
        let found = of(&[("q.weight", Dtype::I8, &[64, 64]), ("q.SCB", Dtype::F32, &[64])], None, None);
        let Storage::Scaled(scaling) = found.storage("q.weight") else { panic!("{found:?}") };
        assert_eq!((scaling.divisor, &scaling.grid.block[..]), (127, &[1, 64][..]));
    }

    #[test]
    fn other_matrices_show_the_axis_of_a_square_one() {
        let square: (&str, Dtype, &[u64]) = ("a.weight", Dtype::I8, &[8, 8]);
        let vector: (&str, Dtype, &[u64]) = ("a.weight_scale", Dtype::F32, &[8]);
        let wide: (&str, Dtype, &[u64]) = ("b.weight", Dtype::I8, &[4, 8]);
        let block = |scales: u64| {
            let others = [square.clone(), vector.clone(), wide.clone()];
            let extents = [scales];
            let list = [others.as_slice(), &[("b.weight_scale", Dtype::F32, &extents[..])]].concat();
            match of(&list, None, None).storage("a.weight") {
                Storage::Scaled(scaling) => scaling.grid.block.clone(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(block(4), [1, 8]);
        assert_eq!(block(8), [8, 1]);
    }

    #[test]
    fn integers_of_no_known_form_are_no_weights() {
        for name in ["q.q_weight", "q.trellis", "q.W_q", "q.codes", "q.Qidxs", "q.weight"] {
            for dtype in [Dtype::I8, Dtype::U8, Dtype::I16, Dtype::I32, Dtype::U32, Dtype::I64] {
                let found = of(&[(name, dtype, &[8, 4]), ("q.suh", Dtype::F16, &[8])], None, None);
                assert!(matches!(found.storage(name), Storage::Unclear { .. }), "{name}");
            }
        }
        let bias: [(&str, Dtype, &[u64]); 3] =
            [("q.bias", Dtype::I8, &[8]), ("q.weight", Dtype::I8, &[8, 4]), ("q.weight_scale", Dtype::F32, &[8, 1])];
        assert!(matches!(of(&bias, None, None).storage("q.bias"), Storage::Unclear { .. }));
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "one table of formats")]
    fn packed_formats_are_named() {
        type Case<'a> = (&'a [(&'a str, Dtype, &'a [u64])], &'a str, PackedFormat, &'a [&'a str]);
        let cases: [Case<'_>; 10] = [
            (
                &[
                    ("q.qweight", Dtype::I32, &[64, 512]),
                    ("q.qzeros", Dtype::I32, &[4, 64]),
                    ("q.scales", Dtype::F16, &[4, 512]),
                    ("q.g_idx", Dtype::I32, &[512]),
                ],
                "q.qweight",
                PackedFormat::Gptq,
                &["q.qzeros", "q.scales", "q.g_idx"],
            ),
            (
                &[
                    ("q.qweight", Dtype::I32, &[512, 64]),
                    ("q.qzeros", Dtype::I32, &[4, 64]),
                    ("q.scales", Dtype::F16, &[4, 512]),
                ],
                "q.qweight",
                PackedFormat::Awq,
                &["q.qzeros", "q.scales"],
            ),
            (
                &[
                    ("q.weight_packed", Dtype::I32, &[64, 8]),
                    ("q.weight_scale", Dtype::BF16, &[64, 1]),
                    ("q.weight_shape", Dtype::I64, &[2]),
                ],
                "q.weight_packed",
                PackedFormat::CompressedTensors,
                &["q.weight_scale", "q.weight_shape"],
            ),
            (
                &[
                    ("q.weight_packed", Dtype::U8, &[64, 32]),
                    ("q.weight_scale", Dtype::F8_E4M3, &[64, 4]),
                    ("q.weight_global_scale", Dtype::F32, &[1]),
                ],
                "q.weight_packed",
                PackedFormat::Nvfp4,
                &["q.weight_scale", "q.weight_global_scale"],
            ),
            (
                &[
                    ("q.weight", Dtype::U8, &[64, 32]),
                    ("q.weight_scale", Dtype::F8_E4M3, &[64, 4]),
                    ("q.weight_scale_2", Dtype::F32, &[]),
                    ("q.input_scale", Dtype::F32, &[]),
                ],
                "q.weight",
                PackedFormat::Nvfp4,
                &["q.weight_scale", "q.weight_scale_2", "q.input_scale"],
            ),
            (
                &[
                    ("mlp.experts.down_proj_blocks", Dtype::U8, &[4, 64, 2, 16]),
                    ("mlp.experts.down_proj_scales", Dtype::U8, &[4, 64, 2]),
                ],
                "mlp.experts.down_proj_blocks",
                PackedFormat::Mxfp4,
                &["mlp.experts.down_proj_scales"],
            ),
            (
                &[
                    ("q.weight", Dtype::U8, &[2048, 1]),
                    ("q.weight.absmax", Dtype::U8, &[64]),
                    ("q.weight.quant_map", Dtype::F32, &[16]),
                    ("q.weight.quant_state.bitsandbytes__nf4", Dtype::U8, &[80]),
                ],
                "q.weight",
                PackedFormat::Bitsandbytes4,
                &["q.weight.absmax", "q.weight.quant_map", "q.weight.quant_state.bitsandbytes__nf4"],
            ),
            (
                &[
                    ("q.weight", Dtype::U32, &[64, 8]),
                    ("q.scales", Dtype::F16, &[64, 1]),
                    ("q.biases", Dtype::F16, &[64, 1]),
                ],
                "q.weight",
                PackedFormat::Mlx,
                &["q.scales", "q.biases"],
            ),
            (
                &[("q.weight", Dtype::I8, &[64, 64]), ("q.scale", Dtype::F8_E8M0, &[64, 4])],
                "q.weight",
                PackedFormat::Mxfp4,
                &["q.scale"],
            ),
            (
                &[("q.weight", Dtype::U8, &[64, 8]), ("q.weight_scale", Dtype::F32, &[64, 1])],
                "q.weight",
                PackedFormat::Unknown,
                &["q.weight_scale"],
            ),
        ];
        for (list, weight, format, beside) in cases {
            let found = of(list, None, None);
            assert_eq!(found.storage(weight), &Storage::Packed(format));
            assert!(found.storage(weight).why_not().is_some_and(|reason| reason.contains(format.describe().0)));
            for name in beside {
                assert!(is_auxiliary(&found, name, weight), "{name} of {format:?}");
            }
            assert_eq!(found.storage.len(), 1 + beside.len(), "{format:?}");
        }
    }

    #[test]
    fn the_configuration_tells_awq_from_gptq_where_shapes_do_not() {
        let square: [(&str, Dtype, &[u64]); 2] = [("q.qweight", Dtype::I32, &[64, 64]), ("q.scales", Dtype::F16, &[])];
        for (method, format) in
            [(Some("awq"), PackedFormat::Awq), (Some("gptq"), PackedFormat::Gptq), (None, PackedFormat::GptqOrAwq)]
        {
            assert_eq!(of(&square, method, None).storage("q.qweight"), &Storage::Packed(format));
        }
    }
}

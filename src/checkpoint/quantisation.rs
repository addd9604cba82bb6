//! What each tensor of a quantised checkpoint is: a weight as it stands, a weight that needs its scales, a packed one, or
//! something that only describes another.
//!
//! Told by what the headers show, tensor by tensor, because checkpoints mix: norms and embeddings stay as they were, and
//! exporters leave out layers. The configuration is asked for one thing only that no header says, how long a block is.

use std::{collections::BTreeMap, fmt};

use super::{
    PackedFormat, ScaleGrid, TensorInfo,
    packed::{Named, packed},
};
use crate::{dtype::Dtype, escaped::Escaped};

/// What the configuration says of the quantisation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuantisationHints<'a> {
    /// What it calls the method: `gptq`, `awq`, `fp8`, …
    pub method: Option<&'a str>,
    /// Rows and columns of a block that shares a scale.
    pub block: Option<[u64; 2]>,
}

/// How a weight is scaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaling {
    /// Name of the tensor of scales.
    pub scale: String,
    /// Name of the tensor of zero points, where there is one; it is as long as that of the scales.
    pub zero_point: Option<String>,
    /// Which scale belongs to which element.
    pub grid: ScaleGrid,
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
}

impl Quantisation {
    /// Of the tensors of all shards: a weight and its scales may lie in different ones, and a weight whose scales are not
    /// among `tensors` looks plain.
    pub fn of<'a>(tensors: impl IntoIterator<Item = &'a TensorInfo>, hints: QuantisationHints<'_>) -> Self {
        let all: Named<'a> = tensors.into_iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let mut storage = BTreeMap::new();
        for tensor in all.values() {
            let packed = packed(tensor, &all, hints.method).map(|(format, beside)| (Storage::Packed(format), beside));
            let Some((found, beside)) = packed.or_else(|| scaled(tensor, &all, hints.block)) else {
                continue;
            };
            for name in beside.into_iter().filter(|name| all.contains_key(name.as_str())) {
                storage.entry(name).or_insert(Storage::Auxiliary { of: tensor.name.clone() });
            }
            storage.insert(tensor.name.clone(), found);
        }
        Self { storage }
    }

    /// What the tensor of this name is.
    pub fn storage(&self, name: &str) -> &Storage {
        self.storage.get(name).unwrap_or(&Storage::Plain)
    }

    /// The tensors that are not plain, by name.
    pub fn quantised(&self) -> impl Iterator<Item = (&str, &Storage)> {
        self.storage.iter().map(|(name, storage)| (name.as_str(), storage))
    }

    /// Whether every tensor is plain.
    pub fn is_plain(&self) -> bool {
        self.storage.is_empty()
    }
}

/// What a one-byte weight with scales beside it is, and the names of those that describe it. `None` where it has none.
fn scaled(tensor: &TensorInfo, all: &Named<'_>, block: Option<[u64; 2]>) -> Option<(Storage, Vec<String>)> {
    if !is_scaled_type(&tensor.dtype) {
        return None;
    }
    let (name, stem) = (&tensor.name, tensor.name.strip_suffix("weight"));
    let beside = |stem: &str, ends: &[&str]| -> Vec<&TensorInfo> {
        ends.iter().filter_map(|end| all.get(format!("{stem}{end}").as_str()).copied()).collect()
    };
    let beside_module = |ends| stem.map_or_else(Vec::new, |stem| beside(stem, ends));
    let scales = [beside(name, &["_scale_inv", "_scale"]), beside_module(&["qscale_weight"])].concat();
    let zero_points = beside(name, &["_zero_point"]);
    let further = beside(name, &["_scale_2", "_global_scale", "_g_idx"]);
    let of_input =
        beside_module(&["input_scale", "input_zero_point", "input_global_scale", "activation_scale", "qscale_act"]);
    let storage = match (scales.as_slice(), zero_points.first(), further.first()) {
        ([], ..) => return None,
        ([one, another, ..], ..) => {
            Err(format!("it has scales twice: `{}`, `{}`", Escaped(&one.name), Escaped(&another.name)))
        }
        (_, _, Some(further)) => Err(format!("it has a second level of scales, `{}`", Escaped(&further.name))),
        ([scale], zero_points, None) => scaling(tensor, scale, zero_points.copied(), block),
    };
    let storage = storage.map_or_else(|reason| Storage::Unclear { reason }, Storage::Scaled);
    let names = [scales, zero_points, further, of_input].concat().into_iter().map(|tensor| tensor.name.clone());
    Some((storage, names.collect()))
}

/// How a weight is scaled by these, or why that is not clear.
fn scaling(
    weight: &TensorInfo,
    scale: &TensorInfo,
    zero_points: Option<&TensorInfo>,
    block: Option<[u64; 2]>,
) -> Result<Scaling, String> {
    if !is_factor_type(&scale.dtype) {
        return Err(format!("its scales are of type {}", scale.dtype));
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
    let grid = ScaleGrid::new(&weight.shape, &scale.shape, block)?;
    Ok(Scaling { scale: scale.name.clone(), zero_point: zero_points.map(|tensor| tensor.name.clone()), grid })
}

fn is_scaled_type(dtype: &Dtype) -> bool {
    matches!(*dtype, Dtype::I8 | Dtype::F8_E4M3 | Dtype::F8_E5M2 | Dtype::F8_E4M3FNUZ | Dtype::F8_E5M2FNUZ)
}

/// Types that decode to f32, so that a product is rounded once.
fn is_factor_type(dtype: &Dtype) -> bool {
    is_scaled_type(dtype) && *dtype != Dtype::I8
        || matches!(*dtype, Dtype::F32 | Dtype::BF16 | Dtype::F16 | Dtype::F8_E8M0)
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
        Quantisation::of(&tensors(list), QuantisationHints { method, block })
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
                ("position_ids", Dtype::I64, &[1, 8]),
            ],
            None,
            None,
        );
        assert!(plain.is_plain());
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
            Storage::Scaled(scaling) => Some(scaling.grid.block().to_vec()),
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
        assert_eq!(fp8.quantised().count(), 10);
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
                &[("q.weight", Dtype::I8, &[64, 64]), ("q.SCB", Dtype::F32, &[64])],
                "q.weight",
                PackedFormat::Bitsandbytes8,
                &["q.SCB"],
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
            assert_eq!(found.quantised().count(), 1 + beside.len(), "{format:?}");
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

//! Formats that put several weights into one stored element, told by the names, types and shapes of what stands together.
//!
//! They are recognised so that their bits are not compared as if they were weights. They are not unpacked whole; of some, rows can be
//! read ([`Packing`](super::Packing)).

use std::collections::BTreeMap;

use super::TensorInfo;
use crate::{dtype::Dtype, family::ModelConfig};

/// All tensors of a checkpoint by name.
pub(super) type Named<'a> = BTreeMap<&'a str, &'a TensorInfo>;

/// A packed format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PackedFormat {
    /// `qweight`, `qzeros`, `scales` and mostly `g_idx`; packed along the input.
    Gptq,
    /// `qweight`, `qzeros`, `scales`; packed along the output.
    Awq,
    /// `qweight` beside `scales`, by shapes either of the two.
    GptqOrAwq,
    /// `_blocks` and `_scales`: 32 FP4 elements a power-of-two scale.
    Mxfp4,
    /// Pairs of FP4 elements, an F8 scale for 16 of them, and a scale for all.
    Nvfp4,
    /// `weight_packed` of the compressed-tensors library.
    CompressedTensors,
    /// bitsandbytes, 4 bits: `absmax`, `quant_map`, `quant_state`.
    Bitsandbytes4,
    /// MLX: U32 `weight` beside `scales` and `biases`.
    Mlx,
    /// A type of fewer than 8 bits, or bytes beside a scale, of no format that is known here.
    Unknown,
}

impl PackedFormat {
    /// The name in reports, and why its weights are not compared.
    pub fn describe(self) -> (&'static str, &'static str) {
        let integers = "GPTQ and AWQ weights are integers packed into I32; they are not unpacked";
        match self {
            Self::Gptq => ("GPTQ", integers),
            Self::Awq => ("AWQ", integers),
            Self::GptqOrAwq => ("GPTQ or AWQ", integers),
            Self::Mxfp4 => {
                ("MXFP4", "MXFP4 weights are pairs of FP4 with a scale for each block of 32; they are not unpacked")
            }
            Self::Nvfp4 => ("NVFP4", "NVFP4 weights are pairs of FP4 with two levels of scales; they are not unpacked"),
            Self::CompressedTensors => (
                "compressed-tensors (packed)",
                "compressed-tensors packs several weights into an element; they are not unpacked",
            ),
            Self::Bitsandbytes4 => (
                "bitsandbytes 4-bit",
                "bitsandbytes 4-bit weights are indices into a table, packed in pairs; they are not unpacked",
            ),
            Self::Mlx => {
                ("MLX", "MLX weights are groups packed into U32 with scales and offsets; they are not unpacked")
            }
            Self::Unknown => {
                ("unknown packed format", "several weights share a stored element, in no format that is known here")
            }
        }
    }

    /// How many weights a tensor of this format holds; `None` where neither shapes nor the configuration say.
    pub(super) fn weights(self, tensor: &TensorInfo, all: &Named<'_>, config: &ModelConfig) -> Option<u64> {
        let stem =
            tensor.name.strip_suffix("qweight").or_else(|| tensor.name.strip_suffix("weight")).unwrap_or_default();
        let last = |end: &str| all.get(format!("{stem}{end}").as_str()).and_then(|beside| beside.shape.last().copied());
        let stored_bits = tensor.numel().checked_mul(tensor.dtype.bits()?)?;
        let by_bits = |bits: u64| stored_bits.checked_div(bits);
        match self {
            Self::Mxfp4 | Self::Nvfp4 | Self::Bitsandbytes4 => by_bits(4),
            Self::Awq => tensor.shape.first()?.checked_mul(last("scales")?),
            Self::Gptq | Self::GptqOrAwq => {
                match (last("g_idx"), config.quantisation_bits, last("qzeros"), last("scales")) {
                    (Some(inputs), .., Some(outputs)) => inputs.checked_mul(outputs),
                    (_, Some(bits), ..) => by_bits(bits),
                    (_, _, Some(packed), Some(outputs)) => by_bits(packed.checked_mul(32)?.checked_div(outputs)?),
                    _ => None,
                }
            }
            Self::CompressedTensors => by_bits(config.quantisation_bits?),
            Self::Mlx => {
                let scales = all.get(format!("{stem}scales").as_str())?;
                let by_group = config.quantisation_group.and_then(|group| scales.numel().checked_mul(group));
                by_group.or_else(|| by_bits(config.quantisation_bits?))
            }
            Self::Unknown => None,
        }
    }
}

/// What `tensor` is packed as, and the names of the tensors that only describe it, there or not; `None` where it is not
/// packed. `method` is what the configuration calls the quantisation.
pub(super) fn packed(
    tensor: &TensorInfo,
    all: &Named<'_>,
    method: Option<&str>,
) -> Option<(PackedFormat, Vec<String>)> {
    let name = tensor.name.as_str();
    let join = |stem: &str, ends: &[&str]| ends.iter().map(|end| format!("{stem}{end}")).collect::<Vec<_>>();
    let at = |stem: &str, end: &str| all.get(format!("{stem}{end}").as_str()).copied();

    if let Some(stem) = name.strip_suffix("qweight")
        && let Some(scales) = at(stem, "scales")
    {
        let format = packed_integers(tensor, scales, at(stem, "g_idx").is_some(), method);
        return Some((format, join(stem, &["qzeros", "scales", "g_idx"])));
    }
    if let Some(stem) = name.strip_suffix("weight_packed") {
        let format = match at(stem, "weight_scale").map(|scale| &scale.dtype) {
            Some(&Dtype::F8_E4M3) if tensor.dtype == Dtype::U8 => PackedFormat::Nvfp4,
            Some(&(Dtype::U8 | Dtype::F8_E8M0)) if tensor.dtype == Dtype::U8 => PackedFormat::Mxfp4,
            _ => PackedFormat::CompressedTensors,
        };
        let of_weight = ["weight_scale", "weight_zero_point", "weight_shape", "weight_g_idx", "weight_global_scale"];
        return Some((format, [join(stem, &of_weight), join(stem, &["input_scale", "input_global_scale"])].concat()));
    }
    if let Some(stem) = name.strip_suffix("_blocks")
        && at(stem, "_scales").is_some()
    {
        return Some((PackedFormat::Mxfp4, join(stem, &["_scales"])));
    }
    if let Some(stem) = name.strip_suffix("weight") {
        let states = format!("{name}.quant_state.");
        let state = all.range(states.as_str()..).map(|(name, _)| *name).next();
        let state = state.filter(|found| found.starts_with(&states)).map(str::to_owned);
        if state.is_some() || at(name, ".absmax").is_some() {
            let ends = [".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map"];
            return Some((PackedFormat::Bitsandbytes4, join(name, &ends).into_iter().chain(state).collect()));
        }
        if tensor.dtype == Dtype::U32 && at(stem, "scales").is_some() {
            return Some((PackedFormat::Mlx, join(stem, &["scales", "biases"])));
        }
    }
    let is_pairs = matches!(tensor.dtype, Dtype::U8 | Dtype::F4 | Dtype::F6_E2M3 | Dtype::F6_E3M2);
    let scale = at(name, "_scale").filter(|_| is_pairs)?;
    let format = match scale.dtype {
        Dtype::F8_E4M3 => PackedFormat::Nvfp4,
        Dtype::F8_E8M0 => PackedFormat::Mxfp4,
        _ => PackedFormat::Unknown,
    };
    let of_input = name.strip_suffix("weight").map(|stem| format!("{stem}input_scale"));
    Some((
        format,
        join(name, &["_scale", "_scale_2", "_global_scale", "_zero_point"]).into_iter().chain(of_input).collect(),
    ))
}

/// GPTQ packs along the input and so has as many columns as it has scales; AWQ packs along the output.
fn packed_integers(weight: &TensorInfo, scales: &TensorInfo, has_order: bool, method: Option<&str>) -> PackedFormat {
    match (method, weight.shape.last(), scales.shape.last()) {
        (Some("gptq"), ..) => PackedFormat::Gptq,
        (Some("awq"), ..) => PackedFormat::Awq,
        _ if has_order => PackedFormat::Gptq,
        (_, Some(packed), Some(whole)) if packed == whole => PackedFormat::Gptq,
        (_, Some(packed), Some(whole)) if packed < whole => PackedFormat::Awq,
        _ => PackedFormat::GptqOrAwq,
    }
}

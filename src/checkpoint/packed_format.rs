//! Formats that put several weights into one stored element, told by the names, types and shapes of what stands together.
//!
//! They are recognised so that nobody compares their bits as if they were weights; they are not unpacked.

use super::{Dtype, TensorInfo, quantisation::Named};

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
    /// bitsandbytes, 8 bits: `SCB`.
    Bitsandbytes8,
    /// MLX: U32 `weight` beside `scales` and `biases`.
    Mlx,
    /// A type of fewer than 8 bits, or bytes beside a scale, of no format that is known here.
    Unknown,
}

impl PackedFormat {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gptq => "GPTQ",
            Self::Awq => "AWQ",
            Self::GptqOrAwq => "GPTQ or AWQ",
            Self::Mxfp4 => "MXFP4",
            Self::Nvfp4 => "NVFP4",
            Self::CompressedTensors => "compressed-tensors (packed)",
            Self::Bitsandbytes4 => "bitsandbytes 4-bit",
            Self::Bitsandbytes8 => "bitsandbytes 8-bit",
            Self::Mlx => "MLX",
            Self::Unknown => "unknown packed format",
        }
    }

    /// Why its weights are not compared.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Gptq | Self::Awq | Self::GptqOrAwq => {
                "GPTQ and AWQ weights are integers packed into I32; they are not unpacked"
            }
            Self::Mxfp4 => "MXFP4 weights are pairs of FP4 with a scale for each block of 32; they are not unpacked",
            Self::Nvfp4 => "NVFP4 weights are pairs of FP4 with two levels of scales; they are not unpacked",
            Self::CompressedTensors => {
                "compressed-tensors packs several weights into an element; they are not unpacked"
            }
            Self::Bitsandbytes4 => {
                "bitsandbytes 4-bit weights are indices into a table, packed in pairs; they are not unpacked"
            }
            Self::Bitsandbytes8 => {
                "bitsandbytes 8-bit weights keep outliers apart by a rule of their own; they are not dequantised"
            }
            Self::Mlx => "MLX weights are groups packed into U32 with scales and offsets; they are not unpacked",
            Self::Unknown => "several weights share a stored element, in no format that is known here",
        }
    }
}

/// A packed weight: its format, and the names of the tensors that only describe it.
pub(super) struct Packed {
    pub(super) format: PackedFormat,
    pub(super) beside: Vec<String>,
}

impl Packed {
    /// What `tensor` is packed as; `None` where it is not. `method` is what the configuration calls the quantisation.
    pub(super) fn of(tensor: &TensorInfo, all: &Named<'_>, method: Option<&str>) -> Option<Self> {
        let name = tensor.name.as_str();
        let module = |suffix: &str| name.strip_suffix(suffix);
        let found = |format, beside: Vec<String>| {
            let beside = beside.into_iter().filter(|name| all.contains_key(name.as_str())).collect();
            Some(Self { format, beside })
        };
        let join = |stem: &str, ends: &[&str]| ends.iter().map(|end| format!("{stem}{end}")).collect::<Vec<_>>();
        let at = |name: String| all.get(name.as_str()).copied();

        if let Some(stem) = module("qweight")
            && let Some(scales) = at(format!("{stem}scales"))
        {
            let has_order = at(format!("{stem}g_idx")).is_some();
            return found(
                packed_integers(tensor, scales, has_order, method),
                join(stem, &["qzeros", "scales", "g_idx"]),
            );
        }
        if let Some(stem) = module("weight_packed") {
            let ends = [
                "weight_scale",
                "weight_zero_point",
                "weight_shape",
                "weight_g_idx",
                "weight_global_scale",
                "input_scale",
                "input_global_scale",
            ];
            let scale = at(format!("{stem}weight_scale")).map(|scale| &scale.dtype);
            let format = match scale {
                Some(Dtype::F8_E4M3) if tensor.dtype == Dtype::U8 => PackedFormat::Nvfp4,
                Some(Dtype::U8 | Dtype::F8_E8M0) if tensor.dtype == Dtype::U8 => PackedFormat::Mxfp4,
                _ => PackedFormat::CompressedTensors,
            };
            return found(format, join(stem, &ends));
        }
        if let Some(stem) = module("_blocks")
            && at(format!("{stem}_scales")).is_some()
        {
            return found(PackedFormat::Mxfp4, join(stem, &["_scales"]));
        }
        if let Some(stem) = module("weight") {
            let states = format!("{name}.quant_state.");
            let state = all.range(states.as_str()..).map(|(name, _)| *name).next();
            let state = state.filter(|found| found.starts_with(&states)).map(str::to_owned);
            if state.is_some() || at(format!("{name}.absmax")).is_some() {
                let ends = [".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map"];
                let beside = join(name, &ends).into_iter().chain(state).collect();
                return found(PackedFormat::Bitsandbytes4, beside);
            }
            if at(format!("{stem}SCB")).is_some() {
                return found(PackedFormat::Bitsandbytes8, join(stem, &["SCB", "weight_format"]));
            }
            if tensor.dtype == Dtype::U32 && at(format!("{stem}scales")).is_some() {
                return found(PackedFormat::Mlx, join(stem, &["scales", "biases"]));
            }
        }
        let scale = at(format!("{name}_scale"));
        let is_pairs = matches!(tensor.dtype, Dtype::U8 | Dtype::F4 | Dtype::F6_E2M3 | Dtype::F6_E3M2);
        match scale {
            Some(scale) if is_pairs => {
                let format = match scale.dtype {
                    Dtype::F8_E4M3 => PackedFormat::Nvfp4,
                    Dtype::F8_E8M0 => PackedFormat::Mxfp4,
                    _ => PackedFormat::Unknown,
                };
                let mut beside = join(name, &["_scale", "_scale_2", "_global_scale", "_zero_point"]);
                beside.extend(name.strip_suffix("weight").map(|stem| format!("{stem}input_scale")));
                found(format, beside)
            }
            _ => None,
        }
    }
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

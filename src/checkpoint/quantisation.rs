//! What each tensor of a quantised checkpoint is.
//!
//! Told by what the headers show, tensor by tensor, because checkpoints mix: norms and embeddings stay as they were, and
//! exporters leave out layers. The configuration is asked for one thing only that no header says, how long a block is.

use std::collections::BTreeMap;

use super::{
    Packing, Storage, TensorInfo,
    packed::{Named, packed},
    scaling::{Axes, is_scaled_type, scaled},
};
use crate::family::ModelConfig;

/// What the tensors of a checkpoint are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quantisation {
    /// Those that are not plain.
    storage: BTreeMap<String, Storage>,
    /// What describes each of them.
    companions: BTreeMap<String, Vec<String>>,
}

impl Quantisation {
    /// Of the tensors of all shards but fixed buffers, whose integers are no codes: a weight and its scales may lie in different ones,
    /// and a weight whose scales are not among `tensors` looks plain.
    pub fn of<'a>(tensors: impl IntoIterator<Item = &'a TensorInfo>, config: &ModelConfig) -> Self {
        let all: Named<'a> = tensors.into_iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let axes = Axes::of(&all);
        let (mut storage, mut auxiliary) = (BTreeMap::new(), BTreeMap::new());
        for tensor in all.values() {
            let packed = packed(tensor, &all, config.quantisation.as_deref())
                .map(|(format, beside)| (Storage::packed(format, tensor, &all, config), beside));
            let Some((found, beside)) = packed.or_else(|| scaled(tensor, &all, config, &axes)) else { continue };
            for name in beside.into_iter().filter(|name| all.contains_key(name.as_str())) {
                auxiliary.entry(name).or_insert_with(|| tensor.name.clone());
            }
            storage.insert(tensor.name.clone(), found);
        }
        let mut companions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, of) in auxiliary {
            if !matches!(storage.get(&name), Some(Storage::Scaled(_) | Storage::Packed { .. })) {
                companions.entry(of.clone()).or_default().push(name.clone());
                storage.insert(name, Storage::Auxiliary { of });
            }
        }
        Self { storage, companions }
    }

    /// How many weights a tensor holds: none where it describes another; `None` where that is not known.
    pub fn weights(&self, tensor: &TensorInfo) -> Option<u64> {
        match self.storage(&tensor.name) {
            Storage::Plain | Storage::Scaled(_) => Some(tensor.numel()),
            Storage::Packed { weights, .. } => *weights,
            Storage::Unclear { .. } => is_scaled_type(&tensor.dtype).then(|| tensor.numel()),
            Storage::Auxiliary { .. } => Some(0),
        }
    }

    /// How rows of the packed tensor of this name are read, or why they are not; `None` of one that is not packed.
    pub fn packing(&self, name: &str) -> Option<Result<&Packing, &str>> {
        match self.storage(name) {
            Storage::Packed { rows, .. } => Some(rows.as_ref().map_err(String::as_str)),
            _ => None,
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checkpoint::{PackedFormat, Scaling},
        dtype::Dtype,
    };

    fn of(list: &[(&str, Dtype, &[u64])], method: Option<&str>, block: Option<[u64; 2]>) -> Quantisation {
        let config = ModelConfig {
            quantisation: method.map(str::to_owned),
            quantisation_block: block,
            ..ModelConfig::default()
        };
        Quantisation::of(&TensorInfo::listed(list), &config)
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
            assert!(matches!(found.storage(weight), Storage::Packed { format: told, .. } if *told == format));
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
            let found = of(&square, method, None);
            assert!(matches!(found.storage("q.qweight"), Storage::Packed { format: told, .. } if *told == format));
        }
    }
}

//! How weights of four bits lie in packed matrices, in the public layouts whose rows can be read without the rest of the tensor.
//!
//! What is not known for sure, such as another number of bits or a layout made for one kernel, is a reason and no guess: codes
//! in the wrong order are plausible weights.

use super::{PackedFormat, TensorInfo, packed::Named};
use crate::{dtype::Dtype, family::ModelConfig, rows::RowSet};

/// Place of each of eight neighbouring outputs in a word of AWQ, whose kernels want them in another order.
const AWQ_PLACES: [u64; 8] = [0, 4, 1, 5, 2, 6, 3, 7];

/// Columns that share a scale of MXFP4.
const MX_BLOCK: u64 = 32;

/// How the codes of a packed matrix `[out, in]` lie, and what its values are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packing {
    pub(super) codes: Codes,
    /// `[out, in]`.
    pub shape: [u64; 2],
    /// Groups of columns that share a scale; 0 where the values beside it say how many there are.
    pub(super) groups: u64,
    /// Names of the tensors that its values are made of beside the codes, in the order in which
    /// [`Unpacker::new`](super::Unpacker::new) takes their bytes.
    pub beside: Vec<String>,
}

/// A public layout of codes of four bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codes {
    /// I32 `[in / 8, out]`: eight inputs of an output in a word, the first in its lowest bits. A group of inputs (`g_idx`) has a scale
    /// and a zero point an output; the first layout stores zero points less one.
    Gptq { zeros_less_one: bool },
    /// I32 `[in, out / 8]`: eight outputs of an input in a word. Zero points lie likewise.
    Awq,
    /// Two FP4 of a row in a byte, the first in its low bits, and a power of two for 32 of them.
    Mxfp4,
    /// The matrix row by row, two indices into a table in a byte, the first in its high bits, and a scale for each stretch of the
    /// matrix, itself quantised where `nested`.
    Nf4 { nested: bool },
}

impl Packing {
    /// Of a packed tensor, or why its rows cannot be read.
    pub(super) fn of(
        format: PackedFormat,
        tensor: &TensorInfo,
        all: &Named<'_>,
        config: &ModelConfig,
    ) -> Result<Self, String> {
        let packing = match format {
            PackedFormat::Gptq => gptq(tensor, all, config),
            PackedFormat::Awq => awq(tensor, all, config),
            PackedFormat::Mxfp4 => mxfp4(tensor, all),
            PackedFormat::Bitsandbytes4 => nf4(tensor, all, config),
            other => Err(format!("rows of {} are not read", other.describe().0)),
        }?;
        let words = if packing.is_by_columns() { 8 } else { 2 };
        let [rows, columns] = packing.shape;
        let elements = rows.checked_mul(columns).filter(|elements| *elements > 0);
        let is_whole = elements.is_some() && elements == tensor.numel().checked_mul(words);
        if is_whole { Ok(packing) } else { Err(format!("codes of shape {:?} are no matrix", tensor.shape)) }
    }

    /// Whether a stored row holds columns of the matrix: a row of it then lies in all of them.
    pub fn is_by_columns(&self) -> bool {
        matches!(self.codes, Codes::Gptq { .. } | Codes::Awq)
    }

    /// The stored rows that hold these rows of the matrix, or these columns where it is stored by columns.
    pub fn stored_rows(&self, rows: impl IntoIterator<Item = u64>, columns: &[u64]) -> RowSet {
        let [_, width] = self.shape;
        match self.codes {
            Codes::Gptq { .. } => columns.iter().map(|column| column / 8).collect(),
            Codes::Awq => columns.iter().copied().collect(),
            Codes::Mxfp4 => rows.into_iter().collect(),
            Codes::Nf4 { .. } => rows.into_iter().flat_map(|row| row * (width / 2)..(row + 1) * (width / 2)).collect(),
        }
    }

    /// The number of a code in the stored bytes, whose low bits count first.
    pub(super) fn place(&self, row: u64, column: u64) -> u64 {
        let [rows, columns] = self.shape;
        match self.codes {
            Codes::Gptq { .. } => (column / 8 * rows + row) * 8 + column % 8,
            Codes::Awq => column * rows + in_word(row),
            Codes::Mxfp4 => row * columns + column,
            Codes::Nf4 { .. } => (row * columns + column) ^ 1,
        }
    }

    /// The number of the zero point of a group and a row, likewise; `None` where codes have none.
    pub(super) fn zero_place(&self, row: u64, group: u64) -> Option<u64> {
        let [rows, _] = self.shape;
        match self.codes {
            Codes::Gptq { .. } => Some(group * rows + row),
            Codes::Awq => Some(group * rows + in_word(row)),
            Codes::Mxfp4 | Codes::Nf4 { .. } => None,
        }
    }
}

/// Where AWQ puts an output among those of its input.
fn in_word(output: u64) -> u64 {
    let within = usize::try_from(output % 8).unwrap_or_default();
    output / 8 * 8 + AWQ_PLACES[within]
}

/// The tensor of this name, of one of these types.
fn beside<'a>(all: &Named<'a>, name: &str, types: &[Dtype]) -> Result<&'a TensorInfo, String> {
    let segment = || name.rsplit('.').next().unwrap_or(name).escape_debug().to_string();
    let found = all.get(name).copied().ok_or_else(|| format!("there is no `{}` beside it", segment()))?;
    if types.contains(&found.dtype) {
        return Ok(found);
    }
    Err(format!("its `{}` is of type {}", segment(), found.dtype))
}

const FACTORS: [Dtype; 3] = [Dtype::F16, Dtype::BF16, Dtype::F32];

fn gptq(tensor: &TensorInfo, all: &Named<'_>, config: &ModelConfig) -> Result<Packing, String> {
    let zeros_less_one = match config.quantisation_layout.as_deref() {
        None | Some("gptq") => true,
        Some("gptq_v2") => false,
        Some(other) => return Err(format!("the layout `{}` of GPTQ is not known", other.escape_debug())),
    };
    let stem = tensor.name.strip_suffix("qweight").unwrap_or_default();
    let names = ["scales", "qzeros", "g_idx"].map(|end| format!("{stem}{end}"));
    let scales = beside(all, &names[0], &FACTORS)?;
    let zeros = beside(all, &names[1], &[Dtype::I32])?;
    let order = beside(all, &names[2], &[Dtype::I32])?;
    match (&*tensor.shape, &*scales.shape, &*zeros.shape, &*order.shape) {
        (&[words, rows], &[groups, outputs], &[also, packed], &[columns])
            if rows == outputs && groups == also && groups > 0 && tensor.dtype == Dtype::I32 =>
        {
            if words.checked_mul(8) != Some(columns) || packed.checked_mul(8) != Some(rows) {
                return Err("it is not packed by four bits".to_owned());
            }
            Ok(Packing { codes: Codes::Gptq { zeros_less_one }, shape: [rows, columns], groups, beside: names.into() })
        }
        _ => Err("what stands beside it does not fit it".to_owned()),
    }
}

fn awq(tensor: &TensorInfo, all: &Named<'_>, config: &ModelConfig) -> Result<Packing, String> {
    if let Some(other) = config.quantisation_layout.as_deref().filter(|layout| *layout != "gemm") {
        return Err(format!("the layout `{}` of AWQ is not known", other.escape_debug()));
    }
    let stem = tensor.name.strip_suffix("qweight").unwrap_or_default();
    let names = ["scales", "qzeros"].map(|end| format!("{stem}{end}"));
    let scales = beside(all, &names[0], &FACTORS)?;
    let zeros = beside(all, &names[1], &[Dtype::I32])?;
    match (&*tensor.shape, &*scales.shape, &*zeros.shape) {
        (&[columns, words], &[groups, rows], &[also, packed])
            if groups == also && words == packed && groups > 0 && tensor.dtype == Dtype::I32 =>
        {
            if words.checked_mul(8) != Some(rows) {
                return Err("it is not packed by four bits".to_owned());
            }
            let group = config.quantisation_group.unwrap_or(columns / groups);
            if columns != group.saturating_mul(groups) {
                return Err(format!("{groups} groups of {group} are not its {columns} inputs"));
            }
            Ok(Packing { codes: Codes::Awq, shape: [rows, columns], groups, beside: names.into() })
        }
        _ => Err("what stands beside it does not fit it".to_owned()),
    }
}

/// As the compressed-tensors library writes it, and as one matrix of `_blocks`. Where a byte of other writers has the first of its two
/// is not known.
fn mxfp4(tensor: &TensorInfo, all: &Named<'_>) -> Result<Packing, String> {
    let (name, width) = match (tensor.name.strip_suffix("_packed"), tensor.name.strip_suffix("_blocks")) {
        (Some(stem), _) => (format!("{stem}_scale"), tensor.shape.get(1).copied()),
        (_, Some(stem)) if tensor.shape.get(2) == Some(&16) => {
            (format!("{stem}_scales"), tensor.shape.get(1).and_then(|blocks| blocks.checked_mul(16)))
        }
        _ => return Err("which half of a byte comes first is not known".to_owned()),
    };
    let scales = beside(all, &name, &[Dtype::U8, Dtype::F8_E8M0])?;
    let columns = width.and_then(|bytes| bytes.checked_mul(2));
    match (&*tensor.shape, columns, &*scales.shape) {
        (&[rows, ..], Some(columns), &[of_rows, groups])
            if rows == of_rows && groups.checked_mul(MX_BLOCK) == Some(columns) && tensor.dtype == Dtype::U8 =>
        {
            Ok(Packing { codes: Codes::Mxfp4, shape: [rows, columns], groups, beside: vec![name] })
        }
        _ => Err("it is no matrix in blocks of 32".to_owned()),
    }
}

/// The file does not tell the shape before its bytes are read: rows are those of a matrix that takes the residual stream, which is
/// checked then.
fn nf4(tensor: &TensorInfo, all: &Named<'_>, config: &ModelConfig) -> Result<Packing, String> {
    let name = tensor.name.as_str();
    let state = format!("{name}.quant_state.bitsandbytes__nf4");
    beside(all, &state, &[Dtype::U8])?;
    let (table, scales) = (format!("{name}.quant_map"), format!("{name}.absmax"));
    beside(all, &table, &[Dtype::F32])?;
    let nested = beside(all, &scales, &[Dtype::U8, Dtype::F32])?.dtype == Dtype::U8;
    let mut names = vec![scales, table, state];
    if nested {
        names.extend([".nested_absmax", ".nested_quant_map"].map(|end| format!("{name}{end}")));
        for of_scales in &names[3..] {
            beside(all, of_scales, &[Dtype::F32])?;
        }
    }
    let width = config.hidden_size.filter(|width| *width > 0 && width % 2 == 0);
    let width = width.ok_or("the configuration does not say how wide the model is")?;
    let elements = tensor.numel().saturating_mul(2);
    if tensor.dtype != Dtype::U8 || tensor.shape.get(1) != Some(&1) || !elements.is_multiple_of(width) {
        return Err("its bytes are no rows of the model's width".to_owned());
    }
    Ok(Packing { codes: Codes::Nf4 { nested }, shape: [elements / width, width], groups: 0, beside: names })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Quantisation;

    type Shapes<'a> = [(&'a str, Dtype, &'a [u64])];

    fn packing(list: &Shapes<'_>, config: &ModelConfig) -> Result<Packing, String> {
        let quantisation = Quantisation::of(&TensorInfo::listed(list), config);
        quantisation.packing(list[0].0).unwrap().cloned().map_err(str::to_owned)
    }

    fn method(name: &str, layout: Option<&str>) -> ModelConfig {
        ModelConfig {
            quantisation: Some(name.to_owned()),
            quantisation_layout: layout.map(str::to_owned),
            hidden_size: Some(64),
            ..ModelConfig::default()
        }
    }

    const GPTQ: [(&str, Dtype, &[u64]); 4] = [
        ("q.qweight", Dtype::I32, &[8, 24]),
        ("q.scales", Dtype::F16, &[2, 24]),
        ("q.qzeros", Dtype::I32, &[2, 3]),
        ("q.g_idx", Dtype::I32, &[64]),
    ];

    #[test]
    fn a_row_of_gptq_and_awq_lies_in_every_stored_row() {
        let gptq = packing(&GPTQ, &method("gptq", None)).unwrap();
        assert_eq!(
            (gptq.shape, gptq.is_by_columns(), gptq.codes),
            ([24, 64], true, Codes::Gptq { zeros_less_one: true })
        );
        assert_eq!(gptq.stored_rows([5], &[0, 7, 8, 63]), [0, 1, 7].into_iter().collect());
        let later = packing(&GPTQ, &method("gptq", Some("gptq_v2"))).unwrap();
        assert_eq!(later.codes, Codes::Gptq { zeros_less_one: false });
        let list: [(&str, Dtype, &[u64]); 3] = [
            ("q.qweight", Dtype::I32, &[64, 3]),
            ("q.scales", Dtype::F16, &[2, 24]),
            ("q.qzeros", Dtype::I32, &[2, 3]),
        ];
        let awq = packing(&list, &method("awq", Some("gemm"))).unwrap();
        assert_eq!((awq.shape, awq.stored_rows([5], &[0, 63])), ([24, 64], [0, 63].into_iter().collect()));
    }

    #[test]
    fn rows_of_mxfp4_and_nf4_lie_together() {
        let list: [(&str, Dtype, &[u64]); 2] =
            [("q.weight_packed", Dtype::U8, &[24, 32]), ("q.weight_scale", Dtype::U8, &[24, 2])];
        let mxfp4 = packing(&list, &ModelConfig::default()).unwrap();
        assert_eq!((mxfp4.shape, mxfp4.stored_rows([3, 4], &[])), ([24, 64], RowSet::run(3..5)));
        let blocks: [(&str, Dtype, &[u64]); 2] =
            [("q_blocks", Dtype::U8, &[24, 2, 16]), ("q_scales", Dtype::U8, &[24, 2])];
        assert_eq!(packing(&blocks, &ModelConfig::default()).unwrap().shape, [24, 64]);
        let list: [(&str, Dtype, &[u64]); 4] = [
            ("q.weight", Dtype::U8, &[768, 1]),
            ("q.weight.absmax", Dtype::F32, &[24]),
            ("q.weight.quant_map", Dtype::F32, &[16]),
            ("q.weight.quant_state.bitsandbytes__nf4", Dtype::U8, &[80]),
        ];
        let nf4 = packing(&list, &method("bitsandbytes", None)).unwrap();
        assert_eq!((nf4.shape, nf4.stored_rows([2], &[])), ([24, 64], RowSet::run(64..96)));
    }

    #[test]
    fn what_is_not_known_for_sure_is_a_reason() {
        let reason = |list: &Shapes<'_>, config: &ModelConfig| packing(list, config).unwrap_err();
        assert!(reason(&GPTQ, &method("gptq", Some("marlin"))).contains("`marlin`"));
        assert!(reason(&GPTQ[..3], &method("gptq", None)).contains("no `g_idx`"));
        let three: [(&str, Dtype, &[u64]); 4] =
            [("q.qweight", Dtype::I32, &[6, 24]), GPTQ[1].clone(), GPTQ[2].clone(), GPTQ[3].clone()];
        assert!(reason(&three, &method("gptq", None)).contains("four bits"));
        let awq: [(&str, Dtype, &[u64]); 3] = [
            ("q.qweight", Dtype::I32, &[64, 3]),
            ("q.scales", Dtype::F16, &[2, 24]),
            ("q.qzeros", Dtype::I32, &[2, 3]),
        ];
        assert!(reason(&awq, &method("awq", Some("gemv"))).contains("`gemv`"));
        let eight: [(&str, Dtype, &[u64]); 3] =
            [("q.qweight", Dtype::I32, &[64, 6]), awq[1].clone(), ("q.qzeros", Dtype::I32, &[2, 6])];
        assert!(reason(&eight, &method("awq", None)).contains("four bits"));
        let other: [(&str, Dtype, &[u64]); 2] =
            [("q.weight", Dtype::U8, &[24, 32]), ("q.weight_scale", Dtype::F8_E8M0, &[24, 2])];
        assert!(reason(&other, &ModelConfig::default()).contains("which half"));
        let fp4: [(&str, Dtype, &[u64]); 4] = [
            ("q.weight", Dtype::U8, &[768, 1]),
            ("q.weight.absmax", Dtype::F32, &[24]),
            ("q.weight.quant_map", Dtype::F32, &[16]),
            ("q.weight.quant_state.bitsandbytes__fp4", Dtype::U8, &[80]),
        ];
        assert!(reason(&fp4, &method("bitsandbytes", None)).contains("bitsandbytes__nf4"));
        let mlx: [(&str, Dtype, &[u64]); 3] = [
            ("q.weight", Dtype::U32, &[24, 8]),
            ("q.scales", Dtype::F16, &[24, 1]),
            ("q.biases", Dtype::F16, &[24, 1]),
        ];
        assert!(reason(&mlx, &ModelConfig::default()).contains("MLX"));
    }
}

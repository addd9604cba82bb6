//! How a weight is scaled by the tensors that stand beside it, or why that is not clear.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    PackedFormat, ScaleGrid, Scaling, Storage, TensorInfo,
    companions::{Companions, is_called_scale, multiplies},
    packed::Named,
};
use crate::{dtype::Dtype, escaped::Escaped, family::ModelConfig};

/// What a weight with scales beside it is, and the names of those that describe it. `None` where it has none, and is no
/// integer matrix: those are codes or indices.
pub(super) fn scaled(
    tensor: &TensorInfo,
    all: &Named<'_>,
    config: &ModelConfig,
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
            Some(format) => return Some((Storage::packed(format, tensor, all, config), names)),
            None => scaling(tensor, scale, zero_points.first().copied(), config.quantisation_block, axes),
        },
    };
    Some((storage.map_or_else(|reason| Storage::Unclear { reason }, Storage::Scaled), names))
}

/// Two FP4 in a byte: the scales say how many elements share one.
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

pub(super) fn is_scaled_type(dtype: &Dtype) -> bool {
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
pub(super) struct Axes<'a>(BTreeMap<(&'a str, &'a str), BTreeSet<usize>>);

impl<'a> Axes<'a> {
    pub(super) fn of(all: &Named<'a>) -> Self {
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

//! The embedding table of one model.

use super::TokenAsk;
use crate::{
    dtype::Dtype,
    family::{Part, Role},
    fetch::row_width,
    model::{Model, Tensor},
};

/// A tensor whose rows belong to tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its position in the model's list.
    pub position: usize,
    /// Its name.
    pub tensor: String,
    /// Its element type as stored.
    pub dtype: Dtype,
    /// Rows: tokens, and padding after them.
    pub rows: u64,
    /// Elements of a row.
    pub width: u64,
    /// Other tensors of the same role, which are not compared.
    pub others: Vec<String>,
}

impl Table {
    /// The table of `model` that has the role, or the name, that was asked for; of several the main stack's, then the first by name. The reason where there is none
    /// whose rows can be compared.
    pub(crate) fn of(model: &Model, ask: TokenAsk) -> Result<Self, String> {
        let role = ask.role;
        let has_role = |tensor: &Tensor| {
            tensor.slot.is_some_and(|slot| slot.role == role && slot.part == Part::Weight && !slot.mtp)
        };
        let mut found: Vec<(usize, &Tensor)> =
            model.tensors.iter().enumerate().filter(|(_, tensor)| ask.by_name || has_role(tensor)).collect();
        found.sort_by_key(|(_, tensor)| (tensor.slot.map(|slot| slot.stack), &tensor.info.name));
        let Some(&(position, tensor)) = found.first() else {
            return Err(absent(ask));
        };
        let info = &tensor.info;
        let &[rows, width] = info.shape.as_slice() else {
            return Err(format!("`{}` is no table of two axes", info.name.escape_debug()));
        };
        if tensor.scaled.is_none() && !is_float(&info.dtype) {
            return Err(format!(
                "`{}` holds {} elements, which mean nothing without scales, and none are known",
                info.name.escape_debug(),
                info.dtype
            ));
        }
        if width == 0 || row_width(tensor).is_none() {
            return Err(format!("`{}` has no rows", info.name.escape_debug()));
        }
        Ok(Self {
            position,
            tensor: info.name.clone(),
            dtype: info.dtype.clone(),
            rows,
            width,
            others: found[1..].iter().map(|(_, other)| other.info.name.clone()).collect(),
        })
    }
}

fn absent(ask: TokenAsk) -> String {
    if ask.by_name {
        return "no tensor of it has a name that matches".to_owned();
    }
    let role = ask.role;
    let tied = if role == Role::LmHead {
        "; where it is tied to the embedding there is none of its own: ask for embed_tokens"
    } else {
        "; --tensor names it"
    };
    format!("it has no `{role}` tensor that its family's names tell{tied}")
}

/// Types whose elements are numbers by themselves.
fn is_float(dtype: &Dtype) -> bool {
    matches!(*dtype, Dtype::BF16 | Dtype::F16 | Dtype::F32 | Dtype::F64)
}

//! Tensors of a model in few lines: what stands outside of layers by itself, the rest by kind and runs of layers alike.

use std::collections::BTreeMap;

use super::{
    ask::ChunkModel,
    row::{ChunkTensor, TensorRow, Verdict},
};
use crate::family::{Role, RoleKind};

/// Lines of one kind; a kind that changes more often from layer to layer has one.
const MOST_LINES: usize = 8;

/// Several tensors together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) tensors: usize,
    /// How many have each verdict.
    pub(super) verdicts: [usize; Verdict::ALL.len()],
    /// Bytes that are shared; `None` where nothing of them was examined.
    pub(super) shared: Option<u64>,
    /// All bytes.
    pub(super) size: u64,
}

/// Kinds of tensors in the order of a forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Alone(Role),
    Attention,
    Mixer,
    Mlp,
    Experts,
    Norms,
    Buffers,
    Other,
    Head,
}

impl Kind {
    fn of(tensor: &ChunkTensor) -> Self {
        let Some(slot) = tensor.slot else { return if tensor.is_buffer { Self::Buffers } else { Self::Other } };
        match slot.role {
            Role::LmHead => Self::Head,
            Role::MixerInProj | Role::MixerOutProj | Role::MixerOther => Self::Mixer,
            Role::GateProj | Role::UpProj | Role::GateUpProj | Role::DownProj => Self::Mlp,
            role if role.kind() == RoleKind::Norm => Self::Norms,
            role if (Role::Router..=Role::SharedExpertGate).contains(&role) => Self::Experts,
            role if role.kind() == RoleKind::Matrix && slot.layer.is_some() => Self::Attention,
            Role::AttnSinks => Self::Attention,
            role => Self::Alone(role),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Alone(role) => role.name(),
            Self::Attention => "attn",
            Self::Mixer => "mixer",
            Self::Mlp => "mlp",
            Self::Experts => "experts",
            Self::Norms => "norms",
            Self::Buffers => "buffers",
            Self::Other => "other",
            Self::Head => "lm_head",
        }
    }
}

/// Rows of a model's tensors as lines, and one of all.
pub(super) fn lines(model: &ChunkModel, rows: &[TensorRow]) -> Vec<Line> {
    let mut kinds: BTreeMap<Kind, Vec<&TensorRow>> = BTreeMap::new();
    for row in rows {
        kinds.entry(Kind::of(&model.tensors[row.b])).or_default().push(row);
    }
    let mut lines = Vec::new();
    for (kind, rows) in &kinds {
        let is_by_layer = matches!(kind, Kind::Attention | Kind::Mixer | Kind::Mlp | Kind::Experts);
        if is_by_layer {
            lines.extend(by_layers(*kind, model, rows));
        } else {
            lines.push(Line::of(kind.name().to_owned(), model, rows));
        }
    }
    lines.push(Line::of("all".to_owned(), model, &rows.iter().collect::<Vec<_>>()));
    lines
}

/// Layers that follow each other and are alike.
struct Run<'a> {
    first: Option<u32>,
    last: Option<u32>,
    /// Of all their tensors; `None` where they have several.
    verdict: Option<Verdict>,
    rows: Vec<&'a TensorRow>,
}

/// One line a run of layers whose tensors all have one verdict, or not.
fn by_layers(kind: Kind, model: &ChunkModel, rows: &[&TensorRow]) -> Vec<Line> {
    let mut layers: BTreeMap<Option<u32>, Vec<&TensorRow>> = BTreeMap::new();
    for row in rows {
        layers.entry(model.tensors[row.b].layer.map(|layer| layer.0)).or_default().push(row);
    }
    let verdict = |rows: &[&TensorRow]| {
        let first = rows.first().map(|row| row.verdict);
        first.filter(|first| rows.iter().all(|row| row.verdict == *first))
    };
    let mut runs: Vec<Run<'_>> = Vec::new();
    for (layer, rows) in layers {
        let of_layer = verdict(&rows);
        match runs.last_mut() {
            Some(run) if run.verdict == of_layer && run.last.is_some() => {
                run.last = layer;
                run.rows.extend(rows);
            }
            _ => runs.push(Run { first: layer, last: layer, verdict: of_layer, rows }),
        }
    }
    let name = |first: Option<u32>, last: Option<u32>| match (first, last) {
        (Some(first), Some(last)) if first != last => format!("layers {first}-{last} {}", kind.name()),
        (Some(layer), _) => format!("layer {layer} {}", kind.name()),
        (None, _) => kind.name().to_owned(),
    };
    if runs.len() > MOST_LINES {
        let (first, last) = (runs.iter().find_map(|run| run.first), runs.last().and_then(|run| run.last));
        return vec![Line::of(name(first, last), model, rows)];
    }
    runs.into_iter().map(|run| Line::of(name(run.first, run.last), model, &run.rows)).collect()
}

impl Line {
    fn of(name: String, model: &ChunkModel, rows: &[&TensorRow]) -> Self {
        let count = |verdict: Verdict| rows.iter().filter(|row| row.verdict == verdict).count();
        Self {
            name,
            tensors: rows.len(),
            verdicts: Verdict::ALL.map(count),
            shared: (count(Verdict::NotExamined) < rows.len())
                .then(|| rows.iter().map(|row| row.same + row.moved).sum()),
            size: rows.iter().map(|row| model.tensors[row.b].range.len()).sum(),
        }
    }
}

//! What is asked of the matrices.

use crate::{
    family::{LayerSelection, Role, RoleKind, RoleSelection, Stack},
    metric::align::Gauge,
    model::{Model, Question},
    question::layers::{MOST_LAYERS, every_layer, stated},
};

/// What is asked of the matrices.
#[derive(Debug, Clone)]
pub struct StructureOptions {
    /// Roles, as they were asked for.
    pub roles: RoleSelection,
    /// Layers, as they were asked for.
    pub layers: LayerSelection,
    /// Whether tensors were chosen by a pattern of names.
    pub by_pattern: bool,
    /// Layer k is compared with layer k + `stride`.
    pub stride: u32,
    /// Whether the spectrum of each residual is wanted.
    pub effective_rank: bool,
    /// Families of changes of basis.
    pub align: Vec<Gauge>,
}

/// Roles whose matrices turn together with attention heads.
pub(crate) const ATTENTION: [Role; 4] = [Role::QProj, Role::KProj, Role::VProj, Role::OProj];

/// Roles whose matrices share the units of an MLP.
pub(crate) const MLP: [Role; 3] = [Role::GateProj, Role::UpProj, Role::DownProj];

/// The roles that a fused tensor holds.
pub(crate) fn parts(role: Role) -> &'static [Role] {
    match role {
        Role::QkvProj => &ATTENTION[..3],
        Role::GateUpProj => &MLP[..2],
        Role::ExpertGateUpProj => &[Role::ExpertGateProj, Role::ExpertUpProj],
        _ => &[],
    }
}

impl StructureOptions {
    /// Whether the roles hold a weight matrix, so that `layers` answers with their structure.
    pub fn has_matrix(roles: &RoleSelection) -> bool {
        roles.roles().iter().any(|role| role.kind() == RoleKind::Matrix)
    }

    /// The question whose tensors answer this one: with the matrices that alignments need, and tensors in which roles are
    /// fused.
    #[must_use]
    pub fn widen(&self, question: Question) -> Question {
        let mut roles: Vec<Role> = self.roles.roles().to_vec();
        roles.extend(self.needed());
        let fused = [Role::QkvProj, Role::GateUpProj, Role::ExpertGateUpProj];
        let fused: Vec<Role> =
            fused.into_iter().filter(|&role| parts(role).iter().any(|part| roles.contains(part))).collect();
        roles.extend(fused);
        let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        let roles = names.join(",").parse().unwrap_or_else(|_| self.roles.clone());
        Question { roles, mtp: false, ..question }
    }

    /// Roles that the alignments need.
    pub(crate) fn needed(&self) -> Vec<Role> {
        let of = |gauge: &Gauge| match gauge {
            Gauge::Heads | Gauge::Attention => ATTENTION.to_vec(),
            Gauge::MlpRotation | Gauge::MlpPermutation => MLP.to_vec(),
        };
        self.align.iter().flat_map(of).collect()
    }

    /// Whether a role's own rows are wanted: it was asked for, or it is fused in one that was.
    pub(crate) fn wants(&self, role: Role) -> bool {
        let asked = self.roles.roles();
        asked.contains(&role) || asked.iter().any(|&fused| parts(fused).contains(&role))
    }
}

/// The chosen layers that a stack should have: up to the stated number or the last one found, whichever is more.
pub(crate) fn chosen(
    model: &Model,
    found: impl Iterator<Item = u32>,
    stack: Stack,
    options: &StructureOptions,
) -> Result<Vec<u32>, String> {
    let stated = if options.by_pattern { None } else { stated(&model.config, stack) };
    let all = every_layer(found, stated)
        .map_err(|count| format!("it claims {count} layers, and at most {MOST_LAYERS} are compared with each other"))?;
    Ok(options.layers.resolve(&all).into_iter().map(|layer| layer.0).collect())
}

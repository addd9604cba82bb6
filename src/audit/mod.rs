//! The questions, one file each, and the way from a model's name to the tensors that answer them: open, plan, fetch, load.

mod condition;
mod error;
mod fetch;
mod hash;
mod inspect;
mod loaded;
mod model;
mod plan;
mod progress;
mod question;
mod repository;
mod session;
mod strand;
mod summary;
mod survey;

pub use condition::Condition;
pub use error::AuditError;
pub use fetch::{BYTES_IN_FLIGHT, Failures, fetch, plan};
pub use hash::{
    FileGroup, FileMember, Group, HashPlan, Hashed, Kinship, hash_all_kept, hash_kept, hash_remote, matches, plan_hash,
    same_files,
};
pub use inspect::{Comparable, Contents, DtypeCount, Inspection, Listed, RoleCount, comparable, inspect, shape_text};
pub use loaded::Loaded;
pub use model::{Exclusion, Model, Tensor};
pub use plan::{COALESCE_GAP, ModelPlan, SPAN_LIMIT, Span};
pub use progress::{Progress, Silent};
pub use question::{DEFAULT_SKIP, Question, Selection, Wanted, pattern};
pub use repository::{HEADER_GUESS, Repository};
pub use session::{Opened, Session};
pub use strand::{Cell, Strand, strands};
pub use summary::ModelSummary;
pub use survey::{Panel, PanelKey, Side, Survey, survey};

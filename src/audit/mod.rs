//! The questions, one file each, and the way from a model's name to the tensors that answer them: open, plan, fetch, load.

mod condition;
pub mod critique;
mod error;
mod fetch;
mod inspect;
mod ladder;
mod layers;
mod loaded;
mod model;
mod plan;
mod prepared;
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
pub use inspect::{Comparable, Contents, DtypeCount, Inspection, Listed, RoleCount, comparable, inspect, shape_text};
pub use ladder::{Found, Ladder, Place, Rung};
pub use layers::{Absence, Layers, layers};
pub use loaded::Loaded;
pub use model::{Exclusion, Model, Tensor};
pub use plan::{COALESCE_GAP, ModelPlan, SPAN_LIMIT, Span};
pub use progress::{Progress, Silent};
pub use question::{DEFAULT_SKIP, Question, Selection, Wanted, pattern};
pub use repository::{HEADER_GUESS, Repository};
pub use session::{Opened, Session};
pub use strand::{Cell, Strand, mtp_strands, strands};
pub use summary::ModelSummary;
pub use survey::{Panel, PanelKey, Side, Survey, survey};

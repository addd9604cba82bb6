//! The questions, one file each, and the way from a model's name to the tensors that answer them: open, plan, fetch, load.

mod averages;
mod baselines;
pub mod compare;
mod components;
mod condition;
pub mod critique;
mod crossing;
mod dequantised;
mod description;
mod embeddings;
mod error;
mod fetch;
mod groups;
mod hash;
mod inspect;
mod ladder;
mod layers;
mod loaded;
mod model;
mod nothing;
mod pairing;
mod panel;
mod plan;
mod prepared;
mod progress;
mod question;
mod relations;
mod repository;
mod rows;
mod session;
mod strand;
mod structure;
mod subfolder;
mod summary;
mod survey;

pub use averages::{PairAverage, RoleAverages};
pub use baselines::{Baseline, Baselines, Simulation};
pub use components::{RoleComponents, VectorAt};
pub use condition::Condition;
pub use crossing::Crossing;
pub use dequantised::Dequantised;
pub use embeddings::{
    Chosen, Distribution, Drawn, Embeddings, Figures, MeanTest, Meeting, RowPairs, Sample, Table, TokenAsk, TokenPair,
    VocabularyFacts, choose_tokens, embeddings,
};
pub use error::AuditError;
pub use fetch::{BYTES_IN_FLIGHT, Failures, fetch, plan, plan_where};
pub use groups::{GroupFigures, GroupPair, LeftOut, empty_groups};
pub use hash::{
    FileGroup, FileMember, Group, HashPlan, Hashed, Kinship, hash_all_kept, hash_kept, hash_remote, matches, plan_hash,
    same_files,
};
pub use inspect::{Comparable, Contents, DtypeCount, Inspection, Listed, RoleCount, comparable, inspect, shape_text};
pub use ladder::{Found, Ladder, Place, Rung};
pub use layers::{Absence, Layers, layers};
pub use loaded::Loaded;
pub use model::{Exclusion, Model, Tensor};
pub use nothing::layer_runs;
pub use pairing::{Depths, Pairing};
pub use panel::{Alignment, Panel, PanelKey, Side};
pub use plan::{COALESCE_GAP, ModelPlan, PIECE, SPAN_LIMIT, Span};
pub use progress::{Progress, Silent};
pub use question::{DEFAULT_SKIP, Question, Selection, Wanted, pattern};
pub use relations::{Relation, Relations};
pub use repository::{HEADER_GUESS, Repository};
pub use rows::{RowPlan, RowReader, fetch_rows, plan_rows, row_width};
pub use session::{Opened, Session};
pub use strand::{Cell, Strand, mtp_strands, strands};
pub use structure::{
    Estimate, Limit, Mode, Quantity, ScaleTrack, Steps, Structure, StructureOptions, StructureRow, estimate, rehearse,
    structure,
};
pub use summary::ModelSummary;
pub use survey::{Survey, SurveyOptions, pairs_of, survey};

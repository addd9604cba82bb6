//! A named model opened once: its repository pinned to a commit, its configuration, family and headers, and the tensors that a question
//! wants of it, located to the byte.

mod absence;
mod access;
mod depths;
mod description;
mod fit;
mod known;
mod local_file;
mod open;
mod opened;
mod pairing;
mod progress;
mod repository;
mod select;
mod session;
mod subfolder;
mod summary;
mod tensor;
mod tensors;
mod vocabulary;
mod warnings;

pub use crate::error::AuditError;
pub(crate) use crate::error::listed;
pub use absence::layer_runs;
pub(crate) use absence::{absence, note_lacking};
pub use access::Access;
pub use depths::{Depths, same_depth};
pub(crate) use description::{read_config, read_index};
pub use open::Model;
pub use opened::Opened;
pub use pairing::Pairing;
pub use progress::{Progress, Silent};
pub(crate) use repository::TOKENIZER;
pub use repository::{HEADER_GUESS, Repository};
pub use select::{DEFAULT_SKIP, Question, Selection, Wanted, pattern};
pub use session::Session;
pub(crate) use subfolder::subfolder;
pub use summary::ModelSummary;
pub use tensor::{Exclusion, Tensor};
pub(crate) use vocabulary::vocabulary;

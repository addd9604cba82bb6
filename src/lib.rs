//! Audit open-weight models straight from the Hugging Face Hub, without downloading them.
//!
//! `hub-audit` reads safetensors headers by HTTP range, fetches only the tensors a question needs, keeps them as `.npy`,
//! compares them within and across models, and writes matrix reports in which every cosine stands beside its null.
//!
//! # One sentence a room
//!
//! [`hub`] moves bytes; [`checkpoint`] and [`family`] say what they are, [`tokens`] what the rows of an embedding stand for; [`cache`]
//! keeps what was paid for; [`digest`] and [`metric`] are functions of values; [`model`] opens and selects once; [`fetch`] brings;
//! [`tensor`] opens any tensor as one thing; [`table`] holds all pairs; [`question`] has one folder a question, which turns tables
//! into a report; [`report`] renders; [`serve`] plays the Hub on this machine; the binary's `cli` talks to a person.
//!
//! ```text
//!  Args ─▶ Request ─▶ Session::gather ─────────────▶ Corpus ─▶ question::answer ─▶ Report ─▶ CSV JSON Markdown HTML SVG PNG PDF
//!          specs      open ▸ select ▸ plan ▸ fetch    models,   who meets whom ▸ PairTable ▸ Stats
//!          question   async, then the runtime ends    failures  sync, rayon
//!
//!  cli ─▶ question ─▶ report ─▶ table ─▶ tensor ─▶ fetch ─▶ model ─▶ hub, cache ─▶ checkpoint ─▶ family, tokens, metric, digest ─▶ nouns
//! ```
//!
//! Imports point along the second line only, and no file imports itself through others: `tests/stories/house.rs` holds both. Only
//! [`hub`], [`serve`], the opening and fetching in [`model`] and [`fetch`] and what a question asks of the Hub by itself are async; only `cli` prints, reads the environment, or
//! knows `anyhow`. The nouns that all share ([`spec`], [`snapshot`], [`range`], [`rows`], [`values`], [`dtype`], [`escaped`], [`secret`],
//! [`hint`]) stand at the root.
//!
//! # As a library
//!
//! Two folders compared, and the Pearson matrix of each norm printed; an id such as `owner/name` in place of a folder asks the Hub.
//!
//! ```
//! # use std::{collections::HashMap, path::Path};
//! # fn write(folder: &Path, seed: f32) -> Result<(), Box<dyn std::error::Error>> {
//! #     let bytes: Vec<u8> = (0..64).flat_map(|i| (1.0 + (seed * i as f32).sin() / 8.0).to_le_bytes()).collect();
//! #     let norm = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![64], &bytes)?;
//! #     let tensors = HashMap::from([("model.layers.0.input_layernorm.weight".to_owned(), norm)]);
//! #     std::fs::create_dir_all(folder)?;
//! #     std::fs::write(folder.join("config.json"), r#"{"model_type": "llama", "num_hidden_layers": 1}"#)?;
//! #     Ok(std::fs::write(folder.join("model.safetensors"), safetensors::serialize(tensors, None)?)?)
//! # }
//! use hub_audit::{
//!     cache::Cache,
//!     fetch::{Gathered, Limits, Request},
//!     hub::HubOptions,
//!     metric::Metric,
//!     model::{Access, Question, Session},
//!     question::survey::{SurveyOptions, survey},
//! };
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let at = tempfile::tempdir()?;
//! # let [first, second, cache] = ["a", "b", "cache"].map(|name| at.path().join(name).display().to_string());
//! # write(Path::new(&first), 1.0)?;
//! # write(Path::new(&second), 2.0)?;
//! let specs = [first.parse()?, second.parse()?];
//! let hub = HubOptions { offline: true, ..HubOptions::default() };
//! let session = Session::new(Access::new(&hub, Cache::open(cache)?)?);
//! let question = Question::new("input_layernorm".parse()?, "all".parse()?)?;
//! let request = Request { specs: &specs, question: &question, limits: Limits::default() };
//! let Gathered::Done(corpus) = session.gather(request).await? else { unreachable!("no plan was asked for") };
//!
//! let answer = survey(&corpus, &SurveyOptions::default())?;
//! for table in &answer.tables {
//!     let matrix = table.matrix(Metric::Pearson, &answer.labels());
//!     println!("{}: r = {:?}", table.key.title(), matrix.get(0, 1));
//! #   assert!(matrix.get(0, 1).as_ref().is_ok_and(|r| r.abs() < 0.5));
//! }
//! # assert_eq!(answer.tables.len(), 1);
//! # Ok(())
//! # }
//! ```

pub mod cache;
pub mod checkpoint;
pub mod digest;
pub mod dtype;
pub mod error;
pub mod escaped;
pub mod family;
pub mod fetch;
pub mod hint;
pub mod hub;
pub mod metric;
pub mod model;
mod named;
mod parallel;
pub mod question;
pub mod range;
pub mod report;
pub mod rows;
pub mod secret;
#[cfg(feature = "serve")]
pub mod serve;
mod size;
pub mod snapshot;
pub mod spec;
pub mod table;
pub mod tensor;
pub mod tokens;
pub mod values;

pub use error::{Error, ErrorKind, Result};
pub use hint::Hint;

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
//!  Args ─▶ Request ─▶ Session::gather ─────────────▶ Corpus ─▶ question::answer ─▶ Report ─▶ CSV JSON Markdown HTML SVG PNG
//!          specs      open ▸ select ▸ plan ▸ fetch    models,   who meets whom ▸ PairTable ▸ Stats
//!          question   async, then the runtime ends    failures  sync, rayon
//!
//!  cli ─▶ question ─▶ report ─▶ table ─▶ tensor ─▶ fetch ─▶ model ─▶ hub, cache ─▶ checkpoint ─▶ family, tokens, metric, digest ─▶ nouns
//! ```
//!
//! Imports point along the second line only, and no file imports itself through others: `tests/stories/house.rs` holds both. Only
//! [`hub`], [`serve`] and the opening and fetching in [`model`] and [`fetch`] are async; only `cli` prints, reads the environment, or
//! knows `anyhow`. The nouns that all share ([`spec`], [`snapshot`], [`range`], [`rows`], [`dtype`], [`values`], [`escaped`], [`hint`])
//! stand at the root.

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
pub mod question;
pub mod range;
pub mod report;
pub mod rows;
pub mod serve;
pub mod snapshot;
pub mod spec;
pub mod table;
pub mod tensor;
pub mod tokens;
pub mod values;

pub use error::{Error, ErrorKind, Result};
pub use hint::Hint;

//! Audit open-weight models straight from the Hugging Face Hub, without downloading them.
//!
//! `hub-audit` reads safetensors headers by HTTP range, fetches only the tensors a question needs, keeps them as `.npy`,
//! compares them within and across models, and writes matrix reports in which every cosine stands beside its null.
//!
//! # One sentence per layer
//!
//! [`hub`] speaks HTTP and nothing else; [`checkpoint`] knows what a model's files say about themselves; [`family`] knows
//! what tensors are called and what they do; [`tokens`] knows what the rows of an embedding stand for; [`cache`] keeps what was
//! paid for; [`metric`] compares slices; [`matrix`] holds labelled numbers; [`audit`] asks the questions; [`report`] turns
//! answers into bytes; [`serve`] plays the Hub on this machine; the binary's `cli` talks to a person.
//!
//! # Data flow, and where async stops
//!
//! ```text
//!  ModelSpec ──resolve──▶ Snapshot {Commit, files, sizes, oids} ──headers──▶ Checkpoint     async  hub / local folder
//!                                                                 │
//!  Question (models × layers × roles) + Family + Cache ───────────┤
//!                                                                 ▼
//!  Plan {tensors, cache hits, coalesced Spans, requests, bytes}                             pure   audit::plan (= --dry-run)
//!                                                                 ▼
//!  Stream of (TensorKey, Bytes), bounded in requests and bytes in flight                    async  audit::fetch
//!  ══════════════════════════════════════════ async stops: spawn_blocking ══════════════
//!  decode ─▶ SHA-256 ─▶ Cache::insert (.npy + sidecar, atomic)                              sync   checkpoint, cache
//!  ══════════════════════════════════════════ runtime dropped ══════════════════════════
//!  pairs ──rayon──▶ Metric ──▶ Matrix ──▶ Report ──▶ CSV JSON Markdown SVG PNG              sync   metric, audit, report
//! ```
//!
//! Arrows point one way: `cli → audit → {hub, checkpoint, family, tokens, cache, metric, matrix}` and
//! `cli → report → {audit's results, matrix}`. The nouns that all of them share ([`spec`], [`snapshot`], [`range`],
//! [`rows`], [`dtype`], [`values`], [`escaped`]) stand at the root and depend on nothing else.

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

//! Talks to a person: arguments in, tables and errors out. The only place that prints, reads the environment, or knows
//! `anyhow`.

mod args;
mod cache;
mod compare;
mod completions;
mod critique;
mod embeddings;
mod environment;
mod examples;
mod exit;
mod fetch;
mod findings;
mod gather;
mod hash;
mod hash_chunks;
mod inspect;
mod inspect_text;
mod layers;
mod lineage;
mod main;
mod man;
mod model_args;
mod options;
mod output;
mod pairing;
mod printer;
mod progress_bars;
mod render_error;
mod runtime;
mod serve;
mod settings;
mod size;
mod structure;
mod survey;
mod table;
mod tensor_args;
mod version;
mod words;

pub(crate) use main::main;

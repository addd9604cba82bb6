//! The questions, one folder each: what it asks for, how it is answered, and the answer as a report.

pub mod compare;
pub mod critique;
pub mod embeddings;
pub mod hash;
pub mod inspect;
pub mod layers;
pub mod lineage;
pub mod page;
pub mod structure;
pub mod survey;

//! What is in a model, from its headers alone.

mod answer;
pub mod page;

pub use answer::{
    Comparable, Contents, DtypeCount, Inspection, Listed, RoleCount, Stored, comparable, inspect, shape_text,
};

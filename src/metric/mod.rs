//! Numbers that compare two tensors, each defined once; undefined is absent, with a reason.

mod catalogue;

pub use catalogue::{Metric, Undefined, UnknownMetric};

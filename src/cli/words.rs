//! Values of options that are words: read as the library reads them, and listed in help and by shells.

use std::{ffi::OsStr, fmt::Display, str::FromStr};

use clap::{
    Arg, Command,
    builder::{PossibleValue, TypedValueParser},
};
use hub_audit::{
    family::{Role, RoleKind, RoleSelection},
    metric::{Metric, align::Gauge},
    model::Pairing,
    question::{
        critique::page::Language,
        lineage::{Group, Groups},
    },
    report::Format,
};

use super::options::advised;

/// Reads a value, and offers words. Unlike clap's own list of values it takes what else can be read, such as several with commas.
#[derive(Debug, Clone)]
pub(crate) struct Words<T> {
    words: Vec<&'static str>,
    read: fn(&str) -> Result<T, String>,
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Words<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        TypedValueParser::parse_ref(&self.read, command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.words.iter().map(PossibleValue::new)))
    }
}

fn plain<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn names(of: impl Fn(RoleKind) -> bool) -> Vec<&'static str> {
    Role::ALL.iter().filter(|role| of(role.kind())).map(|role| role.name()).collect()
}

pub(crate) fn roles() -> Words<RoleSelection> {
    Words { words: [vec!["all", "norms", "matrices"], names(|_| true)].concat(), read: advised }
}

pub(crate) fn norms() -> Words<RoleSelection> {
    Words { words: [vec!["norms"], names(|kind| kind == RoleKind::Norm)].concat(), read: advised }
}

pub(crate) fn metrics() -> Words<Metric> {
    Words { words: Metric::ALL.iter().map(|metric| metric.name()).collect(), read: plain }
}

pub(crate) fn formats() -> Words<Format> {
    Words { words: Format::ALL.iter().map(|format| format.name()).collect(), read: plain }
}

pub(crate) fn pairings() -> Words<Pairing> {
    Words { words: Pairing::ALL.map(Pairing::name).into(), read: advised }
}

pub(crate) fn gauges() -> Words<Gauge> {
    Words { words: Gauge::ALL.map(Gauge::name).into(), read: advised }
}

pub(crate) fn groups() -> Words<Groups> {
    Words { words: [vec!["all"], Group::IN_PLACE.map(Group::name).into()].concat(), read: advised }
}

pub(crate) fn languages() -> Words<Language> {
    Words { words: Language::ALL.iter().map(|language| language.name()).collect(), read: plain }
}

/// `first`, and all roles by their classes: too many for the short help.
pub(crate) fn roles_help(first: &str) -> String {
    let list = |of: fn(RoleKind) -> bool| names(of).join(", ");
    format!(
        "{first}\n\nnorms: {}\n\nmatrices: {}\n\nothers: {}",
        list(|kind| kind == RoleKind::Norm),
        list(|kind| kind == RoleKind::Matrix),
        list(|kind| !matches!(kind, RoleKind::Norm | RoleKind::Matrix)),
    )
}

/// `first`, and all roles of norms.
pub(crate) fn norms_help(first: &str) -> String {
    format!("{first}\n\nnorms: {}", names(|kind| kind == RoleKind::Norm).join(", "))
}

/// `first`, and all metrics.
pub(crate) fn metrics_help(first: &str) -> String {
    format!("{first}\n\nmetrics: {}", metrics().words.join(", "))
}

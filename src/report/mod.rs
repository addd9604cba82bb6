//! Answers turned into bytes. A [`Report`] is plain data; each format is one pure function of it, and [`write_reports`] puts the files
//! into a folder, each whole or not at all. Numbers for other programs are [`Frame`]s: whole as CSV and JSON, in part as a [`Table`]
//! of the report.

pub mod csv;
pub mod escape;
pub mod figure;
pub mod html;
pub mod inline;
pub mod json;
pub mod markdown;
pub mod number;
#[cfg(feature = "cli")]
pub mod text;

mod datum;
mod error;
mod files;
mod format;
mod frame;
mod labels;
mod model;
mod provenance;
mod writer;

use self::files::files;
pub(crate) use self::frame::{all_or_each_reason, each_reason};
pub use self::{
    datum::Datum,
    error::ReportError,
    figure::{Picture, PictureKind},
    format::Format,
    frame::{Frame, Frames},
    model::{Block, Cell, Column, Report, Section, Table},
    number::Digits,
    provenance::{Excluded, Provenance, SYNTHETIC, WrittenFile},
    writer::{Written, check_folder, write_files, write_reports},
};

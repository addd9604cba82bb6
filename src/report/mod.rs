//! Answers turned into bytes. A [`Report`] is plain data; each format is one pure function of it; [`files`] lists what a set
//! of formats amounts to, and [`write_reports`] puts the files into a folder, each whole or not at all.

pub mod csv;
pub mod escape;
pub mod html;
pub mod inline;
pub mod json;
pub mod markdown;
pub mod number;
pub mod picture;

mod datum;
mod error;
mod files;
mod format;
mod model;
mod provenance;
mod writer;

pub use self::{
    datum::Datum,
    error::ReportError,
    files::files,
    format::{Format, UnknownFormat},
    model::{Block, Cell, Column, Report, SYNTHETIC, Section, Table},
    number::Digits,
    picture::{Picture, PictureKind},
    provenance::{Excluded, FileProvenance, ModelProvenance, Provenance},
    writer::{check_folder, write_reports},
};

//! Pictures: data in, drawing out. Each kind lays out its own marks and text on a [`Scene`]; a [`Picture`] frames it with
//! title and remarks; [`svg`] writes it, and `png` and `pdf` draw that. Layout measures text by the bundled font, so a picture
//! is the same on every machine, and a test can ask that no two lines of text overlap.

pub mod axis;
pub mod colormap;
pub mod font;
#[cfg(feature = "png")]
pub mod pdf;
#[cfg(feature = "png")]
pub mod png;
pub mod scene;
pub mod svg;

mod bars;
mod cells;
mod color_bar;
mod dendrogram;
mod heatmap;
mod histogram;
mod labels;
mod legend;
#[cfg(test)]
mod legible;
mod lines;
#[cfg(feature = "png")]
mod pdf_fonts;
mod picture;
mod scatter;
#[cfg(feature = "png")]
mod spelling;
#[cfg(feature = "png")]
mod typeset;

pub use self::{
    bars::{Bar, BarSeries, Bars},
    colormap::{ColorScale, Rgb},
    dendrogram::{Dendrogram, Merge},
    heatmap::Heatmap,
    histogram::Histogram,
    legend::Reference,
    lines::{LinePanel, Lines, Series},
    picture::{Panel, Picture, PictureKind},
    scatter::{Point, Scatter},
    scene::Scene,
};

//! The cells of a heatmap, and what is drawn on them: lines, outlines, paths and numbers.

use super::{
    colormap::{ABSENT, HATCH, INK, MUTED, PAPER, ink_on},
    font,
    heatmap::{Grid, Heatmap},
    scene::{Anchor, Mark, Scene, Stroke, Text},
};
use crate::report::{
    Digits,
    number::{common_digits, typeset},
};

/// Cells of a picture with more columns are too many to read one by one.
const MOST_NUMBERED: usize = 24;
const SMALLEST_NUMBER: f64 = 7.5;

impl Heatmap {
    pub(super) fn draw_cells(&self, scene: &mut Scene, grid: Grid) {
        // One ground for all undefined cells: of a mixed list they are nearly all, and marks of their own would be megabytes.
        if self.cells().any(|(.., datum)| datum.value().is_none()) {
            scene.mark(Mark::rect(grid.left, grid.top, grid.width, grid.height).fill(ABSENT));
            scene.mark(hatching(grid));
        }
        for (row, column, datum) in self.cells() {
            let Some(value) = datum.value() else { continue };
            let (x, y) = (grid.left + column as f64 * grid.cell, grid.top + row as f64 * grid.cell);
            let place = format!("{} × {}", self.matrix.rows[row], self.matrix.columns[column]);
            let color = self.scale.color(value);
            let number = typeset(&Digits::Significant(6).format(value));
            let cell = Mark::rect(x, y, grid.cell, grid.cell);
            scene.mark(cell.fill(color).tooltip(format!("{place}: {number}")));
            if !self.scale.covers(value) {
                let above = value > self.scale.high;
                scene.mark(corner(x + grid.cell, y, grid.cell, above).fill(ink_on(color)));
            }
        }
    }

    /// Thin lines between cells where these are large enough, the frame, and the diagonal.
    pub(super) fn draw_lines(&self, scene: &mut Scene, grid: Grid) {
        let Grid { left, top, cell, width, height, .. } = grid;
        let (rows, columns) = (self.matrix.rows.len(), self.matrix.columns.len());
        if cell >= 16.0 {
            let vertical = (1..columns).map(|column| left + column as f64 * cell);
            let vertical = vertical.map(|x| vec![(x, top), (x, top + height)]);
            let horizontal = (1..rows).map(|row| top + row as f64 * cell);
            let horizontal = horizontal.map(|y| vec![(left, y), (left + width, y)]);
            scene.mark(Mark::path(vertical.chain(horizontal).collect()).stroke(Stroke::solid(PAPER, 1.0)));
        }
        scene.mark(Mark::rect(left, top, width, height).stroke(Stroke::solid(MUTED, 1.0)));
        for at in (0..rows.min(columns)).filter(|_| self.diagonal).map(|index| index as f64 * cell) {
            scene.mark(Mark::rect(left + at, top + at, cell, cell).stroke(Stroke::solid(INK, 0.8)));
        }
    }

    /// The outlined cells, and lines from the middle of a cell to that of the next; where numbers stand there, only between these.
    pub(super) fn draw_paths(&self, scene: &mut Scene, grid: Grid) {
        let width = (grid.cell * 0.15).min(1.6);
        for &(row, column) in &self.outlined {
            let (x, y) = (grid.left + column as f64 * grid.cell, grid.top + row as f64 * grid.cell);
            let side = grid.cell - width;
            scene.mark(Mark::rect(x + width / 2.0, y + width / 2.0, side, side).stroke(Stroke::solid(INK, width)));
        }
        let free = if self.numbers(grid).is_some() { 0.3 } else { 0.0 };
        let middle = |index: usize| (index as f64 + 0.5) * grid.cell;
        let segments = self.paths.iter().flat_map(|path| path.windows(2)).map(|cells| {
            let [from, to] = [0, 1].map(|end| (grid.left + middle(cells[end].1), grid.top + middle(cells[end].0)));
            let along = |share: f64| (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            vec![along(free), along(1.0 - free)]
        });
        let segments: Vec<Vec<(f64, f64)>> = segments.collect();
        if !segments.is_empty() {
            // A pale line below the dark one sets it off from cells of any colour.
            scene.mark(Mark::path(segments.clone()).stroke(Stroke::solid(PAPER, 4.0)));
            scene.mark(Mark::path(segments).stroke(Stroke::solid(INK, 2.0)));
        }
    }

    /// The numbers on the cells, where they fit.
    pub(super) fn draw_numbers(&self, scene: &mut Scene, grid: Grid) {
        let Some((size, digits)) = self.numbers(grid) else { return };
        let texts = self.cells().filter_map(|(row, column, cell)| {
            let value = cell.value()?;
            let x = grid.left + (column as f64 + 0.5) * grid.cell;
            let y = grid.top + (row as f64 + 0.5) * grid.cell;
            let text = Text::centred(x, y, typeset(&digits.format(value)), size).anchor(Anchor::Middle);
            Some(text.color(ink_on(self.scale.color(value))))
        });
        scene.inert_texts(texts.collect());
    }

    /// Size and digits of the numbers on the cells; `None` where they do not fit.
    fn numbers(&self, grid: Grid) -> Option<(f64, Digits)> {
        if self.matrix.columns.len().max(self.matrix.rows.len()) > MOST_NUMBERED {
            return None;
        }
        let best = common_digits(self.values());
        let fewer = match best {
            Digits::Fixed(digits) if digits > 2 => Digits::Fixed(digits - 1),
            other => other,
        };
        [best, fewer].into_iter().find_map(|digits| {
            let widest =
                self.values().map(|v| font::width(&typeset(&digits.format(v)), 1.0, false)).fold(0.0, f64::max);
            let size = ((grid.cell - 3.0) / widest.max(0.1)).min(grid.cell * 0.5).min(13.0);
            (size >= SMALLEST_NUMBER).then_some((size, digits))
        })
    }
}

/// A triangle in the corner of a cell whose upper right is (`right`, `top`): up for a value above the colours.
fn corner(right: f64, top: f64, cell: f64, up: bool) -> Mark {
    let side = (cell * 0.3).min(9.0);
    let (right, top) = (right - cell * 0.08 - 0.5, top + cell * 0.08 + 0.5);
    let (base, tip) = if up { (top + side * 0.9, top) } else { (top, top + side * 0.9) };
    Mark::polygon(vec![(right - side, base), (right, base), (right - side / 2.0, tip)])
}

/// Diagonal lines over all cells, four to a cell where it is large enough.
fn hatching(Grid { left, top, cell, width, height, .. }: Grid) -> Mark {
    let step = (cell / 4.0).max(3.0);
    let mut lines = Vec::new();
    let mut sum = step;
    while sum < width + height {
        let (from, to) = ((sum - height).max(0.0), sum.min(width));
        lines.push(vec![(left + from, top + sum - from), (left + to, top + sum - to)]);
        sum += step;
    }
    Mark::path(lines).stroke(Stroke::solid(HATCH, 0.8))
}

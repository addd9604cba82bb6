//! Bars on a terminal: one a model while it moves, and one for all bytes.

use std::{collections::HashMap, time::Duration};

use hub_audit::{model::Progress, question::structure::Steps};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use parking_lot::Mutex;

/// More models than this would fill the screen: then only the total is drawn.
const MOST_BARS: usize = 12;

/// Draws bars on stderr.
pub(crate) struct ProgressBars {
    all: MultiProgress,
    total: ProgressBar,
    models: Mutex<HashMap<String, ProgressBar>>,
}

impl ProgressBars {
    pub(crate) fn new() -> Self {
        let all = MultiProgress::new();
        let total = all.add(ProgressBar::new(0));
        total.set_style(style("{spinner} all models {bar:24} {bytes:>9} of {total_bytes} {msg}", "{spinner} {msg}"));
        total.enable_steady_tick(Duration::from_millis(120));
        total.set_message("reading headers");
        Self { all, total, models: Mutex::default() }
    }

    fn with(&self, model: &str, act: impl FnOnce(&mut HashMap<String, ProgressBar>, &str)) {
        let mut models = self.models.lock();
        act(&mut models, model);
    }
}

/// A bar of arithmetic, with an estimate of what is left.
pub(crate) struct WorkBar {
    bar: ProgressBar,
    done: Mutex<f64>,
}

impl WorkBar {
    /// A bar where bars are drawn; else one that nobody sees.
    pub(crate) fn new(is_drawn: bool) -> Self {
        let bar = if is_drawn { ProgressBar::new(0) } else { ProgressBar::hidden() };
        bar.set_style(style("{spinner} {prefix} {bar:24} {percent:>3} %, {eta} left", "{spinner} {prefix}"));
        if is_drawn {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { bar, done: Mutex::default() }
    }
}

/// Operations are counted in millions: a bar counts in whole numbers.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bar may stop at its end; what it counts is never negative"
)]
fn millions(operations: f64) -> u64 {
    (operations.max(0.0) / 1e6) as u64
}

impl Steps for WorkBar {
    fn start(&self, model: &str, operations: f64) {
        *self.done.lock() = 0.0;
        self.bar.reset();
        self.bar.set_prefix(model.to_owned());
        self.bar.set_length(millions(operations).max(1));
    }

    fn done(&self, operations: f64) {
        let mut done = self.done.lock();
        *done += operations;
        self.bar.set_position(millions(*done));
    }
}

impl Drop for WorkBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The wanted style; a mistake in the template must not end an audit.
fn style(template: &str, fallback: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .or_else(|_| ProgressStyle::with_template(fallback))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Progress for ProgressBars {
    fn opening(&self, model: &str) {
        self.with(model, |models, model| {
            if models.len() < MOST_BARS {
                let bar = self.all.insert_before(&self.total, ProgressBar::new_spinner());
                bar.set_style(style("  {prefix:28!} {msg}", "{msg}"));
                bar.set_prefix(model.to_owned());
                bar.set_message("reading headers");
                models.insert(model.to_owned(), bar);
            }
        });
    }

    fn opened(&self, model: &str) {
        self.with(model, |models, model| {
            if let Some(bar) = models.get(model) {
                bar.set_message("headers read");
            }
        });
    }

    fn planned(&self, model: &str, bytes: u64) {
        self.total.inc_length(bytes);
        self.total.set_message("");
        self.with(model, |models, model| {
            if let Some(bar) = models.get(model) {
                bar.set_length(bytes);
                bar.set_style(style("  {prefix:28!} {bar:24} {bytes:>9} of {total_bytes}", "{msg}"));
            }
        });
    }

    fn arrived(&self, model: &str, bytes: u64) {
        self.total.inc(bytes);
        self.with(model, |models, model| {
            if let Some(bar) = models.get(model) {
                bar.inc(bytes);
            }
        });
    }
}

impl Drop for ProgressBars {
    fn drop(&mut self) {
        // What stays on the screen is the summary, not the bars.
        let _ = self.all.clear();
    }
}

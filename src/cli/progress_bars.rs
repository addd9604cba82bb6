//! Bars on a terminal: one a model while it moves, and one for all bytes.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use hub_audit::model::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use parking_lot::Mutex;

/// More models than this would fill the screen: then only the total is drawn.
const MOST_BARS: usize = 12;

/// How often a spinner moves.
const TICK: Duration = Duration::from_millis(120);

/// What is shown while headers are read, and while tensors arrive; of one model with its name before it.
const HEADERS: &str = "{bar:24} {pos} of {len} headers";
const BYTES: &str = "{bar:24} {decimal_bytes:>9} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";

/// A bar of the headers of one model or of all, and from the first byte that is planned on of bytes.
struct Counter {
    bar: ProgressBar,
    /// What stands before it.
    head: &'static str,
    counts_bytes: AtomicBool,
}

impl Counter {
    fn new(all: &MultiProgress, before: Option<&Self>, head: &'static str) -> Self {
        let bar = match before {
            Some(before) => all.insert_before(&before.bar, ProgressBar::new(0)),
            None => all.add(ProgressBar::new(0)),
        };
        bar.set_style(style(&format!("{head} {{msg}}")));
        Self { bar, head, counts_bytes: AtomicBool::new(false) }
    }

    fn shows(&self, what: &str) {
        self.bar.set_style(style(&format!("{} {what}", self.head)));
    }

    fn headers(&self, shards: u64) {
        if !self.counts_bytes.load(Ordering::Relaxed) && shards > 0 {
            self.shows(HEADERS);
            self.bar.inc_length(shards);
        }
    }

    fn header_read(&self) {
        if !self.counts_bytes.load(Ordering::Relaxed) {
            self.bar.inc(1);
        }
    }

    fn planned(&self, bytes: u64) {
        if bytes > 0 && !self.counts_bytes.swap(true, Ordering::Relaxed) {
            self.bar.reset();
            self.bar.set_length(0);
            self.shows(BYTES);
        }
        self.bar.inc_length(bytes);
    }
}

/// Draws bars on stderr.
pub(crate) struct ProgressBars {
    all: MultiProgress,
    total: Counter,
    models: Mutex<HashMap<String, Counter>>,
}

impl ProgressBars {
    pub(crate) fn new() -> Self {
        Self::on(MultiProgress::new())
    }

    fn on(all: MultiProgress) -> Self {
        let total = Counter::new(&all, None, "{spinner} all models");
        total.bar.enable_steady_tick(TICK);
        total.bar.set_message("asking the Hub");
        Self { all, total, models: Mutex::default() }
    }

    /// Does the same to the bar of all and to that of a model, if it has one.
    fn both(&self, model: &str, act: impl Fn(&Counter)) {
        act(&self.total);
        self.models.lock().get(model).map(act);
    }
}

impl Progress for ProgressBars {
    fn opening(&self, model: &str) {
        let mut models = self.models.lock();
        if models.len() < MOST_BARS {
            let bar = Counter::new(&self.all, Some(&self.total), "  {prefix:28!}");
            bar.bar.set_prefix(model.to_owned());
            bar.bar.set_message("asking the Hub");
            models.insert(model.to_owned(), bar);
        }
    }

    fn headers(&self, model: &str, shards: usize) {
        self.both(model, |bar| bar.headers(shards as u64));
    }

    fn header_read(&self, model: &str) {
        self.both(model, Counter::header_read);
    }

    fn opened(&self, model: &str) {
        if let Some(bar) = self.models.lock().get(model) {
            bar.bar.set_message("opened");
        }
    }

    fn planned(&self, model: &str, bytes: u64) {
        self.both(model, |bar| bar.planned(bytes));
    }

    fn arrived(&self, model: &str, bytes: u64) {
        self.both(model, |bar| bar.bar.inc(bytes));
    }
}

impl Drop for ProgressBars {
    fn drop(&mut self) {
        // What stays on the screen is the summary, not the bars.
        let _ = self.all.clear();
    }
}

/// A line that says what is done meanwhile, until it is dropped; where bars are drawn, else nothing.
pub(crate) struct Meanwhile(ProgressBar);

impl Meanwhile {
    pub(crate) fn new(is_drawn: bool, what: String) -> Self {
        let bar = if is_drawn { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.set_style(style("{spinner} {msg}, {elapsed}"));
        bar.set_message(what);
        if is_drawn {
            bar.enable_steady_tick(TICK);
        }
        Self(bar)
    }
}

impl Drop for Meanwhile {
    fn drop(&mut self) {
        self.0.finish_and_clear();
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
        bar.set_style(style("{spinner} {prefix} {bar:24} {percent:>3} %, {eta} left"));
        if is_drawn {
            bar.enable_steady_tick(TICK);
        }
        Self { bar, done: Mutex::default() }
    }

    /// Work of so many operations begins on a model.
    pub(crate) fn start(&self, model: &str, operations: f64) {
        *self.done.lock() = 0.0;
        self.bar.reset();
        self.bar.set_prefix(model.to_owned());
        self.bar.set_length(millions(operations).max(1));
    }

    /// So much of it is done.
    pub(crate) fn done(&self, operations: f64) {
        let mut done = self.done.lock();
        *done += operations;
        self.bar.set_position(millions(*done));
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

impl Drop for WorkBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The wanted style; a mistake in the template must not end an audit.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use indicatif::{ProgressDrawTarget, TermLike};

    use super::*;

    /// A terminal that keeps what is written.
    #[derive(Debug, Clone, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            120
        }

        fn move_cursor_up(&self, _n: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _n: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _n: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _n: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn headers_are_counted_by_shard_and_then_bytes_in_decimal_units_with_their_speed() {
        let screen = Screen::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
        let bars = ProgressBars::on(MultiProgress::with_draw_target(target));
        // What stands on the screen once all bars have been drawn again.
        let drawn = || {
            screen.0.lock().clear();
            for bar in self::all(&bars) {
                bar.force_draw();
            }
            screen.0.lock().clone()
        };
        bars.opening("one");
        assert!(drawn().contains("asking the Hub") && !drawn().contains(" of 0"), "{}", drawn());
        bars.opening("two");
        bars.headers("one", 42);
        bars.headers("two", 3);
        bars.header_read("one");
        assert!(drawn().contains("1 of 42 headers") && drawn().contains("1 of 45 headers"), "{}", drawn());
        bars.planned("two", 0);
        assert!(drawn().contains("0 of 3 headers"), "{}", drawn());
        bars.planned("one", 3_000_000);
        bars.arrived("one", 1_500_000);
        let text = drawn();
        assert!(text.contains("1.50 MB of 3.00 MB, ") && text.contains("B/s, ") && text.contains(" left"), "{text}");
    }

    fn all(bars: &ProgressBars) -> Vec<ProgressBar> {
        let mut all = vec![bars.total.bar.clone()];
        all.extend(bars.models.lock().values().map(|model| model.bar.clone()));
        all
    }
}

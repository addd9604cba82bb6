//! Where output goes: data to stdout, messages to stderr. Nothing else in the program writes to either, and no secret passes.

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
};

use anstream::ColorChoice;
use hub_audit::secret;
use owo_colors::OwoColorize;

use super::{args::Color, environment};

impl Color {
    /// From here on, for every message of the program.
    pub(crate) fn apply(self) {
        let choice = match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// How much is said, and to whom.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    quiet: bool,
    verbose: bool,
}

impl Printer {
    pub(crate) fn new(quiet: bool, verbose: bool) -> Self {
        Self { quiet, verbose }
    }

    /// Data: always printed, to stdout. A terminal is not told what would steer it; whoever else reads has the data as they are.
    /// Fails when nobody reads it any more.
    #[expect(clippy::unused_self, reason = "output goes through a printer, so that nothing bypasses it")]
    pub(crate) fn data(&self, text: &str) -> io::Result<()> {
        let text = secret::hide(text);
        let mut stdout = io::stdout().lock();
        let text = if stdout.is_terminal() { Cow::Owned(harmless(&text)) } else { text };
        stdout.write_all(text.as_bytes())?;
        if !text.ends_with('\n') && !text.is_empty() {
            stdout.write_all(b"\n")?;
        }
        stdout.flush()
    }

    /// Data that are written as they are made, else as [`Printer::data`].
    #[expect(clippy::unused_self, reason = "output goes through a printer, so that nothing bypasses it")]
    pub(crate) fn stream(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let stdout = io::stdout().lock();
        let mut hiding = if stdout.is_terminal() {
            secret::Hiding::new(stdout, |text| Cow::Owned(harmless(&text)))
        } else {
            secret::Hiding::new(stdout, |text| text)
        };
        write(&mut hiding)?;
        hiding.finish().map(drop)
    }

    /// Talk: to stderr, unless quiet. A closed stderr is no reason to fail.
    pub(crate) fn talk(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(anstream::stderr().lock(), "{}", message(text));
        }
    }

    /// A warning that concerns the result.
    pub(crate) fn warn(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(anstream::stderr().lock(), "{} {}", "warning:".yellow().bold(), message(text));
        }
    }

    /// Detail, printed with `-v` only.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbose {
            self.talk(text);
        }
    }

    /// An error: always printed.
    #[expect(clippy::unused_self, reason = "output goes through a printer, so that nothing bypasses it")]
    pub(crate) fn error(&self, lines: &[(&str, String)]) {
        let mut stderr = anstream::stderr().lock();
        for (label, text) in lines {
            let text = message(text);
            let _ = match *label {
                "error" => writeln!(stderr, "{} {text}", "error:".red().bold()),
                "hint" => writeln!(stderr, "{} {text}", "hint:".cyan().bold()),
                other => writeln!(stderr, "{other}: {text}"),
            };
        }
    }

    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Whether bars may be drawn: stderr is a terminal, nobody asked for quiet, and the Hub's own switch is not set.
    pub(crate) fn draws_bars(&self) -> bool {
        !self.quiet && !environment::is_true("HF_HUB_DISABLE_PROGRESS_BARS") && io::stderr().is_terminal()
    }
}

fn message(text: &str) -> String {
    harmless(&secret::hide(text))
}

/// `text` with an escape for each character that steers a terminal or turns the direction of what follows.
fn harmless(text: &str) -> String {
    let steers = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        (c.is_control() && !matches!(c, '\n' | '\t')) || turns
    };
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { plain.extend(c.escape_unicode()) } else { plain.push(c) }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\u{9b}1m\u{202e}c\td\n"), "a\\u{1b}[2Jb\\u{d}\\u{9b}1m\\u{202e}c\td\n");
        assert_eq!(message("at http://me:pass@host"), "at http://<hidden>@host");
    }
}

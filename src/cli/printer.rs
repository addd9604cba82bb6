//! Where output goes: data to stdout, talk to stderr. Nothing else in the program writes to either.

use std::io::{self, IsTerminal, Write};

use owo_colors::OwoColorize;

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

    /// Data: always printed, to stdout. Fails when nobody reads it any more.
    #[expect(clippy::unused_self, reason = "output goes through a printer, so that nothing bypasses it")]
    pub(crate) fn data(&self, text: &str) -> io::Result<()> {
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        if !text.ends_with('\n') && !text.is_empty() {
            stdout.write_all(b"\n")?;
        }
        stdout.flush()
    }

    /// Talk: to stderr, unless quiet. A closed stderr is no reason to fail.
    pub(crate) fn talk(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(anstream::stderr().lock(), "{text}");
        }
    }

    /// A warning that concerns the result.
    pub(crate) fn warn(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(anstream::stderr().lock(), "{} {text}", "warning:".yellow().bold());
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
        let disabled = std::env::var("HF_HUB_DISABLE_PROGRESS_BARS").is_ok_and(|text| super::settings::is_true(&text));
        !self.quiet && !disabled && io::stderr().is_terminal()
    }
}

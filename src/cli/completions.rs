//! `completions`: a script for a shell.

use clap::CommandFactory;

use super::{
    args::{Args, CompletionsArgs},
    exit::ExitStatus,
    printer::Printer,
};

pub(crate) fn run(args: &CompletionsArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "hub-audit", &mut script);
    printer.data(&String::from_utf8_lossy(&script))?;
    Ok(ExitStatus::Done)
}

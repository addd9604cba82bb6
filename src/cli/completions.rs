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
    // clap_complete spells a hyphen of the program's name in two ways in one script (clap-rs/clap#6421): a subcommand was never found.
    let script = String::from_utf8_lossy(&script).replace("hub__subcmd__audit", "hub__audit");
    printer.data(&script)?;
    Ok(ExitStatus::Done)
}

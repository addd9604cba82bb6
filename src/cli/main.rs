//! From arguments to an exit status.

use std::process::ExitCode;

use clap::Parser;

use super::{
    args::{Args, Command},
    cache, compare, completions, critique, embeddings,
    exit::{ExitStatus, Interrupted},
    fetch, hash, inspect, layers, lineage, man,
    printer::Printer,
    render_error, serve, survey,
};

/// Runs the command line and tells how it ended.
pub(crate) fn main() -> ExitCode {
    let args = Args::parse();
    args.color.apply();
    let printer = Printer::new(args.quiet, args.verbose);
    match run(args, &printer) {
        Ok(status) => status.into(),
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if render_error::is_broken_pipe(&error) => ExitStatus::Done.into(),
        Err(error) => {
            render_error::render(&error, &printer);
            if error.is::<Interrupted>() { ExitStatus::Interrupted.into() } else { ExitStatus::Failed.into() }
        }
    }
}

fn run(mut args: Args, printer: &Printer) -> anyhow::Result<ExitStatus> {
    if let Some(output) = args.command.output() {
        output.dedup();
        output.check()?;
    }
    match args.command {
        Command::Inspect(args) => inspect::run(&args, printer),
        Command::Fetch(args) => fetch::run(&args, printer),
        Command::Layers(args) => layers::run(&args, printer),
        Command::Compare(args) => compare::run(&args, printer),
        Command::Hash(args) => hash::run(&args, printer),
        Command::Lineage(args) => lineage::run(&args, printer),
        Command::Survey(args) => survey::run(&args, printer),
        Command::Critique(args) => critique::run(&args, printer),
        Command::Embeddings(args) => embeddings::run(&args, printer),
        Command::Cache(args) => cache::run(&args, printer),
        Command::Serve(args) => serve::run(&args, printer),
        Command::Completions(args) => completions::run(&args, printer),
        Command::Man(args) => man::run(&args, printer),
    }
}

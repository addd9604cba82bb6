//! `man`: the manual pages, made of what `--help` says.

use clap::CommandFactory;
use clap_mangen::Man;
use hub_audit::report::write_files;

use super::{
    args::{Args, ManArgs},
    exit::ExitStatus,
    printer::Printer,
};

pub(crate) fn run(args: &ManArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut program = Args::command().disable_help_subcommand(true);
    program.build();
    let mut pages = vec![("hub-audit.1".to_owned(), page(program.clone())?)];
    for command in program.get_subcommands() {
        pages.push((format!("hub-audit-{}.1", command.get_name()), page(command.clone())?));
    }
    for path in write_files(&args.dir, pages)? {
        printer.data(&path.display().to_string())?;
    }
    Ok(ExitStatus::Done)
}

fn page(command: clap::Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}

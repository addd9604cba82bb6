//! `inspect`: what is in each model, and which roles of several can be compared.

use hub_audit::{
    fetch::Work,
    model::{Pairing, Question, Session},
    question::inspect::{self, comparable, page},
};

use super::{
    exit::ExitStatus,
    gather::{self, Gather},
    inspect_text::as_text,
    model_args::InspectArgs,
    options::StdoutFormat,
    output,
    printer::Printer,
};

pub(crate) fn run(args: &InspectArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let specs = args.models.required(&args.hub)?;
    let question = Question {
        roles: "all".parse().map_err(hub_audit::Error::from)?,
        layers: "all".parse().map_err(hub_audit::Error::from)?,
        tensor: None,
        skip: None,
        biases: true,
        pairing: Pairing::Same,
        all_headers: true,
        mtp: false,
        xet_hashes: false,
    };
    let open = async |session: &Session, limits| {
        let opened = session.open(&specs, &question).await;
        Ok((session.bring(opened, Work::Headers, limits).await?, ()))
    };
    let Some((gathered, ())) = Gather::headers(&args.hub, printer).run(open)? else {
        return Ok(ExitStatus::Done);
    };
    let inspections = inspect::inspect(&gathered.opened);
    let comparable = if specs.len() > 1 { comparable(&gathered.opened, &inspections) } else { Vec::new() };
    gathered.check_unchanged()?;
    match args.format {
        StdoutFormat::Text => printer.data(&as_text(&inspections, &comparable, args.tensors))?,
        StdoutFormat::Json => {
            let run = output::run(&args.hub, 0, gathered.cost);
            printer.stream(|out| page::write_json(out, &run, &inspections, &comparable, args.tensors))?;
        }
        StdoutFormat::Csv => {
            let table = if args.tensors { page::tensors(&inspections) } else { page::models(&inspections) };
            printer.stream(|out| table.write_csv(out))?;
        }
    }
    gather::print_summary(&gathered.cost, printer);
    let failed = inspections.iter().filter(|inspection| inspection.contents.is_none()).count();
    Ok(match failed {
        0 if gathered.any_tensor_failed() => ExitStatus::Incomplete,
        0 => ExitStatus::Done,
        n if n == inspections.len() => ExitStatus::Failed,
        _ => ExitStatus::Incomplete,
    })
}

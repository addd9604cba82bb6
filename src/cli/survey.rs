//! `survey`: models against models.

use std::fmt::Write;

use hub_audit::{
    Error,
    audit::{self, Condition, Survey},
    family::LayerSelection,
    metric::Metric,
    report::{self, Format},
    serve::Replica,
    spec::ModelSpec,
};

use super::{
    args::{StdoutFormat, SurveyArgs},
    exit::ExitStatus,
    gather::{self, Cost, Until},
    output,
    printer::Printer,
    table,
};

/// The layer of the published study, asked of the nine synthetic models when nothing else is.
const DEMO_LAYERS: &str = "10";

/// Pairs that are printed; the report has all.
const MOST_PAIRS: usize = 12;

pub(crate) fn run(args: &SurveyArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut specs = args.models.specs()?;
    let demo_alone = args.reach.demo && specs.is_empty();
    if demo_alone {
        specs = demo_models()?;
    } else if specs.is_empty() {
        specs = args.models.required()?;
    }
    let question = args.choice.question(if demo_alone { DEMO_LAYERS } else { "all" })?;
    let Some(gathered) = gather::gather(&args.reach, &specs, &question, &Until::Fetched(&args.limits), printer)? else {
        return Ok(ExitStatus::Done);
    };
    if gather::all_failed(&gathered.opened) {
        printer.talk(&gathered.cost.line());
        return Ok(ExitStatus::Failed);
    }
    let last_only = args.choice.layers.as_ref().is_some_and(LayerSelection::is_last);
    let by_pattern = args.choice.tensor.is_some();
    let survey = audit::survey(
        &gathered.cache,
        &gathered.opened,
        &gathered.failures,
        by_pattern,
        last_only,
    );
    let status = answer(args, &survey, gathered.cost, printer)?;
    let failed = gather::any_tensor_failed(&gathered.failures);
    Ok(if failed {
        status.max(ExitStatus::Incomplete)
    } else {
        status
    })
}

/// The nine synthetic models of the embedded Hub.
pub(crate) fn demo_models() -> anyhow::Result<Vec<ModelSpec>> {
    Ok(Replica::nine()
        .ids()
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(Error::from)?)
}

fn answer(args: &SurveyArgs, survey: &Survey, cost: Cost, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let run = output::run(args.output.seed, cost);
    let document = report::survey_report(survey, &args.output.metric, &run);
    if let Some(dir) = &args.output.dir {
        let mut files = report::files(&document, &args.output.formats).map_err(Error::from)?;
        if args.output.formats.contains(&Format::Csv) {
            files.extend(report::survey_csv(survey, &args.output.metric));
        }
        output::write(dir, files, printer)?;
    }
    match args.output.format {
        StdoutFormat::Json => printer.data(&String::from_utf8_lossy(
            &report::json::render(&document).map_err(Error::from)?,
        ))?,
        StdoutFormat::Text => printer.data(&as_text(survey))?,
    }
    let mut status = if survey.is_incomplete() {
        ExitStatus::Incomplete
    } else {
        ExitStatus::Done
    };
    if survey.panels.is_empty() {
        printer.warn("no comparable tensors: no model has what was asked for");
    }
    if let Some(condition) = &args.fail_if
        && holds(survey, condition, printer)
    {
        status = status.max(ExitStatus::Incomplete);
    }
    printer.talk(&cost.line());
    Ok(status)
}

/// Whether a pair of different models meets the condition; each that does is named.
fn holds(survey: &Survey, condition: &Condition, printer: &Printer) -> bool {
    let n = survey.models.len();
    let mut any = false;
    for panel in &survey.panels {
        for (row, column) in (0..n).flat_map(|row| (0..n).map(move |column| (row, column))) {
            let once = row < column || (row > column && !condition.metric.is_symmetric());
            if !once {
                continue;
            }
            if let Ok(value) = panel.metrics(row, column).get(condition.metric)
                && condition.holds(*value)
            {
                any = true;
                printer.talk(&format!(
                    "--fail-if {} holds: {} × {}, {}, {} = {value}",
                    condition.text(),
                    survey.models[row].label,
                    survey.models[column].label,
                    panel.key.title(),
                    condition.metric
                ));
            }
        }
    }
    any
}

struct Line {
    panel: usize,
    row: usize,
    column: usize,
    z: Option<f64>,
}

fn as_text(survey: &Survey) -> String {
    let mut text = String::new();
    if survey.models.iter().any(|model| model.synthetic) {
        text.push_str("Synthetic replica, not the real weights.\n\n");
    }
    let n = survey.models.len();
    let mut lines: Vec<Line> = survey
        .panels
        .iter()
        .enumerate()
        .flat_map(|(number, panel)| {
            let pairs = (0..n).flat_map(move |row| (row + 1..n).map(move |column| (row, column)));
            pairs.map(move |(row, column)| Line {
                panel: number,
                row,
                column,
                z: panel.metrics(row, column).get(Metric::ZPerm).as_ref().ok().copied(),
            })
        })
        .collect();
    let defined = lines.iter().filter(|line| line.z.is_some()).count();
    lines.sort_by(|a, b| {
        let strength = |line: &Line| line.z.map_or(f64::NEG_INFINITY, f64::abs);
        strength(b).total_cmp(&strength(a))
    });
    let _ = write!(
        text,
        "{}, {}, {defined} of {} pairs comparable. Strongest departures from the permutation null:\n\n",
        table::count(n as u64, "model"),
        panels_text(survey),
        lines.len()
    );
    let several = survey.panels.len() > 1;
    let mut headings = vec!["model a", "model b"];
    if several {
        headings.push("where");
    }
    headings.extend([">cos_sim", ">cos_null", ">pearson", ">z_perm"]);
    let mut table = table::new(&headings);
    for line in lines.iter().filter(|line| line.z.is_some()).take(MOST_PAIRS) {
        let panel = &survey.panels[line.panel];
        let metrics = panel.metrics(line.row, line.column);
        let number = |metric: Metric, digits: usize| {
            metrics
                .get(metric)
                .as_ref()
                .map_or_else(|_| "–".to_owned(), |value| format!("{value:.digits$}"))
        };
        let mut row = vec![
            survey.models[line.row].label.clone(),
            survey.models[line.column].label.clone(),
        ];
        if several {
            row.push(panel.key.title());
        }
        row.extend([
            number(Metric::CosSim, 4),
            number(Metric::CosNull, 4),
            number(Metric::Pearson, 4),
            number(Metric::ZPerm, 1),
        ]);
        table.add_row(row);
    }
    text.push_str(&table::text(&table));
    let mut notes: Vec<String> = Vec::new();
    for (number, model) in survey.models.iter().enumerate() {
        if let Some(failure) = &model.failure {
            notes.push(format!("{}: not read: {failure}", model.label));
        } else if let Some(reason) = survey
            .panels
            .iter()
            .find_map(|panel| panel.sides[number].as_ref().err())
        {
            notes.push(format!("{}: missing in part: {reason}", model.label));
        }
    }
    if !notes.is_empty() {
        text.push('\n');
        for note in notes {
            text.push_str(&note);
            text.push('\n');
        }
    }
    text
}

fn panels_text(survey: &Survey) -> String {
    match survey.panels.as_slice() {
        [] => "no comparable tensors".to_owned(),
        [one] => one.key.title(),
        several => format!("{} roles and layers", several.len()),
    }
}

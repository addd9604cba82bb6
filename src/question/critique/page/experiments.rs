//! Sections of the six experiments.

use super::{Writer, average_cells, average_columns, figure, mean, mean_sd, pictures, sd, square};
use crate::{
    metric::Metric,
    question::critique::{Pair, RoleAnswer},
    report::{Block, Cell, Column, Digits, Section, Table},
};

/// Experiments 1 to 6 of one role.
pub(crate) fn sections(writer: &Writer<'_>, role: &RoleAnswer) -> Vec<Section> {
    vec![
        base(writer, role),
        apart(writer, role),
        across(writer, role),
        depths(writer, role),
        square::section(writer, role),
        chance(writer, role),
    ]
}

fn list(layers: &[u32]) -> String {
    layers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

fn base(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let plan = &writer.critique.study.plan;
    let within = &role.lists.base;
    let (base, later) = (plan.base.to_string(), list(&plan.later));
    let (models, means) = (writer.first_two(), writer.means(role, within));
    let figures =
        [("base", base.as_str()), ("later", later.as_str()), ("models", models.as_str()), ("means", means.as_str())];
    let picture = pictures::base(writer, role);
    within_section(writer, role, "exp1", &figures, within, picture)
}

fn apart(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let within = &role.lists.apart;
    let pairs = writer.critique.study.plan.apart.iter().map(|[a, b]| format!("{a}–{b}"));
    let pairs = pairs.collect::<Vec<_>>().join(", ");
    let (models, means) = (writer.first_two(), writer.means(role, within));
    let figures = [("pairs", pairs.as_str()), ("models", models.as_str()), ("means", means.as_str())];
    let picture = pictures::apart(writer, role);
    within_section(writer, role, "exp2", &figures, within, picture)
}

fn within_section(
    writer: &Writer<'_>,
    role: &RoleAnswer,
    part: &str,
    figures: &[(&str, &str)],
    within: &[Vec<Pair>],
    picture: crate::report::Picture,
) -> Section {
    let rows = within.iter().enumerate().map(|(model, pairs)| {
        let n = role.stats(Metric::CosSim, pairs).n;
        let mut row = vec![Cell::text(writer.label(model)), Cell::count(n)];
        row.extend(mean_sd(&role.mean_sd(Metric::CosSim, pairs), Digits::Fixed(6)));
        row
    });
    let means = Table {
        caption: writer.prose.text(part, "means"),
        columns: [writer.text_columns(&["model"]), writer.numeric_columns(&["n", "mean", "sd"])].concat(),
        rows: rows.collect(),
    };
    let mut blocks = vec![writer.say(part, "what", figures)];
    blocks.push(writer.picture(picture));
    blocks.extend([
        writer.pair_table(role, writer.prose.fill(part, "caption", figures), &within.concat()),
        Block::Table(means),
        writer.say(part, "shows", figures),
    ]);
    writer.section(role, part, figures, blocks)
}

fn across(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let across = &role.lists.across;
    let layer = across.layer.to_string();
    let cosine = role.mean_sd(Metric::CosSim, &across.pairs);
    let (n, mean_cosine, sd_cosine, null, largest) = (
        role.stats(Metric::CosSim, &across.pairs).n.to_string(),
        mean(&cosine),
        sd(&cosine),
        mean(&role.mean_sd(Metric::CosNull, &across.pairs)),
        largest_correlation(role, &across.pairs),
    );
    let figures = [
        ("group", writer.first_group()),
        ("layer", &layer),
        ("n", &n),
        ("mean", &mean_cosine),
        ("sd", &sd_cosine),
        ("null", &null),
        ("r", &largest),
    ];
    let mut blocks = vec![writer.say("exp3", "what", &figures)];
    blocks.push(writer.picture(pictures::across(writer, role)));
    blocks.push(writer.pair_table(role, writer.prose.fill("exp3", "caption", &figures), &across.pairs));
    blocks.extend(fair(writer, role));
    blocks.push(writer.say("exp3", "shows", &figures));
    writer.section(role, "exp3", &figures, blocks)
}

/// The study's difference of two mean cosines, beside that of their nulls.
fn fair(writer: &Writer<'_>, role: &RoleAnswer) -> Option<Block> {
    let text = |value: f64| Digits::Fixed(4).format(value);
    let ([within, across], [within_null, across_null]) =
        (role.fair_baseline(Metric::CosSim)?, role.fair_baseline(Metric::CosNull)?);
    let figures = [
        ("within", text(within)),
        ("across", text(across)),
        ("difference", text(within - across)),
        ("within_null", text(within_null)),
        ("across_null", text(across_null)),
        ("difference_null", text(within_null - across_null)),
    ];
    Some(writer.say("exp3", "fair", &figures.each_ref().map(|(name, text)| (*name, text.as_str()))))
}

fn largest_correlation(role: &RoleAnswer, pairs: &[Pair]) -> String {
    let sizes = pairs.iter().filter_map(|&(a, b)| role.table.get(a, b, Metric::Pearson).ok());
    figure(sizes.map(f64::abs).max_by(f64::total_cmp), Digits::Fixed(4))
}

fn depths(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let depths = &role.lists.depths;
    let layers = list(&writer.critique.study.plan.depths);
    let range = |metric| {
        let means: Vec<f64> = depths.iter().filter_map(|at| Some(role.mean_sd(metric, &at.pairs).ok()?.mean)).collect();
        let end = |value: Option<f64>| figure(value, Digits::Fixed(4));
        [end(means.iter().copied().min_by(f64::total_cmp)), end(means.iter().copied().max_by(f64::total_cmp))]
    };
    let [low, high] = range(Metric::CosSim);
    let [null_low, null_high] = range(Metric::CosNull);
    let at_depths = role.lists.at_depths();
    let overall = role.mean_sd(Metric::CosSim, &at_depths);
    let n = role.stats(Metric::CosSim, &at_depths).n.to_string();
    let (mean_all, sd_all) = (mean(&overall), sd(&overall));
    let spread = figure(role.spread_over_depths().map(|of| of.sd), Digits::Fixed(4));
    let figures = [
        ("group", writer.first_group()),
        ("layers", &layers),
        ("n", &n),
        ("mean", &mean_all),
        ("sd", &sd_all),
        ("spread", &spread),
        ("low", &low),
        ("high", &high),
        ("null_low", &null_low),
        ("null_high", &null_high),
    ];
    let rows = depths.iter().map(|depth| {
        let cosine = role.stats(Metric::CosSim, &depth.pairs);
        let mut row = vec![
            Cell::number(f64::from(depth.layer.0), Digits::Integer),
            Cell::count(cosine.n),
            Cell::count(cosine.missing()),
        ];
        row.extend(average_cells(role, &depth.pairs));
        row
    });
    let mut columns = writer.numeric_columns(&["layer", "n", "missing"]);
    columns.extend(average_columns(writer));
    let table = Table { caption: writer.prose.fill("exp4", "caption", &figures), columns, rows: rows.collect() };
    let mut blocks = vec![writer.say("exp4", "what", &figures)];
    blocks.push(writer.picture(pictures::depth_means(writer, role)));
    blocks.push(writer.picture(pictures::depth_pairs(writer, role)));
    blocks.extend([
        Block::Table(table),
        writer.say("exp4", "overall", &figures),
        writer.say("exp4", "shows", &figures),
    ]);
    writer.section(role, "exp4", &figures, blocks)
}

fn chance(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let chance = &role.chance;
    let random = writer.critique.study.random;
    let (mean, sd, n) = (random.mean.to_string(), random.sd.to_string(), chance.n.to_string());
    let (trials, seed) = (chance.trials.to_string(), writer.seed.to_string());
    let figures = [("mean", mean.as_str()), ("sd", &sd), ("n", &n), ("trials", &trials), ("seed", &seed)];
    let study_rows = chance.study.iter().map(|line| {
        let mut row = vec![Cell::code(line.metric.name())];
        row.extend(mean_sd(&line.drawn, Digits::Fixed(6)));
        row.extend(mean_sd(&line.closed, Digits::Fixed(6)));
        row
    });
    let headings = |of: &str| {
        let of = writer.prose.word(of);
        ["mean", "sd"].map(|word| Column::numeric(format!("{of}: {}", writer.prose.word(word))))
    };
    let study = Table {
        caption: writer.prose.fill("exp6", "study", &figures),
        columns: [writer.text_columns(&["metric"]), headings("drawn").to_vec(), headings("formula").to_vec()].concat(),
        rows: study_rows.collect(),
    };
    let rows = chance.pairs.iter().flat_map(|(pair, lines)| {
        lines.iter().map(|line| {
            let mut row = vec![
                Cell::text(pictures::pair_name(writer, role, *pair)),
                Cell::code(line.metric.name()),
                Cell::number(role.table.get(pair.0, pair.1, line.metric), Digits::Fixed(6)),
            ];
            row.extend(mean_sd(&line.drawn, Digits::Fixed(6)));
            row.extend(mean_sd(&line.closed, Digits::Fixed(6)));
            row
        })
    });
    let pairs = Table {
        caption: writer.prose.fill("exp6", "caption", &figures),
        columns: [
            writer.text_columns(&["pair", "metric"]),
            writer.numeric_columns(&["observed"]),
            headings("random").to_vec(),
            headings("closed").to_vec(),
        ]
        .concat(),
        rows: rows.collect(),
    };
    let mut blocks = vec![writer.say("exp6", "what", &figures)];
    blocks.push(writer.picture(pictures::chance(writer, role)));
    blocks.extend([Block::Table(pairs), Block::Table(study), writer.say("exp6", "shows", &figures)]);
    writer.section(role, "exp6", &figures, blocks)
}

//! Sections of the six experiments.

use super::{
    Figures, Writer, average_cells, average_columns, figure, fixed, joined, mean, mean_sd, pictures, sd, square,
};
use crate::{
    metric::Metric,
    question::critique::{Expected, Pair, RoleAnswer},
    report::{Block, Cell, Column, Digits, Picture, Section},
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

fn base(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let (plan, within) = (&writer.critique.study.plan, &role.lists.base);
    let (models, means) = (writer.first_two(), writer.means(role, within));
    let figures: Figures<'_> =
        &[("base", &plan.base), ("later", &joined(&plan.later)), ("models", &models), ("means", &means)];
    within_section(writer, role, ("exp1", figures), within, pictures::base(writer, role))
}

fn apart(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let within = &role.lists.apart;
    let (models, means) = (writer.first_two(), writer.means(role, within));
    let figures: Figures<'_> = &[("pairs", &writer.apart()), ("models", &models), ("means", &means)];
    within_section(writer, role, ("exp2", figures), within, pictures::apart(writer, role))
}

fn within_section(
    writer: &Writer<'_>,
    role: &RoleAnswer,
    (part, figures): (&str, Figures<'_>),
    within: &[Vec<Pair>],
    picture: Picture,
) -> Section {
    let rows = within.iter().enumerate().map(|(model, pairs)| {
        let mut row = vec![Cell::text(writer.label(model)), Cell::count(role.table.stats(Metric::CosSim, pairs).n)];
        row.extend(mean_sd(&role.mean_sd(Metric::CosSim, pairs), Digits::Fixed(6)));
        row
    });
    let blocks = vec![
        writer.say(part, "what", figures),
        writer.picture(picture),
        writer.pair_table(role, writer.prose.fill(part, "caption", figures), &within.concat()),
        Block::table(writer.prose.text(part, "means"), writer.columns(&["model"], &["n", "mean", "sd"]), rows),
        writer.say(part, "shows", figures),
    ];
    writer.section(role, part, figures, blocks)
}

fn across(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let across = &role.lists.across;
    let cosine = role.mean_sd(Metric::CosSim, &across.pairs);
    let figures: Figures<'_> = &[
        ("group", &writer.first_group()),
        ("layer", &across.layer),
        ("n", &role.table.stats(Metric::CosSim, &across.pairs).n),
        ("mean", &mean(&cosine)),
        ("sd", &sd(&cosine)),
        ("null", &mean(&role.mean_sd(Metric::CosNull, &across.pairs))),
        ("r", &largest_correlation(role, &across.pairs)),
    ];
    let mut blocks = vec![
        writer.say("exp3", "what", figures),
        writer.picture(pictures::across(writer, role)),
        writer.pair_table(role, writer.prose.fill("exp3", "caption", figures), &across.pairs),
    ];
    blocks.extend(fair(writer, role));
    blocks.push(writer.say("exp3", "shows", figures));
    writer.section(role, "exp3", figures, blocks)
}

/// The study's difference of two mean cosines, beside that of their nulls.
fn fair(writer: &Writer<'_>, role: &RoleAnswer) -> Option<Block> {
    let ([within, across], [within_null, across_null]) =
        (role.fair_baseline(Metric::CosSim)?, role.fair_baseline(Metric::CosNull)?);
    let figures: Figures<'_> = &[
        ("within", &fixed(within)),
        ("across", &fixed(across)),
        ("difference", &fixed(within - across)),
        ("within_null", &fixed(within_null)),
        ("across_null", &fixed(across_null)),
        ("difference_null", &fixed(within_null - across_null)),
    ];
    Some(writer.say("exp3", "fair", figures))
}

fn largest_correlation(role: &RoleAnswer, pairs: &[Pair]) -> String {
    let sizes = pairs.iter().filter_map(|&(a, b)| role.table.get(a, b, Metric::Pearson).ok());
    figure(sizes.map(f64::abs).max_by(f64::total_cmp), Digits::Fixed(4))
}

fn depths(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let depths = &role.lists.depths;
    let range = |metric| {
        let means: Vec<f64> = depths.iter().filter_map(|at| Some(role.mean_sd(metric, &at.pairs).ok()?.mean)).collect();
        let end = |value: Option<f64>| figure(value, Digits::Fixed(4));
        [end(means.iter().copied().min_by(f64::total_cmp)), end(means.iter().copied().max_by(f64::total_cmp))]
    };
    let ([low, high], [null_low, null_high]) = (range(Metric::CosSim), range(Metric::CosNull));
    let at_depths = role.lists.at_depths();
    let overall = role.mean_sd(Metric::CosSim, &at_depths);
    let figures: Figures<'_> = &[
        ("group", &writer.first_group()),
        ("layers", &joined(&writer.critique.study.plan.depths)),
        ("n", &role.table.stats(Metric::CosSim, &at_depths).n),
        ("mean", &mean(&overall)),
        ("sd", &sd(&overall)),
        ("spread", &figure(role.spread_over_depths().map(|of| of.sd), Digits::Fixed(4))),
        ("low", &low),
        ("high", &high),
        ("null_low", &null_low),
        ("null_high", &null_high),
    ];
    let rows = depths.iter().map(|depth| {
        let cosine = role.table.stats(Metric::CosSim, &depth.pairs);
        let layer = Cell::number(f64::from(depth.layer.0), Digits::Integer);
        let mut row = vec![layer, Cell::count(cosine.n), Cell::count(cosine.missing())];
        row.extend(average_cells(role, &depth.pairs));
        row
    });
    let columns = [writer.columns(&[], &["layer", "n", "missing"]), average_columns(writer)].concat();
    let blocks = vec![
        writer.say("exp4", "what", figures),
        writer.picture(pictures::depth_means(writer, role)),
        writer.picture(pictures::depth_pairs(writer, role)),
        Block::table(writer.prose.fill("exp4", "caption", figures), columns, rows),
        writer.say("exp4", "overall", figures),
        writer.say("exp4", "shows", figures),
    ];
    writer.section(role, "exp4", figures, blocks)
}

fn chance(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let (chance, random) = (&role.chance, writer.critique.study.random);
    let figures: Figures<'_> = &[
        ("mean", &random.mean),
        ("sd", &random.sd),
        ("n", &chance.n),
        ("trials", &chance.trials),
        ("seed", &writer.seed),
    ];
    let expected = |line: &Expected| [&line.drawn, &line.closed].map(|of| mean_sd(of, Digits::Fixed(6))).concat();
    let headings = |of: &str| {
        let of = writer.prose.word(of);
        ["mean", "sd"].map(|word| Column::numeric(format!("{of}: {}", writer.prose.word(word))))
    };
    let rows = chance.pairs.iter().flat_map(|(pair, lines)| {
        lines.iter().map(|line| {
            let mut row = vec![
                Cell::text(pictures::pair_name(writer, role, *pair)),
                Cell::code(line.metric.name()),
                Cell::number(role.table.get(pair.0, pair.1, line.metric), Digits::Fixed(6)),
            ];
            row.extend(expected(line));
            row
        })
    });
    let mut columns = writer.columns(&["pair", "metric"], &["observed"]);
    columns.extend(["random", "closed"].into_iter().flat_map(headings));
    let of_study = chance.study.iter().map(|line| [vec![Cell::code(line.metric.name())], expected(line)].concat());
    let mut columns_of_study = writer.columns(&["metric"], &[]);
    columns_of_study.extend(["drawn", "formula"].into_iter().flat_map(headings));
    let blocks = vec![
        writer.say("exp6", "what", figures),
        writer.picture(pictures::chance(writer, role)),
        Block::table(writer.prose.fill("exp6", "caption", figures), columns, rows),
        Block::table(writer.prose.fill("exp6", "study", figures), columns_of_study, of_study),
        writer.say("exp6", "shows", figures),
    ];
    writer.section(role, "exp6", figures, blocks)
}

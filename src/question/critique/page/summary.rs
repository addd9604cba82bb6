//! The answer: whether the pair that the study is about is correlated beyond chance, which pairs are outliers, the experiments,
//! and the published figures.

use super::{Figures, Writer, figure, group_pair, joined, pictures};
use crate::{
    metric::{MeanSd, Metric},
    question::critique::{Expected, Outcome, Pair, RoleAnswer},
    report::{Block, Cell, Column, Digits},
    table::{GroupFigures, LEVEL},
};

/// The summary.
pub(crate) fn summary(writer: &Writer<'_>) -> Vec<Block> {
    let mut blocks = Vec::new();
    for role in &writer.critique.roles {
        blocks.extend(pair(writer, role));
        blocks.push(related(writer, role));
        blocks.push(experiments(writer, role));
        blocks.push(beside_chance(writer, role));
    }
    blocks.extend(published(writer));
    blocks
}

/// The pair that the study is about, at its layer and over all layers that were read; `None` of one model.
fn pair(writer: &Writer<'_>, role: &RoleAnswer) -> Option<Block> {
    let &[a, b, ..] = role.lists.all_models.rows.as_slice() else { return None };
    let number = |metric, digits| figure(role.table.get(a, b, metric).ok(), digits);
    let bound = (LEVEL / role.lists.by_layer.len().max(1) as f64).log10();
    let is_beyond = |&(a, b): &Pair| role.table.get(a, b, Metric::Log10PPerm).is_ok_and(|p| p <= bound);
    let beyond = role.lists.by_layer.iter().filter(|pair| is_beyond(pair)).count();
    let known = role.table.get(a, b, Metric::Log10PPerm).is_ok();
    let verdict = match (known, is_beyond(&(a, b))) {
        (false, _) => "unknown",
        (true, true) => "beyond",
        (true, false) => "within",
    };
    let average = role.average.as_ref().ok();
    let figures: Figures<'_> = &[
        ("a", &writer.label(0)),
        ("b", &writer.label(1)),
        ("role", &role.role),
        ("layer", &role.lists.all_models.layer),
        ("r", &number(Metric::Pearson, Digits::Fixed(4))),
        ("z", &number(Metric::ZPerm, Digits::Fixed(2))),
        ("cos", &number(Metric::CosSim, Digits::Fixed(4))),
        ("null", &number(Metric::CosNull, Digits::Fixed(4))),
        ("verdict", &writer.prose.text("answer", verdict)),
        ("n", &role.lists.by_layer.len()),
        ("beyond", &beyond),
        ("mean", &figure(average.map(|average| average.mean_r), Digits::Fixed(4))),
        ("mean_z", &figure(average.and_then(|average| average.z.as_ref().ok().copied()), Digits::Fixed(2))),
        ("level", &LEVEL),
    ];
    Some(writer.say("answer", "pair", figures))
}

/// Pairs that are outliers among the others.
fn related(writer: &Writer<'_>, role: &RoleAnswer) -> Block {
    let names = role.related().into_iter().map(|(a, b)| format!("{} × {}", writer.label(a), writer.label(b)));
    let verdict = Writer::verdict(role);
    let text = writer.prose.fill("exp5", verdict, &[("pairs", &joined(names))]);
    match Writer::against(role).filter(|_| verdict != "unknown") {
        Some(against) => Block::prose(format!("{} {text}", writer.prose.text("exp5", against))),
        None => Block::prose(text),
    }
}

fn number(value: Option<f64>, digits: Digits) -> Cell {
    value.map_or_else(|| Cell::text("–"), |value| Cell::number(value, digits))
}

/// Experiments 1 to 5, a line each list of pairs.
fn experiments(writer: &Writer<'_>, role: &RoleAnswer) -> Block {
    let mut rows = Vec::new();
    let mut row = |name: String, pairs: &[Pair], unrelated: Option<&GroupFigures>| {
        let of = |metric: Metric| role.mean_sd(metric, pairs).ok();
        let mean = |metric: Metric| number(of(metric).map(|of| of.mean), Digits::Fixed(4));
        let without = unrelated.and_then(|of| of.unrelated.as_ref().ok());
        rows.push(vec![
            Cell::text(name),
            Cell::count(role.table.stats(Metric::CosSim, pairs).n),
            mean(Metric::CosSim),
            number(of(Metric::CosSim).map(|of| of.sd), Digits::Fixed(4)),
            mean(Metric::CosNull),
            mean(Metric::Pearson),
            number(unrelated.map(|of| of.n_unrelated as f64), Digits::Integer),
            number(without.map(|of| of.mean), Digits::Fixed(4)),
        ]);
    };
    let lists = &role.lists;
    for (experiment, within) in [(1, &lists.base), (2, &lists.apart)] {
        for (label, pairs) in writer.labels.iter().zip(within) {
            row(format!("{experiment} {label}"), pairs, None);
        }
    }
    let group = writer.first_group();
    row(format!("3 {group}"), &lists.across.pairs, None);
    row(format!("4 {group}"), &lists.at_depths(), None);
    for of_pair in role.groups.iter().filter(|of_pair| of_pair.metric == Metric::CosSim) {
        row(format!("5 {}", group_pair(of_pair)), &of_pair.groups.pairs, Some(of_pair));
    }
    let plan = &writer.critique.study.plan;
    let figures: Figures<'_> = &[
        ("role", &role.role),
        ("base", &plan.base),
        ("later", &joined(&plan.later)),
        ("pairs", &writer.apart()),
        ("layer", &plan.across),
        ("layers", &joined(&plan.depths)),
    ];
    let mut columns = writer.columns(&["experiment"], &[]);
    columns.extend(["n", "cos_sim", "sd", "cos_null", "pearson"].map(Column::numeric));
    columns.extend(writer.columns(&[], &["n_unflagged"]));
    columns.push(Column::numeric("cos_sim"));
    Block::table(writer.prose.fill("answer", "experiments", figures), columns, rows)
}

/// Experiment 6, a line a pair, and the study's random vectors.
fn beside_chance(writer: &Writer<'_>, role: &RoleAnswer) -> Block {
    let drawn = |lines: &[Expected], metric: Metric| -> Option<MeanSd> {
        lines.iter().find(|line| line.metric == metric)?.drawn.clone().ok()
    };
    let row = |name: String, observed: [Option<f64>; 3], lines: &[Expected]| {
        let [cosine, pearson, distance] = observed;
        let numbers = [
            cosine,
            drawn(lines, Metric::CosSim).map(|of| of.mean),
            pearson,
            drawn(lines, Metric::Pearson).map(|of| of.sd),
            distance,
            drawn(lines, Metric::L2).map(|of| of.mean),
        ];
        let numbers = numbers.map(|value| number(value, Digits::Fixed(4)));
        std::iter::once(Cell::text(name)).chain(numbers).collect::<Vec<_>>()
    };
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for (pair, lines) in &role.chance.pairs {
        let value = |metric| role.table.get(pair.0, pair.1, metric).ok();
        let observed = [Metric::CosSim, Metric::Pearson, Metric::L2].map(value);
        rows.push(row(pictures::pair_name(writer, role, *pair), observed, lines));
    }
    let random = writer.critique.study.random;
    rows.push(row(format!("N({}, {}²)", random.mean, random.sd), [None; 3], &role.chance.study));
    let [drawn, drawn_sd] = ["drawn_mean", "drawn_sd"].map(|word| writer.prose.word(word));
    let mut columns = writer.columns(&["pair"], &[]);
    columns.extend(["cos_sim", &drawn, "pearson", &drawn_sd, "l2", &drawn].map(Column::numeric));
    Block::table(writer.prose.text("answer", "chance"), columns, rows)
}

/// How many published figures were reproduced.
fn published(writer: &Writer<'_>) -> Vec<Block> {
    let critique = writer.critique;
    if critique.is_synthetic() {
        return vec![writer.say("answer", "synthetic", &[])];
    }
    let [matches, mismatches, unchecked] = Outcome::ALL.map(|outcome| critique.count(outcome));
    let figures: Figures<'_> = &[("match", &matches), ("mismatch", &mismatches), ("unchecked", &unchecked)];
    let mut blocks = vec![writer.say("answer", "published", figures)];
    blocks.extend(writer.more());
    blocks
}

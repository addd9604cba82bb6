//! The answer: whether the pair that the study is about is correlated beyond chance, which pairs are outliers, the experiments,
//! and the published figures.

use super::{Writer, figure, pictures};
use crate::{
    metric::{Baseline, MeanSd, Metric},
    question::critique::{Expected, Outcome, Pair, RoleAnswer},
    report::{Block, Cell, Column, Digits, Table},
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
    let figures = [
        ("a", writer.label(0).to_owned()),
        ("b", writer.label(1).to_owned()),
        ("role", role.role.clone()),
        ("layer", role.lists.all_models.layer.to_string()),
        ("r", number(Metric::Pearson, Digits::Fixed(4))),
        ("z", number(Metric::ZPerm, Digits::Fixed(2))),
        ("cos", number(Metric::CosSim, Digits::Fixed(4))),
        ("null", number(Metric::CosNull, Digits::Fixed(4))),
        ("verdict", writer.prose.text("answer", verdict)),
        ("n", role.lists.by_layer.len().to_string()),
        ("beyond", beyond.to_string()),
        ("mean", figure(average.map(|average| average.mean_r), Digits::Fixed(4))),
        ("mean_z", figure(average.and_then(|average| average.z.as_ref().ok().copied()), Digits::Fixed(2))),
        ("level", LEVEL.to_string()),
    ];
    Some(writer.say("answer", "pair", &figures.each_ref().map(|(name, text)| (*name, text.as_str()))))
}

/// Pairs that are outliers among the others.
fn related(writer: &Writer<'_>, role: &RoleAnswer) -> Block {
    let names = role.related().into_iter().map(|(a, b)| format!("{} × {}", writer.label(a), writer.label(b)));
    let names = names.collect::<Vec<_>>().join(", ");
    let known = role.verdicts.each.iter().any(Result::is_ok);
    let verdict = match (known, names.is_empty()) {
        (true, false) => "related",
        (true, true) => "unrelated",
        (false, _) => "unknown",
    };
    let mut text = writer.prose.fill("exp5", verdict, &[("pairs", &names)]);
    let against = match role.verdicts.baseline {
        Baseline::Population => None,
        Baseline::FewPairs(_) => Some("few_pairs"),
        Baseline::MedianFar(_) => Some("median_far"),
    };
    if let Some(name) = against.filter(|_| known) {
        text = format!("{} {text}", writer.prose.text("exp5", name));
    }
    Block::prose(text)
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
            Cell::count(role.stats(Metric::CosSim, pairs).n),
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
        row(format!("5 {} × {}", of_pair.groups.a, of_pair.groups.b), &of_pair.groups.pairs, Some(of_pair));
    }
    let plan = &writer.critique.study.plan;
    let list = |layers: &[u32]| layers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let apart: Vec<String> = plan.apart.iter().map(|[a, b]| format!("{a}–{b}")).collect();
    let figures = [
        ("role", role.role.clone()),
        ("base", plan.base.to_string()),
        ("later", list(&plan.later)),
        ("pairs", apart.join(", ")),
        ("layer", plan.across.to_string()),
        ("layers", list(&plan.depths)),
    ];
    let caption =
        writer.prose.fill("answer", "experiments", &figures.each_ref().map(|(name, text)| (*name, text.as_str())));
    let mut columns = writer.text_columns(&["experiment"]);
    columns.extend(["n", "cos_sim", "sd", "cos_null", "pearson"].map(Column::numeric));
    columns.extend(writer.numeric_columns(&["n_unflagged"]));
    columns.push(Column::numeric("cos_sim"));
    Block::Table(Table { caption, columns, rows })
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
    let mut columns = writer.text_columns(&["pair"]);
    let titles = ["cos_sim", &drawn, "pearson", &drawn_sd, "l2", &drawn];
    columns.extend(titles.map(Column::numeric));
    Block::Table(Table { caption: writer.prose.text("answer", "chance"), columns, rows })
}

/// How many published figures were reproduced.
fn published(writer: &Writer<'_>) -> Vec<Block> {
    let critique = writer.critique;
    if critique.is_synthetic() {
        return vec![writer.say("answer", "synthetic", &[])];
    }
    let count = |outcome: Outcome| critique.published.iter().filter(|figure| figure.outcome() == outcome).count();
    let counts = [Outcome::Match, Outcome::Mismatch, Outcome::NotChecked].map(|outcome| count(outcome).to_string());
    let [matches, mismatches, unchecked] = counts.each_ref().map(String::as_str);
    let figures = [("match", matches), ("mismatch", mismatches), ("unchecked", unchecked)];
    let mut blocks = vec![writer.say("answer", "published", &figures)];
    for (needs, count) in critique.further_options() {
        let count = count.to_string();
        blocks.push(writer.say("published", "more", &[("n", &count), ("option", needs.options())]));
    }
    blocks
}

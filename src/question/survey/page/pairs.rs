//! The pairs of a role as a table: the four numbers that belong together, farthest from the null first.

use super::{MOST_PAIRS, digits, mean, models, names, rest};
use crate::{
    metric::Metric,
    question::survey::{PairAverage, RoleAverages, Survey},
    report::{Block, Cell, Column, Digits, Frame, all_or_each_reason},
    table::{PairTable, pairs_of, strongest},
};

/// The four numbers that always stand side by side.
const BESIDE: [Metric; 4] = [Metric::CosSim, Metric::CosNull, Metric::Pearson, Metric::ZPerm];

/// The pairs of one table.
pub(crate) fn of_table(survey: &Survey, table: &PairTable) -> Block {
    let strength = |&(a, b): &(usize, usize)| table.get(a, b, Metric::ZPerm).map_or(f64::NEG_INFINITY, f64::abs);
    let (pairs, count) = strongest(pairs_of(survey.models.len()), MOST_PAIRS, strength);
    let row = |(a, b): (usize, usize)| {
        let numbers = BESIDE.map(|metric| Cell::number(table.get(a, b, metric), digits(metric)));
        names(survey, (a, b)).into_iter().chain(numbers).collect()
    };
    let mut columns = vec![Column::text("model a"), Column::text("model b")];
    columns.extend(BESIDE.map(|metric| Column::numeric(metric.name())));
    let caption =
        format!("Pairs, {}, farthest from the permutation null first.{}", table.key.title(), rest(count, "pairs.csv"));
    Block::table(caption, columns, pairs.into_iter().map(row))
}

/// The pairs of one role, averaged over its tables, with the deviation that correlated layers leave.
pub(crate) fn of_means(survey: &Survey, tables: &[PairTable], role: &RoleAverages) -> Block {
    let strength = |pair: &&PairAverage| match &pair.average {
        Ok(average) => average.z.as_ref().map_or(0.0, |z| z.abs()),
        Err(_) => f64::NEG_INFINITY,
    };
    let (pairs, count) = strongest(role.pairs.iter(), MOST_PAIRS, strength);
    let caption = format!(
        "Pairs, mean over {} layers, farthest from the null first. `z` is that of the mean `pearson` under one permutation of \
         channels for all layers, as layers of one model resemble each other; `naive z` pretends that they do not, and \
         stands here for comparison only.{}",
        tables.len(),
        rest(count, "averages.csv")
    );
    let columns = [
        ("label_a", Column::text("model a")),
        ("label_b", Column::text("model b")),
        ("layers", Column::numeric("layers")),
        ("cos_sim", Column::numeric("cos_sim")),
        ("cos_null", Column::numeric("cos_null")),
        ("mean_pearson", Column::numeric("pearson")),
        ("z", Column::numeric("z")),
        ("naive_z", Column::numeric("naive z")),
    ];
    let pairs = pairs.into_iter().map(|pair| (role, tables, pair));
    Block::Table(averages(survey, pairs).page(caption, columns, MOST_PAIRS))
}

/// `averages.csv` of `pairs`, each with its role and the tables of that; pages show labels and the means of both cosines.
pub(crate) fn averages<'a>(
    survey: &'a Survey,
    pairs: impl IntoIterator<Item = (&'a RoleAverages, &'a [PairTable], &'a PairAverage), IntoIter: 'a>,
) -> Frame<'a> {
    let columns = "model_a,commit_a,model_b,commit_b,role,layers,layers_left_out,numel,mean_pearson,z,naive_z,\
                   undefined";
    let row = move |(averages, tables, pair): (&RoleAverages, &[PairTable], &PairAverage)| {
        let average = || pair.average.clone();
        let (layers, left_out) = match &pair.average {
            Ok(average) => (average.layers.len(), average.left_out.len()),
            Err(_) => (0, tables.len()),
        };
        let numbers = [
            Cell::number(average().map(|average| average.mean_r), Digits::Fixed(6)),
            Cell::number(average().and_then(|average| average.z), Digits::Fixed(2)),
            Cell::number(average().map(|average| average.naive_z), Digits::Fixed(2)),
        ];
        let reason = all_or_each_reason(&["mean_pearson", "z", "naive_z"], &numbers);
        let mut row = models(survey, pair.models).to_vec();
        row.extend([Cell::text(averages.key.role_name()), Cell::count(layers), Cell::count(left_out)]);
        row.push(Cell::integer(pair.channels));
        row.extend(numbers);
        row.push(reason);
        row.extend(names(survey, pair.models));
        row.extend([Metric::CosSim, Metric::CosNull].map(|metric| {
            let mean = mean(tables, metric, pair.models.0, pair.models.1).map(|(mean, _)| mean);
            Cell::number(mean, digits(metric))
        }));
        row
    };
    let rows = pairs.into_iter().map(row);
    Frame::new("averages.csv", columns.split(','), rows)
        .with_page_columns(&["label_a", "label_b", "cos_sim", "cos_null"])
}

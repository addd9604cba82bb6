//! The strongest pairs, a line each, and what is said of them.

use super::mean;
use crate::{
    metric::{Baseline, Metric, Undefined},
    question::survey::Survey,
    report::{Block, Cell, Column, Digits, number::counted},
    table::{PairTable, Relation, pairs_of, strongest},
};

/// Lines of each table; the report has all.
pub(super) const MOST: usize = 12;

/// Lines of pairs within chance: their order says little.
const FEW: usize = 3;

/// One pair of models: in its only cell, or over the cells of the role in which it is strongest.
struct Line {
    models: (usize, usize),
    place: String,
    /// Cosine, its null, and Pearson's r.
    means: [Result<f64, Undefined>; 3],
    z: Result<f64, Undefined>,
    strength: f64,
}

const BESIDE: [Metric; 3] = [Metric::CosSim, Metric::CosNull, Metric::Pearson];

impl Line {
    /// Of one cell; `None` where it has no z.
    fn of_cell(
        models: (usize, usize),
        place: impl Fn() -> String,
        get: impl Fn(Metric) -> Result<f64, Undefined>,
    ) -> Option<Self> {
        let z = get(Metric::ZPerm);
        let strength = z.as_ref().ok()?.abs();
        Some(Self { models, place: place(), means: BESIDE.map(get), z, strength })
    }

    /// Over the tables of one role, with the z that correlated layers leave; `None` where no cell has a value.
    fn of_role(survey: &Survey, tables: &[PairTable], models @ (a, b): (usize, usize)) -> Option<Self> {
        let place = tables.first()?.key.role_name();
        if let [only] = tables {
            return Self::of_cell(models, || only.key.title(), |metric| only.metric(a, b, metric));
        }
        let whole = tables.first()?.key.whole();
        let averages = survey.averages.iter().find(|averages| averages.key == whole)?;
        let at = averages.pairs.binary_search_by_key(&models, |pair| pair.models).ok()?;
        let average = averages.pairs[at].average.as_ref();
        let z = average.map_err(Clone::clone).and_then(|average| average.z.clone());
        let (r, _) = mean(tables, Metric::Pearson, a, b).ok()?;
        // Without a z, what it would be if all layers were one.
        let free = averages.pairs[at].channels.unwrap_or(1).saturating_sub(1) as f64;
        let strength = z.as_ref().map_or(r.abs() * free.sqrt(), |z| z.abs());
        let means = BESIDE.map(|metric| mean(tables, metric, a, b).map(|(mean, _)| mean));
        Some(Self { models, place, means, z, strength })
    }

    /// The strongest cell of two models whose layers are all paired.
    fn of_layer_table(layer_table: &PairTable) -> Option<Self> {
        let columns = layer_table.columns();
        let cells = (0..layer_table.rows.len()).flat_map(|row| {
            (0..columns.len()).filter_map(move |column| {
                let place = || crossed_place(layer_table, row, column);
                Self::of_cell((0, 1), place, |metric| layer_table.metric(row, column, metric))
            })
        });
        cells.reduce(|best, next| if next.strength > best.strength { next } else { best })
    }
}

/// The first [`MOST`] lines, one a pair or a role of two models whose layers are all paired, the farthest from the null first; and how
/// many there are.
fn lines(survey: &Survey) -> (Vec<Line>, usize) {
    let roles = survey.roles();
    let of_pair = |models| {
        let of_roles = roles.iter().filter_map(|tables| Line::of_role(survey, tables, models));
        of_roles.reduce(|best, next| if next.strength > best.strength { next } else { best })
    };
    let crossed = survey.layer_tables.iter().filter_map(Line::of_layer_table);
    let of_pairs = pairs_of(if survey.layer_tables.is_empty() { survey.models.len() } else { 0 }).filter_map(of_pair);
    strongest(crossed.chain(of_pairs), MOST, |line| line.strength)
}

/// `outlier 3/32`: what its pair is, and how many of its tests say so; one test needs no count.
fn verdict(survey: &Survey, models: (usize, usize)) -> String {
    let relation = survey.relations.get(models);
    let is_outlier = |pair: &Relation| pair.flagged > 0 && survey.relations.baseline == Some(Baseline::Population);
    let tests = survey.chance.of_pair(models);
    let (word, count, all) = match relation {
        Some(pair) if pair.is_identical() => return "identical".to_owned(),
        Some(pair) if is_outlier(&pair) => ("outlier", pair.flagged, pair.cells),
        _ if tests.beyond > 0 => ("beyond", tests.beyond, tests.count),
        _ => ("chance", tests.count, tests.count),
    };
    if all == 1 || word == "chance" { word.to_owned() } else { format!("{word} {count}/{all}") }
}

/// The strongest pairs.
pub(super) fn pairs(survey: &Survey) -> Option<Block> {
    let (lines, count) = lines(survey);
    let is_single = survey.tables.len() == 1;
    let is_crossed = !survey.layer_tables.is_empty();
    let by_role = survey.roles().len() > 1 || is_crossed;
    let rows = lines.iter().take(if is_crossed { MOST } else { MOST.min(survey.chance.beyond() + FEW) }).map(|line| {
        let mut row = vec![Cell::text(pair_name(survey, line.models))];
        row.extend(by_role.then(|| Cell::text(&line.place)));
        // Beside roles there is room for one number of each kind.
        let [.., r] = &line.means;
        let means = if by_role { std::slice::from_ref(r) } else { &line.means[..] };
        row.extend(means.iter().map(|mean| Cell::number(mean, Digits::Fixed(4))));
        row.push(Cell::number(&line.z, Digits::Fixed(1)));
        row.extend((!is_crossed).then(|| Cell::text(verdict(survey, line.models))));
        row
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    let mut columns = vec![Column::text("pair")];
    columns.extend(by_role.then(|| Column::text("where")));
    let means = ["cos_sim", "cos_null", "pearson"];
    columns.extend(means.into_iter().skip(if by_role { 2 } else { 0 }).map(Column::numeric));
    columns.push(Column::numeric(if is_single || is_crossed { "z_perm" } else { "z" }));
    columns.extend((!is_crossed).then(|| Column::text("verdict")));
    let what = match (is_single, is_crossed) {
        (true, _) => "Pairs farthest from the permutation null",
        (false, true) => "The strongest pair of layers of each role",
        (false, false) if by_role => {
            "Pairs farthest from the permutation null: means over layers, in the role where each pair is strongest; z allows for \
             the correlation of layers"
        }
        (false, false) => {
            "Pairs farthest from the permutation null: means over layers; z allows for the correlation of layers"
        }
    };
    let rest =
        if count > rows.len() { format!(" {} of {}.", rows.len(), counted(count, "pair")) } else { String::new() };
    let key = if is_crossed || is_single {
        ""
    } else {
        " Verdict: how many of a pair's tests stand out from the other pairs (`outlier`) or from chance (`beyond`)."
    };
    let caption = format!("{what}.{rest}{key}");
    (!rows.is_empty()).then(|| Block::table(caption, columns, rows))
}

pub(super) fn pair_name(survey: &Survey, (a, b): (usize, usize)) -> String {
    let [a, b] = [a, b].map(|model| survey.models[model].label.replace('`', "'"));
    format!("{a} × {b}")
}

pub(super) fn crossed_place(layers: &PairTable, row: usize, column: usize) -> String {
    let (a, b) = (layers.rows[row].place_name(), layers.columns()[column].place_name());
    format!("{}, {a} and {b}", layers.key.role_name())
}

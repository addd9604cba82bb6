//! The document: the models, the pairs by role, how close they are, what the null says, and what was not compared.

use super::{pictures, summary::summary};
use crate::{
    digest::TrivialClass,
    metric::Metric,
    question::{
        compare::{
            CLOSE, ComparedPair, Comparison, GroupFigures, HIGH_AND_LOW, Overall, Pattern, Status, Third, bands,
        },
        inspect::shape_text,
        page::{self, ABOUT_COSINE, closing, models},
    },
    report::{Block, Cell, Column, Datum, Digits, Excluded, Provenance, Report, Section},
};

/// Tensors without a pair that the page lists; all are in `coverage.csv`.
const MOST_LISTED: usize = 200;

/// Builds the document.
pub fn compare_report(comparison: &Comparison, run: &Provenance) -> Report {
    let groups = &comparison.groups;
    let [a, b] = &comparison.models;
    let mut sections = vec![models(&comparison.models)];
    if groups.is_empty() {
        let note = Block::note(
            "**No comparable tensors.** No tensor of the first model corresponds to one of the second that can be compared \
             with it, so there is no number to report.",
        );
        sections.push(Section::new("nothing", "No comparable tensors", vec![note]));
    } else {
        let pictures = pictures(comparison, groups).into_iter().map(Block::picture);
        sections.extend([overview(groups), close(comparison, groups)]);
        sections.push(Section::new("pictures", "Pictures", pictures.collect()));
    }
    sections.push(coverage(comparison));
    sections.push(reading());
    let excluded = left_out(comparison);
    sections.push(closing::left_out(&listed(&excluded)));
    sections.push(closing::traffic(&comparison.models, |side| used(comparison, side)));
    let mut report = Report {
        title: format!("{} and {}, tensor by tensor", a.label, b.label),
        question: format!(
            "How do the tensors of `{}` compare with those that correspond to them in `{}`, and which have no counterpart?",
            a.model, b.model
        ),
        summary: summary(comparison),
        sections,
        ..page::report("compare", &comparison.models, run, excluded)
    };
    report.answer_with_picture("layers_");
    report
}

/// Tensors of a model that entered a number, and their bytes.
fn used(comparison: &Comparison, side: usize) -> (usize, u64) {
    let mut tensors: Vec<(&str, u64)> = comparison
        .pairs
        .iter()
        .filter(|pair| pair.is_evidence())
        .map(|pair| if side == 0 { &pair.a } else { &pair.b })
        .map(|side| (side.tensor.as_str(), side.stored_bytes))
        .collect();
    tensors.sort_unstable();
    tensors.dedup();
    (tensors.len(), tensors.iter().map(|(_, bytes)| bytes).sum())
}

fn overview(groups: &[GroupFigures]) -> Section {
    let shown =
        [Metric::CosSim, Metric::CosNull, Metric::Pearson, Metric::Spearman, Metric::RelL2Err, Metric::ChangedFrac];
    let mut columns = Column::list(&["group"], &["pairs", "n cos_sim", "n pearson"]);
    columns.extend(shown.map(|metric| Column::numeric(format!("mean {metric}"))));
    columns.extend(["min cos_sim", "max abs z_perm"].map(Column::numeric));
    let rows = groups.iter().map(|figures| {
        let of = |metric: Metric| figures.of(metric);
        let count = |metric: Metric| Cell::count(of(metric).map_or(0, |of| of.count));
        let none = || Datum::undefined("no pair has a value");
        let mut row = vec![Cell::code(figures.group.name()), Cell::count(figures.pairs)];
        row.extend([count(Metric::CosSim), count(Metric::Pearson)]);
        row.extend(shown.map(|metric| {
            let mean = of(metric).map_or_else(none, |described| described.mean.into());
            Cell::number(mean, Digits::Fixed(6))
        }));
        let least = of(Metric::CosSim).map_or_else(none, |described| described.quartiles[0].into());
        row.push(Cell::number(least, Digits::Fixed(6)));
        let largest = of(Metric::ZPerm)
            .map_or_else(none, |described| described.quartiles[0].abs().max(described.quartiles[4].abs()).into());
        row.push(Cell::number(largest, Digits::Significant(4)));
        row
    });
    let blocks = vec![
        Block::table(
            "Means over the pairs of tensors that have the value, each counted once whatever its size. Count, deviation and quartiles of \
             every metric are in `summary.csv`, means by layer in `layers.csv`, each pair in `pairs.csv`.",
            columns,
            rows,
        ),
        Block::note(
            "**Norms and biases are kept apart** because their cosine is high by construction: the elements of a norm have nearly \
             one value. A mean over all tensors of a model would mix what is bound to be near 1 with what says something. \
             **Embeddings are kept apart** from the rest, which is that of layers: two models may share the one and not the \
             other.",
        ),
    ];
    Section::new("groups", "By group and role", blocks)
}

fn close(comparison: &Comparison, groups: &[GroupFigures]) -> Section {
    let mut columns = Column::list(&["group"], &["pairs with cos_sim"]);
    columns.extend(CLOSE.map(|bound| Column::numeric(format!("≥ {bound}"))));
    columns.extend(["pairs with bytes", "equal bytes"].map(Column::numeric));
    let rows = groups.iter().map(|figures| {
        let close = &figures.closeness;
        let share = |count: usize, of: usize| {
            if of == 0 {
                Cell::undefined("no pair has a value")
            } else {
                Cell::number(count as f64 / of as f64, Digits::Percent(1))
            }
        };
        let mut row = vec![Cell::code(figures.group.name()), Cell::count(close.with_cosine)];
        row.extend(close.at_least.map(|count| share(count, close.with_cosine)));
        row.push(Cell::count(close.with_bytes));
        row.push(share(close.equal_bytes, close.with_bytes));
        row
    });
    let closeness = Block::table("Share of pairs with cosine ≥ threshold, and of byte-identical pairs.", columns, rows);
    let bands = bands::bands(&comparison.pairs);
    let matrices: usize = bands.iter().map(|band| band.count).sum();
    let mut upper = String::new();
    let rows = bands.map(|band| {
        let name = if band.above.is_finite() && upper.is_empty() {
            format!("> {}", band.above)
        } else if band.above.is_finite() {
            format!("> {} to {upper}", band.above)
        } else {
            format!("to {upper}")
        };
        upper = band.above.to_string();
        vec![
            Cell::text(name),
            Cell::text(format!("“{}”", band.reading)),
            Cell::count(band.count),
            Cell::count(band.beyond_null),
        ]
    });
    let bands = Block::table(
        format!(
            "The bands of one published page, over the {matrices} matrices that have a cosine, norms and biases left out. The \
             reading is that page's; the last column counts matrices whose r shuffled elements would hardly have \
             (`log10_p_perm` ≤ log10(0.01 / matrices), a normal approximation)."
        ),
        Column::list(&["cosine", "that page's reading"], &["matrices", "beyond the null"]),
        rows,
    );
    let reading = Block::prose(
        "A low cosine of matrices does not show that a model was trained from scratch: rows and columns may have been \
         permuted or rotated without changing what the model computes, and nothing here looks for that. A high one shows that \
         these tensors share their values, not how that came about.",
    );
    let pairs = &comparison.pairs;
    let thirds = bands::thirds(pairs);
    let mut blocks = vec![closeness, bands, overall(bands::overall(pairs))];
    if thirds.is_empty() {
        blocks.push(Block::prose(
            "Fewer than three layers of the first model have matrices with a cosine: there are no thirds of its layers, and that \
             page's patterns over them are not looked for.",
        ));
    } else {
        let patterns = patterns(bands::patterns(&thirds));
        blocks.extend([self::thirds(thirds), patterns]);
    }
    blocks.push(reading);
    Section::new("closeness", "How close", blocks)
}

/// The mean over all tensors, which mixes norms with matrices, beside that of matrices.
fn overall([all, matrices]: [Option<Overall>; 2]) -> Block {
    let row = |(what, of): (&str, Option<Overall>)| {
        let none = || Cell::undefined("no tensor has a cosine");
        let number = |of: Option<f64>| of.map_or_else(none, |value| Cell::number(value, Digits::Fixed(6)));
        vec![
            Cell::text(what),
            Cell::count(of.map_or(0, |of| of.count)),
            number(of.map(|of| of.mean)),
            number(of.map(|of| of.null)),
            of.map_or_else(none, |of| Cell::text(format!("“{}”", of.reading))),
        ]
    };
    let columns = [
        Column::list(&["over"], &["tensors", "mean cos_sim", "mean cos_null"]),
        Column::list(&["that page's reading"], &[]),
    ];
    Block::table(
        "The mean over all tensors, each counted once whatever its size, as that page takes it, with its reading. It mixes \
         norms, whose cosine is high by construction, with matrices: as many norms as there are lift it.",
        columns.concat(),
        [("all tensors", all), ("matrices", matrices)].map(row),
    )
}

fn thirds(thirds: Vec<Third>) -> Block {
    let [high, low] = HIGH_AND_LOW;
    let rows = thirds.into_iter().map(|third| {
        let [of_high, of_low] = third.high_and_low;
        let [first, last] = third.layers;
        vec![
            Cell::text(third.name),
            Cell::text(format!("{first}–{last}")),
            Cell::count(third.count),
            Cell::number(third.mean, Digits::Fixed(6)),
            Cell::count(of_high),
            Cell::count(of_low),
        ]
    });
    Block::table(
        format!(
            "Layers of the first model in thirds by depth, by the mean cosine of each layer's matrices: high from {high} on, low below \
             {low}."
        ),
        Column::list(&["third", "layers"], &["count", "mean cos_sim", "high", "low"]),
        rows,
    )
}

fn patterns(patterns: [Pattern; 3]) -> Block {
    let row = |pattern: Pattern| {
        vec![
            Cell::text(pattern.pattern),
            Cell::text(format!("“{}”", pattern.reading)),
            Cell::text(if pattern.holds { "yes" } else { "no" }),
        ]
    };
    Block::table(
        "That page's patterns over the layers, with its readings, and whether the thirds above show them. Layers of a model \
         whose rows or columns were permuted or rotated are low throughout as well.",
        Column::list(&["pattern", "that page's reading", "shown here"], &[]),
        patterns.map(row),
    )
}

fn coverage(comparison: &Comparison) -> Section {
    let rows = Status::ALL.map(|status| {
        let [of_a, of_b] = [0, 1].map(|side| Cell::count(comparison.coverage.count(side, status)));
        vec![Cell::code(status.name()), of_a, of_b]
    });
    let [a, b] = &comparison.models;
    let columns = Column::list(&["status"], &[&format!("{} (a)", a.label), &format!("{} (b)", b.label)]);
    let tensors = Block::table(
        "Tensors of both models; a fused tensor that was compared in parts counts once for each part. Each is listed \
         in `coverage.csv`. Trivial ones are constant or a fixed buffer on both sides, such as gains that were never \
         trained: similar by construction, excluded above.",
        columns,
        rows,
    );
    Section::new("coverage", "Coverage", vec![matched(comparison), tensors])
}

/// By which rules the pairs were found.
fn matched(comparison: &Comparison) -> Block {
    let rows = comparison.matched().into_iter();
    Block::table(
        "By which rule pairs were found: a table of names (`map`), one name, one role and layer, the same part of fused \
         tensors, the groups of a pattern, names that end alike and alone do (`suffix`), or a note of the files that a \
         tensor is tied to another. `matched_by` in `coverage.csv` says it of each.",
        Column::list(&["matched by"], &["pairs"]),
        rows.map(|(how, count)| vec![Cell::code(how.name()), Cell::count(count)]),
    )
}

fn reading() -> Section {
    let blocks = [
        ABOUT_COSINE,
        "For a matrix whose elements have mean 0 the null is 0, and a cosine of 0.01 over ten million elements is many \
         standard deviations from it: with so many elements `z_perm` finds the smallest shared pattern, such as rows \
         of common tokens or a common initialisation. How large an effect is tells the cosine, whether there is one tells \
         `z_perm`, and where it comes from neither.",
    ];
    Section::new("reading", "How to read these numbers", blocks.map(Block::prose).into())
}

fn left_out(comparison: &Comparison) -> Vec<Excluded> {
    let model = |side: usize| comparison.models[side].model.as_str();
    let pairs = comparison.pairs.iter().filter(|pair| !pair.is_evidence() || pair.is_broken()).map(|pair| {
        let reason = match pair.metrics.get(Metric::CosSim) {
            _ if pair.trivial.is_some() => trivial(pair),
            Err(_) if pair.a.shape != pair.b.shape => format!(
                "shape {} here, {} in `{}`",
                shape_text(&pair.a.shape),
                shape_text(&pair.b.shape),
                pair.b.tensor
            ),
            Err(reason) if pair.is_broken() => {
                format!("no number but counts: {} of both", reason.of_tensor())
            }
            Err(reason) => reason.to_string(),
            Ok(_) => String::new(),
        };
        Excluded::new(model(0), &pair.a.tensor, reason)
    });
    let alone = &comparison.coverage.uncompared;
    let alone = alone.iter().map(|tensor| Excluded::new(model(tensor.side), &tensor.tensor, &tensor.reason));
    let lacking = page::excluded(&comparison.models, &comparison.coverage.lacking).into_iter();
    lacking.chain(pairs).chain(alone).collect()
}

/// Why a pair is no evidence.
pub(crate) fn trivial(pair: &ComparedPair) -> String {
    let names = pair.trivial.map(|classes| classes.map(TrivialClass::name));
    match names {
        Some([a, b]) if a == b => format!("{a} on both sides"),
        Some([a, b]) => format!("{a} here, {b} there"),
        None => String::new(),
    }
}

/// As many as a page can bear.
fn listed(excluded: &[Excluded]) -> Vec<Excluded> {
    let mut listed: Vec<Excluded> = excluded.iter().take(MOST_LISTED).cloned().collect();
    if excluded.len() > MOST_LISTED {
        let more = format!("and {} more", excluded.len() - MOST_LISTED);
        listed.push(Excluded::new("", more, "all are in coverage.csv and report.json"));
    }
    listed
}

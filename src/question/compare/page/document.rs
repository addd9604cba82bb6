//! The document: the models, the pairs by role, how close they are, what the null says, and what was not compared.

use super::{pictures, summary::summary};
use crate::{
    digest::TrivialClass,
    metric::Metric,
    model::ModelSummary,
    question::{
        compare::{CLOSE, Comparison, GroupFigures, HIGH_AND_LOW, Meeting, Overall, Pattern, Status},
        inspect::shape_text,
        page::{ABOUT_COSINE, closing, models},
    },
    report::{Block, Cell, Column, Datum, Digits, Excluded, Provenance, Report, Section, Table},
};

/// Tensors without a pair that the page lists; all are in `coverage.csv`.
const MOST_LISTED: usize = 200;

/// Builds the document.
pub fn compare_report(comparison: &Comparison, run: &Provenance) -> Report {
    let groups = &comparison.groups;
    let [a, b] = &comparison.models;
    let mut sections = vec![models(&comparison.models)];
    if groups.is_empty() {
        sections.push(Section {
            id: "nothing".to_owned(),
            title: "No comparable tensors".to_owned(),
            blocks: vec![Block::note(
                "**No comparable tensors.** No tensor of the first model corresponds to one of the second that can be compared \
                 with it, so there is no number to report.",
            )],
        });
    } else {
        sections.push(overview(groups));
        sections.push(close(comparison, groups));
        let pictures = pictures(comparison, groups);
        sections.push(Section {
            id: "pictures".to_owned(),
            title: "Pictures".to_owned(),
            blocks: pictures.into_iter().map(Block::picture).collect(),
        });
    }
    sections.push(coverage(comparison));
    sections.push(reading());
    let excluded = left_out(comparison);
    sections.push(closing::left_out(&listed(&excluded)));
    sections.push(closing::traffic(&comparison.models, |side| used(comparison, side)));
    let mut report = Report {
        language: "en",
        command: "compare",
        settings: serde_json::Map::new(),
        title: format!("{} and {}, tensor by tensor", a.label, b.label),
        question: format!(
            "How do the tensors of `{}` compare with those that correspond to them in `{}`, and which have no counterpart?",
            a.model, b.model
        ),
        synthetic: comparison.models.iter().any(|model| model.synthetic),
        summary: summary(comparison),
        sections,
        provenance: run.on(&comparison.models, excluded),
    };
    report.answer_with_picture("layers_matrices");
    report
}

/// Tensors of a model that entered a number, and their bytes.
fn used(comparison: &Comparison, side: usize) -> (usize, u64) {
    let mut tensors: Vec<(&str, u64)> = comparison
        .meetings
        .iter()
        .filter(|meeting| meeting.is_evidence())
        .map(|meeting| if side == 0 { &meeting.a } else { &meeting.b })
        .map(|side| (side.tensor.as_str(), side.stored_bytes))
        .collect();
    tensors.sort_unstable();
    tensors.dedup();
    (tensors.len(), tensors.iter().map(|(_, bytes)| bytes).sum())
}

fn overview(groups: &[GroupFigures]) -> Section {
    let shown = [
        (Metric::CosSim, "cos_sim"),
        (Metric::CosNull, "cos_null"),
        (Metric::Pearson, "pearson"),
        (Metric::Spearman, "spearman"),
        (Metric::RelL2Err, "rel_l2_err"),
        (Metric::ChangedFrac, "changed_frac"),
    ];
    let mut columns = vec![Column::text("group")];
    columns.extend(["pairs", "n cos_sim", "n pearson"].map(Column::numeric));
    columns.extend(shown.map(|(_, name)| Column::numeric(format!("mean {name}"))));
    columns.push(Column::numeric("min cos_sim"));
    columns.push(Column::numeric("max abs z_perm"));
    let rows = groups.iter().map(|figures| {
        let of = |metric: Metric| figures.of(metric);
        let count = |metric: Metric| Cell::count(of(metric).map_or(0, |of| of.count));
        let none = || Datum::undefined("no pair has a value");
        let mut row = vec![Cell::code(figures.group.name()), Cell::count(figures.pairs)];
        row.extend([count(Metric::CosSim), count(Metric::Pearson)]);
        row.extend(shown.map(|(metric, _)| {
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
    Section {
        id: "groups".to_owned(),
        title: "By group and role".to_owned(),
        blocks: vec![
            Block::Table(Table {
                caption: "Means over the pairs of tensors that have the value, each counted once whatever its size. Count, deviation and quartiles of \
                          every metric are in `summary.csv`, means by layer in `layers.csv`, each pair in `pairs.csv`."
                    .to_owned(),
                columns,
                rows: rows.collect(),
            }),
            Block::note(
                "**Norms and biases are kept apart** because their cosine is high by construction: the elements of a norm have nearly \
                 one value. A mean over all tensors of a model would mix what is bound to be near 1 with what says something. \
                 **Embeddings are kept apart** from the rest, which is that of layers: two models may share the one and not the \
                 other.",
            ),
        ],
    }
}

fn close(comparison: &Comparison, groups: &[GroupFigures]) -> Section {
    let mut columns = vec![Column::text("group"), Column::numeric("pairs with cos_sim")];
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
    let closeness = Table {
        caption: "Share of pairs with cosine ≥ threshold, and of byte-identical pairs.".to_owned(),
        columns,
        rows: rows.collect(),
    };
    let bands = comparison.bands();
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
    let bands = Table {
        caption: format!(
            "The bands of one published page, over the {matrices} matrices that have a cosine, norms and biases left out. The \
             reading is that page's; the last column counts matrices whose r shuffled elements would hardly have \
             (`log10_p_perm` ≤ log10(0.01 / matrices), a normal approximation)."
        ),
        columns: vec![
            Column::text("cosine"),
            Column::text("that page's reading"),
            Column::numeric("matrices"),
            Column::numeric("beyond the null"),
        ],
        rows: rows.into(),
    };
    Section {
        id: "closeness".to_owned(),
        title: "How close".to_owned(),
        blocks: vec![
            Block::Table(closeness),
            Block::Table(bands),
            Block::Table(overall(comparison)),
            Block::Table(thirds(comparison)),
            Block::Table(patterns(comparison)),
            Block::prose(
                "A low cosine of matrices does not show that a model was trained from scratch: rows and columns may have been \
                 permuted or rotated without changing what the model computes, and nothing here looks for that. A high one shows that \
                 these tensors share their values, not how that came about.",
            ),
        ],
    }
}

/// The mean over all tensors, which mixes norms with matrices, beside that of matrices.
fn overall(comparison: &Comparison) -> Table {
    let [all, matrices] = comparison.overall();
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
    Table {
        caption: "The mean over all tensors, each counted once whatever its size, as that page takes it, with its reading. It mixes \
                  norms, whose cosine is high by construction, with matrices: as many norms as there are lift it."
            .to_owned(),
        columns: vec![
            Column::text("over"),
            Column::numeric("tensors"),
            Column::numeric("mean cos_sim"),
            Column::numeric("mean cos_null"),
            Column::text("that page's reading"),
        ],
        rows: [("all tensors", all), ("matrices", matrices)].map(row).into(),
    }
}

fn thirds(comparison: &Comparison) -> Table {
    let [high, low] = HIGH_AND_LOW;
    let rows = comparison.thirds().into_iter().map(|third| {
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
    Table {
        caption: format!(
            "Layers of the first model in thirds by depth, by the mean cosine of each layer's matrices: high from {high} on, low below \
             {low}. Empty with fewer than three layers."
        ),
        columns: vec![
            Column::text("third"),
            Column::text("layers"),
            Column::numeric("count"),
            Column::numeric("mean cos_sim"),
            Column::numeric("high"),
            Column::numeric("low"),
        ],
        rows: rows.collect(),
    }
}

fn patterns(comparison: &Comparison) -> Table {
    let row = |pattern: Pattern| {
        vec![
            Cell::text(pattern.pattern),
            Cell::text(format!("“{}”", pattern.reading)),
            Cell::text(if pattern.holds { "yes" } else { "no" }),
        ]
    };
    Table {
        caption: "That page's patterns over the layers, with its readings, and whether the thirds above show them. Layers of a model \
                  whose rows or columns were permuted or rotated are low throughout as well."
            .to_owned(),
        columns: ["pattern", "that page's reading", "shown here"].map(Column::text).into(),
        rows: comparison.patterns().map(row).into(),
    }
}

fn coverage(comparison: &Comparison) -> Section {
    let rows = Status::ALL.iter().map(|&status| {
        vec![
            Cell::code(status.name()),
            Cell::count(comparison.coverage.count(0, status)),
            Cell::count(comparison.coverage.count(1, status)),
        ]
    });
    let columns = [
        Column::text("status"),
        Column::numeric(format!("{} (a)", comparison.models[0].label)),
        Column::numeric(format!("{} (b)", comparison.models[1].label)),
    ];
    Section {
        id: "coverage".to_owned(),
        title: "Coverage".to_owned(),
        blocks: vec![matched(comparison), Block::Table(Table {
            caption: "Tensors of both models; a fused tensor that was compared in parts counts once for each part. Each is listed \
                      in `coverage.csv`. Trivial ones are constant or a fixed buffer on both sides, such as gains that were never \
                      trained: similar by construction, excluded above."
                .to_owned(),
            columns: columns.into(),
            rows: rows.collect(),
        })],
    }
}

/// By which rules the pairs were found.
fn matched(comparison: &Comparison) -> Block {
    let rows = comparison.matched().into_iter();
    Block::Table(Table {
        caption: "By which rule pairs were found: a table of names (`map`), one name, one role and layer, the same part of fused \
                  tensors, the groups of a pattern, names that end alike and alone do (`suffix`), or a note of the files that a \
                  tensor is tied to another. `matched_by` in `coverage.csv` says it of each."
            .to_owned(),
        columns: vec![Column::text("matched by"), Column::numeric("pairs")],
        rows: rows.map(|(how, count)| vec![Cell::code(how.name()), Cell::count(count)]).collect(),
    })
}

fn reading() -> Section {
    Section {
        id: "reading".to_owned(),
        title: "How to read these numbers".to_owned(),
        blocks: vec![
            Block::prose(ABOUT_COSINE),
            Block::prose(
                "For a matrix whose elements have mean 0 the null is 0, and a cosine of 0.01 over ten million elements is many \
                 standard deviations from it: with so many elements `z_perm` finds the smallest shared pattern, such as rows \
                 of common tokens or a common initialisation. How large an effect is tells the cosine, whether there is one tells \
                 `z_perm`, and where it comes from neither.",
            ),
        ],
    }
}

fn left_out(comparison: &Comparison) -> Vec<Excluded> {
    let model = |side: usize| -> &ModelSummary { &comparison.models[side] };
    let pairs =
        comparison.meetings.iter().filter(|meeting| !meeting.is_evidence() || meeting.is_broken()).map(|meeting| {
            let reason = match (&meeting.failure, meeting.metrics.get(Metric::CosSim)) {
                (Some(failure), _) => failure.clone(),
                _ if meeting.trivial.is_some() => trivial(meeting),
                (None, Err(_)) if meeting.a.shape != meeting.b.shape => format!(
                    "shape {} here, {} in `{}`",
                    shape_text(&meeting.a.shape),
                    shape_text(&meeting.b.shape),
                    meeting.b.tensor
                ),
                (None, Err(reason)) if meeting.is_broken() => {
                    format!("no number but counts: {} of both", reason.of_tensor())
                }
                (None, Err(reason)) => reason.to_string(),
                (None, Ok(_)) => String::new(),
            };
            Excluded { model: model(0).model.clone(), tensor: meeting.a.tensor.clone(), reason }
        });
    let alone = comparison.coverage.uncompared.iter().map(|tensor| Excluded {
        model: model(tensor.side).model.clone(),
        tensor: tensor.tensor.clone(),
        reason: tensor.reason.clone(),
    });
    let lacking = comparison.coverage.lacking.iter().map(|(side, exclusion)| Excluded {
        model: model(*side).model.clone(),
        tensor: exclusion.tensor.clone(),
        reason: exclusion.reason.clone(),
    });
    lacking.chain(pairs).chain(alone).collect()
}

/// Why a pair is no evidence.
pub(crate) fn trivial(meeting: &Meeting) -> String {
    let names = meeting.trivial.map(|classes| classes.map(TrivialClass::name));
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
        listed.push(Excluded {
            model: String::new(),
            tensor: format!("and {} more", excluded.len() - MOST_LISTED),
            reason: "all are in coverage.csv and report.json".to_owned(),
        });
    }
    listed
}

//! Layer × layer of two models: the matrices, the diagonal against the rest, and which layer resembles which most.

use super::{View, colored, digits, is_cosine};
use crate::{
    family::LayerIndex,
    metric::Metric,
    question::{
        page::{WITHOUT_FIRST, later_cosines},
        survey::Survey,
    },
    report::{
        Block, Cell, Column, Digits, Section,
        figure::{Heatmap, Panel as Grid, Picture, PictureKind},
    },
    table::{Entry, Matrix, PairTable},
};

/// The section of one role.
pub(crate) fn section(survey: &Survey, layer_table: &PairTable, view: &View<'_>) -> Section {
    let role = layer_table.key.role_name();
    let mut blocks = Vec::new();
    if layer_table.defined(Metric::CosSim) == 0 {
        blocks.push(Block::note(
            "**No comparable tensors.** No layer of one model can be compared with a layer of the other.",
        ));
    }
    if !layer_table.rows.is_empty() && !layer_table.columns().is_empty() {
        blocks.push(Block::picture(picture(survey, layer_table, view)));
        blocks.push(contrasts(layer_table, view));
        blocks.extend(best(survey, layer_table));
    }
    Section::new(format!("role-{}", role.replace('_', "-")), format!("{role}, every layer with every layer"), blocks)
}

fn picture(survey: &Survey, layer_table: &PairTable, view: &View<'_>) -> Picture {
    let role = layer_table.key.role_name();
    let labels = survey.labels();
    let titled = |index: usize| labels.get(index).map(|label| format!("layer of {label}")).unwrap_or_default();
    let matrices: Vec<(Metric, Matrix)> =
        view.shown().into_iter().map(|metric| (metric, layer_table.layer_matrix(metric))).collect();
    let first =
        |entries: &[Entry]| entries.iter().position(|entry| entry.layer() == Some(LayerIndex(0)) && !entry.is_mtp());
    let cosines: Vec<&Matrix> =
        matrices.iter().filter(|(metric, _)| is_cosine(*metric)).map(|(_, matrix)| matrix).collect();
    let without_first = later_cosines(&cosines, [first(&layer_table.rows), first(layer_table.columns())]);
    let pictures: Vec<Picture> = colored(matrices)
        .into_iter()
        .map(|(metric, heatmap)| {
            let scale = without_first.clone().filter(|_| is_cosine(metric));
            Picture {
                id: metric.name().to_owned(),
                title: metric.name().to_owned(),
                subtitle: scale.as_ref().map(|_| WITHOUT_FIRST.to_owned()).unwrap_or_default(),
                alt: format!("{} of every layer of one model with every layer of the other", metric.name()),
                kind: PictureKind::Heatmap(Heatmap {
                    row_title: titled(0),
                    column_title: titled(1),
                    diagonal: true,
                    scale: scale.unwrap_or_else(|| heatmap.scale.clone()),
                    ..heatmap
                }),
            }
        })
        .collect();
    Picture {
        id: format!("crossing_{role}"),
        title: format!("{role}, layer × layer"),
        subtitle: "Outlined: layers of one index.".to_owned(),
        alt: format!("Layer × layer heatmaps of {role}"),
        kind: PictureKind::Panel(Grid { columns: 1, pictures }),
    }
}

fn contrasts(layer_table: &PairTable, view: &View<'_>) -> Block {
    let row = |metric: &Metric| {
        let mut row = vec![Cell::code(metric.name())];
        let Some([(n_same, same), (n_other, other)]) = layer_table.contrast(*metric) else {
            row.extend((0..7).map(|_| Cell::undefined("no value on or off the diagonal")));
            return row;
        };
        let number = |value: f64| Cell::number(value, digits(*metric));
        row.extend([Cell::count(n_same), number(same.mean), number(same.sd)]);
        row.extend([Cell::count(n_other), number(other.mean), number(other.sd), number(same.mean - other.mean)]);
        row
    };
    let caption = "Layers of one index against all other pairs of layers: mean, standard deviation (ddof 0), and the difference of the \
                   means. A difference of cosines is expected wherever norms change with depth in both models: look at `pearson`.";
    let columns = Column::list(&["metric"], &["n same", "mean", "sd", "n other", "mean", "sd", "difference"]);
    Block::table(caption, columns, view.shown().iter().map(row))
}

fn best(survey: &Survey, layer_table: &PairTable) -> Vec<Block> {
    let best = layer_table.best_layers();
    let label = |model: usize| survey.models.get(model).map(|model| model.label.clone()).unwrap_or_default();
    let rows = layer_table.rows.iter().zip(&best.best).map(|(row, found)| {
        let none = || Cell::undefined("no comparable layer");
        let column = found.map_or_else(none, |(column, _)| Cell::text(layer_table.columns()[column].place_name()));
        let r = found.map_or_else(none, |(_, r)| Cell::number(r, Digits::Fixed(4)));
        vec![Cell::text(row.place_name()), column, r]
    });
    vec![
        Block::prose(format!(
            "Of the {} layers of {} whose own index {} has too, {} resemble the layer of their own index most, by `pearson`; \
             chance alone would give about {}.",
            best.possible,
            label(0),
            label(1),
            best.own,
            Digits::Fixed(1).format(best.by_chance)
        )),
        Block::table(
            "The best layer map: for each layer of the first model the layer of the second that it resembles most. The largest of many \
             chance values is no resemblance by itself.",
            [format!("layer of {}", label(0)), format!("best layer of {}", label(1)), "pearson".to_owned()]
                .map(Column::numeric)
                .to_vec(),
            rows,
        ),
    ]
}

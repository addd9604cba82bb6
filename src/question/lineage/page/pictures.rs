//! The pictures: z by group, by layer, layer by layer, model by model, and the null's histogram.

use super::files::matrix;
use crate::{
    metric::lineage::layer_map::ALPHA,
    question::lineage::{Group, Lineage, SelfCheck, map::MapAnswer, pair::PairAnswer},
    report::{
        Datum,
        figure::{
            Bar, BarSeries, Bars, Heatmap, Histogram, LinePanel, Lines, Picture, PictureKind, Reference, Series,
            colormap::ColorScale,
        },
    },
    table::Matrix,
};

/// Beyond this z colours do not change.
const CLIP: f64 = 12.0;

fn references() -> Vec<Reference> {
    vec![Reference::new("more rows are read", 4.0), Reference::new("a link, with its bound", 8.0)]
}

/// z of each group of one pair.
pub(crate) fn groups(pair: &PairAnswer, id: String, title: String) -> Picture {
    let bars = pair.groups.iter().map(|(_, answer)| {
        Bar::new(match answer {
            Ok(answer) => Datum::new(answer.evidence.z),
            Err(reason) => Datum::undefined(reason.to_string()),
        })
    });
    Picture {
        id,
        title,
        subtitle: "Standard deviations from what independent models show.".to_owned(),
        alt: "Bars of z by group with lines at 4 and 8".to_owned(),
        kind: PictureKind::Bars(Bars {
            references: references(),
            ..Bars::new(
                "z",
                pair.groups.iter().map(|(group, _)| group.name().to_owned()).collect(),
                vec![BarSeries { label: "z".to_owned(), bars: bars.collect() }],
            )
        }),
    }
}

/// z of each layer of `mlp` and `heads`; `None` where no layer has one.
pub(crate) fn layers(pair: &PairAnswer, id: String) -> Option<Picture> {
    let groups: Vec<_> = [Group::Mlp, Group::Heads]
        .into_iter()
        .filter_map(|group| Some((group, &pair.group(group).ok()?.layers)))
        .filter(|(_, layers)| layers.len() > 1)
        .collect();
    let mut x: Vec<usize> = groups.iter().flat_map(|(_, layers)| layers.iter().map(|layer| layer.layer)).collect();
    x.sort_unstable();
    x.dedup();
    let series = groups.iter().map(|(group, layers)| {
        let value = |at: &usize| {
            let layer = layers.iter().find(|layer| layer.layer == *at);
            layer.map_or_else(|| Datum::undefined("not tested"), |layer| Datum::new(layer.z))
        };
        Series::new(group.name(), x.iter().map(value).collect())
    });
    let panel =
        LinePanel { references: references(), at_least: Some((-4.0, 8.0)), ..LinePanel::new("z", series.collect()) };
    (!x.is_empty()).then(|| Picture {
        id,
        title: "z by layer".to_owned(),
        subtitle: "Each layer has its own order of units, so layers are independent tests.".to_owned(),
        alt: "Lines of z by layer for units of MLPs and value dimensions".to_owned(),
        kind: PictureKind::Lines(Lines {
            x_label: "layer".to_owned(),
            x: x.iter().map(|&layer| layer as f64).collect(),
            panels: vec![panel],
        }),
    })
}

/// Matches in stretches: neighbouring layers of the deeper model that match layers of the shallower in order.
fn stretches(matches: &[(usize, usize)]) -> impl Iterator<Item = &[(usize, usize)]> {
    matches.chunk_by(|(column, row), (next_column, next_row)| column + 1 == *next_column && row < next_row)
}

/// z of every layer of one model with every layer of the other.
pub(crate) fn map(map: &MapAnswer, labels: [&str; 2], id: String) -> Picture {
    let name = |layers: &[usize]| layers.iter().map(ToString::to_string).collect();
    let columns = map.map.columns.len();
    let matrix = Matrix::from_fn(name(&map.map.rows), name(&map.map.columns), |row, column| {
        Ok(map.map.z[row * columns + column])
    });
    let [shallower, deeper] = if map.is_swapped { [labels[1], labels[0]] } else { labels };
    let mut heatmap = Heatmap::new(matrix, ColorScale::diverging(CLIP), "z");
    heatmap.row_title = format!("layer of {shallower}");
    heatmap.column_title = format!("layer of {deeper}");
    let significant = (0..map.map.p.len()).filter(|&cell| map.map.p[cell] <= ALPHA);
    heatmap.outlined = significant.map(|cell| (cell / columns, cell % columns)).collect();
    let place = |layers: &[usize], layer: usize| layers.iter().position(|of| *of == layer);
    let cell = |&(column, row): &(usize, usize)| Some((place(&map.map.rows, row)?, place(&map.map.columns, column)?));
    heatmap.paths = stretches(&map.map.matches).map(|stretch| stretch.iter().filter_map(cell).collect()).collect();
    Picture {
        id,
        title: "Layer map".to_owned(),
        subtitle: format!(
            "{}. Outlined: adjusted p is .01 or less. Lines join best matches of neighbouring layers",
            map.reading()
        ),
        alt: "Heatmap of z of every layer with every layer".to_owned(),
        kind: PictureKind::Heatmap(heatmap),
    }
}

/// Model × model z of one group.
pub(crate) fn square(lineage: &Lineage, group: Group) -> Option<Picture> {
    let heatmap = Heatmap::new(matrix(lineage, group)?, ColorScale::diverging(CLIP), "z");
    Some(Picture {
        id: format!("z-{group}"),
        title: format!("z of {group}"),
        subtitle: "Colours end at 12; the numbers do not.".to_owned(),
        alt: format!("Heatmap of z of {group}, model by model"),
        kind: PictureKind::Heatmap(heatmap),
    })
}

/// z of the pairs without a link.
pub(crate) fn null(check: &SelfCheck) -> Picture {
    let mut histogram = Histogram::count(check.z.iter().copied(), -5.0, 5.0, 40);
    "z".clone_into(&mut histogram.x_label);
    histogram.references = vec![Reference::new("mean", check.mean)];
    Picture {
        id: format!("null-{}", check.group),
        title: format!("z of {} in pairs without a link", check.group),
        subtitle: "Count of pairs; 0 ± 1 is what exchangeable indices give.".to_owned(),
        alt: "Histogram of z of pairs without a link".to_owned(),
        kind: PictureKind::Histogram(histogram),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_layers_are_left_out_or_begin_again() {
        let lengths = |matches: &[(usize, usize)]| stretches(matches).map(<[_]>::len).collect::<Vec<_>>();
        // Layers 2 and 3 of the deeper match none.
        assert_eq!(lengths(&[(0, 0), (1, 1), (4, 2), (5, 3)]), [2, 2]);
        // Layers 1 and 2 of the shallower are repeated.
        assert_eq!(lengths(&[(0, 0), (1, 1), (2, 2), (3, 1), (4, 2), (5, 3)]), [3, 3]);
        // Layer 1 of the shallower is passed over.
        assert_eq!(lengths(&[(0, 0), (1, 2), (2, 3)]), [3]);
        assert!(lengths(&[]).is_empty());
    }
}

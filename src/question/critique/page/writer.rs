//! What all sections are written with: the answer, the words, and how figures look.

use super::{Language, Prose};
use crate::{
    metric::{MeanSd, Metric, Undefined},
    question::critique::{Critique, GROUP_METRICS, Pair, RoleAnswer},
    report::{Block, Cell, Column, Datum, Digits, Picture, Section, Table},
    table::GroupFigures,
};

/// The metrics that stand beside each other in every table of pairs.
pub(crate) const BESIDE: [Metric; 5] = [Metric::CosSim, Metric::CosNull, Metric::Pearson, Metric::ZPerm, Metric::L2];

/// What the names of pictures begin with.
const PICTURES: [&str; 10] = [
    "exp1_base",
    "exp2_apart",
    "exp3_across",
    "exp4_means",
    "exp4_pairs",
    "exp5_groups",
    "exp5_models",
    "exp6_chance",
    "by_layer",
    "summary",
];

/// The answer and the words for it.
pub(crate) struct Writer<'a> {
    pub(crate) critique: &'a Critique,
    pub(crate) prose: Prose,
    pub(crate) labels: Vec<String>,
    pub(crate) seed: u64,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(critique: &'a Critique, language: Language, seed: u64) -> Self {
        Self { critique, prose: Prose::new(language), labels: critique.labels(), seed }
    }

    /// The label of the model at `place`.
    pub(crate) fn label(&self, place: usize) -> &str {
        self.labels.get(place).map_or("–", String::as_str)
    }

    /// The labels of the first two models, which the study is about.
    pub(crate) fn first_two(&self) -> String {
        let labels: Vec<&str> = self.labels.iter().take(2).map(String::as_str).collect();
        labels.join(&self.prose.word("and"))
    }

    /// The group of experiments 3 and 4.
    pub(crate) fn first_group(&self) -> &str {
        self.critique.study.members.first().map_or("–", |member| &member.group)
    }

    /// A section of one role; where there are several, its heading names the role.
    pub(crate) fn section(
        &self,
        role: &RoleAnswer,
        part: &str,
        figures: &[(&str, &str)],
        blocks: Vec<Block>,
    ) -> Section {
        let title = self.prose.fill(part, "title", figures);
        let (id, title) = if self.critique.roles.len() > 1 {
            let named = [("title", title.as_str()), ("role", role.role.as_str())];
            let id = format!("{part}-{}", role.role.replace('_', "-"));
            (id, self.prose.fill("report", "role", &named))
        } else {
            (part.to_owned(), title)
        };
        Section { id, title, blocks }
    }

    /// A paragraph.
    pub(crate) fn say(&self, part: &str, name: &str, figures: &[(&str, &str)]) -> Block {
        Block::prose(self.prose.fill(part, name, figures))
    }

    /// A picture, described in the language of the report: pages show that below it where it is not the picture's own.
    pub(crate) fn picture(&self, picture: Picture) -> Block {
        // Its name ends in the role.
        let name = PICTURES.iter().find(|name| picture.id.starts_with(**name));
        let described = name.map(|name| self.prose.text("pictures", name)).filter(|text| !text.is_empty());
        Block::picture(Picture { alt: described.unwrap_or_else(|| picture.alt.clone()), ..picture })
    }

    pub(crate) fn text_columns(&self, words: &[&str]) -> Vec<Column> {
        words.iter().map(|word| Column::text(self.prose.word(word))).collect()
    }

    pub(crate) fn numeric_columns(&self, words: &[&str]) -> Vec<Column> {
        words.iter().map(|word| Column::numeric(self.prose.word(word))).collect()
    }

    /// A table of pairs with the metrics that stand beside each other.
    pub(crate) fn pair_table(&self, role: &RoleAnswer, caption: String, pairs: &[Pair]) -> Block {
        let rows = pairs.iter().map(|&pair| self.pair_cells(role, pair)).collect();
        Block::Table(Table { caption, columns: self.pair_columns(), rows })
    }

    pub(crate) fn pair_columns(&self) -> Vec<Column> {
        let mut columns = self.text_columns(&["model_a"]);
        columns.extend(self.numeric_columns(&["layer_a"]));
        columns.extend(self.text_columns(&["model_b"]));
        columns.extend(self.numeric_columns(&["layer_b"]));
        columns.extend(BESIDE.iter().map(|metric| Column::numeric(metric.name())));
        columns
    }

    pub(crate) fn pair_cells(&self, role: &RoleAnswer, (a, b): Pair) -> Vec<Cell> {
        let places = [a, b].into_iter().flat_map(|row| {
            let layer = Cell::number(f64::from(role.table.number(row)), Digits::Integer);
            [Cell::text(self.label(role.table.rows[row].model)), layer]
        });
        let value = |&metric: &Metric| Cell::number(role.table.get(a, b, metric), digits(metric));
        places.chain(BESIDE.iter().map(value)).collect()
    }

    /// `Solar 0.3759, GLM 0.3769`: the mean cosine of a list of each of the first models.
    pub(crate) fn means(&self, role: &RoleAnswer, within: &[Vec<Pair>]) -> String {
        let mean = |pairs: &Vec<Pair>| mean(&role.mean_sd(Metric::CosSim, pairs));
        let means = within.iter().enumerate().map(|(model, pairs)| format!("{} {}", self.label(model), mean(pairs)));
        means.collect::<Vec<_>>().join(", ")
    }
}

/// How a metric is rounded for reading.
pub(crate) fn digits(metric: Metric) -> Digits {
    match metric {
        Metric::ZPerm => Digits::Fixed(2),
        Metric::L2 => Digits::Fixed(4),
        _ => Digits::Fixed(6),
    }
}

/// A figure for a sentence, or a dash.
pub(crate) fn figure(value: Option<f64>, digits: Digits) -> String {
    value.filter(|value| value.is_finite()).map_or_else(|| "–".to_owned(), |value| digits.format(value))
}

/// The mean for a sentence.
pub(crate) fn mean(of: &Result<MeanSd, Undefined>) -> String {
    figure(of.as_ref().ok().map(|of| of.mean), Digits::Fixed(4))
}

/// The deviation for a sentence.
pub(crate) fn sd(of: &Result<MeanSd, Undefined>) -> String {
    figure(of.as_ref().ok().map(|of| of.sd), Digits::Fixed(4))
}

/// Mean and deviation as two cells.
pub(crate) fn mean_sd(values: &Result<MeanSd, Undefined>, digits: Digits) -> [Cell; 2] {
    let part = |of: fn(&MeanSd) -> f64| Datum::from(values.as_ref().map(of).map_err(Clone::clone));
    [Cell::number(part(|of| of.mean), digits), Cell::number(part(|of| of.sd), digits)]
}

/// A column of the mean and one of the deviation for each metric of group means.
pub(crate) fn average_columns(writer: &Writer<'_>) -> Vec<Column> {
    let heading = |name: &str, metric: Metric| writer.prose.fill("words", name, &[("metric", metric.name())]);
    let both = |&metric: &Metric| ["mean_of", "sd_of"].map(|name| Column::numeric(heading(name, metric)));
    GROUP_METRICS.iter().flat_map(both).collect()
}

/// Mean and deviation over `pairs` of each metric of group means.
pub(crate) fn average_cells(role: &RoleAnswer, pairs: &[Pair]) -> Vec<Cell> {
    GROUP_METRICS.iter().flat_map(|&metric| mean_sd(&role.mean_sd(metric, pairs), digits(metric))).collect()
}

/// `MoE × dense`.
pub(crate) fn group_pair(group: &GroupFigures) -> String {
    format!("{} × {}", group.groups.a, group.groups.b)
}

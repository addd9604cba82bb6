//! What all sections are written with: the answer, the words, and how figures look.

use std::fmt::Display;

use super::{Figures, Language, Prose};
use crate::{
    metric::{Baseline, MeanSd, Metric, Undefined},
    question::critique::{Critique, GROUP_METRICS, Pair, RoleAnswer},
    report::{Block, Cell, Column, Datum, Digits, Picture, Section},
    table::GroupFigures,
};

/// The metrics that stand beside each other in every table of pairs.
pub(crate) const BESIDE: [Metric; 5] = [Metric::CosSim, Metric::CosNull, Metric::Pearson, Metric::ZPerm, Metric::L2];

/// The answer and the words for it.
pub(crate) struct Writer<'a> {
    pub(crate) critique: &'a Critique,
    pub(crate) prose: Prose,
    pub(crate) labels: Vec<String>,
    pub(crate) seed: u64,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(critique: &'a Critique, language: Language, seed: u64) -> Self {
        let labels = critique.models.iter().map(|model| model.label.clone()).collect();
        Self { critique, prose: Prose::new(language), labels, seed }
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
    pub(crate) fn section(&self, role: &RoleAnswer, part: &str, figures: Figures<'_>, blocks: Vec<Block>) -> Section {
        let title = self.prose.fill(part, "title", figures);
        if self.critique.roles.len() > 1 {
            let title = self.prose.fill("report", "role", &[("title", &title), ("role", &role.role)]);
            return Section::new(format!("{part}-{}", role.role.replace('_', "-")), title, blocks);
        }
        Section::new(part, title, blocks)
    }

    /// A paragraph.
    pub(crate) fn say(&self, part: &str, name: &str, figures: Figures<'_>) -> Block {
        Block::prose(self.prose.fill(part, name, figures))
    }

    /// A picture, described in the language of the report: pages show that below it where it is not the picture's own.
    pub(crate) fn picture(&self, picture: Picture) -> Block {
        // Its name ends in the role.
        let mut described = self.prose.parts.get("pictures").into_iter().flatten();
        let described = described.find(|(name, text)| picture.id.starts_with(*name) && !text.is_empty());
        let alt = described.map_or_else(|| picture.alt.clone(), |(_, text)| text.clone());
        Block::picture(Picture { alt, ..picture })
    }

    /// Columns of text, then columns of numbers, under the words of these names.
    pub(crate) fn columns(&self, text: &[&str], numeric: &[&str]) -> Vec<Column> {
        let text = text.iter().map(|word| Column::text(self.prose.word(word)));
        text.chain(numeric.iter().map(|word| Column::numeric(self.prose.word(word)))).collect()
    }

    /// A table of pairs with the metrics that stand beside each other.
    pub(crate) fn pair_table(&self, role: &RoleAnswer, caption: String, pairs: &[Pair]) -> Block {
        Block::table(caption, self.pair_columns(), pairs.iter().map(|&pair| self.pair_cells(role, pair)))
    }

    pub(crate) fn pair_columns(&self) -> Vec<Column> {
        let mut columns = [self.columns(&["model_a"], &["layer_a"]), self.columns(&["model_b"], &["layer_b"])].concat();
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
        joined(within.iter().enumerate().map(|(model, pairs)| format!("{} {}", self.label(model), mean(pairs))))
    }

    /// The pairs of layers of experiment 2.
    pub(crate) fn apart(&self) -> String {
        joined(self.critique.study.plan.apart.iter().map(|[a, b]| format!("{a}–{b}")))
    }

    /// What else would have to be read for published figures that were not checked.
    pub(crate) fn more(&self) -> impl Iterator<Item = Block> {
        let more = self.critique.further_options().into_iter();
        more.map(|(needs, count)| self.say("published", "more", &[("n", &count), ("option", &needs.options())]))
    }

    /// Which text says whether pairs of models are related.
    pub(crate) fn verdict(role: &RoleAnswer) -> &'static str {
        match (role.verdicts.each.iter().any(Result::is_ok), role.related().is_empty()) {
            (true, false) => "related",
            (true, true) => "unrelated",
            (false, _) => "unknown",
        }
    }

    /// Which text says why pairs are judged against the null and not against each other.
    pub(crate) fn against(role: &RoleAnswer) -> Option<&'static str> {
        match role.verdicts.baseline {
            Baseline::Population => None,
            Baseline::FewPairs(_) => Some("few_pairs"),
            Baseline::MedianFar(_) => Some("median_far"),
        }
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

/// A number for a sentence.
pub(crate) fn fixed(value: f64) -> String {
    Digits::Fixed(4).format(value)
}

/// A list for a sentence.
pub(crate) fn joined(items: impl IntoIterator<Item: Display>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
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
    let heading = |name: &str, metric: Metric| writer.prose.fill("words", name, &[("metric", &metric)]);
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

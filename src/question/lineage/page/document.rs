//! The document: its first section is the answer.

use super::{combinations::combinations, files::settings, pictures, refusals, tables, verdict, words};
use crate::{
    metric::lineage::verdict::Verdict,
    question::{
        lineage::{Group, Lineage, pair::PairAnswer},
        page::{self, closing, models},
    },
    report::{Block, Cell, Column, Excluded, Provenance, Report, Section},
};

/// Pairs of a list that have a section of their own.
const MOST_SECTIONS: usize = 50;

/// Builds the document.
pub fn lineage_report(lineage: &Lineage, run: &Provenance) -> Report {
    let excluded = left_out(lineage);
    let answer = answer(lineage, "pair");
    let mut sections = vec![Section::new("answer", "Answer", answer)];
    if lineage.pairs.len() != 1 {
        sections.extend(told(lineage));
    }
    sections.push(models(&lineage.models));
    if !lineage.self_check.is_empty() && lineage.models.len() > 2 {
        sections.push(self_check(lineage));
    }
    sections.push(reading(lineage));
    sections.push(closing::left_out(&excluded));
    let labels: Vec<&str> = lineage.models.iter().map(|model| model.label.as_str()).collect();
    Report {
        settings: settings(lineage),
        title: match labels.as_slice() {
            [a, b] => format!("{a} and {b}: linked or independent?"),
            labels => format!("{} models: linked or independent?", labels.len()),
        },
        question: "Can these models come from independent random starts?".to_owned(),
        sections,
        ..page::report("lineage", &lineage.models, run, excluded)
    }
}

/// The answer as one section of another report.
pub(crate) fn lineage_section(lineage: &Lineage, title: String) -> Section {
    let mut blocks = answer(lineage, "lineage");
    blocks.push(Block::prose(signs(lineage)));
    Section::new("lineage", title, blocks)
}

/// What is known of the one pair, or of all pairs together. Pictures of a pair are named by `id`.
fn answer(lineage: &Lineage, id: &str) -> Vec<Block> {
    let mut blocks = match lineage.pairs.as_slice() {
        [pair] => of_pair(lineage, pair, id),
        _ => of_list(lineage),
    };
    let refused = refusals::refused(lineage).into_iter();
    blocks.extend(refused.map(|refused| Block::note(format!("**Not made.** {refused}."))));
    blocks
}

/// Verdict, one table, one picture, what layers match, distance, relation, alternatives or what a null would have seen; then z by layer.
fn of_pair(lineage: &Lineage, pair: &PairAnswer, id: &str) -> Vec<Block> {
    let labels = pair.models.map(|model| lineage.models[model].label.as_str());
    let mut blocks = vec![Block::note(format!("**{}**", verdict::headline(pair))), tables::tests(lineage, pair)];
    if pair.tested().next().is_some() {
        blocks.push(Block::picture(pictures::groups(
            pair,
            format!("{id}-groups"),
            format!("z by group: {} and {}", labels[0], labels[1]),
        )));
    }
    let said = |(name, line): (&str, Option<String>)| Some(Block::prose(format!("**{name}.** {}", line?)));
    blocks.extend([("Reading", verdict::reading(pair)), ("Layers", words::layers(pair))].into_iter().filter_map(said));
    if let Some(Ok(map)) = &pair.map {
        blocks.push(Block::picture(pictures::map(map, labels, format!("{id}-map"))));
    }
    let lines = [
        ("Matched", words::matched(pair)),
        (
            "Equal",
            pair.is_equal_where_read().then(|| "in every byte read, which is not the whole checkpoint".to_owned()),
        ),
        ("Proven by the Hub's chunk hashes", words::proven_of(lineage, pair)),
        ("Distance", words::distance(pair).filter(|_| pair.verdict() != Verdict::Linked || pair.is_linked_in_place())),
        ("Relation", words::relation(pair)),
    ];
    blocks.extend(lines.into_iter().filter_map(said));
    blocks.push(Block::prose(match pair.verdict() {
        Verdict::Linked | Verdict::IdenticalBytes => words::ALTERNATIVES,
        Verdict::NotComparable => refusals::remedy(pair),
        Verdict::Inconclusive | Verdict::Independent => words::NOT_EXCLUDED,
    }));
    blocks.extend(pictures::layers(pair, format!("{id}-layers")).map(Block::picture));
    blocks
}

fn of_list(lineage: &Lineage) -> Vec<Block> {
    let clusters = lineage.clusters();
    let mut blocks = vec![tables::pairs(lineage)];
    if !clusters.is_empty() {
        let row = |(number, cluster): (usize, &Vec<usize>)| {
            let labels: Vec<&str> = cluster.iter().map(|&model| lineage.models[model].label.as_str()).collect();
            vec![Cell::count(number + 1), Cell::text(labels.join(", "))]
        };
        let caption = "Models that are linked with each other, directly or through others.";
        let columns = [Column::numeric("cluster"), Column::text("models")];
        blocks.push(Block::table(caption, columns.into(), clusters.iter().enumerate().map(row)));
    }
    blocks.extend(combinations(lineage).into_iter().map(Block::prose));
    if lineage.models.len() > 2 {
        let squares = Group::IN_PLACE.into_iter().filter_map(|group| pictures::square(lineage, group));
        blocks.extend(squares.map(Block::picture));
    }
    blocks.push(Block::prose(format!("{} {}", words::ALTERNATIVES, words::NOT_EXCLUDED)));
    blocks
}

/// The pairs of a list that have something to tell, a section each.
fn told(lineage: &Lineage) -> impl Iterator<Item = Section> + '_ {
    let told = |pair: &&PairAnswer| {
        matches!(pair.verdict(), Verdict::Linked | Verdict::IdenticalBytes | Verdict::Inconclusive)
            || !pair.negative().is_empty()
    };
    lineage.pairs.iter().filter(told).take(MOST_SECTIONS).map(|pair| {
        let [a, b] = pair.models;
        let id = format!("pair-{a}-{b}");
        let title = format!("{} and {}", lineage.models[a].label, lineage.models[b].label);
        Section::new(id.as_str(), title, of_pair(lineage, pair, &id))
    })
}

fn self_check(lineage: &Lineage) -> Section {
    let mut blocks = vec![tables::self_check(&lineage.self_check)];
    blocks.extend(lineage.self_check.iter().filter(|check| check.is_broken()).map(|check| {
        Block::note(format!(
            "An index of **{}** is not exchangeable in these models: its z are divided by {:.2} before any sign is given.",
            check.group,
            check.divisor()
        ))
    }));
    blocks.extend(lineage.self_check.iter().map(|check| Block::picture(pictures::null(check))));
    Section::new("self-check", "Does the null hold here?", blocks)
}

/// How signs are given.
fn signs(lineage: &Lineage) -> String {
    format!(
        "A group has sign + where z is 8 or more and the bound on p is below 1e-9 and below 0.001 divided by the {} tests of this run \
         (pairs times groups, Bonferroni); ? from z = 4 on, and such pairs read more rows; - below. The rows were chosen by hashed \
         keys of the seed {} and of the shapes, before any weight was read.",
        lineage.tests, lineage.ask.seed
    )
}

fn reading(lineage: &Lineage) -> Section {
    let tests = signs(lineage);
    let blocks = [
        "Training treats the units of a layer alike, so if two models come from independent random starts the labels of the units \
         of one say nothing of the other: permuting them changes nothing. That holds for any data, architecture and optimiser that \
         works element by element or by rows. A test asks how far the correlation of corresponding rows is from what such \
         permutations give. Units (`mlp`, `heads`, `experts`) and residual basis (`norms`, `embeddings`) are permuted apart.",
        &tests,
        "It cannot see rotated bases, models of different width, links below the detectable size, distillation, or weights that \
         are packed in other ways than GPTQ, AWQ, MXFP4 and NF4 have, and it cannot tell a shared random seed from descent.",
    ];
    Section::new("reading", "How to read these numbers", blocks.map(Block::prose).into())
}

/// Groups that could not be tested, by pair.
fn left_out(lineage: &Lineage) -> Vec<Excluded> {
    let of_pair = |pair: &PairAnswer| {
        let models = pair.models.map(|model| lineage.models[model].model.as_str()).join(" and ");
        let groups = pair.groups.iter().filter_map(|(group, answer)| Some((group, answer.as_ref().err()?)));
        let left = groups
            .map(|(group, reason)| Excluded::new(&models, group.name(), refusals::why(lineage, pair, *group, *reason)));
        left.collect::<Vec<_>>()
    };
    lineage.pairs.iter().flat_map(of_pair).collect()
}

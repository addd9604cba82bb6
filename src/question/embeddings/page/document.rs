//! The document: the question, the models, how their vocabularies meet, what their rows show, and what that is worth.

use super::{pictures, summary::summary, tables};
use crate::{
    family::Role,
    question::{
        embeddings::Embeddings,
        page::{closing, models},
    },
    report::{Block, Excluded, Provenance, Report, Section, inline},
};

/// Builds the document.
pub fn embeddings_report(embeddings: &Embeddings, run: &Provenance) -> Report {
    let excluded = left_out(embeddings);
    let mut sections = vec![models(&embeddings.models), vocabularies(embeddings)];
    match &embeddings.chosen.nothing {
        Some(reason) => {
            let note = Block::note(format!("**No rows were compared:** {reason}."));
            sections.push(Section::new("nothing", "No rows were compared", vec![note]));
        }
        None => sections.extend([comparison(embeddings), tokens(embeddings)]),
    }
    sections.push(reading(embeddings));
    sections.push(closing::left_out(&excluded));
    sections.push(traffic(embeddings));
    let mut report = Report {
        language: "en",
        command: "embeddings",
        settings: serde_json::Map::new(),
        title: format!(
            "{} of {} and {}",
            table_name(embeddings.chosen.ask.role),
            embeddings.models[0].label,
            embeddings.models[1].label
        ),
        question: if embeddings.chosen.ask.same_id {
            "Do rows of equal number in the two tables resemble each other more than rows at random?".to_owned()
        } else {
            "Do the rows of one token in the two tables resemble each other more than rows of different tokens?"
                .to_owned()
        },
        synthetic: embeddings.models.iter().any(|model| model.synthetic),
        provenance: run.on(&embeddings.models, excluded),
        summary: summary(embeddings),
        sections,
    };
    report.answer_with_picture("contrast");
    report
}

fn table_name(role: Role) -> &'static str {
    if role == Role::LmHead { "Output embeddings" } else { "Token embeddings" }
}

fn vocabularies(embeddings: &Embeddings) -> Section {
    let by_number = || {
        Block::note(
            "**Rows are matched by number alone.** That is right only where both models use one vocabulary, and nothing here checks \
             that they do.",
        )
    };
    let blocks = vec![tables::vocabularies(embeddings), tables::shared(embeddings).unwrap_or_else(by_number)];
    Section::new("vocabularies", "Tables and vocabularies", blocks)
}

fn comparison(embeddings: &Embeddings) -> Section {
    let mut blocks = vec![tables::comparison(embeddings)];
    if let Some(extent) = pictures::extent(embeddings) {
        blocks.push(Block::picture(pictures::contrast(embeddings, extent)));
        blocks.push(Block::picture(pictures::matched(embeddings, extent)));
    }
    blocks.push(Block::prose(test(embeddings)));
    blocks.push(tables::spread(embeddings));
    Section::new("comparison", "Rows compared", blocks)
}

fn test(embeddings: &Embeddings) -> String {
    match &embeddings.test {
        Ok(test) => {
            let z = match &test.z {
                Ok(z) => format!(
                    "{z:.2} standard deviations from what one permutation of channels, the same for all tokens, would give"
                ),
                Err(reason) => format!("without a z ({reason})"),
            };
            format!(
                "Over {} evenly spaced pairs the mean of `pearson` is {:.6}, {z}. Rows of one table resemble each other, so that as many \
                 tokens are far fewer independent tests; taken as independent they would give z = {:.2}, which is too large in \
                 magnitude. The sample has the seed {}.",
                test.layers.len(),
                test.mean_r,
                test.naive_z,
                embeddings.chosen.ask.seed
            )
        }
        Err(reason) => format!("The mean of `pearson` cannot be tested: {reason}."),
    }
}

fn tokens(embeddings: &Embeddings) -> Section {
    let ends = [true, false].map(|most| Block::Table(tables::ends(embeddings, most)));
    Section::new("tokens", "The ends of the distribution", ends.into())
}

fn reading(embeddings: &Embeddings) -> Section {
    let mut blocks = vec![
        Block::prose(
            "Each model learns its own basis: two trainings that have nothing in common give rows whose cosine is near its null \
             whatever the tokens are. Cosines near zero are what independent models show, and equally what a copy shows whose channels \
             were rotated or permuted.",
        ),
        Block::prose(
            "`cos_null` is what the cosine of the two rows would be on average if the channels of one were shuffled; `pearson` removes \
             mean and spread. A few channels with large values of their own in every row raise the cosine of any two rows: that \
             shows in the random pairs as well, so matched rows are read against those, never alone.",
        ),
    ];
    if !embeddings.chosen.ask.same_id {
        let same = embeddings.chosen.drawn.iter().filter(|drawn| drawn.rows[0] == drawn.rows[1]).count();
        blocks.push(Block::prose(format!(
            "Rows of the same number stand for different tokens where vocabularies differ: of the {} compared tokens {same} have \
             the same number in both. They are here for contrast, since published comparisons have paired rows so.",
            embeddings.chosen.drawn.len()
        )));
    }
    Section::new("reading", "How to read these numbers", blocks)
}

fn left_out(embeddings: &Embeddings) -> Vec<Excluded> {
    let mut excluded = Vec::new();
    for (model, table) in embeddings.models.iter().zip(&embeddings.chosen.tables) {
        let mut leave = |tensor: &str, reason: String| {
            excluded.push(Excluded { model: model.model.clone(), tensor: tensor.to_owned(), reason });
        };
        match table {
            Ok(table) => {
                for other in &table.others {
                    leave(other, format!("{} is compared in its place", inline::code(&table.tensor)));
                }
            }
            Err(reason) => leave(embeddings.chosen.ask.role.name(), reason.clone()),
        }
    }
    excluded.extend(embeddings.chosen.left_out.iter().map(|(row, reason)| Excluded {
        model: embeddings.models[0].model.clone(),
        tensor: format!("row {row}"),
        reason: reason.clone(),
    }));
    excluded
}

fn traffic(embeddings: &Embeddings) -> Section {
    let wanted = embeddings.chosen.wanted();
    closing::traffic(&embeddings.models, |number| {
        let table = embeddings.chosen.tables.get(number).and_then(|table| table.as_ref().ok());
        let used = table.filter(|_| !embeddings.pairs.is_empty());
        let bytes = used.map_or(0, |table| wanted[number].len() * table.width * table.dtype.bits().unwrap_or(0) / 8);
        (usize::from(used.is_some()), bytes)
    })
}

//! The answer as data, under `lineage` of `report.json`.

use serde_json::{Map, Value, json};

use super::words;
use crate::{
    metric::lineage::{
        block_test::DRAWS,
        distance::Interval,
        evidence::{Z_LINK, Z_LOOK},
        verdict::{Sign, Strictness, Verdict},
    },
    question::lineage::{
        Lineage,
        group_answer::{Distance, GroupAnswer},
        pair::PairAnswer,
    },
};

/// `{"lineage": …}`.
pub(crate) fn data(lineage: &Lineage) -> Map<String, Value> {
    let strictness = Strictness { tests: lineage.tests, stage: 0 };
    let checks = lineage.self_check.iter().map(|check| {
        json!({
            "group": check.group.name(), "pairs": check.z.len(), "mean": check.mean, "sd": check.sd, "distance": check.distance,
            "divisor": check.divisor(),
        })
    });
    let labels =
        |models: &[usize]| -> Vec<&str> { models.iter().map(|&model| lineage.models[model].label.as_str()).collect() };
    let clusters: Vec<Vec<&str>> = lineage.clusters().iter().map(|cluster| labels(cluster)).collect();
    let value = json!({
        "seed": lineage.ask.seed,
        "draws": DRAWS,
        "tests": lineage.tests,
        "thresholds": { "z_link": Z_LINK, "z_look": Z_LOOK, "log10_bound": strictness.log10_link() },
        "tokens": lineage.ask.tokens,
        "pairs": lineage.pairs.iter().map(|pair| of_pair(lineage, pair)).collect::<Vec<Value>>(),
        "clusters": clusters,
        "self_check": checks.collect::<Vec<Value>>(),
    });
    Map::from_iter([("lineage".to_owned(), value)])
}

fn of_pair(lineage: &Lineage, pair: &PairAnswer) -> Value {
    let decision = pair.decision();
    let groups: Map<String, Value> =
        pair.tested().map(|(group, answer)| (group.name().to_owned(), of_group(answer))).collect();
    let skipped = pair
        .groups
        .iter()
        .filter_map(|(group, answer)| Some((group.name().to_owned(), Value::from(answer.as_ref().err()?.to_string()))));
    let map = pair.map.as_ref().and_then(|map| map.as_ref().ok()).map(|map| {
        json!({ "group": map.group.name(), "pairs": map.pairs(), "reading": map.reading(), "threshold": map.map.threshold })
    });
    let is_linked = matches!(pair.verdict(), Verdict::Linked | Verdict::IdenticalBytes);
    let relation = pair.relation.as_ref().filter(|_| decision.units == Sign::Plus);
    json!({
        "models": pair.models.map(|model| &lineage.models[model].model),
        "commits": pair.models.map(|model| lineage.models[model].commit.as_ref().map(ToString::to_string)),
        "verdict": pair.verdict().to_string(),
        "table": { "units": decision.units.to_string(), "basis": decision.basis.to_string() },
        "stage": pair.stage,
        "groups": groups,
        "skipped": skipped.collect::<Map<String, Value>>(),
        "map": map,
        "relation": relation.map(|relation| relation.kind.to_string()),
        "reading": words::reading(pair),
        "alternatives": if is_linked { words::ALTERNATIVES } else { words::NOT_EXCLUDED },
    })
}

fn of_group(answer: &GroupAnswer) -> Value {
    let evidence = &answer.evidence;
    let within = |of: Interval| json!([of.value, of.low, of.high]);
    let distance = match &answer.distance {
        Distance::Sampled(Ok(of)) => {
            json!({ "cosine": within(of.cosine), "pearson": within(of.pearson), "rel_l2": within(of.relative_l2) })
        }
        Distance::Norms(Ok(of)) => {
            json!({ "cosine": of.cosine, "cosine_from_means": of.cosine_from_means, "pearson": of.pearson })
        }
        Distance::None => Value::Null,
        Distance::Sampled(Err(reason)) | Distance::Norms(Err(reason)) => json!({ "undefined": reason.to_string() }),
    };
    json!({
        "sign": answer.sign.to_string(),
        "rows": evidence.rows,
        "width": evidence.width,
        "blocks": evidence.blocks,
        "z": evidence.z,
        "p": evidence.significance.p,
        "log10_bound": evidence.significance.log10_bound,
        "log10_floor": evidence.significance.log10_floor,
        "rho": evidence.rho,
        "rho_sd": evidence.rho_sd,
        "rho_detectable": evidence.rho_detectable,
        "n_eff": evidence.n_eff,
        "exact": evidence.exact,
        "by_map": answer.is_by_map,
        "equal_share": answer.equal,
        "distance": distance,
        "matches": answer.matches.map(|of| json!({ "mutual": of.mutual, "same_index": of.same_index })),
    })
}

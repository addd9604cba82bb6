//! The tables of the report.

use super::{refusals, verdict, words};
use crate::{
    metric::lineage::evidence::Evidence,
    question::lineage::{Group, Lineage, SelfCheck, group_answer::GroupAnswer, pair::PairAnswer},
    report::{Block, Cell, Column, Digits},
};

/// The tests of one pair.
pub(crate) fn tests(lineage: &Lineage, pair: &PairAnswer) -> Block {
    let rows = pair.groups.iter().map(|(group, answer)| match answer {
        Ok(answer) => of_group(*group, answer),
        Err(reason) => {
            let mut cells = vec![Cell::text(group.name()), Cell::text("0")];
            cells.extend((0..7).map(|_| Cell::undefined(refusals::why(lineage, pair, *group, *reason))));
            cells
        }
    });
    let numeric = ["rows", "layers", "z", "p", "log10 of the bound on p", "correlation", "detectable"];
    Block::table(
        "Each group's test. A bound on p is proven, without any assumption on tails; p is by 9,999 draws; a positive \
         mean row correlation of the detectable size is not called consistent with independence nine times of ten.",
        Column::list(&["group", "sign"], &numeric),
        rows,
    )
}

fn of_group(group: Group, answer: &GroupAnswer) -> Vec<Cell> {
    let Evidence { rows, z, significance, rho, rho_detectable, .. } = answer.evidence;
    let exact = |value: f64, digits: u8| {
        if answer.evidence.exact {
            Cell::number(value, Digits::Fixed(digits))
        } else {
            Cell::undefined("calibrated against unrelated pairs, not exact")
        }
    };
    vec![
        Cell::text(group.name()),
        Cell::text(answer.sign.to_string()),
        Cell::count(rows),
        Cell::layer(words::tested_layers(group, answer)),
        Cell::number(z, Digits::Fixed(2)),
        exact(significance.p, 4),
        exact(significance.log10_bound, 1),
        rho.map_or_else(|| Cell::undefined("by map"), |rho| Cell::number(rho, Digits::Fixed(4))),
        Cell::number(rho_detectable, Digits::Fixed(4)),
    ]
}

/// A row a pair.
pub(crate) fn pairs(lineage: &Lineage) -> Block {
    let row = |pair: &PairAnswer| {
        let decision = pair.decision();
        let mut cells: Vec<Cell> = pair.models.iter().map(|&model| Cell::text(&lineage.models[model].label)).collect();
        cells.push(Cell::text(verdict::standing(pair)));
        cells.extend([decision.units, decision.basis].map(|sign| Cell::text(sign.to_string())));
        cells.extend(Group::IN_PLACE.map(|group| match pair.group(group) {
            Ok(answer) => Cell::number(answer.evidence.z, Digits::Fixed(1)),
            Err(reason) => Cell::undefined(refusals::why(lineage, pair, group, reason)),
        }));
        cells
    };
    let mut columns = Column::list(&["model", "model", "verdict", "units", "basis"], &[]);
    columns.extend(Group::IN_PLACE.map(|group| Column::numeric(format!("z {group}"))));
    let caption = "Every pair: the verdict, the signs of units and of basis, and z of each group.";
    Block::table(caption, columns, lineage.pairs.iter().map(row))
}

/// The null on this list.
pub(crate) fn self_check(checks: &[SelfCheck]) -> Block {
    let row = |check: &SelfCheck| {
        vec![
            Cell::text(check.group.name()),
            Cell::count(check.z.len()),
            Cell::number(check.mean, Digits::Fixed(2)),
            check.sd.map_or_else(|| Cell::undefined("one pair"), |sd| Cell::number(sd, Digits::Fixed(2))),
            Cell::number(check.distance, Digits::Fixed(3)),
        ]
    };
    let numeric = ["pairs", "mean of z", "sd of z", "largest distance from N(0, 1)"];
    let caption = "z of pairs that show no link: 0 ± 1 where the permuted index is exchangeable.";
    Block::table(caption, Column::list(&["group"], &numeric), checks.iter().map(row))
}

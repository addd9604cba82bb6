//! What can be tested before a row is read: the groups of one model, and the effect that a pair's first rows would show.

use super::{Group, LineageAsk, More, choose::all_pairs, page::lacking, sites::Sites};
use crate::{
    metric::lineage::{
        choice::{self, BLOCK},
        evidence::{POWER_90, Z_LOOK},
        untested::Untested,
    },
    model::{Model, Opened, TOKENIZER},
};

/// Which groups of a model can be tested against a model of its shape, and why the others cannot.
pub fn testable(model: &Model) -> Vec<(Group, Result<(), String>)> {
    let sites = Sites::of(model);
    let table = || match model.repository.snapshot().file(TOKENIZER) {
        Some(_) => sites.table.map(|_| ()),
        None => sites.table.and(Err(Untested::NoTokenizer)),
    };
    let of_group = |group: Group| match group {
        Group::Norms => sites.norms.as_ref().map(|_| ()).map_err(|why| *why),
        Group::Embeddings => table(),
        units => sites.units(units).map(|_| ()),
    };
    let unread = || model.tensors.iter().find_map(|tensor| model.quantisation().packing(&tensor.info.name)?.err());
    let told = |why: Untested| match unread().filter(|_| why == Untested::Packed) {
        Some(reason) => format!("{}: {reason}", lacking(why)),
        None => lacking(why),
    };
    Group::IN_PLACE.into_iter().map(|group| (group, of_group(group).map_err(told))).collect()
}

/// For each pair of opened models the mean row correlation of units that its first rows would show with power .9, at best:
/// 5.28/√(L·m·k·7/8) over L layers of m rows of k elements. `None` where no units of theirs can be met layer by layer.
pub fn detectable_at_best(opened: &[Opened], ask: &LineageAsk) -> Vec<([usize; 2], Option<f64>)> {
    let sites: Vec<Option<Sites>> =
        opened.iter().map(|opened| opened.outcome.as_ref().ok().map(|model| Sites::of(model))).collect();
    let of_pair = |a: &Sites, b: &Sites| {
        let met = Group::UNITS.into_iter().filter(|group| ask.groups.contains(*group) && a.meets(b, *group).is_ok());
        let elements = met.filter_map(|group| {
            let site = a.units(group).ok()?.values().next()?;
            let rows = site.runs.iter().map(ExactSizeIterator::len).sum::<usize>();
            let rows = rows.min(ask.blocks_per_layer(a.depth, 0) * BLOCK);
            let sites = [a, b].into_iter().filter_map(|side| side.units(group).ok()?.values().next());
            let columns = sites.filter_map(|site| site.columns(ask.seed)).map(|columns| columns.len()).next();
            let width = columns.map_or(site.row_width(), |columns| columns * site.row_width() / site.width);
            Some((choice::layers(a.depth).len() * rows * width) as f64)
        });
        let most = elements.max_by(f64::total_cmp)?;
        let within_blocks = (BLOCK - 1) as f64 / BLOCK as f64;
        Some((Z_LOOK + POWER_90) / (most * within_blocks).sqrt())
    };
    let pairs = all_pairs(&sites).into_iter();
    pairs
        .map(|More { models: [a, b], .. }| {
            let at_best = sites[a].as_ref().zip(sites[b].as_ref()).and_then(|(a, b)| of_pair(a, b));
            ([a, b], at_best)
        })
        .collect()
}

//! The raw test of matrices that lie in local files as BF16: all layers at once, a strip at a time, so that no matrix is held
//! whole, and each byte is read once and summed while it is near.

use std::{collections::BTreeMap, mem};

use super::{Kind, LocalRange, Source};
use crate::{
    checkpoint::CheckpointError,
    metric::{Overlap, Undefined, overlap::Strip},
    parallel,
    range::ByteRange,
};

/// Bytes of a strip.
const STRIP: usize = 2 * Strip::ELEMENTS;

/// Bytes of each layer that one thread takes at a time.
const BAND: u64 = 16 * STRIP as u64;

/// Files that all threads together keep open: systems allow a process about a thousand.
const MOST_OPEN: usize = 512;

/// Layers that are read side by side at most.
const MOST_SIDE_BY_SIDE: usize = 64;

/// The overlaps of pairs of layers.
pub(crate) type Overlaps = BTreeMap<(u32, u32), Result<Overlap, Undefined>>;

/// The overlaps of those pairs whose matrices can be read so. Pairs that share a layer stand next to each other.
///
/// What cannot be read is left out, for whoever reads it whole to say why.
pub(crate) fn overlaps(source: &Source<'_>, kind: &Kind, pairs: &[(u32, u32)]) -> Overlaps {
    let side_by_side = (MOST_OPEN / rayon::current_num_threads()).clamp(2, MOST_SIDE_BY_SIDE);
    let mut found = Overlaps::new();
    let mut run: Vec<(u32, LocalRange)> = Vec::new();
    for &(a, b) in pairs {
        let follows = run.last().is_some_and(|(layer, _)| *layer == a);
        if !follows || run.len() == side_by_side {
            add(&mut found, &mem::take(&mut run));
            run.extend(source.local_range(kind, a).map(|range| (a, range)));
        }
        match source.local_range(kind, b) {
            Some(range) if run.last().is_some_and(|(_, last)| last.shape == range.shape) => run.push((b, range)),
            _ => add(&mut found, &mem::take(&mut run)),
        }
    }
    add(&mut found, &run);
    found
}

/// Adds the overlaps of a run of layers, each with the next.
fn add(found: &mut Overlaps, run: &[(u32, LocalRange)]) {
    let Some((_, first)) = run.first() else {
        return;
    };
    let firsts: Vec<u64> = (0..first.range.len().div_ceil(BAND)).map(|band| band * BAND).collect();
    let bands: Result<Vec<Vec<Vec<Strip>>>, CheckpointError> =
        parallel::map(&firsts, |&first| read_band(run, first)).into_iter().collect();
    let Ok(bands) = bands else {
        return;
    };
    let mut strips = vec![Vec::new(); run.len() - 1];
    for band in bands {
        for (strips, part) in strips.iter_mut().zip(band) {
            strips.extend(part);
        }
    }
    for (pair, strips) in run.windows(2).zip(strips) {
        found.insert((pair[0].0, pair[1].0), Overlap::of_strips(&strips));
    }
}

/// The strips of a band from byte `first` of each matrix on: by pair, in order.
fn read_band(run: &[(u32, LocalRange)], first: u64) -> Result<Vec<Vec<Strip>>, CheckpointError> {
    let mut readers = run
        .iter()
        .map(|(_, matrix)| {
            let start = matrix.range.start + first;
            matrix.file.reader(ByteRange::new(start, matrix.range.end.min(start + BAND)))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut strips = vec![Vec::new(); run.len() - 1];
    let [mut before, mut now] = [vec![0; STRIP], vec![0; STRIP]];
    loop {
        let mut last: Option<Strip> = None;
        for (at, reader) in readers.iter_mut().enumerate() {
            let length = reader.fill(&mut now)?;
            if length == 0 {
                return Ok(strips);
            }
            let elements = now[..length].as_chunks::<2>().0;
            let strip = match last {
                None => Strip::first(elements),
                Some(last) => {
                    let strip = last.after(before[..length].as_chunks::<2>().0, elements);
                    strips[at - 1].push(strip.clone());
                    strip
                }
            };
            last = Some(strip);
            mem::swap(&mut before, &mut now);
        }
    }
}

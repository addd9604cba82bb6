//! Runs of chunks that meet: where they are placed, and what is left out.

use super::terms::{MOST, TermIndex};
use crate::{digest::xet::XetHash, hub::Term, range::ByteRange};

const KIB: u64 = 1 << 10;

fn term(block: u8, chunks: std::ops::Range<u32>, len: u64) -> Term {
    let block = XetHash::parse(&format!("{block:02x}").repeat(32)).unwrap();
    Term { block, chunks, len }
}

fn index(contents: &[Vec<Term>]) -> TermIndex {
    TermIndex::new(contents.iter().map(Vec::as_slice), &[])
}

/// (place in the first, place in the second, length).
fn met(contents: &[Vec<Term>]) -> Vec<(Option<u64>, u64, u64)> {
    let spans = index(contents).spans(&[0], &[1], false).spans;
    spans.iter().map(|span| (span.a.1, span.b.1.start, span.b.1.len())).collect()
}

#[test]
fn runs_are_placed_where_ends_are_joined_and_bounded_where_they_are_not() {
    let other = |len| term(9, 0..2, len);
    let a = vec![term(1, 0..10, 600 * KIB), other(100 * KIB)];
    // The same run behind something else.
    assert_eq!(
        met(&[a.clone(), vec![term(2, 0..2, 50_000), term(1, 0..10, 600 * KIB)]]),
        [(Some(0), 50_000, 600 * KIB)]
    );
    // A run inside: where in the first is not known; in the second it is.
    assert_eq!(met(&[a.clone(), vec![term(1, 3..5, 120 * KIB)]]), [(None, 0, 120 * KIB)]);
    // The second has a term that ends where that begins: now it is.
    let joined = vec![term(1, 3..5, 120 * KIB), term(2, 0..1, 9000), term(1, 0..3, 200 * KIB)];
    assert_eq!(met(&[a.clone(), joined]), [(Some(200 * KIB), 0, 120 * KIB), (Some(0), 120 * KIB + 9000, 200 * KIB)]);
    // Chunks 8 and 9 of the first are the first two of the second, which goes on: at least one chunk's bytes are surely there.
    let spans = met(&[a, vec![term(1, 8..14, 300 * KIB)]]);
    assert_eq!(spans, [(None, 0, 8 * KIB)]);
}

#[test]
fn what_contradicts_is_left_out_with_all_that_it_touches() {
    let contents = [
        vec![term(1, 0..4, 200 * KIB), term(2, 0..4, 200 * KIB)],
        vec![term(1, 0..4, 201 * KIB)],
        vec![term(2, 0..4, 200 * KIB)],
        vec![term(2, 0..4, 200 * KIB)],
    ];
    let index = index(&contents);
    assert_eq!(index.inconsistent().iter().copied().collect::<Vec<u32>>(), [0, 1]);
    assert!(index.spans(&[0, 1], &[2, 3], false).spans.is_empty());
    let left = index.spans(&[2], &[3], false).spans;
    assert_eq!(left.len(), 1);
}

#[test]
fn what_is_learnt_places_runs_and_does_not_contradict() {
    let contents = [vec![term(1, 0..10, 600 * KIB)], vec![term(2, 0..2, 50_000), term(1, 3..5, 120 * KIB)]];
    let mut index = index(&contents);
    let unplaced = index.unplaced(&[0], &[1], false);
    let runs: Vec<_> = unplaced.iter().map(|(x, y)| ((x.first, x.at), (y.first, y.at))).collect();
    assert_eq!(runs, [((0, 0), (3, 50_000))]);
    let block = unplaced[0].0.block;
    assert!(index.learn(block, [0, 3], 190 * KIB) && index.unplaced(&[0], &[1], false).is_empty());
    assert!(!index.learn(block, [0, 5], 300 * KIB));
    let known = [Term { len: 190 * KIB, ..term(1, 0..3, 0) }, term(7, 0..1, 9000)];
    let spans = TermIndex::new(contents.iter().map(Vec::as_slice), &known).spans(&[0], &[1], false).spans;
    assert_eq!((spans.len(), spans[0].a.1), (1, Some(190 * KIB)));
    // A length that cannot be is no better than a term that cannot be.
    let wrong = [known[0].clone(), term(1, 0..5, 400 * KIB)];
    let index = TermIndex::new(contents.iter().map(Vec::as_slice), &wrong);
    assert_eq!(index.inconsistent().len(), 2);
}

#[test]
fn constant_content_is_shared_with_nothing() {
    let zeros = |count: usize| vec![term(1, 0..1, MOST); count];
    let ending = [zeros(3), vec![term(1, 0..2, MOST + 70_000)]].concat();
    let contents = [[zeros(40), vec![term(2, 0..3, 100_000)]].concat(), ending];
    let index = index(&contents);
    assert!(index.spans(&[0], &[1], false).spans.is_empty());
    assert_eq!(index.constant_bytes(0, ByteRange::new(100, 2 * MOST)), 2 * MOST - 100);
    assert_eq!(index.constant_bytes(1, ByteRange::new(0, 1 << 40)), 3 * MOST);
    // What comes behind the zeros is evidence.
    let again = [contents[1].clone(), vec![term(1, 1..2, 70_000)]];
    assert_eq!(met(&again), [(Some(4 * MOST), 0, 70_000)]);
}

#[test]
fn one_model_meets_itself_once_and_never_at_one_place() {
    let tied = vec![term(1, 0..4, 200 * KIB), term(2, 0..1, 20_000), term(1, 0..4, 200 * KIB)];
    let spans = index(&[tied]).spans(&[0], &[0], true).spans;
    let places: Vec<_> = spans.iter().map(|span| (span.a.1, span.b.1.start)).collect();
    assert_eq!(places, [(Some(0), 200 * KIB + 20_000)]);
}

#[test]
fn chunks_are_counted_once_and_for_the_first_who_has_them() {
    let contents = [
        vec![term(1, 0..20, 1200 * KIB)],
        vec![term(1, 5..30, 1500 * KIB), term(1, 5..10, 300 * KIB)],
        vec![term(1, 10..40, 1800 * KIB)],
    ];
    let index = index(&contents);
    let counts = index.first_holders(&[0, 1, 2]);
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [((0, 1), 15), ((0, 2), 10), ((1, 2), 10)]);
    let spans = index.spans(&[0], &[1], false).spans;
    assert_eq!((spans.len(), TermIndex::distinct_chunks(&spans, |_| true)), (2, 15));
}

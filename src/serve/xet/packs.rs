//! Blocks of chunks, and files as runs of chunks in them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
    sync::Arc,
};

use crate::{
    digest::xet::{Node, XetHash, root},
    range::ByteRange,
    serve::repo::Chunked,
};

/// The longest block, and the most chunks in one.
const LONGEST: u64 = 64 << 20;
const MOST_CHUNKS: usize = 8192;
/// Bytes before each chunk that say how long it is and how it is packed.
const HEADER: u64 = 8;

/// Where a file lies.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) repo: String,
    pub(super) path: String,
}

/// A chunk in a block.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    pub(super) node: Node,
    /// Where its header begins in the block.
    pub(super) start: u64,
    /// The file that has its bytes, and where there.
    pub(super) place: Arc<Place>,
    pub(super) at: u64,
}

/// A block of chunks.
#[derive(Debug, Default)]
pub(super) struct Xorb {
    /// The root above its chunks, once there will be no more.
    name: Option<XetHash>,
    pub(super) chunks: Vec<Packed>,
}

impl Xorb {
    /// Where the header of a chunk begins, or the block ends.
    fn start(&self, chunk: usize) -> u64 {
        let behind = || self.chunks.last().map_or(0, |last| last.start + HEADER + last.node.size);
        self.chunks.get(chunk).map_or_else(behind, |chunk| chunk.start)
    }

    pub(super) fn len(&self) -> u64 {
        self.start(self.chunks.len())
    }

    /// The bytes of the block that hold some chunks.
    fn bytes(&self, chunks: &Range<usize>) -> ByteRange {
        ByteRange::new(self.start(chunks.start), self.start(chunks.end))
    }
}

/// A run of chunks of one block, and the bytes of content in it.
#[derive(Debug, Clone)]
struct Term {
    xorb: usize,
    chunks: Range<usize>,
    len: u64,
}

/// A file as it is stored.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) content: Arc<Chunked>,
    pub(super) size: u64,
    terms: Vec<Term>,
    /// The repositories that have it.
    pub(super) repos: BTreeSet<String>,
}

/// What of which blocks makes a range of a file.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Bytes before the range in its first chunk.
    pub(super) offset: u64,
    /// Blocks, chunks and bytes of content, in the order of the file.
    pub(super) terms: Vec<(XetHash, Range<usize>, u64)>,
    /// Chunks of each block, and the bytes that hold them.
    pub(super) fetches: BTreeMap<XetHash, Vec<(Range<usize>, ByteRange)>>,
}

/// All blocks and files.
#[derive(Debug, Default)]
pub(super) struct Packs {
    known: HashMap<XetHash, (usize, usize)>,
    /// What was known at the end of uploads, of which only the index tells.
    uploads: Vec<HashMap<XetHash, (usize, usize)>>,
    xorbs: Vec<Xorb>,
    names: HashMap<XetHash, usize>,
    files: HashMap<XetHash, Stored>,
}

impl Packs {
    pub(super) fn file(&self, hash: &XetHash) -> Option<&Stored> {
        self.files.get(hash)
    }

    pub(super) fn xorb(&self, name: &XetHash) -> Option<&Xorb> {
        self.names.get(name).and_then(|&at| self.xorbs.get(at))
    }

    /// Adds a file, unless one with this content is there.
    pub(super) fn add(&mut self, place: Place, content: &Arc<Chunked>) {
        if let Some(stored) = self.files.get_mut(&content.hash) {
            stored.repos.insert(place.repo);
            return;
        }
        let place = Arc::new(place);
        let mut terms: Vec<Term> = Vec::new();
        let mut at = 0;
        for node in &content.chunks {
            let known = self.known.get(&node.hash).copied().or_else(|| self.told(node.hash, at == 0));
            let (xorb, index) = known.unwrap_or_else(|| self.append(*node, &place, at));
            at += node.size;
            match terms.last_mut() {
                Some(term) if term.xorb == xorb && term.chunks.end == index => {
                    term.chunks.end += 1;
                    term.len += node.size;
                }
                _ => terms.push(Term { xorb, chunks: index..index + 1, len: node.size }),
            }
        }
        let repos = BTreeSet::from([place.repo.clone()]);
        self.files.insert(content.hash, Stored { content: Arc::clone(content), size: at, terms, repos });
    }

    /// Ends the open block, as an upload does.
    pub(super) fn close(&mut self) {
        let at = self.xorbs.len().wrapping_sub(1);
        if let Some(xorb) = self.xorbs.last_mut().filter(|xorb| xorb.name.is_none()) {
            let nodes: Vec<Node> = xorb.chunks.iter().map(|chunk| chunk.node).collect();
            let name = root(&nodes);
            xorb.name = Some(name);
            self.names.entry(name).or_insert(at);
        }
    }

    /// Forgets which chunks are there, so that they are stored anew.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// What comes now is of another upload.
    pub(super) fn end_upload(&mut self) {
        self.uploads.push(std::mem::take(&mut self.known));
    }

    /// Where the index says that a chunk is. It is asked of few, and tells of all chunks of the upload that has one.
    fn told(&mut self, hash: XetHash, is_first: bool) -> Option<(usize, usize)> {
        if !is_first && !hash.is_indexed() {
            return None;
        }
        let upload = self.uploads.iter().find(|upload| upload.contains_key(&hash))?;
        for (hash, place) in upload {
            self.known.entry(*hash).or_insert(*place);
        }
        upload.get(&hash).copied()
    }

    fn append(&mut self, node: Node, place: &Arc<Place>, at: u64) -> (usize, usize) {
        let is_full = |xorb: &Xorb| xorb.chunks.len() == MOST_CHUNKS || xorb.len() + HEADER + node.size > LONGEST;
        if self.xorbs.last().is_some_and(is_full) {
            self.close();
        }
        if self.xorbs.last().is_none_or(|xorb| xorb.name.is_some()) {
            self.xorbs.push(Xorb::default());
        }
        let number = self.xorbs.len() - 1;
        let xorb = &mut self.xorbs[number];
        let (index, start) = (xorb.chunks.len(), xorb.len());
        xorb.chunks.push(Packed { node, start, place: Arc::clone(place), at });
        self.known.insert(node.hash, (number, index));
        (number, index)
    }

    /// What holds a range of a file: whole chunks, and none that the range does not touch.
    pub(super) fn part(&self, file: &Stored, range: ByteRange) -> Part {
        let mut part = Part::default();
        let mut end = 0;
        for term in &file.terms {
            let start = end;
            end += term.len;
            if end <= range.start || start >= range.end {
                continue;
            }
            let xorb = &self.xorbs[term.xorb];
            let (mut chunks, mut bytes) = (term.chunks.clone(), ByteRange::new(start, end));
            let size = |chunk: usize| xorb.chunks[chunk].node.size;
            while bytes.start + size(chunks.start) <= range.start {
                bytes.start += size(chunks.start);
                chunks.start += 1;
            }
            while bytes.end - size(chunks.end - 1) >= range.end {
                bytes.end -= size(chunks.end - 1);
                chunks.end -= 1;
            }
            if part.terms.is_empty() {
                part.offset = range.start - bytes.start;
            }
            let name = xorb.name.unwrap_or(XetHash::EMPTY);
            part.fetches.entry(name).or_default().push((chunks.clone(), xorb.bytes(&chunks)));
            part.terms.push((name, chunks, bytes.len()));
        }
        part.fetches.values_mut().for_each(merge);
        part
    }
}

/// Joins runs of chunks that overlap or follow one another.
fn merge(runs: &mut Vec<(Range<usize>, ByteRange)>) {
    runs.sort_by_key(|(chunks, _)| (chunks.start, chunks.end));
    runs.dedup_by(|(later, later_bytes), (chunks, bytes)| {
        let touches = later.start <= chunks.end;
        if touches {
            chunks.end = chunks.end.max(later.end);
            bytes.end = bytes.end.max(later_bytes.end);
        }
        touches
    });
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::LazyLock};

    use proptest::prelude::*;

    use super::*;
    use crate::digest::xet::{
        file_hash,
        testing::{chunks, splitmix},
    };

    fn content(bytes: &[u8]) -> Arc<Chunked> {
        let chunks = chunks(bytes);
        Arc::new(Chunked { hash: file_hash(&chunks), chunks })
    }

    fn place(repo: &str, path: &str) -> Place {
        Place { repo: repo.to_owned(), path: path.to_owned() }
    }

    /// Two files, and one that has of each what the other has not.
    static PACKED: LazyLock<(Packs, Vec<Vec<u8>>)> = LazyLock::new(|| {
        let (one, other) = (splitmix(1, 1_000_000), splitmix(2, 1_000_000));
        let both = [&one[200_000..700_000], &other[100_000..], &one[..300_000]].concat();
        let files = vec![one, other, both];
        let mut packs = Packs::default();
        for (number, file) in files.iter().enumerate() {
            packs.add(place("o/a", &number.to_string()), &content(file));
        }
        packs.close();
        (packs, files)
    });

    /// So many chunks of a size that are all different.
    fn made_up(count: usize, size: u64) -> Arc<Chunked> {
        let hash = |number: usize| blake3::hash(format!("{number}").as_bytes()).into();
        let chunks: Vec<Node> = (0..count).map(|number| Node { hash: hash(number), size }).collect();
        Arc::new(Chunked { hash: file_hash(&chunks), chunks })
    }

    #[test]
    fn a_chunk_that_is_there_is_not_stored_again() {
        let (packs, files) = &*PACKED;
        let stored: Vec<XetHash> =
            packs.xorbs.iter().flat_map(|xorb| &xorb.chunks).map(|chunk| chunk.node.hash).collect();
        assert_eq!(stored.iter().collect::<HashSet<_>>().len(), stored.len());
        let both = packs.file(&content(&files[2]).hash).unwrap();
        assert!(both.terms.len() > 3, "{:?}", both.terms);
        assert_eq!(both.terms.iter().map(|term| term.len).sum::<u64>(), files[2].len() as u64);
    }

    #[test]
    fn a_block_is_full_with_64_mib_or_8192_chunks() {
        for (count, size, chunks) in [(1000, 100_000, [671, 329]), (9000, 10, [8192, 808])] {
            let mut packs = Packs::default();
            packs.add(place("o/a", "big"), &made_up(count, size));
            packs.close();
            assert_eq!(packs.xorbs.iter().map(|xorb| xorb.chunks.len()).collect::<Vec<_>>(), chunks);
            assert!(packs.xorbs[0].len() <= LONGEST);
        }
    }

    #[test]
    fn the_same_content_elsewhere_is_the_same_file() {
        let content = made_up(10, 10_000);
        let mut packs = Packs::default();
        for repo in ["o/a", "o/b", "o/b"] {
            packs.add(place(repo, "x"), &content);
            packs.close();
        }
        let stored = packs.file(&content.hash).unwrap();
        assert_eq!((packs.xorbs.len(), stored.repos.len()), (1, 2));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_part_holds_its_range_in_whole_chunks(which in 0_usize..3, start in 0_u64..1_200_000, len in 1_u64..900_000) {
            let (packs, files) = &*PACKED;
            let file = packs.file(&content(&files[which]).hash).unwrap();
            let range = ByteRange::new(start.min(file.size - 1), (start + len).min(file.size).max(1));
            let part = packs.part(file, range);
            let mut bytes = Vec::new();
            for (name, chunks, length) in &part.terms {
                let before = bytes.len();
                for chunk in &packs.xorb(name).unwrap().chunks[chunks.clone()] {
                    let source = &files[chunk.place.path.parse::<usize>().unwrap()];
                    let at = usize::try_from(chunk.at).unwrap();
                    bytes.extend_from_slice(&source[at..at + usize::try_from(chunk.node.size).unwrap()]);
                }
                prop_assert_eq!((bytes.len() - before) as u64, *length);
                let fetched = part.fetches[name].iter().any(|(run, _)| run.start <= chunks.start && chunks.end <= run.end);
                prop_assert!(fetched);
            }
            let offset = usize::try_from(part.offset).unwrap();
            let wanted = &files[which][usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
            prop_assert_eq!(&bytes[offset..offset + wanted.len()], wanted);
            // No chunk more than needed at either end.
            let first = packs.xorb(&part.terms[0].0).unwrap().chunks[part.terms[0].1.start].node.size;
            prop_assert!(part.offset < first);
            let (name, chunks, _) = part.terms.last().unwrap();
            let last = packs.xorb(name).unwrap().chunks[chunks.end - 1].node.size;
            prop_assert!((bytes.len() - offset - wanted.len()) < usize::try_from(last).unwrap());
        }
    }
}

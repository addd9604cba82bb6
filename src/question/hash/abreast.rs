//! Tensors of files digested several at a time by one thread, each in a lane of its own.

use std::path::PathBuf;

use crate::{
    checkpoint::{FolderFile, RangeReader, TensorInfo},
    digest::{self, ABREAST, BLOCK_LENGTH, Midstate, TensorHash, TensorLook},
    error::{Error, Result},
};

/// Bytes of a tensor that are in memory at once: those of all lanes stay in a second-level cache.
const BUFFER: usize = 32 * 1024;

/// Whether tensors of so many bytes are digested faster side by side than one after the other. The largest must be done by
/// the time that the others are: its lane alone has an eighth of the speed of all.
pub(crate) fn pays(lengths: &[u64]) -> bool {
    let total = lengths.iter().copied().fold(0, u64::saturating_add);
    let largest = lengths.iter().copied().max().unwrap_or(0);
    let threads = u64::try_from(rayon::current_num_threads()).unwrap_or(u64::MAX);
    digest::pays() && total / 4 >= largest.saturating_mul(threads)
}

/// A tensor of a file, and a number by which the caller knows it.
pub(crate) type Job<'t> = (usize, PathBuf, &'t TensorInfo);

/// Digests what `next` gives until it gives no more, and gives back what identifies each.
pub(crate) fn hash_files<'t>(mut next: impl FnMut() -> Option<Job<'t>>) -> Vec<(usize, Result<TensorHash>)> {
    let mut lanes: Vec<Lane> = Vec::with_capacity(ABREAST);
    let mut done = Vec::new();
    loop {
        while lanes.len() < ABREAST
            && let Some(job) = next()
        {
            let position = job.0;
            match Lane::open(job) {
                Ok(lane) => lanes.push(lane),
                Err(error) => done.push((position, Err(error))),
            }
        }
        if lanes.is_empty() {
            return done;
        }
        let mut streams: Vec<(Midstate, &[u8])> = lanes.iter().map(|lane| (lane.state, lane.blocks())).collect();
        let taken = streams.iter().map(|(_, blocks)| blocks.len()).min().unwrap_or(0);
        digest::advance(&mut streams);
        let states: Vec<Midstate> = streams.into_iter().map(|(state, _)| state).collect();
        for (lane, state) in lanes.iter_mut().zip(states) {
            lane.advance(state, taken);
        }
        let (open, ended): (Vec<Lane>, Vec<Lane>) = lanes.into_iter().partition(Lane::is_open);
        done.extend(ended.into_iter().map(Lane::finish));
        lanes = open;
    }
}

/// One tensor on its way.
struct Lane {
    position: usize,
    reader: RangeReader,
    look: TensorLook,
    state: Midstate,
    length: u64,
    /// Whole blocks; the first `taken` bytes have gone in.
    buffer: Vec<u8>,
    taken: usize,
    /// The last of its bytes are in the buffer.
    ended: bool,
    failure: Option<Error>,
}

impl Lane {
    fn open((position, path, info): Job<'_>) -> Result<Self> {
        let mut lane = Self {
            position,
            reader: FolderFile::open(path)?.reader(info.range)?,
            look: TensorLook::new(&info.dtype, &info.shape),
            state: Midstate::default(),
            length: info.range.len(),
            buffer: Vec::with_capacity(BUFFER + 2 * BLOCK_LENGTH),
            taken: 0,
            ended: false,
            failure: None,
        };
        lane.refill()?;
        Ok(lane)
    }

    /// The blocks that can go in now; at least one of a lane that is open.
    fn blocks(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    /// Goes on after `taken` bytes have gone in.
    fn advance(&mut self, state: Midstate, taken: usize) {
        self.state = state;
        self.taken += taken;
        if self.taken == self.buffer.len() && !self.ended {
            self.failure = self.refill().err();
        }
    }

    fn is_open(&self) -> bool {
        self.failure.is_none() && self.taken < self.buffer.len()
    }

    fn finish(self) -> (usize, Result<TensorHash>) {
        let outcome = match self.failure {
            Some(error) => Err(error),
            None => Ok(self.look.finish(self.state.finish())),
        };
        (self.position, outcome)
    }

    fn refill(&mut self) -> Result<()> {
        self.taken = 0;
        self.buffer.resize(BUFFER, 0);
        let read = self.reader.fill(&mut self.buffer)?;
        self.buffer.truncate(read);
        self.look.update(&self.buffer)?;
        if read < BUFFER {
            self.ended = true;
            self.buffer.extend(digest::ending(self.length));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{checkpoint::Dtype, digest::TensorDigest, error::ErrorKind, range::ByteRange};

    fn info(dtype: Dtype, elements: u64, range: ByteRange) -> TensorInfo {
        TensorInfo { name: "t".to_owned(), dtype, shape: vec![elements], range }
    }

    #[test]
    fn each_of_many_has_the_hash_that_it_has_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let bytes: Vec<u8> = (0..400_000_u32).map(|i| (i.wrapping_mul(i) / 7 % 253).to_le_bytes()[0]).collect();
        fs_err::write(&path, &bytes).unwrap();
        // Lengths around those of blocks and buffers; more tensors than lanes.
        let lengths = [0_u64, 4, 60, 64, 32_764, 32_768, 32_772, 65_536, 100_000, 131_072, 8, 12, 200_000];
        let tensors: Vec<TensorInfo> = (7_u64..)
            .zip(lengths)
            .map(|(start, length)| match start % 3 {
                0 => info(Dtype::BF16, length / 2, ByteRange::new(start, start + length)),
                1 => info(Dtype::F32, length / 4, ByteRange::new(start, start + length)),
                _ => info(Dtype::I8, length, ByteRange::new(start, start + length)),
            })
            .collect();
        let mut jobs = tensors.iter().enumerate().map(|(position, info)| (position, path.clone(), info));
        let mut found = hash_files(|| jobs.next());
        found.sort_by_key(|(position, _)| *position);
        assert_eq!(found.len(), tensors.len());
        let file = FolderFile::open(&path).unwrap();
        for ((_, hash), info) in found.into_iter().zip(&tensors) {
            let mut alone = TensorDigest::new(&info.dtype, &info.shape);
            alone.update(&file.read_at(info.range).unwrap()).unwrap();
            assert_eq!(hash.unwrap(), alone.finish(), "{} bytes of {}", info.range.len(), info.dtype);
        }
    }

    #[test]
    fn one_that_cannot_be_read_does_not_stop_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs_err::write(&path, [2; 100]).unwrap();
        let tensors = [
            info(Dtype::I8, 200, ByteRange::new(0, 200)),
            info(Dtype::BOOL, 100, ByteRange::new(0, 100)),
            info(Dtype::I8, 100, ByteRange::new(0, 100)),
        ];
        let mut jobs = tensors.iter().enumerate().map(|(position, info)| (position, path.clone(), info));
        let found = hash_files(|| jobs.next());
        let outcome =
            |wanted: usize| found.iter().find(|(position, _)| *position == wanted).map(|(_, outcome)| outcome);
        for broken in [0, 1] {
            let error = outcome(broken).unwrap().as_ref().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Checkpoint(_)), "{error}");
        }
        assert_eq!(outcome(2).unwrap().as_ref().unwrap().sha256, digest::sha256_hex(&[2; 100]));
    }
}

//! Rows of numbers, too many to be held: in memory up to a limit, beyond it in a temporary file. The file has no name and vanishes
//! with the program, whatever ends it.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use crate::model::AuditError;

/// Numbers that the rows of one answer hold in memory together: 16 MiB.
const HELD: usize = 1 << 21;

/// Numbers of the file that are kept where they were read last: 16 MiB. Two columns are kept whatever their length, 16 bytes a row.
const KEPT: usize = 1 << 21;

/// Rows of a block. No power of two: the columns of a block would share lines of the processor's cache.
pub(super) const BLOCK: usize = 4000;

/// Where the rows of one answer are.
#[derive(Debug)]
pub(crate) struct Scratch(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Where the file is, or will be.
    folder: PathBuf,
    /// Numbers that may still be held in memory.
    room: usize,
    file: Option<File>,
    /// Numbers in the file.
    end: u64,
    /// Rows of the longest table in the file.
    longest: usize,
    /// Runs of numbers that were read last, by place and length, each with the time of its last use.
    runs: HashMap<(u64, usize), (u64, Vec<u64>)>,
    /// Numbers in all runs.
    kept: usize,
    time: u64,
    /// What failed first; nothing is written or read after it.
    failure: Option<Arc<io::Error>>,
}

impl Scratch {
    /// A file in `folder`, or where the system keeps temporary files if nothing can be made there. It is made when it is needed.
    pub(crate) fn new(folder: &Path) -> Arc<Self> {
        Self::with_room(folder, HELD)
    }

    pub(super) fn with_room(folder: &Path, room: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { folder: folder.to_owned(), room, ..State::default() })))
    }

    /// Takes room in memory for so many numbers, if there is any left.
    fn has_room(&self, numbers: usize) -> bool {
        let mut state = self.0.lock();
        let left = state.room.checked_sub(numbers);
        state.room = left.unwrap_or(state.room);
        left.is_some()
    }

    /// Adds a block to the file and gives its place there. Whether that failed tells [`Scratch::check`].
    fn append(&self, numbers: &[u8]) -> u64 {
        let state = &mut *self.0.lock();
        let place = state.end;
        if state.failure.is_none() {
            match state.write(numbers) {
                Ok(()) => state.end += numbers.len() as u64 / 8,
                Err(error) => state.failure = Some(Arc::new(error)),
            }
        }
        place
    }

    /// Hands `count` numbers from `place` on to `take`; `None` after a failure.
    fn read<T>(&self, place: u64, count: usize, take: impl FnOnce(&[u64]) -> T) -> Option<T> {
        let state = &mut *self.0.lock();
        state.time += 1;
        if let Some((used, run)) = state.runs.get_mut(&(place, count)) {
            *used = state.time;
            return Some(take(run));
        }
        match state.load(place, count) {
            Ok(run) => {
                let taken = take(&run);
                state.keep((place, count), run);
                Some(taken)
            }
            Err(error) => {
                state.failure.get_or_insert_with(|| Arc::new(error));
                None
            }
        }
    }

    /// Fails where the file could not be written or read.
    pub(crate) fn check(&self) -> Result<(), AuditError> {
        let state = self.0.lock();
        let error = |source: &Arc<io::Error>| AuditError::Scratch {
            folder: state.folder.clone(),
            bytes: state.end * 8,
            source: Arc::clone(source),
        };
        state.failure.as_ref().map(error).map_or(Ok(()), Err)
    }
}

impl State {
    /// Writes at the end of the file, which is made if there is none.
    fn write(&mut self, numbers: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.folder).or_else(|_| {
                self.folder = std::env::temp_dir();
                tempfile::tempfile()
            })?),
        };
        file.seek(SeekFrom::Start(self.end * 8))?;
        file.write_all(numbers)
    }

    fn load(&mut self, place: u64, count: usize) -> io::Result<Vec<u64>> {
        let file = self.file.as_mut().filter(|_| self.failure.is_none());
        let file = file.ok_or(io::ErrorKind::NotFound)?;
        let mut bytes = vec![0; count * 8];
        file.seek(SeekFrom::Start(place * 8))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect())
    }

    /// Keeps a run in place of those that were not used for longest.
    fn keep(&mut self, place: (u64, usize), run: Vec<u64>) {
        while self.kept + run.len() > KEPT.max(2 * self.longest) {
            let oldest = self.runs.iter().min_by_key(|(_, (used, _))| *used).map(|(&place, _)| place);
            let Some(oldest) = oldest else { break };
            self.runs.remove(&oldest);
            self.kept -= oldest.1;
        }
        self.kept += run.len();
        self.runs.insert(place, (self.time, run));
    }
}

/// Rows of `N` numbers of 64 bits each. Those in the file lie block by block, and in a block column by column: one column of a block,
/// or all of it, is one read.
#[derive(Debug, Clone, Default)]
pub(super) struct Records<const N: usize> {
    rows: usize,
    /// The rows, unless they are in a file: there each block has its place.
    held: Vec<[u64; N]>,
    file: Option<(Arc<Scratch>, Vec<u64>)>,
}

impl<const N: usize> Records<N> {
    /// No rows yet, of `rows` that come. Without a `scratch` they are held in memory.
    pub(super) fn new(rows: usize, scratch: Option<&Arc<Scratch>>) -> Self {
        let Some(scratch) = scratch.filter(|scratch| !scratch.has_room(rows * N)) else {
            return Self { held: Vec::with_capacity(rows), ..Self::default() };
        };
        let mut state = scratch.0.lock();
        state.longest = state.longest.max(rows);
        Self { file: Some((Arc::clone(scratch), Vec::new())), ..Self::default() }
    }

    /// Adds rows: [`BLOCK`] of them, or the last.
    pub(super) fn push(&mut self, rows: &[[u64; N]]) {
        self.rows += rows.len();
        let Some((scratch, blocks)) = &mut self.file else { return self.held.extend_from_slice(rows) };
        let mut bytes = Vec::with_capacity(rows.len() * N * 8);
        for column in 0..N {
            for row in rows {
                bytes.extend_from_slice(&row[column].to_le_bytes());
            }
        }
        blocks.push(scratch.append(&bytes));
    }

    /// One number of a row; `None` where it cannot be read.
    pub(super) fn get(&self, row: usize, column: usize) -> Option<u64> {
        let Some((scratch, blocks)) = &self.file else { return Some(self.held[row][column]) };
        let count = self.rows_beside(row);
        scratch.read(blocks[row / BLOCK] + (column * count) as u64, count, |numbers| numbers[row % BLOCK])
    }

    /// All numbers of a row; `None` where they cannot be read.
    pub(super) fn row(&self, row: usize) -> Option<[u64; N]> {
        let Some((scratch, blocks)) = &self.file else { return Some(self.held[row]) };
        let count = self.rows_beside(row);
        let take = |numbers: &[u64]| std::array::from_fn(|column| numbers[column * count + row % BLOCK]);
        scratch.read(blocks[row / BLOCK], count * N, take)
    }

    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// Rows in the block of `row`.
    fn rows_beside(&self, row: usize) -> usize {
        (self.rows - row / BLOCK * BLOCK).min(BLOCK)
    }

    /// Bytes in memory, but for those of the file that are kept for a while.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.capacity() * N * 8 + self.file.as_ref().map_or(0, |(_, blocks)| blocks.capacity() * 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;

    fn rows(count: u64) -> Vec<[u64; 3]> {
        (0..count).map(|row| [row, row * row, !row]).collect()
    }

    fn filled(scratch: &Arc<Scratch>, of: &[[u64; 3]]) -> Records<3> {
        let mut records = Records::new(of.len(), Some(scratch));
        of.chunks(BLOCK).for_each(|block| records.push(block));
        records
    }

    #[test]
    fn rows_in_the_file_are_those_that_were_written_in_whatever_order_they_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::with_room(folder.path(), 0);
        let [first, second] = [rows(9001), rows(BLOCK as u64)];
        let [in_first, in_second] = [&first, &second].map(|of| filled(&scratch, of));
        assert!(in_first.held() < 100 && in_second.held() < 100);
        for step in [1, 4001, 977] {
            for at in (0..first.len()).map(|at| at * step % first.len()) {
                assert_eq!(in_first.row(at), Some(first[at]));
                let at_second = at % second.len();
                assert_eq!(in_second.get(at_second, at % 3), Some(second[at_second][at % 3]));
            }
        }
        assert_eq!((in_first.len(), in_second.len()), (9001, BLOCK));
        scratch.check().unwrap();
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
    }

    #[test]
    fn what_fits_into_memory_makes_no_file() {
        let scratch = Scratch::with_room(Path::new("/nowhere"), 3 * 10);
        let [small, more] = [rows(8), rows(3)];
        let held = filled(&scratch, &small);
        assert_eq!((held.row(7), scratch.0.lock().end), (Some(small[7]), 0));
        // What is there and what comes do not fit together.
        let beyond = filled(&scratch, &more);
        assert_eq!((beyond.row(2), scratch.0.lock().end), (Some(more[2]), 9));
    }

    #[test]
    fn what_is_kept_of_the_file_does_not_grow_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::with_room(folder.path(), 0);
        let of = rows(200 * BLOCK as u64);
        let records = filled(&scratch, &of);
        let mut most = 0;
        for at in (0..of.len()).step_by(BLOCK / 2) {
            assert_eq!(records.row(at), Some(of[at]));
            most = most.max(scratch.0.lock().kept);
        }
        assert!(most <= KEPT.max(2 * of.len()) && scratch.0.lock().runs.len() < 200, "{most}");
    }

    #[test]
    fn a_disk_that_is_full_and_a_file_that_cannot_be_read_are_errors_with_advice() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::with_room(folder.path(), 0);
        let records = filled(&scratch, &rows(10));
        let file = |of: &Path| Some(File::open(of).unwrap());
        // Shorter than what was written, and not open for writing.
        let other = folder.path().join("short");
        fs_err::write(&other, "").unwrap();
        scratch.0.lock().file = file(&other);
        assert_eq!(records.get(4, 1), None);
        let error = scratch.check().unwrap_err();
        assert!(matches!(&error, AuditError::Scratch { bytes: 240, .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains("240 bytes") && said.contains(&folder.path().display().to_string()), "{said}");
        assert!(error.hint().is_some_and(|hint| hint.contains("--cache-dir")));
        let full = Scratch::with_room(folder.path(), 0);
        full.0.lock().file = file(&other);
        assert_eq!(filled(&full, &rows(10)).get(0, 0), None);
        assert!(matches!(full.check(), Err(AuditError::Scratch { bytes: 0, .. })));
    }
}

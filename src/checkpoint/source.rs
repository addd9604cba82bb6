//! Where bytes come from: something that can read ranges of one file, and a folder on this machine as the first of them.

use std::{
    future::Future,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::CheckpointError;
use crate::{
    range::ByteRange,
    snapshot::{RepoFile, Snapshot},
};

/// One file that is read in ranges.
pub trait RangeRead {
    /// Length of the file in bytes.
    fn len(&self) -> u64;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads exactly the bytes of `range`; fewer are an error. An empty range gives no bytes and asks nobody.
    fn read(&self, range: ByteRange) -> impl Future<Output = Result<Bytes, crate::Error>> + Send;
}

/// A file of a local folder. Each read opens it anew, so that reads may run side by side.
#[derive(Debug, Clone)]
pub struct FolderFile {
    path: PathBuf,
    len: u64,
}

impl FolderFile {
    /// The file at `path`, whose length is taken now and must stay.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, CheckpointError> {
        let path = path.into();
        let len = fs_err::metadata(&path)?.len();
        Ok(Self { path, len })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads exactly the bytes of `range`, blocking.
    pub fn read_at(&self, range: ByteRange) -> Result<Bytes, CheckpointError> {
        let file = self.open_at(range)?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let mut bytes = Vec::new();
        file.take(range.len()).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == range.len() {
            Ok(bytes.into())
        } else {
            Err(self.changed(range.start + bytes.len() as u64))
        }
    }

    /// Reads exactly the bytes of `range` from its start to its end, blocking, and gives them to `visit` in blocks of
    /// `block` bytes, the last one shorter. Memory is one block, whatever the range.
    pub fn read_blocks<E: From<CheckpointError>>(
        &self,
        range: ByteRange,
        block: usize,
        mut visit: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut reader = self.reader(range)?;
        let size = usize::try_from(range.len()).map_or(block, |length| length.min(block));
        let mut buffer = vec![0; size];
        loop {
            match reader.fill(&mut buffer)? {
                0 => return Ok(()),
                length => visit(&buffer[..length])?,
            }
        }
    }

    /// Reads `range` from its start to its end, at the caller's pace.
    pub fn reader(&self, range: ByteRange) -> Result<RangeReader, CheckpointError> {
        Ok(RangeReader { file: self.clone(), open: self.open_at(range)?, rest: range })
    }

    /// The file, open where `range` begins, once it is certain that the range lies inside.
    fn open_at(&self, range: ByteRange) -> Result<fs_err::File, CheckpointError> {
        if range.end > self.len {
            return Err(CheckpointError::PastEnd { path: self.path.clone(), range, len: self.len });
        }
        let mut file = fs_err::File::open(&self.path)?;
        let now = file.metadata()?.len();
        if now != self.len {
            return Err(self.changed(now));
        }
        file.seek(SeekFrom::Start(range.start))?;
        Ok(file)
    }

    fn changed(&self, now: u64) -> CheckpointError {
        CheckpointError::Changed { path: self.path.clone(), before: self.len, now }
    }
}

/// A range of a local file, on its way to be read.
#[derive(Debug)]
pub struct RangeReader {
    file: FolderFile,
    open: fs_err::File,
    rest: ByteRange,
}

impl RangeReader {
    /// Fills `into` with the next bytes, as far as the range goes, and tells how many there were. A file that ends before its
    /// range does is an error.
    pub fn fill(&mut self, into: &mut [u8]) -> Result<usize, CheckpointError> {
        let length = usize::try_from(self.rest.len()).map_or(into.len(), |rest| rest.min(into.len()));
        self.open.read_exact(&mut into[..length]).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.file.changed(self.rest.start),
            _ => error.into(),
        })?;
        self.rest = ByteRange::new(self.rest.start + length as u64, self.rest.end);
        Ok(length)
    }
}

impl RangeRead for FolderFile {
    fn len(&self) -> u64 {
        self.len
    }

    /// Reads from disk within the poll: local reads are short, and the caller that minds runs them where blocking is fine.
    async fn read(&self, range: ByteRange) -> Result<Bytes, crate::Error> {
        Ok(self.read_at(range)?)
    }
}

/// Lists a local folder as if it were a repository: all files below it with their sizes, no commit, no hashes.
///
/// Hidden files and folders are left out, as are names that are not UTF-8, which no repository has. Links to files are
/// followed, because the shared cache of the Hub's client is made of them; links to folders are not.
pub fn folder_snapshot(path: &Path) -> Result<Snapshot, CheckpointError> {
    if !path.is_dir() {
        return Err(CheckpointError::NotAFolder { path: path.to_owned() });
    }
    let mut files = Vec::new();
    let mut folders = vec![(path.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs_err::read_dir(&folder)? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let inside = format!("{prefix}{name}");
            if entry.file_type()?.is_dir() {
                folders.push((entry.path(), format!("{inside}/")));
                continue;
            }
            let metadata = match fs_err::metadata(entry.path()) {
                // A link whose blob is gone: the file is absent, as it is for every other reader.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            if metadata.is_file() {
                files.push(RepoFile {
                    path: inside,
                    size: metadata.len(),
                    blob_id: None,
                    lfs_sha256: None,
                    xet_hash: None,
                });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Snapshot { commit: None, files })
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn a_folder_is_listed_like_a_repository() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(folder.path().join("b/c")).unwrap();
        fs_err::create_dir_all(folder.path().join(".git")).unwrap();
        for name in ["b/c/x.json", "a.safetensors", ".git/config", ".hidden"] {
            fs_err::write(folder.path().join(name), name).unwrap();
        }
        let snapshot = folder_snapshot(folder.path()).unwrap();
        let listed: Vec<_> = snapshot.files.iter().map(|file| (file.path.as_str(), file.size)).collect();
        assert_eq!(listed, [("a.safetensors", 13), ("b/c/x.json", 10)]);
        assert!(snapshot.file("b/c/x.json").is_some());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_blob_counts_as_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = tempfile::tempdir().unwrap();
        fs_err::write(blobs.path().join("blob"), "12345").unwrap();
        std::os::unix::fs::symlink(blobs.path().join("blob"), folder.path().join("model.safetensors")).unwrap();
        assert_eq!(folder_snapshot(folder.path()).unwrap().files[0].size, 5);
    }

    #[test]
    fn a_folder_that_is_absent_or_a_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs_err::write(&file, "x").unwrap();
        for path in [folder.path().join("absent"), file] {
            assert!(matches!(folder_snapshot(&path), Err(CheckpointError::NotAFolder { .. })));
        }
    }

    #[test]
    fn a_range_is_read_exactly_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs_err::write(&path, "0123456789").unwrap();
        let file = FolderFile::open(&path).unwrap();
        assert_eq!(block_on(file.read(ByteRange::new(2, 5))).unwrap(), "234");
        assert_eq!(file.read_at(ByteRange::new(10, 10)).unwrap(), "");
        let mut blocks = Vec::new();
        let visit = |block: &[u8]| -> Result<(), CheckpointError> {
            blocks.push(String::from_utf8_lossy(block).into_owned());
            Ok(())
        };
        file.read_blocks(ByteRange::new(1, 9), 3, visit).unwrap();
        assert_eq!(blocks, ["123", "456", "78"]);
        assert!(matches!(file.read_at(ByteRange::new(9, 11)), Err(CheckpointError::PastEnd { .. })));
        fs_err::write(&path, "0123").unwrap();
        assert!(matches!(file.read_at(ByteRange::new(0, 2)), Err(CheckpointError::Changed { .. })));
    }
}

//! A model in a folder on this machine: its listing, and files that are read in ranges.

use std::{
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::CheckpointError;
use crate::{
    range::ByteRange,
    snapshot::{RepoFile, Snapshot},
};

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

    /// Length of the file in bytes.
    pub fn size(&self) -> u64 {
        self.len
    }

    /// Reads exactly the bytes of `range`, blocking.
    pub fn read_at(&self, range: ByteRange) -> Result<Bytes, CheckpointError> {
        let mut reader = self.reader(range)?;
        let mut bytes = vec![0; usize::try_from(range.len()).unwrap_or(usize::MAX)];
        reader.fill(&mut bytes)?;
        Ok(bytes.into())
    }

    /// Reads exactly the bytes of `range` from its start to its end, blocking, and gives them to `visit` in blocks of
    /// `block` bytes, the last one shorter. Memory is one block.
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
    pub(crate) fn reader(&self, range: ByteRange) -> Result<RangeReader, CheckpointError> {
        if range.end > self.len {
            return Err(CheckpointError::PastEnd { path: self.path.clone(), range, len: self.len });
        }
        let mut file = fs_err::File::open(&self.path)?;
        self.check_length(&file)?;
        file.seek(SeekFrom::Start(range.start))?;
        Ok(RangeReader { of: self.clone(), file, rest: range.len() })
    }

    fn check_length(&self, file: &fs_err::File) -> Result<(), CheckpointError> {
        match file.metadata()?.len() {
            now if now == self.len => Ok(()),
            now => Err(CheckpointError::Changed { path: self.path.clone(), before: self.len, now }),
        }
    }
}

/// A range of a local file, on its way to be read.
#[derive(Debug)]
pub(crate) struct RangeReader {
    of: FolderFile,
    file: fs_err::File,
    rest: u64,
}

impl RangeReader {
    /// Fills `into` with the next bytes, as far as the range goes, and tells how many there were. A file that ends before its
    /// range does is an error.
    pub(crate) fn fill(&mut self, into: &mut [u8]) -> Result<usize, CheckpointError> {
        let length = usize::try_from(self.rest).map_or(into.len(), |rest| rest.min(into.len()));
        if let Err(error) = self.file.read_exact(&mut into[..length]) {
            self.of.check_length(&self.file)?;
            return Err(error.into());
        }
        self.rest -= length as u64;
        Ok(length)
    }
}

/// Lists a local folder as if it were a repository: all files below it with their sizes, no commit, no hashes.
///
/// Hidden files and folders are left out, as are names that are not UTF-8, which no repository has. Links to files are
/// followed, because the shared cache of the Hub's client is made of them; links to folders are not.
///
/// Links whose target is gone are told apart, by their paths: as files they are absent, as they are for every other reader.
pub fn folder_snapshot(path: &Path) -> Result<(Snapshot, Vec<String>), CheckpointError> {
    if !path.is_dir() {
        return Err(CheckpointError::NotAFolder { path: path.to_owned() });
    }
    let (mut files, mut dangling) = (Vec::new(), Vec::new());
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
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    dangling.push(inside);
                    continue;
                }
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
    dangling.sort();
    Ok((Snapshot { commit: None, files }, dangling))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_listed_like_a_repository() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(folder.path().join("b/c")).unwrap();
        fs_err::create_dir_all(folder.path().join(".git")).unwrap();
        for name in ["b/c/x.json", "a.safetensors", ".git/config", ".hidden"] {
            fs_err::write(folder.path().join(name), name).unwrap();
        }
        let (snapshot, dangling) = folder_snapshot(folder.path()).unwrap();
        assert!(dangling.is_empty());
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
        assert_eq!(folder_snapshot(folder.path()).unwrap().0.files[0].size, 5);
        fs_err::remove_file(blobs.path().join("blob")).unwrap();
        let (snapshot, dangling) = folder_snapshot(folder.path()).unwrap();
        assert_eq!((snapshot.files.len(), dangling), (0, vec!["model.safetensors".to_owned()]));
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
        assert_eq!(file.read_at(ByteRange::new(2, 5)).unwrap(), "234");
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

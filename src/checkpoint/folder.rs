//! A model in a folder on this machine: its listing, and files that are read in ranges.

use std::{
    fs::{FileType, Metadata, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;

use super::{CheckpointError, Stamp};
use crate::{
    range::ByteRange,
    snapshot::{RepoFile, Snapshot},
};

/// A file of a local folder. Each read opens it anew, so that reads may run side by side.
///
/// It must stay what it was when it was first looked at: each read looks again before its first byte and behind its last.
#[derive(Debug, Clone)]
pub struct FolderFile {
    path: PathBuf,
    stamp: Stamp,
    was_read: Arc<AtomicBool>,
}

impl FolderFile {
    /// The file at `path`, as it is now. Nothing but a regular file is ever opened: a pipe would be waited for without end.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, CheckpointError> {
        let path = path.into();
        let found = settled(&path)?;
        if !found.is_file() {
            return Err(CheckpointError::Irregular { kind: kind(found.file_type()), path });
        }
        Ok(Self { path, stamp: Stamp::of(&found), was_read: Arc::default() })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length of the file in bytes.
    pub fn size(&self) -> u64 {
        self.stamp.size()
    }

    /// What it was when it was first looked at.
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// The open file, which is still what it was.
    pub(crate) fn file(&self) -> Result<fs_err::File, CheckpointError> {
        self.was_read.store(true, Ordering::Relaxed);
        let mut options = OpenOptions::new();
        options.read(true);
        // A pipe that has taken its place meanwhile is not waited for.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
        let opened = options.open(&self.path).map_err(|error| self.gone_or(error))?;
        let file = fs_err::File::from_parts(opened, &self.path);
        self.check(&file)?;
        Ok(file)
    }

    /// Whether the open `file` is still what it was.
    pub(crate) fn check(&self, file: &fs_err::File) -> Result<(), CheckpointError> {
        self.is_still(&Stamp::of(&file.metadata()?))
    }

    /// Whether the file at the path is still what it was, if it was read at all.
    pub(crate) fn check_if_read(&self) -> Result<(), CheckpointError> {
        if !self.was_read.load(Ordering::Relaxed) {
            return Ok(());
        }
        let now = std::fs::metadata(&self.path).map_err(|error| self.gone_or(error))?;
        self.is_still(&Stamp::of(&now))
    }

    fn is_still(&self, now: &Stamp) -> Result<(), CheckpointError> {
        if now.is_same_content(&self.stamp) {
            return Ok(());
        }
        let (before, now) = (self.stamp.size(), Some(now.size()));
        Err(CheckpointError::Changed { path: self.path.clone(), before, now })
    }

    fn gone_or(&self, error: io::Error) -> CheckpointError {
        match error.kind() {
            io::ErrorKind::NotFound => {
                CheckpointError::Changed { path: self.path.clone(), before: self.stamp.size(), now: None }
            }
            _ => CheckpointError::Io(error),
        }
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
        if range.end > self.size() {
            return Err(CheckpointError::PastEnd { path: self.path.clone(), range, len: self.size() });
        }
        let mut file = self.file()?;
        file.seek(SeekFrom::Start(range.start))?;
        Ok(RangeReader { of: self.clone(), file, rest: range.len() })
    }
}

/// What is written within a tick of a file system's clock has the time of what was written before it in that tick.
const TICK: Duration = Duration::from_millis(20);

/// Ticks that a file which is being written is waited for.
const MOST_TICKS: u32 = 50;

/// The metadata of a file whose next write will show in them: that of the last tick may be followed by one that does not.
fn settled(path: &Path) -> Result<Metadata, CheckpointError> {
    let mut found = fs_err::metadata(path)?;
    for _ in 0..MOST_TICKS {
        let age = found.modified().ok().and_then(|modified| modified.elapsed().ok());
        if !found.is_file() || age.is_none_or(|age| age > TICK) {
            return Ok(found);
        }
        thread::sleep(TICK);
        found = fs_err::metadata(path)?;
    }
    Err(CheckpointError::Changed { path: path.to_owned(), before: found.len(), now: Some(found.len()) })
}

/// A range of a local file, on its way to be read.
#[derive(Debug)]
pub(crate) struct RangeReader {
    of: FolderFile,
    file: fs_err::File,
    rest: u64,
}

impl RangeReader {
    /// Fills `into` with the next bytes, as far as the range goes, and tells how many there were. A file that is not what it was
    /// is an error.
    pub(crate) fn fill(&mut self, into: &mut [u8]) -> Result<usize, CheckpointError> {
        let length = usize::try_from(self.rest).map_or(into.len(), |rest| rest.min(into.len()));
        if let Err(error) = self.file.read_exact(&mut into[..length]) {
            self.of.check(&self.file)?;
            return Err(error.into());
        }
        self.rest -= length as u64;
        // What the last bytes are is known once they are here.
        if length > 0 && self.rest == 0 {
            self.of.check(&self.file)?;
        }
        Ok(length)
    }
}

/// Lists a local folder as if it were a repository: all files below it with their sizes, no commit, no hashes.
///
/// Hidden files and folders are left out, as are names that are not UTF-8, which no repository has. Links to files are
/// followed, because the shared cache of the Hub's client is made of them; links to folders are not. A pipe or device in the place of
/// weights or of a configuration is an error: it is neither absent nor to be read.
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
            let is_expected = [".safetensors", ".json"].iter().any(|end| inside.ends_with(end));
            if is_expected && !metadata.is_file() && !metadata.is_dir() {
                return Err(CheckpointError::Irregular { path: entry.path(), kind: kind(metadata.file_type()) });
            }
            if metadata.is_file() {
                files.push(RepoFile {
                    path: inside,
                    size: metadata.len(),
                    blob_id: None,
                    lfs_sha256: None,
                    xet_hash: None,
                    withheld: false,
                });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    dangling.sort();
    Ok((Snapshot { commit: None, files }, dangling))
}

/// What is in the place of a file, for people.
fn kind(found: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kinds = [
            (found.is_fifo(), "a pipe"),
            (found.is_socket(), "a socket"),
            (found.is_char_device() || found.is_block_device(), "a device"),
        ];
        if let Some((_, kind)) = kinds.into_iter().find(|(is, _)| *is) {
            return kind;
        }
    }
    if found.is_dir() { "a folder" } else { "something else than a file" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_device_or_pipe_is_refused_by_kind_before_it_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let device = folder.path().join("config.json");
        std::os::unix::fs::symlink("/dev/zero", &device).unwrap();
        let refused = CheckpointError::Irregular { path: device.clone(), kind: "a device" }.to_string();
        assert_eq!(folder_snapshot(folder.path()).unwrap_err().to_string(), refused);
        assert_eq!(FolderFile::open(&device).unwrap_err().to_string(), refused);
        fs_err::rename(&device, folder.path().join("notes.sock")).unwrap();
        assert_eq!(folder_snapshot(folder.path()).unwrap().0.files, []);
        assert_eq!(FolderFile::open(folder.path()).unwrap_err().to_string().matches("a folder").count(), 1);
    }

    #[test]
    fn a_file_that_was_written_just_before_and_is_again_just_after_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for round in 0..20 {
            fs_err::write(&path, format!("{round:04}")).unwrap();
            let file = FolderFile::open(&path).unwrap();
            fs_err::write(&path, format!("{:04}", 9999 - round)).unwrap();
            assert!(matches!(file.read_at(ByteRange::new(0, 4)), Err(CheckpointError::Changed { .. })), "{round}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_replaced_or_rewritten_at_equal_length_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("file"), folder.path().join("other"));
        fs_err::write(&path, "0123456789").unwrap();
        let old = std::time::SystemTime::now() - std::time::Duration::from_mins(1);
        let age = |path: &Path| fs_err::OpenOptions::new().write(true).open(path).unwrap().set_modified(old).unwrap();
        age(&path);
        let untouched = FolderFile::open(&path).unwrap();
        let file = FolderFile::open(&path).unwrap();
        let range = ByteRange::new(0, 4);
        assert_eq!(file.read_at(range).unwrap(), "0123");
        // Between two blocks of one read.
        let mut blocks = 0;
        let visit = |_: &[u8]| -> Result<(), CheckpointError> {
            blocks += 1;
            if blocks == 1 {
                fs_err::write(&path, "9876543210").unwrap();
            }
            Ok(())
        };
        assert!(matches!(file.read_blocks(ByteRange::new(0, 10), 5, visit), Err(CheckpointError::Changed { .. })));
        assert!(matches!(file.read_at(range), Err(CheckpointError::Changed { .. })));
        assert!(matches!(file.check_if_read(), Err(CheckpointError::Changed { .. })));
        untouched.check_if_read().unwrap();
        // By another file of the same length and age.
        let file = FolderFile::open(&path).unwrap();
        file.read_at(range).unwrap();
        age(&path);
        let file_of_that_age = FolderFile::open(&path).unwrap();
        fs_err::write(&other, "9876543210").unwrap();
        age(&other);
        fs_err::rename(&other, &path).unwrap();
        assert!(matches!(file_of_that_age.read_at(range), Err(CheckpointError::Changed { .. })));
        fs_err::remove_file(&path).unwrap();
        assert!(file.check_if_read().unwrap_err().to_string().ends_with("is gone"));
    }

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

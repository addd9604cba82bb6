//! Files that appear whole or not at all.
//!
//! A file is written under a temporary name in its own folder and renamed.
//!
//! What is found here is untrusted: a pipe, a device or a link may be in the place of a file. Nothing but a regular file is
//! opened, never through a link and without blocking, and no more of it is read than its kind may have. All of it is its
//! owner's alone: it may be the weights of a private repository.

use std::{
    fs,
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::error::CacheError;
use crate::{digest::Digesting, named::named};

/// Temporary files begin with this.
pub(super) const TEMPORARY: &str = ".tmp-";

/// Why nothing was found where a file may be.
pub(super) enum Miss {
    Absent,
    Broken(Flaw),
    Failed(CacheError),
}

impl From<CacheError> for Miss {
    fn from(error: CacheError) -> Self {
        Self::Failed(error)
    }
}

named! {
    /// Why an entry cannot be used.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum Flaw {
        /// One of its files is a pipe, a device, a link or a folder.
        Irregular = "no regular file",
        /// One of its files is larger than any that is written.
        TooLarge = "larger than any that is written",
        /// The sidecar was altered, or cut short.
        Sidecar = "sidecar altered",
        /// The `.npy` is absent.
        NoValues = "values absent",
        /// The `.npy` has another length than was written.
        Length = "length differs",
        /// The `.npy` has other bytes than were written.
        Digest = "bytes differ",
        /// The `.npy` is intact, and not what its sidecar describes.
        Content = "values differ from the sidecar",
    }
}

impl Flaw {
    /// Whether it cannot come from a crash or a full disk: it was put there.
    pub(super) fn is_foreign(self) -> bool {
        matches!(self, Self::Irregular | Self::TooLarge)
    }
}

/// With what opens nothing but what is there itself, and does not wait for whoever is at the other end of a pipe.
pub(super) fn regular(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
    }
    options
}

/// Whether something is at `path` that is no regular file.
pub(super) fn is_irregular(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| !found.is_file())
}

/// Opens a regular file of at most `most` bytes.
pub(super) fn open(path: &Path, most: u64) -> Result<fs::File, Miss> {
    let file = match regular(fs::OpenOptions::new().read(true)).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Miss::Absent),
        Err(_) if is_irregular(path) => return Err(Miss::Broken(Flaw::Irregular)),
        Err(error) => return Err(CacheError::read(path)(error).into()),
    };
    let found = file.metadata().map_err(CacheError::read(path))?;
    match found.len() {
        _ if !found.is_file() => Err(Miss::Broken(Flaw::Irregular)),
        length if length > most => Err(Miss::Broken(Flaw::TooLarge)),
        _ => Ok(file),
    }
}

/// The content of a regular file of at most `most` bytes.
pub(super) fn read(path: &Path, most: u64) -> Result<Vec<u8>, Miss> {
    let file = open(path, most)?;
    let mut bytes = Vec::new();
    // It may have grown since it was opened.
    file.take(most).read_to_end(&mut bytes).map_err(CacheError::read(path))?;
    Ok(bytes)
}

/// The length of a regular file; `None` where there is none.
pub(super) fn length(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map(|found| found.len())
}

/// Creates a folder and those above it, for their owner alone.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes `path` through `fill`, whole or not at all, and gives its digest and length. A kill at any moment leaves at most a temporary file.
pub(super) fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(String, u64), CacheError> {
    let mut temporary = temporary(path)?;
    let mut digest = Digesting::new(temporary.as_file_mut());
    let mut buffered = BufWriter::with_capacity(1 << 16, &mut digest);
    fill(&mut buffered).and_then(|()| buffered.flush()).map_err(CacheError::write(path))?;
    drop(buffered);
    let (_, sha256, bytes) = digest.finish();
    persist(temporary, path)?;
    Ok((sha256, bytes))
}

/// An empty file beside `path`, removed unless it is persisted.
pub(super) fn temporary(path: &Path) -> Result<NamedTempFile, CacheError> {
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder).map_err(CacheError::write(path))
}

/// Gives a temporary file its name, in place of what has it.
pub(super) fn persist(temporary: NamedTempFile, path: &Path) -> Result<(), CacheError> {
    // A folder, unlike all else, would not give way.
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
        remove(path)?;
    }
    temporary.persist(path).map(|_| ()).map_err(|error| CacheError::write(path)(error.error))
}

/// Removes what is at `path`, which may already be gone.
pub(super) fn remove(path: &Path) -> Result<(), CacheError> {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    let removed = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    if_there(removed).map(|_| ()).map_err(CacheError::write(path))
}

/// Removes a folder and those above it, up to `root`, as far as they are empty.
pub(super) fn remove_empty(folder: &Path, root: &Path) {
    let folders = folder.ancestors().take_while(|folder| *folder != root);
    let _ = folders.map(fs::remove_dir).take_while(Result::is_ok).count();
}

/// What `result` holds; `None` where the file is not there.
pub(super) fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The digest and length of what `reader` holds.
pub(super) fn digest_of(reader: &mut impl io::Read) -> io::Result<(String, u64)> {
    let mut digest = Digesting::new(io::sink());
    io::copy(&mut BufReader::with_capacity(1 << 18, reader), &mut digest)?;
    let (_, sha256, bytes) = digest.finish();
    Ok((sha256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_fails_midway_leaves_the_old_one_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_whole(&path, |to| to.write_all(b"old")).unwrap();
        let failed = write_whole(&path, |to| {
            to.write_all(&vec![0; 1 << 20])?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert!(matches!(failed, Err(CacheError::Write { .. })));
        assert_eq!(fs_err::read(&path).unwrap(), b"old");
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
    }
}

//! Files that appear whole or not at all, and locks that keep writers apart.
//!
//! A file is written under a temporary name in its own folder and renamed. Readers take no lock. Writers share the lock of
//! the cache and hold alone the lock of their commit's folder; only clearing out takes the lock of the cache alone, and so
//! knows that a temporary file it sees belongs to nobody.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::error::CacheError;
use crate::digest::Sha256Hex;

/// Temporary files begin with this.
pub(super) const TEMPORARY: &str = ".tmp-";

/// The lock file of the cache, and of each commit's folder.
pub(super) const LOCK: &str = ".lock";

/// Locks that are held until this is dropped.
#[derive(Debug)]
pub(super) struct Locked {
    files: Vec<fs::File>,
}

impl Locked {
    /// To write in `folder`, which is created: shares the cache with other writers, and has the folder alone.
    pub(super) fn folder(root: &Path, folder: &Path) -> Result<Self, CacheError> {
        let shared = take(&root.join(LOCK), fs::File::lock_shared)?;
        fs::create_dir_all(folder).map_err(CacheError::write(folder))?;
        let alone = take(&folder.join(LOCK), fs::File::lock)?;
        Ok(Self { files: vec![alone, shared] })
    }

    /// To write a file that takes its time: shares the cache with other writers.
    pub(super) fn sharing(root: &Path) -> Result<Self, CacheError> {
        Ok(Self { files: vec![take(&root.join(LOCK), fs::File::lock_shared)?] })
    }

    /// Has `folder` alone as well.
    pub(super) fn also(&mut self, folder: &Path) -> Result<(), CacheError> {
        self.files.insert(0, take(&folder.join(LOCK), fs::File::lock)?);
        Ok(())
    }

    /// To remove anything anywhere: has the cache alone.
    pub(super) fn everything(root: &Path) -> Result<Self, CacheError> {
        Ok(Self { files: vec![take(&root.join(LOCK), fs::File::lock)?] })
    }
}

fn take(path: &Path, lock: impl Fn(&fs::File) -> io::Result<()>) -> Result<fs::File, CacheError> {
    let open = fs::OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = open.map_err(CacheError::write(path))?;
    match lock(&file) {
        // Some network file systems have no locks. Renames alone still keep every file whole there.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(error) => Err(CacheError::write(path)(error)),
        Ok(()) => Ok(file),
    }
}

/// What was written: its digest and length.
pub(super) struct Written {
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

/// Writes `path` through `fill`, whole or not at all. A kill at any moment leaves at most a temporary file.
pub(super) fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Written, CacheError> {
    let failed = || CacheError::write(path);
    let mut temporary = temporary(path)?;
    let mut digest = Digesting { inner: temporary.as_file_mut(), digest: Sha256Hex::default(), bytes: 0 };
    let mut buffered = BufWriter::with_capacity(1 << 16, &mut digest);
    fill(&mut buffered).and_then(|()| buffered.flush()).map_err(failed())?;
    drop(buffered);
    let Digesting { digest, bytes, .. } = digest;
    let written = Written { sha256: digest.finish(), bytes };
    temporary.persist(path).map_err(|error| failed()(error.error))?;
    Ok(written)
}

/// An empty file beside `path`, with the mode that the umask gives, removed unless it is persisted.
pub(super) fn temporary(path: &Path) -> Result<tempfile::NamedTempFile, CacheError> {
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    // As a file created in the plain way: others may read the cache as far as the umask lets them.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(CacheError::write(path))
}

struct Digesting<W> {
    inner: W,
    digest: Sha256Hex,
    bytes: u64,
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The content of a file; `None` where there is none.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, CacheError> {
    if_there(fs_err::read(path)).map_err(CacheError::read(path))
}

/// Removes a file that may already be gone.
pub(super) fn remove(path: &Path) -> Result<(), CacheError> {
    if_there(fs::remove_file(path)).map(|_| ()).map_err(CacheError::write(path))
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
pub(super) fn digest_of(reader: &mut impl io::Read) -> io::Result<Written> {
    let mut digest = Digesting { inner: io::sink(), digest: Sha256Hex::default(), bytes: 0 };
    let mut block = vec![0; 1 << 18];
    loop {
        match reader.read(&mut block)? {
            0 => break,
            read => digest.write_all(&block[..read])?,
        }
    }
    Ok(Written { sha256: digest.digest.finish(), bytes: digest.bytes })
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

    #[cfg(unix)]
    #[test]
    fn files_have_the_mode_that_the_umask_gives() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let [whole, plain] = ["whole", "plain"].map(|name| folder.path().join(name));
        write_whole(&whole, |to| to.write_all(b"x")).unwrap();
        fs_err::File::create(&plain).unwrap();
        let mode = |path| fs_err::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(whole), mode(plain));
    }
}

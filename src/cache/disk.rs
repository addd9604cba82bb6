//! Files that appear whole or not at all, and locks that keep writers apart.
//!
//! A file is written under a temporary name in its own folder and renamed. Readers take no lock. Writers share the lock of
//! the cache and hold alone the lock of their commit's folder; only pruning takes the lock of the cache alone, and so
//! knows that a temporary file it sees is left over.
//!
//! What is found here is untrusted: a pipe, a device or a link may be in the place of a file. Nothing but a regular file is
//! opened, never through a link and without blocking, and no more of it is read than its kind may have. All of it is its
//! owner's alone: it may be the weights of a private repository.

use std::{
    collections::HashSet,
    fmt,
    fs::{self, TryLockError},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use tempfile::NamedTempFile;

use super::error::CacheError;
use crate::{digest::Digesting, named::named};

/// Temporary files begin with this.
pub(super) const TEMPORARY: &str = ".tmp-";

/// The lock file of the cache, and of each commit's folder.
pub(super) const LOCK: &str = ".lock";

/// A wait for a lock that lasts longer is told.
const LONG_WAIT: Duration = Duration::from_secs(2);

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

/// The cache's folder, and who is told what happens in it.
pub(super) struct Disk {
    pub(super) root: PathBuf,
    warn: Box<dyn Fn(&str) + Send + Sync>,
    /// Folders in which this process has removed what killed programs left.
    cleared: Mutex<HashSet<PathBuf>>,
    /// Locks of which it was said that they are waited for.
    awaited: Mutex<HashSet<PathBuf>>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Disk").field(&self.root).finish()
    }
}

/// Locks that are held until this is dropped.
#[derive(Debug)]
pub(super) struct Locked {
    folder: Option<fs::File>,
    _cache: fs::File,
}

impl Locked {
    /// Lets others write in the folder; the cache is still shared.
    pub(super) fn release_folder(&mut self) {
        self.folder = None;
    }
}

impl Disk {
    pub(super) fn new(root: PathBuf, warn: Box<dyn Fn(&str) + Send + Sync>) -> Self {
        Self { root, warn, cleared: Mutex::default(), awaited: Mutex::default() }
    }

    /// To write in `folder`, which is created: shares the cache with other writers, and has the folder alone.
    pub(super) fn lock_folder(&self, folder: &Path) -> Result<Locked, CacheError> {
        let cache = self.take(&self.root.join(LOCK), true)?;
        make_folder(folder).map_err(CacheError::write(folder))?;
        let mut locked = Locked { folder: None, _cache: cache };
        self.lock_again(&mut locked, folder)?;
        Ok(locked)
    }

    /// Has `folder` alone again.
    pub(super) fn lock_again(&self, locked: &mut Locked, folder: &Path) -> Result<(), CacheError> {
        locked.folder = Some(self.take(&folder.join(LOCK), false)?);
        if self.cleared.lock().insert(folder.to_owned()) {
            clear_leftovers(folder);
        }
        Ok(())
    }

    /// To remove anything anywhere: has the cache alone.
    pub(super) fn lock_everything(&self) -> Result<Locked, CacheError> {
        Ok(Locked { folder: None, _cache: self.take(&self.root.join(LOCK), false)? })
    }

    fn take(&self, path: &Path, is_shared: bool) -> Result<fs::File, CacheError> {
        let failed = || CacheError::write(path);
        let file = match regular(fs::OpenOptions::new().create(true).truncate(false).write(true)).open(path) {
            Ok(file) if file.metadata().map_err(failed())?.is_file() => file,
            Err(error) if !is_irregular(path) => return Err(failed()(error)),
            _ => return Err(CacheError::Irregular { path: path.to_owned() }),
        };
        let attempt = if is_shared { file.try_lock_shared() } else { file.try_lock() };
        let outcome = match attempt {
            Ok(()) => Ok(()),
            Err(TryLockError::Error(error)) => Err(error),
            Err(TryLockError::WouldBlock) => self.wait(&file, path, is_shared),
        };
        match outcome {
            // Some network file systems have no locks. Renames alone still keep every file whole there.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
            Err(error) => Err(failed()(error)),
            Ok(()) => Ok(file),
        }
    }

    /// Waits for a lock that is held, and says so, once a lock, when it takes long.
    fn wait(&self, file: &fs::File, path: &Path, is_shared: bool) -> io::Result<()> {
        let (held, waited) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                let is_long = waited.recv_timeout(LONG_WAIT) == Err(mpsc::RecvTimeoutError::Timeout);
                if is_long && self.awaited.lock().insert(path.to_owned()) {
                    (self.warn)(&format!(
                        "waiting for `{}`, which another program that writes or prunes this cache has locked",
                        path.display()
                    ));
                }
            });
            let outcome = if is_shared { file.lock_shared() } else { file.lock() };
            drop(held);
            outcome
        })
    }

    /// The content of a file of at most `most` bytes; `None` where there is none. What is no such file is removed.
    pub(super) fn read_or_drop(&self, path: &Path, most: u64) -> Result<Option<Vec<u8>>, CacheError> {
        match read(path, most) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Miss::Absent) => Ok(None),
            Err(Miss::Failed(error)) => Err(error),
            Err(Miss::Broken(flaw)) => {
                self.warn_of(path, flaw);
                // Where it cannot be removed it is not there each time.
                let _ = remove(path);
                Ok(None)
            }
        }
    }

    pub(super) fn warn(&self, text: &str) {
        (self.warn)(text);
    }

    /// Says that something foreign lay at `path`; of a crash or a full disk nothing is said.
    pub(super) fn warn_of(&self, path: &Path, flaw: Flaw) {
        if flaw.is_foreign() {
            (self.warn)(&format!("`{}` in the cache is {flaw}: it counts as absent", path.display()));
        }
    }
}

/// Removes temporary files whose program is gone. The folder's lock is held: whoever writes one without it holds a lock on the
/// file itself.
fn clear_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            continue;
        }
        // What cannot be removed now is left to `prune`.
        if let Ok(file) = open(&entry.path(), u64::MAX)
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// With what opens nothing but what is there itself, and does not wait for whoever is at the other end of a pipe.
fn regular(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
    }
    options
}

/// Whether something is at `path` that is no regular file.
fn is_irregular(path: &Path) -> bool {
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
    use std::sync::Arc;

    use super::*;

    /// A cache's folder, and what was said of it.
    fn disk() -> (tempfile::TempDir, Disk, Arc<Mutex<Vec<String>>>) {
        let folder = tempfile::tempdir().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&said);
        let disk = Disk::new(folder.path().to_owned(), Box::new(move |text| hears.lock().push(text.to_owned())));
        (folder, disk, said)
    }

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

    #[test]
    fn a_lock_that_is_held_is_waited_for_and_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let (tell, told) = mpsc::channel();
        let disk = Disk::new(folder.path().to_owned(), Box::new(move |text| tell.send(text.to_owned()).unwrap()));
        let held = disk.lock_everything().unwrap();
        let first = thread::scope(|scope| {
            for _ in 0..2 {
                // Let go by the thread that has it: the other may be the one that is joined first.
                scope.spawn(|| drop(disk.lock_folder(&folder.path().join("a")).unwrap()));
            }
            let first = told.recv().unwrap();
            drop(held);
            first
        });
        assert!(first.starts_with("waiting for `") && first.contains(LOCK), "{first}");
        assert_eq!(told.try_iter().count(), 0);
    }

    #[test]
    fn what_a_killed_program_left_goes_with_the_next_lock_and_what_is_written_stays() {
        let (folder, disk, _) = disk();
        let inner = folder.path().join("a");
        make_folder(&inner).unwrap();
        let left = inner.join(".tmp-left");
        fs_err::write(&left, [0; 50]).unwrap();
        let live = temporary(&inner.join("x")).unwrap();
        live.as_file().lock().unwrap();
        disk.lock_folder(&inner).unwrap();
        assert!(!left.exists() && live.path().exists());
    }

    #[cfg(unix)]
    #[test]
    fn what_is_kept_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let (folder, disk, _) = disk();
        let inner = folder.path().join("a/b");
        disk.lock_folder(&inner).unwrap();
        write_whole(&inner.join("file"), |to| to.write_all(b"x")).unwrap();
        let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([".lock", "file"].map(|name| mode(&inner.join(name))), [0o600; 2]);
        assert_eq!(["a", "a/b"].map(|name| mode(&folder.path().join(name))), [0o700; 2]);
    }

    #[cfg(unix)]
    #[test]
    fn only_a_regular_file_of_its_size_is_read_and_all_else_gives_way() {
        use std::os::unix::fs::symlink;
        type Make = fn(&Path);
        let (folder, disk, said) = disk();
        let path = folder.path().join("file");
        let pipe: Make = |path| {
            assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
        };
        let makes: [(Make, Flaw); 6] = [
            (pipe, Flaw::Irregular),
            (|path| symlink("/dev/zero", path).unwrap(), Flaw::Irregular),
            (|path| symlink(path, path).unwrap(), Flaw::Irregular),
            (|path| symlink("nowhere", path).unwrap(), Flaw::Irregular),
            (|path| fs_err::create_dir_all(path.join("inner")).unwrap(), Flaw::Irregular),
            (|path| fs_err::write(path, [0; 11]).unwrap(), Flaw::TooLarge),
        ];
        for (number, (make, flaw)) in makes.into_iter().enumerate() {
            make(&path);
            assert!(matches!(read(&path, 10), Err(Miss::Broken(found)) if found == flaw), "{number}");
            assert_eq!(disk.read_or_drop(&path, 10).unwrap(), None);
            assert_eq!(said.lock().len(), number + 1);
            assert!(fs::symlink_metadata(&path).is_err(), "{number}");
            // What is written takes its place.
            make(&path);
            write_whole(&path, |to| to.write_all(b"x")).unwrap();
            assert_eq!(disk.read_or_drop(&path, 10).unwrap().unwrap(), b"x");
            fs_err::remove_file(&path).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_that_is_no_file_is_said_at_once() {
        type Make = fn(&Path);
        let makes: [Make; 3] = [
            |path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()),
            |path| std::os::unix::fs::symlink("elsewhere", path).unwrap(),
            |path| fs_err::create_dir(path).unwrap(),
        ];
        for make in makes {
            let (folder, disk, _) = disk();
            make(&folder.path().join(LOCK));
            let error = disk.lock_folder(&folder.path().join("a")).unwrap_err();
            assert!(matches!(error, CacheError::Irregular { .. }), "{error}");
            assert!(!folder.path().join("elsewhere").exists());
        }
    }
}

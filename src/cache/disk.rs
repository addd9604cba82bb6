//! The cache's folder, and locks that keep writers apart.
//!
//! Readers take no lock. Writers share the lock of the cache and hold alone the lock of their commit's folder; only pruning takes
//! the lock of the cache alone, and so knows that a temporary file it sees is left over.

use std::{
    collections::HashSet,
    fmt,
    fs::{self, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use parking_lot::Mutex;

use super::{
    error::CacheError,
    file::{Flaw, Miss, TEMPORARY, is_irregular, make_folder, open, read, regular, remove},
};

/// The lock file of the cache, and of each commit's folder.
pub(super) const LOCK: &str = ".lock";

/// A wait for a lock that lasts longer is told.
const LONG_WAIT: Duration = Duration::from_secs(2);

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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::file::{temporary, write_whole},
        *,
    };

    /// A cache's folder, and what was said of it.
    fn disk() -> (tempfile::TempDir, Disk, Arc<Mutex<Vec<String>>>) {
        let folder = tempfile::tempdir().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&said);
        let disk = Disk::new(folder.path().to_owned(), Box::new(move |text| hears.lock().push(text.to_owned())));
        (folder, disk, said)
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

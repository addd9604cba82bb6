//! Files into a folder. Each is written beside its place and moved there, so that a reader sees the old file or the new one
//! and a full disk leaves no half.

use std::{
    collections::HashSet,
    fs::Permissions,
    io::{self, Write},
    path::{Component, Path, PathBuf},
};

use super::ReportError;
use crate::secret;

/// Writes `files` (name, bytes) into `folder`, which is created, and returns their paths in the same order. No text among them
/// holds a secret.
///
/// Names are checked before the first byte is written: each is the plain name of a file, and none stands twice.
pub fn write_reports(folder: &Path, files: Vec<(String, Vec<u8>)>) -> Result<Vec<PathBuf>, ReportError> {
    let mut seen = HashSet::new();
    for (name, _) in &files {
        if !is_plain(name) {
            return Err(ReportError::Name { name: name.clone() });
        }
        if !seen.insert(name.as_str()) {
            return Err(ReportError::Twice { name: name.clone() });
        }
    }
    check_folder(folder)?;
    fs_err::create_dir_all(folder)
        .map_err(|error| ReportError::Folder { path: folder.to_owned(), source: bare(&error) })?;
    let write = |(name, bytes): (String, Vec<u8>)| {
        let path = folder.join(name);
        match replace(folder, &path, &secret::hide_in(bytes)) {
            Ok(()) => Ok(path),
            Err(source) => Err(ReportError::Write { path, source }),
        }
    };
    files.into_iter().map(write).collect()
}

/// Refuses a file where the folder of a report should be. Whoever asks before the work is done saves it.
pub fn check_folder(folder: &Path) -> Result<(), ReportError> {
    if folder.exists() && !folder.is_dir() {
        return Err(ReportError::IsFile { path: folder.to_owned() });
    }
    Ok(())
}

fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".report-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any program creates a file: the user's umask takes away what it wants.
        builder.permissions(Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn is_plain(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == name)
        && !name.contains(['\\', '\0'])
}

/// The system's own error, without the path that the message already names.
fn bare(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;

    fn file(name: &str, text: &str) -> (String, Vec<u8>) {
        (name.to_owned(), text.as_bytes().to_vec())
    }

    #[test]
    fn files_stand_whole_in_a_new_folder_and_nothing_else_does() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("a/b");
        let paths = write_reports(&folder, vec![file("REPORT.md", "one"), file("report.json", "{}")]).unwrap();
        assert_eq!(paths, [folder.join("REPORT.md"), folder.join("report.json")]);
        write_reports(&folder, vec![file("REPORT.md", "two")]).unwrap();
        assert_eq!(fs_err::read_to_string(&paths[0]).unwrap(), "two");
        assert_eq!(fs_err::read_dir(&folder).unwrap().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_can_be_read_by_whom_the_umask_lets() {
        use std::os::unix::fs::PermissionsExt;
        let temp = tempfile::tempdir().unwrap();
        let plain = temp.path().join("plain");
        fs_err::File::create(&plain).unwrap();
        let paths = write_reports(temp.path(), vec![file("x.csv", "")]).unwrap();
        let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&paths[0]), mode(&plain));
    }

    #[test]
    fn a_name_that_leaves_the_folder_is_refused_before_anything_is_written() {
        let temp = tempfile::tempdir().unwrap();
        for name in ["../x", "/x", "a/b", "", ".", "..", "a\\b", "x/"] {
            let error = write_reports(temp.path(), vec![file("good", ""), file(name, "")]).unwrap_err();
            assert!(matches!(error, ReportError::Name { .. }), "{name}");
        }
        let twice = write_reports(temp.path(), vec![file("good", ""), file("good", "")]);
        assert!(matches!(twice, Err(ReportError::Twice { .. })));
        assert_eq!(fs_err::read_dir(temp.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_a_file_is_named_with_advice() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("taken");
        fs_err::File::create(&path).unwrap();
        let error = write_reports(&path, vec![file("x", "")]).unwrap_err();
        assert_eq!(error.to_string(), format!("`{}` is a file, and a report is a folder of files", path.display()));
        assert!(error.hint().is_some());
        let below = write_reports(&path.join("below"), vec![file("x", "")]).unwrap_err();
        assert!(matches!(below, ReportError::Folder { .. }), "{below}");
    }
}

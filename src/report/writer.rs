//! The files of a report into a folder. Each is written beside its place and moved there, so that a reader sees the old file or the new
//! one and a full disk leaves no half. What a former report left there and the new one does not replace is removed.

use std::{
    fs::Permissions,
    io::{self, BufReader, BufWriter, Write},
    path::{Component, Path, PathBuf},
    sync::mpsc::{SyncSender, sync_channel},
    thread,
};

use serde::Deserialize;

use super::{Format, Frames, Report, ReportError, WrittenFile, files, json};
use crate::{
    digest::{Digesting, sha256_hex},
    secret,
};

const JSON: &str = "report.json";

/// Bytes of text that are handed to the thread that writes them, and how many such pieces may wait for it.
const PIECE: usize = 1 << 16;
const WAITING: usize = 16;

/// What is in a folder after a report has been written into it.
#[derive(Debug)]
pub struct Written {
    /// The files of the report, in the order in which they were written.
    pub files: Vec<PathBuf>,
    /// Names of files of a former report that are gone.
    pub removed: Vec<String>,
}

/// Writes `report` and its `tables` into `folder`, which is created, in these formats; files of pictures with their titles where
/// `titled`. No text among the files holds a secret.
///
/// `report.json` comes last and lists the others. Those that a former one lists are removed where they are as they were written and
/// not part of the new report; what anybody else put there stays.
pub fn write_reports<'a>(
    folder: &Path,
    report: &Report,
    tables: impl Fn() -> Frames<'a>,
    formats: &[Format],
    titled: bool,
) -> Result<Written, ReportError> {
    let pages = files(report, formats, titled)?;
    let mut folder = Folder::open(folder)?;
    for (name, bytes) in pages {
        let bytes = secret::hide_in(bytes);
        folder.write(&name, |file| file.write_all(&bytes))?;
    }
    if formats.contains(&Format::Csv) {
        for table in tables().filter(|table| table.is_for(Format::Csv)) {
            let name = table.file().to_owned();
            folder.write_text(&name, |out| table.write_csv(out))?;
        }
    }
    if formats.contains(&Format::Json) {
        let written = folder.written.clone();
        folder.write_text(JSON, |out| json::write(out, report, tables(), &written))?;
    }
    folder.finish()
}

/// Writes other `files` (name, bytes) into `folder` in the same way, and removes nothing.
pub fn write_files(folder: &Path, files: Vec<(String, Vec<u8>)>) -> Result<Vec<PathBuf>, ReportError> {
    let mut folder = Folder { former: Vec::new(), ..Folder::open(folder)? };
    for (name, bytes) in files {
        let bytes = secret::hide_in(bytes);
        folder.write(&name, |file| file.write_all(&bytes))?;
    }
    Ok(folder.finish()?.files)
}

/// Refuses a file where the folder of a report should be, and a place where nothing can be made. Whoever asks before the work is done
/// saves it.
pub fn check_folder(folder: &Path) -> Result<(), ReportError> {
    if folder.exists() && !folder.is_dir() {
        return Err(ReportError::IsFile { path: folder.to_owned() });
    }
    let here = |path: &&Path| !path.as_os_str().is_empty();
    let above = folder.ancestors().filter(here).find(|path| path.exists()).unwrap_or(Path::new("."));
    // Gone again at once. A disk that is full may have room by then.
    match tempfile::tempdir_in(above).map(drop) {
        Err(error) if error.kind() != io::ErrorKind::StorageFull => {
            Err(ReportError::Folder { path: folder.to_owned(), source: bare(&error) })
        }
        _ => Ok(()),
    }
}

/// The folder of a report while it is filled.
struct Folder<'a> {
    path: &'a Path,
    former: Vec<WrittenFile>,
    written: Vec<WrittenFile>,
}

impl<'a> Folder<'a> {
    fn open(path: &'a Path) -> Result<Self, ReportError> {
        check_folder(path)?;
        fs_err::create_dir_all(path)
            .map_err(|error| ReportError::Folder { path: path.to_owned(), source: bare(&error) })?;
        Ok(Self { path, former: former(path), written: Vec::new() })
    }

    /// Writes text, without secrets. While a piece of it is looked through, digested and written, the next one is made.
    fn write_text(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), ReportError> {
        self.write(name, |file| {
            let (to, pieces) = sync_channel::<Vec<u8>>(WAITING);
            let mut hiding = secret::Hiding::new(file, |text| text);
            thread::scope(|scope| {
                let writer = thread::Builder::new().spawn_scoped(scope, move || {
                    pieces.into_iter().try_for_each(|piece| hiding.write_all(&piece))?;
                    hiding.finish().map(drop)
                })?;
                let mut pieces = Pieces { to, piece: Vec::with_capacity(PIECE) };
                let made = write(&mut pieces).and_then(|()| pieces.send());
                drop(pieces);
                // Where nothing can be written, nothing can be handed on: that is the reason to tell.
                writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(made)
            })
        })
    }

    /// Writes a file; its name must be that of a plain file, and not stand twice.
    fn write(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
    ) -> Result<(), ReportError> {
        if !is_plain(name) {
            return Err(ReportError::Name { name: name.to_owned() });
        }
        if self.written.iter().any(|file| file.name == name) {
            return Err(ReportError::Twice { name: name.to_owned() });
        }
        let path = self.path.join(name);
        match replace(self.path, &path, write) {
            Ok((bytes, sha256)) => self.written.push(WrittenFile { name: name.to_owned(), bytes, sha256 }),
            Err(source) => return Err(ReportError::Write { path, source }),
        }
        Ok(())
    }

    /// Removes what the former report listed and this one has not.
    fn finish(self) -> Result<Written, ReportError> {
        let is_new = |name: &str| self.written.iter().any(|file| file.name == name);
        let mut removed = Vec::new();
        for file in self.former.into_iter().filter(|file| is_plain(&file.name) && !is_new(&file.name)) {
            let path = self.path.join(&file.name);
            // What was changed since is its owner's.
            let is_as_written = file.name == JSON
                || fs_err::read(&path)
                    .is_ok_and(|bytes| bytes.len() as u64 == file.bytes && sha256_hex(&bytes) == file.sha256);
            if is_as_written {
                fs_err::remove_file(&path).map_err(|error| ReportError::Write { path, source: bare(&error) })?;
                removed.push(file.name);
            }
        }
        Ok(Written { files: self.written.iter().map(|file| self.path.join(&file.name)).collect(), removed })
    }
}

/// Text on its way to the thread that writes it.
struct Pieces {
    to: SyncSender<Vec<u8>>,
    piece: Vec<u8>,
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.to.send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The files that the `report.json` in `folder` lists, and itself; none where there is none of ours.
fn former(folder: &Path) -> Vec<WrittenFile> {
    #[derive(Deserialize)]
    struct Former {
        #[serde(rename = "schema_version")]
        _schema_version: u32,
        files: Vec<WrittenFile>,
    }
    let file = fs_err::File::open(folder.join(JSON)).ok();
    // A report of many pairs is not held in memory to find the end of it.
    let found = file.and_then(|file| serde_json::from_reader::<_, Former>(BufReader::new(file)).ok());
    found.map_or_else(Vec::new, |Former { mut files, .. }| {
        files.push(WrittenFile { name: JSON.to_owned(), bytes: 0, sha256: String::new() });
        files
    })
}

fn replace(
    folder: &Path,
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<(u64, String)> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".report-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any program creates a file: the user's umask takes away what it wants.
        builder.permissions(Permissions::from_mode(0o666));
    }
    let file = BufWriter::new(builder.tempfile_in(folder)?);
    let mut counted = Digesting::new(file);
    write(&mut counted)?;
    let (inner, sha256, bytes) = counted.finish();
    let file = inner.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok((bytes, sha256))
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

    fn write(folder: &Path, files: &[(&str, &str)]) -> Result<Vec<String>, ReportError> {
        let mut folder = Folder::open(folder)?;
        for (name, text) in files {
            folder.write_text(name, |out| out.write_all(text.as_bytes()))?;
        }
        folder.finish().map(|written| written.removed)
    }

    #[test]
    fn files_stand_whole_in_a_new_folder_and_nothing_else_does() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("a/b");
        write(&folder, &[("REPORT.md", "one"), ("pairs.csv", "{}")]).unwrap();
        write(&folder, &[("REPORT.md", "two")]).unwrap();
        assert_eq!(fs_err::read_to_string(folder.join("REPORT.md")).unwrap(), "two");
        assert_eq!(fs_err::read_dir(&folder).unwrap().count(), 2);
    }

    #[test]
    fn a_text_that_ends_with_an_error_leaves_no_file() {
        let temp = tempfile::tempdir().unwrap();
        let text = |out: &mut dyn Write| {
            (0..100_000).try_for_each(|n| writeln!(out, "{n}"))?;
            Err(io::Error::other("no more"))
        };
        let error = Folder::open(temp.path()).unwrap().write_text("half.csv", text).unwrap_err();
        assert!(matches!(&error, ReportError::Write { source, .. } if source.to_string() == "no more"), "{error}");
        assert_eq!(fs_err::read_dir(temp.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_former_report_lists_goes_and_what_others_wrote_stays() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        let report = || Report { command: "survey", ..Report::default() };
        let table = |name: &'static str| {
            move || Box::new([super::super::Frame::new(name, ["n"], [])].into_iter()) as Frames<'_>
        };
        let formats = [Format::Csv, Format::Json, Format::Md];
        write_reports(temp.path(), &report(), table("old.csv"), &formats, true).unwrap();
        fs_err::write(at("mine.csv"), "mine").unwrap();
        let again = write_reports(temp.path(), &report(), table("new.csv"), &formats, true).unwrap();
        assert_eq!(again.removed, ["old.csv"]);
        let names: Vec<_> = again.files.iter().map(|path| path.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["REPORT.md", "new.csv", "report.json"]);
        // What somebody changed is theirs.
        fs_err::write(at("new.csv"), "changed").unwrap();
        let last = write_reports(temp.path(), &report(), table("last.csv"), &[Format::Csv], true).unwrap();
        assert_eq!(last.removed, ["REPORT.md", "report.json"]);
        assert!(["mine.csv", "new.csv", "last.csv"].iter().all(|name| at(name).exists()));
    }

    #[test]
    fn a_list_that_names_files_elsewhere_removes_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("out");
        fs_err::create_dir(&folder).unwrap();
        fs_err::write(temp.path().join("keep"), "").unwrap();
        let sha256 = sha256_hex(b"");
        let listed =
            serde_json::json!({ "schema_version": 1, "files": [{ "name": "../keep", "bytes": 0, "sha256": sha256 }] });
        fs_err::write(folder.join(JSON), listed.to_string()).unwrap();
        assert_eq!(write(&folder, &[("a.csv", "")]).unwrap(), [JSON]);
        assert!(temp.path().join("keep").exists());
        // One that another program wrote is not ours.
        fs_err::write(folder.join(JSON), "{\"files\": []}").unwrap();
        assert_eq!(write(&folder, &[("a.csv", "")]).unwrap(), [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_can_be_read_by_whom_the_umask_lets() {
        use std::os::unix::fs::PermissionsExt;
        let temp = tempfile::tempdir().unwrap();
        let plain = temp.path().join("plain");
        fs_err::File::create(&plain).unwrap();
        write(temp.path(), &[("x.csv", "")]).unwrap();
        let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&temp.path().join("x.csv")), mode(&plain));
    }

    #[test]
    fn a_name_that_leaves_the_folder_is_refused_and_so_is_one_that_stands_twice() {
        let temp = tempfile::tempdir().unwrap();
        for name in ["../x", "/x", "a/b", "", ".", "..", "a\\b", "x/"] {
            let error = write(temp.path(), &[(name, "")]).unwrap_err();
            assert!(matches!(error, ReportError::Name { .. }), "{name}");
        }
        assert_eq!(fs_err::read_dir(temp.path()).unwrap().count(), 0);
        let twice = write(temp.path(), &[("good", ""), ("good", "")]);
        assert!(matches!(twice, Err(ReportError::Twice { .. })));
    }

    #[test]
    fn a_folder_that_is_a_file_is_named_with_advice() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("taken");
        fs_err::File::create(&path).unwrap();
        let error = write(&path, &[("x", "")]).unwrap_err();
        assert_eq!(error.to_string(), format!("`{}` is a file, and a report is a folder of files", path.display()));
        assert!(error.hint().is_some());
        let below = write(&path.join("below"), &[("x", "")]).unwrap_err();
        assert!(matches!(below, ReportError::Folder { .. }), "{below}");
    }
}

//! An error as a person reads it: what, why, and what to do.

use std::{io, path::Path};

use hub_audit::{
    Error, Hint,
    spec::{ModelSource, ModelSpec},
};

use super::printer::Printer;

/// Prints `error:`, `caused by:` and `hint:` lines.
pub(crate) fn render(error: &anyhow::Error, printer: &Printer) {
    let mut lines = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // A transparent layer says what its source says: once is enough.
        if lines.last().is_some_and(|(_, last): &(&str, String)| *last == text) {
            continue;
        }
        lines.push((if lines.is_empty() { "error" } else { "caused by" }, text));
    }
    if let Some(hint) = error.chain().find_map(|cause| cause.downcast_ref::<Error>().and_then(Hint::hint)) {
        lines.push(("hint", hint));
    }
    printer.error(&lines);
}

/// What to do where a folder has the name of a model that could not be read: whoever meant it forgot two characters.
pub(crate) fn folder_of_this_name(name: &str) -> Option<String> {
    let is_here = Path::new(name).is_dir();
    is_here.then(|| format!("there is a folder of this name: write ./{name} to read it"))
}

/// Says so of a model of the Hub.
pub(crate) fn hint_at_folder(spec: &ModelSpec, printer: &Printer) {
    if let (ModelSource::Hub { .. }, Some(hint)) = (&spec.source, folder_of_this_name(&spec.to_string())) {
        printer.error(&[("hint", hint)]);
    }
}

/// Prints a library error that stands for one model among several.
pub(crate) fn render_model(error: &Error, printer: &Printer) {
    let mut lines = vec![("error", error.to_string())];
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let text = cause.to_string();
        if lines.last().is_none_or(|(_, last)| *last != text) {
            lines.push(("caused by", text));
        }
        source = cause.source();
    }
    lines.extend(error.hint().map(|hint| ("hint", hint)));
    printer.error(&lines);
}

/// Whether the error is that nobody reads our output any more.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

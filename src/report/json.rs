//! `report.json`: every table of an answer as an array of objects, one a line, with what the numbers rest on. Rows are written as they
//! are made, so that a list of many pairs is never held. What is absent has no field in a row, and the row says why.

use std::io::{self, Write};

use serde::Serialize;

use super::{Format, Frames, Provenance, Report, WrittenFile};

/// Number of the fields' names and meanings, which docs/report.schema.json gives; one more with each change that breaks a reader.
pub const SCHEMA_VERSION: u32 = 1;

/// The answer as data: the tables of `report`, and the files beside it.
pub fn write(out: &mut dyn Write, report: &Report, tables: Frames<'_>, files: &[WrittenFile]) -> io::Result<()> {
    let mut document = Document::begin(out, report.command, report.synthetic, &report.provenance)?;
    document.field("settings", &report.settings)?;
    document.rows("models", &report.provenance.models)?;
    document.tables(tables)?;
    document.rows("excluded", &report.provenance.excluded)?;
    document.rows("files", files)?;
    document.end()
}

/// A JSON object while it is written: one line a field, and one a row of a table.
pub struct Document<'w> {
    out: &'w mut dyn Write,
}

impl std::fmt::Debug for Document<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document").finish_non_exhaustive()
    }
}

impl<'w> Document<'w> {
    /// Writes what every document begins with.
    pub fn begin(
        out: &'w mut dyn Write,
        command: &str,
        synthetic: bool,
        provenance: &Provenance,
    ) -> io::Result<Document<'w>> {
        write!(out, "{{\n  \"schema_version\": {SCHEMA_VERSION}")?;
        let mut document = Document { out };
        document.field("command", command)?;
        document.field("synthetic", &synthetic)?;
        document.field("provenance", provenance)?;
        Ok(document)
    }

    /// One field.
    pub fn field(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
        self.name(name)?;
        self.value(value)
    }

    /// An array with a line for each of `rows`.
    pub fn rows(&mut self, name: &str, rows: impl IntoIterator<Item = impl Serialize>) -> io::Result<()> {
        self.name(name)?;
        self.lines(["[", "]"], "    ", rows, |document, row| document.value(&row))
    }

    /// Each table under its name; labelled matrices together under `matrices`, by theirs.
    pub fn tables(&mut self, tables: Frames<'_>) -> io::Result<()> {
        let mut tables = tables.filter(|table| table.is_for(Format::Json)).peekable();
        while let Some(table) = tables.next_if(|table| !table.is_matrix()) {
            self.name(table.name())?;
            self.lines(["[", "]"], "    ", table.json(",\n    "), |document, rows| document.out.write_all(&rows?))?;
        }
        if tables.peek().is_none() {
            return Ok(());
        }
        self.name("matrices")?;
        self.lines(["{", "}"], "    ", tables, |document, matrix| {
            document.value(matrix.name())?;
            document.out.write_all(b": {\"columns\": ")?;
            document.value(matrix.labels())?;
            document.out.write_all(b", \"rows\": ")?;
            let rows = matrix.json(",\n      ");
            document.lines(["[", "]"], "      ", rows, |document, rows| document.out.write_all(&rows?))?;
            document.out.write_all(b"}")
        })
    }

    /// Ends the document.
    pub fn end(self) -> io::Result<()> {
        self.out.write_all(b"\n}\n")
    }

    fn name(&mut self, name: &str) -> io::Result<()> {
        write!(self.out, ",\n  \"{name}\": ")
    }

    fn value(&mut self, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
        Ok(serde_json::to_writer(&mut *self.out, value)?)
    }

    /// `items` between brackets, a line each.
    fn lines<T>(
        &mut self,
        [open, close]: [&str; 2],
        indent: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> io::Result<()>,
    ) -> io::Result<()> {
        self.out.write_all(open.as_bytes())?;
        let mut is_empty = true;
        for item in items {
            write!(self.out, "{}\n{indent}", if is_empty { "" } else { "," })?;
            write(self, item)?;
            is_empty = false;
        }
        if !is_empty {
            write!(self.out, "\n{}", &indent[2..])?;
        }
        self.out.write_all(close.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{
        super::{Cell, Digits, Frame, each_reason, model::tests::sample},
        *,
    };
    use crate::metric::Undefined;

    fn tables() -> Frames<'static> {
        let row = |at: usize| {
            let r = if at == 1 { Cell::undefined("ZeroNorm") } else { Cell::number(0.25, Digits::Fixed(1)) };
            let reasons = each_reason(&["r"], std::slice::from_ref(&r));
            let page_only = Cell::text("label");
            vec![Cell::code("a\"b"), Cell::count(at), Cell::layer("46 (MTP)"), Cell::Flag(true), r, reasons, page_only]
        };
        let columns = ["model", "layer", "place", "mtp", "r", "undefined"];
        let pairs = Frame::new("pairs.csv", columns, (0..2).map(row)).with_page_columns(&["label"]);
        let none = Frame::new("groups.csv", ["n"], std::iter::empty());
        let labels = [vec!["a".into(), "b".into()], vec!["c".into()]];
        let square =
            Frame::matrix("matrix_r.csv", labels, |row, _| if row == 0 { Ok(1.0) } else { Err(Undefined::Shape) });
        Box::new([pairs, none, square].into_iter())
    }

    fn written() -> String {
        let mut bytes = Vec::new();
        let file = WrittenFile { name: "pairs.csv".into(), bytes: 3, sha256: "ab".into() };
        write(&mut bytes, &sample(), tables(), &[file]).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn tables_are_arrays_of_objects_and_what_is_absent_has_no_field_and_a_reason() {
        let value: Value = serde_json::from_str(&written()).unwrap();
        assert_eq!((&value["schema_version"], &value["command"]), (&json!(1), &json!("survey")));
        let first = json!({ "model": "a\"b", "layer": 0, "place": "46 (MTP)", "mtp": true, "r": 0.25 });
        assert_eq!(value["pairs"][0], first);
        let second =
            json!({ "model": "a\"b", "layer": 1, "place": "46 (MTP)", "mtp": true, "undefined": { "r": "ZeroNorm" } });
        assert_eq!(value["pairs"][1], second);
        assert_eq!(value["groups"], json!([]));
        let rows = json!([{ "label": "a", "values": [1.0] }, { "label": "b", "values": [null] }]);
        assert_eq!(value["matrices"]["matrix_r"], json!({ "columns": ["c"], "rows": rows }));
        assert_eq!(value["models"][0]["files"][0]["size"], 1234);
        assert_eq!(value["excluded"][0]["reason"], "shape differs");
        assert_eq!(value["files"], json!([{ "name": "pairs.csv", "bytes": 3, "sha256": "ab" }]));
        assert!(value["provenance"].get("models").is_none());
    }

    #[test]
    fn a_row_is_a_line() {
        let text = written();
        assert!(
            text.starts_with("{\n  \"schema_version\": 1,\n  \"command\": \"survey\",\n") && text.ends_with("\n}\n")
        );
        assert!(text.contains("\"pairs\": [\n    {\"model\":\"a\\\"b\",\"layer\":0,"), "{text}");
        assert_eq!(text, written());
    }
}

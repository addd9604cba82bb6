//! What is written is what docs/outputs.md says, file by file and column by column; the JSON is as docs/report.schema.json says, and a
//! table is the same in both. `UPDATE_SCHEMA=1` makes the schema anew from the page.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::{
    golden,
    support::{Workspace, is_one_of},
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/outputs.md");
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/report.schema.json");

/// A table or an object of the page.
struct Entry {
    /// `pairs.csv`, `models[]` or `provenance`.
    name: String,
    commands: Vec<String>,
    about: String,
    /// Name, type and meaning of each column.
    columns: Vec<[String; 3]>,
}

fn entries() -> Vec<Entry> {
    let page = fs_err::read_to_string(PAGE).unwrap();
    let heading = Regex::new(r"^### `([^`]+)` \(([^)]+)\)$").unwrap();
    let row = Regex::new(r"^\| `([^`]+)` \| ([^|]+) \| (.*) \|$").unwrap();
    let mut entries: Vec<Entry> = Vec::new();
    for line in page.lines() {
        if let Some(found) = heading.captures(line) {
            let commands = found[2].split(", ").map(str::to_owned).collect();
            entries.push(Entry { name: found[1].to_owned(), commands, about: String::new(), columns: Vec::new() });
        } else if let (Some(found), Some(entry)) = (row.captures(line), entries.last_mut()) {
            entry.columns.push([1, 2, 3].map(|group| found[group].replace("\\|", "|")));
        } else if let Some(entry) = entries.last_mut()
            && entry.columns.is_empty()
            && !line.is_empty()
            && !line.starts_with('|')
        {
            entry.about = format!("{} {line}", entry.about).trim().to_owned();
        }
    }
    entries
}

fn of_type(name: &str) -> Value {
    let (name, may_be_null) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
    if let Some(item) = name.strip_prefix("list of ") {
        return json!({ "type": "array", "items": of_type(item) });
    }
    let mut types: Vec<&str> = name
        .split(" or ")
        .map(|name| match name {
            "text" => "string",
            "map" => "object",
            name => name,
        })
        .collect();
    assert!(types.iter().all(|name| ["string", "integer", "number", "boolean", "object"].contains(name)), "{name}");
    types.extend(may_be_null.then_some("null"));
    let mut schema = if types.len() == 1 { json!({ "type": types[0] }) } else { json!({ "type": types }) };
    if name == "map" {
        schema["additionalProperties"] = json!({ "type": "string" });
    }
    schema
}

/// Whether its rows come from a table, in which what is absent has no field.
fn is_table(entry: &Entry) -> bool {
    entry.name.strip_suffix(".csv").is_some() || entry.about.starts_with("In the JSON of")
}

fn of_entry(entry: &Entry) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for [name, kind, meaning] in &entry.columns {
        let (kind, is_optional) = kind.strip_suffix(", optional").map_or((kind.as_str(), false), |kind| (kind, true));
        let mut schema = of_type(kind);
        schema["description"] = json!(meaning);
        properties.insert(name.clone(), schema);
        // Of the settings each command has its own.
        let may_lack = is_optional || (is_table(entry) && kind.ends_with('?'));
        if !may_lack && entry.name != "settings" {
            required.push(name);
        }
    }
    json!({
        "type": "object", "description": entry.about, "properties": properties, "required": required, "additionalProperties": false,
    })
}

/// The schema that the page amounts to.
fn schema() -> Value {
    let mut definitions = Map::new();
    let mut commands: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for entry in entries() {
        let key = entry.name.trim_end_matches(".csv").trim_end_matches("[]");
        let is_object = key == entry.name;
        let name =
            if definitions.contains_key(key) { format!("{key}_of_{}", entry.commands[0]) } else { key.to_owned() };
        let refers = json!({ "$ref": format!("#/$defs/{name}") });
        let field = if is_object { refers } else { json!({ "type": "array", "items": refers }) };
        // Of its CSV the JSON of `inspect` has the same in `models`.
        let in_json = |command: &&String| !(entry.name.strip_suffix(".csv").is_some() && **command == "inspect");
        let of: Vec<&String> = entry.commands.iter().filter(in_json).collect();
        if !of.is_empty() {
            definitions.insert(name, of_entry(&entry));
        }
        for command in of {
            commands.entry(command.clone()).or_default().insert(key.to_owned(), field.clone());
        }
    }
    definitions.insert(
        "matrix".to_owned(),
        json!({
            "type": "object", "description": "A labelled matrix.", "required": ["columns", "rows"], "additionalProperties": false,
            "properties": {
                "columns": { "type": "array", "items": { "type": "string" } },
                "rows": { "type": "array", "items": {
                    "type": "object", "required": ["label", "values"], "additionalProperties": false,
                    "properties": {
                        "label": { "type": "string" },
                        "values": { "type": "array", "items": { "type": ["number", "null"] } },
                    },
                } },
            },
        }),
    );
    let answers = commands.into_iter().map(|(command, fields)| {
        let mut properties = Map::new();
        properties.insert("schema_version".to_owned(), json!({ "const": 1 }));
        properties.insert("command".to_owned(), json!({ "const": command }));
        properties.insert("synthetic".to_owned(), json!({ "type": "boolean" }));
        let always = ["provenance", "settings", "models", "excluded", "files", "comparable"];
        let always = always.into_iter().filter(|name| fields.contains_key(*name));
        let required: Vec<&str> = ["schema_version", "command", "synthetic"].into_iter().chain(always).collect();
        let required = json!(required);
        properties.extend(fields);
        if ["survey", "layers", "lineage"].contains(&command.as_str()) {
            let matrices = json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/matrix" } });
            properties.insert("matrices".to_owned(), matrices);
        }
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "report.json and --format json of hub-audit",
        "oneOf": answers.collect::<Vec<_>>(),
        "$defs": definitions,
    })
}

/// Where `value` is not as `schema` says, in as much of JSON Schema as [`schema`] uses.
fn faults(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        return faults(root, &root["$defs"][name.trim_start_matches("#/$defs/")], value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let of = |choice: &&Value| choice["properties"]["command"]["const"] == value["command"];
        let Some(choice) = choices.iter().find(of) else { return vec![format!("{at}: no command")] };
        return faults(root, choice, value, at);
    }
    let mut found = Vec::new();
    if schema.get("const").is_some_and(|constant| constant != value) {
        found.push(format!("{at}: {value} instead of {}", schema["const"]));
    }
    let is_of = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        name => name.as_str().map_or_else(Vec::new, |name| vec![name]),
    };
    if !types.is_empty() && !types.iter().any(|name| is_of(name)) {
        found.push(format!("{at}: {value} is no {types:?}"));
    }
    for item in value.as_array().into_iter().flatten() {
        if schema.get("items").is_some() {
            found.extend(faults(root, &schema["items"], item, &format!("{at}[]")));
        }
    }
    if let Some(object) = value.as_object() {
        let lacks = |name: &&Value| !object.contains_key(name.as_str().unwrap());
        let lacking = schema["required"].as_array().into_iter().flatten().filter(lacks);
        found.extend(lacking.map(|name| format!("{at}: no {name}")));
        for (name, field) in object {
            let at = format!("{at}.{name}");
            match (&schema["properties"][name], schema.get("additionalProperties")) {
                (Value::Null, Some(Value::Bool(false))) => found.push(format!("{at} is not in the schema")),
                (Value::Null, Some(other)) => found.extend(faults(root, other, field, &at)),
                (Value::Null, None) => {}
                (of_field, _) => found.extend(faults(root, of_field, field, &at)),
            }
        }
    }
    found.truncate(20);
    found
}

/// What is seen over all runs.
struct Seen {
    schema: Value,
    entries: Vec<Entry>,
    /// (command, name) of tables, and of fields of objects.
    names: BTreeSet<(String, String)>,
}

impl Seen {
    fn entry(&mut self, command: &str, name: &str) -> Option<&Entry> {
        self.names.insert((command.to_owned(), name.to_owned()));
        self.entries.iter().find(|entry| entry.name == name && entry.commands.iter().any(|of| of == command))
    }

    /// A CSV file: its heading, and its rows beside those of the JSON.
    fn csv(&mut self, command: &str, name: &str, text: &str, report: Option<&Value>) {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let heading: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let rows: Vec<csv::StringRecord> = reader.into_records().map(Result::unwrap).collect();
        let key = name.trim_end_matches(".csv");
        if name.starts_with("matrix_") {
            let matrix = &report.unwrap()["matrices"][key];
            assert_eq!(json!(heading[1..]), matrix["columns"], "{name}");
            for (row, of_json) in rows.iter().zip(matrix["rows"].as_array().unwrap()) {
                let values = of_json["values"].as_array().unwrap();
                assert!(row.iter().skip(1).zip(values).all(|(cell, value)| is_same(cell, value)), "{name}: {row:?}");
            }
            assert_eq!(matrix["rows"].as_array().map(Vec::len), Some(rows.len()), "{name}");
            return;
        }
        let entry = self.entry(command, name).unwrap_or_else(|| panic!("{command}: {name} is not in the page"));
        let columns: Vec<&String> = entry.columns.iter().map(|[column, ..]| column).collect();
        assert_eq!(heading.iter().collect::<Vec<_>>(), columns, "{command}: {name}");
        let Some(of_json) = report.map(|report| report[key].as_array().unwrap()) else { return };
        // Pairs of unequal shapes are in a survey's JSON by model alone.
        let is_there = |row: &&csv::StringRecord| {
            !(command == "survey"
                && key == "pairs"
                && row.iter().next_back().is_some_and(|reason| reason.starts_with("all:")))
        };
        let rows: Vec<_> = rows.iter().filter(is_there).collect();
        assert_eq!(of_json.len(), rows.len(), "{command}: {name}");
        for (row, of_json) in rows.into_iter().zip(of_json) {
            for (column, cell) in heading.iter().zip(row) {
                assert!(is_same(cell, &of_json[column]), "{command}: {name}, {column}: {cell} and {}", of_json[column]);
            }
        }
    }

    fn json(&mut self, command: &str, text: &str) -> Value {
        let report: Value = serde_json::from_str(text).unwrap();
        assert_eq!(report["command"], command);
        let found = faults(&self.schema, &self.schema, &report, command);
        assert!(found.is_empty(), "{found:#?}");
        for name in report.as_object().unwrap().keys() {
            for name in [name.clone(), format!("{name}[]")] {
                self.entry(command, &name);
            }
        }
        report
    }
}

/// Whether a cell of the CSV and a value of the JSON are the same.
fn is_same(cell: &str, value: &Value) -> bool {
    match value {
        Value::Null => cell.is_empty(),
        Value::Bool(flag) => cell == flag.to_string(),
        Value::Number(number) => cell.parse::<f64>().ok() == number.as_f64(),
        Value::String(text) => cell == text || cell.strip_prefix('\'') == Some(text),
        Value::Object(reasons) => {
            let reasons = reasons.iter().map(|(name, reason)| format!("{name}:{}", reason.as_str().unwrap()));
            cell == reasons.collect::<Vec<_>>().join(";")
        }
        Value::Array(_) => false,
    }
}

#[test]
fn every_file_and_column_is_on_the_page_and_in_the_schema() {
    let schema = schema();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs_err::write(SCHEMA, &text).unwrap();
    }
    assert!(fs_err::read_to_string(SCHEMA).unwrap() == text, "UPDATE_SCHEMA=1 makes docs/report.schema.json anew");
    let at = golden::small_models();
    let mut seen = Seen { schema, entries: entries(), names: BTreeSet::new() };
    let reports = [
        "survey o/a o/b o/c o/d --role norms --group near=o/a,o/b --group far=o/c,o/d --trials 3",
        "survey o/a o/d --pairing all",
        "survey o/a o/b o/d --lineage",
        "layers o/a o/d --role norms",
        "layers o/a --role matrices --effective-rank",
        "compare o/a o/b --chunks",
        "compare o/a o/g",
        "lineage o/a o/b o/d --chunks",
        "embeddings o/a o/c --tokens 20",
        "embeddings o/a o/b --same-id --tokens all",
        "critique --demo",
        "critique --demo --lineage",
    ];
    for (number, words) in reports.iter().enumerate() {
        let folder = format!("out{number}");
        let command = words.split(' ').next().unwrap();
        let output = ["-o", &folder, "--formats", "csv,json"];
        let words: Vec<&str> = words.split(' ').chain(output).collect();
        at.run(&words);
        let report = seen.json(command, &at.read(&format!("{folder}/report.json")));
        let files = Workspace::files(&at.path().join(&folder));
        let listed = report["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap().to_owned());
        let listed: BTreeSet<String> = listed.chain(["report.json".to_owned()]).collect();
        assert_eq!(listed, files.iter().map(|(name, _)| name.clone()).collect(), "{words:?}");
        for (name, bytes) in files.iter().filter(|(name, _)| is_one_of(name, &["csv"])) {
            seen.csv(command, name, std::str::from_utf8(bytes).unwrap(), Some(&report));
        }
    }
    let printed = [
        ("tensors.csv", "hash o/a o/q"),
        ("matches.csv", "hash o/a o/twin --matches"),
        ("equal_files.csv", "hash o/a o/twin --files"),
        ("listed_files.csv", "hash o/a --files"),
        ("chunk_tensors.csv", "hash --chunks o/a o/twin"),
        ("chunk_pairs.csv", "hash --chunks o/a o/twin --pairs"),
        ("tensors.csv", "fetch o/a --role norms"),
        ("tensors.csv", "fetch o/q --role down_proj"),
        ("cached_models.csv", "cache ls"),
        ("cached_tensors.csv", "cache ls --tensors"),
        ("models.csv", "inspect o/a o/q"),
        ("tensors.csv", "inspect o/q --tensors"),
    ];
    for (table, words) in printed {
        let command = words.split(' ').next().unwrap();
        let print = |format| {
            let words: Vec<&str> = words.split(' ').chain(["--format", format, "-q"]).collect();
            at.run(&words).expect(0).stdout
        };
        let report = seen.json(command, &print("json"));
        seen.csv(command, table, &print("csv"), (command != "inspect").then_some(&report));
    }
    let written: BTreeSet<(String, String)> = seen.names;
    let lacking: Vec<(&String, &String)> = seen
        .entries
        .iter()
        .flat_map(|entry| entry.commands.iter().map(move |command| (command, &entry.name)))
        .filter(|&(command, name)| !written.contains(&(command.clone(), name.clone())))
        .collect();
    assert!(lacking.is_empty(), "on the page, and in no run: {lacking:?}");
}

#[test]
fn the_main_table_is_printed_as_csv_and_the_pairs_are_named_fields() {
    let mut at = Workspace::with_llama(2, 64);
    at.llama("o/b", 2, 2, 64);
    at.serve();
    let survey = ["survey", "o/a", "o/b", "--layers", "1", "-q", "--format"];
    let csv = at.run(&[&survey[..], &["csv"]].concat()).expect(0).stdout;
    assert_eq!(csv.lines().count(), 2);
    let printed = at.run(&[&survey[..], &["json"]].concat()).expect(0).stdout;
    let report: Value = serde_json::from_str(&printed).unwrap();
    let row = &crate::support::rows(&csv)[0];
    assert_eq!(report["pairs"][0]["pearson"].as_f64(), row["pearson"].parse().ok());
    assert_eq!(report["pairs"][0]["tensor_a"], "model.layers.1.input_layernorm.weight");
    assert_eq!(report["provenance"]["endpoint"], "http://HUB");
    assert_eq!(report["files"], json!([]));
}

#[test]
fn files_of_a_former_report_go_and_those_of_others_stay() {
    let mut at = Workspace::with_llama(3, 64);
    at.llama("o/b", 2, 3, 64);
    at.serve();
    let survey = ["survey", "o/a", "o/b", "-o", "out", "--formats", "csv,json,svg"];
    at.run(&survey).expect(0);
    let former: BTreeSet<String> = Workspace::files(&at.path().join("out")).into_iter().map(|(name, _)| name).collect();
    fs_err::write(at.path().join("out/mine.svg"), "mine").unwrap();
    let outcome = at.run(&[&survey[..], &["--layers", "1"]].concat()).expect(0);
    assert!(outcome.stderr.contains(" files of the former report there\n"), "{outcome}");
    let now: BTreeSet<String> = Workspace::files(&at.path().join("out")).into_iter().map(|(name, _)| name).collect();
    assert!(now.contains("mine.svg") && former.iter().any(|name| !now.contains(name)), "{now:?}");
    let report: Value = serde_json::from_str(&at.read("out/report.json")).unwrap();
    let listed = report["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap().to_owned());
    let listed: BTreeSet<String> = listed.chain(["report.json".to_owned(), "mine.svg".to_owned()]).collect();
    assert_eq!(listed, now);
    // The same report again removes nothing.
    let outcome = at.run(&[&survey[..], &["--layers", "1"]].concat()).expect(0);
    assert!(!outcome.stderr.contains("former report"), "{outcome}");
}

#[test]
fn a_picture_is_a_page_of_pdf_where_that_is_asked_for() {
    let mut at = Workspace::with_llama(2, 64);
    at.llama("o/b", 2, 2, 64);
    at.serve();
    let survey = ["survey", "o/a", "o/b", "--layers", "1", "-q", "--formats"];
    at.run(&[&survey[..], &["json,md,svg,pdf", "-o", "out"]].concat()).expect(0);
    let files = Workspace::files(&at.path().join("out"));
    let named = |end: &str| files.iter().filter_map(|(name, _)| name.strip_suffix(end)).collect::<Vec<_>>();
    assert_eq!(named(".pdf"), named(".svg"));
    let report: Value = serde_json::from_str(&at.read("out/report.json")).unwrap();
    let listed = |name: &str| report["files"].as_array().unwrap().iter().any(|file| file["name"] == name);
    for (name, bytes) in files.iter().filter(|(name, _)| is_one_of(name, &["pdf"])) {
        assert!(bytes.starts_with(b"%PDF-1.7\n") && bytes.ends_with(b"%%EOF") && listed(name), "{name}");
        // One page, titled as the picture is, with its font in it.
        let text = String::from_utf8_lossy(bytes);
        assert!(text.contains("/Count 1\n") && text.contains("/Title (input_layernorm, layer 1)"), "{text}");
        assert!(text.contains("+DejaVuSans\n") && text.contains("/FontFile2 "), "{text}");
    }
    assert!(
        at.read("out/REPORT.md").contains("](heatmap_input_layernorm_1.svg)"),
        "no browser shows a PDF as a picture"
    );
    // The same again, and none of a former report.
    at.run(&[&survey[..], &["pdf", "-o", "again"]].concat()).expect(0);
    let page = |folder: &str| fs_err::read(at.path().join(folder).join("heatmap_input_layernorm_1.pdf")).unwrap();
    assert_eq!(page("out"), page("again"));
    at.run(&[&survey[..], &["svg", "-o", "out"]].concat()).expect(0);
    assert!(Workspace::files(&at.path().join("out")).iter().all(|(name, _)| !is_one_of(name, &["pdf"])));
}

#[test]
fn picture_files_have_no_title_where_none_is_wanted_and_groups_are_bars_beside_them() {
    let mut at = Workspace::with_llama(2, 64);
    at.llama("o/b", 2, 2, 64);
    at.serve();
    let survey = ["survey", "o/a", "o/b", "--layers", "1", "--group", "near=o/a", "--group", "far=o/b", "-q"];
    at.run(&[&survey[..], &["-o", "plain", "--formats", "html,svg"]].concat()).expect(0);
    at.run(&[&survey[..], &["-o", "out", "--formats", "html,svg", "--no-title"]].concat()).expect(0);
    let svg = |folder: &str| at.read(&format!("{folder}/heatmap_input_layernorm_1.svg"));
    let title = ">input_layernorm, layer 1</text>";
    assert!(svg("plain").contains(title) && !svg("out").contains(title));
    let subtitle = ">Model × model.";
    assert!(svg("plain").contains(subtitle) && !svg("out").contains(subtitle));
    assert!(svg("out").contains(">pearson</text>") && svg("out").contains("<desc>"), "parts keep their names");
    // Of each group a bar a row and a column, in three matrices.
    assert!([">near</text>", ">far</text>"].iter().all(|name| svg("out").matches(name).count() == 3));
    assert_eq!(svg("out").matches("<title>far</title>").count(), 6);
    assert_eq!(at.read("plain/report.html"), at.read("out/report.html"));
}

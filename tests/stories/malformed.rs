//! Malformed files: each gets its verdict and its message, which stand beside the reference's in
//! `fixtures/malformed/verdicts.csv`; and hostile sizes cost a bounded amount of memory.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hub_audit::{
    checkpoint::{CheckpointError, Header, IndexError, MAX_HEADER_BYTES, MAX_TENSORS, ShardIndex},
    family::ModelConfig,
};
use safetensors::{SafeTensorError, SafeTensors};

use crate::support::{Workspace, llama_config};

/// What is said of a file that is read.
const READ: &str = "read";

/// What is said where the reference has no such parser.
const NONE: &str = "–";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/malformed")
}

/// An error and what caused it, as the program prints them on one line.
fn told(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn verdict<T, E: Error + 'static>(outcome: Result<T, E>) -> String {
    outcome.map_or_else(|error| told(&error), |_| READ.to_owned())
}

/// The name of the reference's error. Its message may name one tensor or another, as its hash table pleases.
fn variant<T>(outcome: Result<T, SafeTensorError>) -> String {
    let name = |error: SafeTensorError| format!("{error:?}").split('(').next().unwrap_or_default().to_owned();
    outcome.map_or_else(name, |_| READ.to_owned())
}

/// Our verdict on a file, and the reference's.
fn verdicts(file: &str, bytes: &[u8]) -> [String; 2] {
    match file.split('/').next() {
        Some("header") => {
            let ours = verdict(Header::parse(bytes, bytes.len() as u64));
            let reference = variant(SafeTensors::read_metadata(bytes));
            assert_eq!(variant(SafeTensors::deserialize(bytes)), reference, "{file}");
            [ours, reference]
        }
        Some("index") => [verdict(ShardIndex::parse(bytes, "")), NONE.to_owned()],
        Some("config") => [verdict(ModelConfig::parse(bytes)), NONE.to_owned()],
        _ => panic!("{file} is of no known kind"),
    }
}

/// The table: what is wrong with each file, and both verdicts.
fn table() -> BTreeMap<String, (String, [String; 2])> {
    let mut reader = csv::Reader::from_path(fixtures().join("verdicts.csv")).unwrap();
    let rows = reader.deserialize::<(String, String, String, String)>();
    rows.map(|row| {
        let (file, wrong, ours, reference) = row.unwrap();
        (file, (wrong, [ours, reference]))
    })
    .collect()
}

fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for kind in ["header", "index", "config"] {
        for entry in fs_err::read_dir(fixtures().join(kind)).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{kind}/{}", entry.file_name().to_str().unwrap());
            files.insert(name, fs_err::read(entry.path()).unwrap());
        }
    }
    files
}

#[test]
fn every_malformed_file_gets_its_verdict_at_once() {
    let (table, files) = (table(), files());
    assert!(files.len() >= 80, "{} files", files.len());
    let mut found = csv::Writer::from_writer(Vec::new());
    found.write_record(["file", "what is wrong", "hub-audit", "safetensors 0.8"]).unwrap();
    let mut differences = String::new();
    for (file, bytes) in &files {
        let started = Instant::now();
        let ours = verdicts(file, bytes);
        assert!(started.elapsed() < Duration::from_secs(1), "{file}");
        assert!(!ours[0].chars().any(char::is_control), "{file}: {:?}", ours[0]);
        let (wrong, expected) = table.get(file).cloned().unwrap_or_default();
        found.write_record([file, &wrong, &ours[0], &ours[1]]).unwrap();
        if ours != expected {
            writeln!(differences, "{file}: {ours:?} instead of {expected:?}").unwrap();
        }
        // The one thing in which this reader is the more lenient.
        let unknown = file.contains("unknown_dtype") || file.contains("dtype_in_small_letters");
        assert!(
            ours[0] != READ || ours[1] == READ || ours[1] == NONE || unknown,
            "{file} is refused by the reference alone"
        );
    }
    for file in table.keys().filter(|file| !files.contains_key(*file)) {
        writeln!(differences, "{file}: in the table alone").unwrap();
    }
    if !differences.is_empty() {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verdicts.csv");
        fs_err::write(&kept, found.into_inner().unwrap()).unwrap();
        panic!("{differences}the table as it would be: {}", kept.display());
    }
}

#[test]
fn every_row_says_what_is_wrong_and_good_files_say_so() {
    for (file, (wrong, [ours, _])) in table() {
        assert!(!wrong.is_empty(), "{file}");
        assert_eq!(wrong.starts_with("nothing"), ours == READ, "{file}: {wrong}, and {ours}");
    }
}

#[test]
fn a_header_of_100_mb_is_refused_by_its_first_bytes_and_read_on_request() {
    let name_len = 99_999_900_usize;
    let entry = r#":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    let json = format!(r#"{{"{}"{entry}"#, "n".repeat(name_len));
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    let file_len = 8 + json.len() as u64 + 1;
    let refused = Header::total_length(&bytes, file_len).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("the header claims {} bytes, above the limit of {MAX_HEADER_BYTES}", json.len())
    );
    bytes.extend(json.into_bytes());
    bytes.push(0);
    assert_eq!(Header::total_length_within(&bytes[..8], file_len, u64::MAX).unwrap(), file_len - 1);
    let header = Header::parse(&bytes, file_len).unwrap();
    assert_eq!(header.tensors[0].name.len(), name_len);
    // A message about it is not as long as its name.
    let message = Header::parse(&bytes, file_len + 1).unwrap_err().to_string();
    assert!(message.len() < 1000, "{} bytes", message.len());
}

/// An index of this many tensors in files so called.
fn index_of(tensors: usize, shard: impl Fn(usize) -> String) -> String {
    let placed = (0..tensors).map(|n| format!(r#""model.layers.{n}.w":"{}""#, shard(n)));
    let placed: Vec<_> = placed.collect();
    format!(r#"{{"metadata":{{"total_size":1}},"weight_map":{{{}}}}}"#, placed.join(","))
}

#[test]
fn an_index_of_500_000_tensors_is_read_and_one_above_the_limit_is_refused() {
    let shard = |n: usize| format!("model-{:05}-of-00100.safetensors", n % 100 + 1);
    let index = ShardIndex::parse(index_of(500_000, shard).as_bytes(), "").unwrap();
    assert_eq!((index.tensors().count(), index.shards().len()), (500_000, 100));
    assert_eq!(index.tensors_of(&shard(99)).count(), 5_000);
    let refused = ShardIndex::parse(index_of(MAX_TENSORS + 1, |_| "s".to_owned()).as_bytes(), "");
    assert!(matches!(refused, Err(CheckpointError::Index(IndexError::TooManyTensors { limit: MAX_TENSORS }))));
}

/// Runs `inspect` on a local model of this header and this index in an address space of `limit` kB.
#[cfg(target_os = "linux")]
fn inspected_within(limit: usize, header: &str, index: Option<&str>) -> (Option<i32>, String) {
    let at = Workspace::new();
    let folder = at.path().join("model");
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::write(folder.join("config.json"), llama_config(1, 8).to_string()).unwrap();
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    fs_err::write(folder.join("model-00001-of-00001.safetensors"), bytes).unwrap();
    if let Some(index) = index {
        fs_err::write(folder.join("model.safetensors.index.json"), index).unwrap();
    }
    let output = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -v {limit} && exec \"$0\" \"$@\""))
        .arg(env!("CARGO_BIN_EXE_hub-audit"))
        .args(["inspect", "./model"])
        .args(["--cache-dir", "cache"])
        .env("MALLOC_ARENA_MAX", "2")
        .current_dir(at.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), stderr)
}

/// Address space that every run gets, in kB: that of the program with its threads, and some copies of the largest header.
#[cfg(target_os = "linux")]
const ROOM: usize = 800_000;

#[cfg(target_os = "linux")]
#[test]
fn twelve_million_axes_cost_no_more_memory_than_the_header() {
    let axes = format!("1{}", ",1".repeat(12_000_000));
    let header = format!(r#"{{"a":{{"dtype":"U8","shape":[{axes}],"data_offsets":[0,0]}}}}"#);
    let (status, stderr) = inspected_within(ROOM, &header, None);
    assert_eq!(status, Some(2), "{stderr}");
    assert!(stderr.contains("tensor `a` has more than 64 axes"), "{stderr}");
}

#[cfg(target_os = "linux")]
#[test]
fn notes_in_an_index_cost_no_memory_however_many_they_are() {
    let header = r#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#;
    let notes = format!("[]{}", ",[]".repeat(10_000_000));
    let index =
        format!(r#"{{"metadata":{{"notes":[{notes}]}},"weight_map":{{"a":"model-00001-of-00001.safetensors"}}}}"#);
    let (status, stderr) = inspected_within(ROOM, header, Some(&index));
    assert_eq!(status, Some(0), "{stderr}");
}

/// A name held twice, or a path kept with every tensor, costs ten times the length of the index and does not fit.
#[cfg(target_os = "linux")]
#[test]
fn a_large_index_costs_few_times_its_length() {
    let header = r#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#;
    let placed = (0..600_000).map(|number| {
        format!(r#""model.layers.{number}.mlp.experts.17.other_proj.weight":"model-{:05}-of-00001.safetensors""#, 1)
    });
    let index = format!(r#"{{"weight_map":{{{}}}}}"#, placed.collect::<Vec<_>>().join(","));
    assert!(index.len() > 50_000_000, "{}", index.len());
    let (status, stderr) = inspected_within(ROOM, header, Some(&index));
    assert_eq!(status, Some(0), "{stderr}");
}

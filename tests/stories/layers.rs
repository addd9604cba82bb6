//! I compare the layers of one model with each other.

use std::{
    fmt::Write as _,
    path::Path,
    process::{Command, Output},
};

use fs_err as fs;

use crate::support::PROGRAM;

/// Writes a checkpoint whose `layers` have an input norm; the configuration says that there are `stated` of them.
fn checkpoint(folder: &Path, layers: &[u32], stated: u32) {
    fs::create_dir_all(folder).unwrap();
    let (mut header, mut bytes) = (String::new(), Vec::new());
    for &layer in layers {
        let begin = bytes.len();
        for i in 0..32_u16 {
            let phase = f32::from(i) * 0.7 + f32::from(u16::try_from(layer).unwrap()) * 0.3;
            bytes.extend_from_slice(&(1.0 + 0.2 * phase.sin()).to_le_bytes());
        }
        let comma = if header.is_empty() { "" } else { "," };
        let end = bytes.len();
        write!(
            header,
            r#"{comma}"model.layers.{layer}.input_layernorm.weight":{{"dtype":"F32","shape":[32],"data_offsets":[{begin},{end}]}}"#
        )
        .unwrap();
    }
    let header = format!("{{{header}}}");
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(&bytes);
    fs::write(folder.join("model.safetensors"), file).unwrap();
    let config = format!(
        r#"{{"model_type":"glm4_moe","architectures":["Glm4MoeForCausalLM"],"num_hidden_layers":{stated},"hidden_size":32}}"#
    );
    fs::write(folder.join("config.json"), config).unwrap();
}

fn layers(work: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.current_dir(work).env_clear().args(["layers", "--cache-dir", "cache"]);
    command.args(arguments).output().unwrap()
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_missing_layer_leaves_its_index_empty_and_a_prediction_block_stands_apart() {
    let work = tempfile::tempdir().unwrap();
    checkpoint(&work.path().join("m"), &[0, 1, 3, 4], 4);
    let output = layers(work.path(), &["./m", "--formats", "csv,json,md,html,svg", "-o", "out"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("1 layer without a tensor, first 2"), "{text}");
    assert!(text.contains("4 (MTP) is a multi-token-prediction block"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let out = work.path().join("out");
    let rows = lines(&out.join("layers.csv"));
    let start = |row: &String| row.split(',').skip(3).take(2).collect::<Vec<_>>().join(",");
    let places: Vec<String> = rows.iter().skip(1).map(start).collect();
    assert_eq!(places, ["0,false", "1,false", "2,false", "3,false", "4,true"]);
    assert!(rows[3].contains(",,,,,,all:"), "{}", rows[3]);
    let matrix = lines(&out.join("matrix_pearson_input_layernorm_m.csv"));
    assert_eq!(matrix[0], ",0,1,2,3,4 (MTP)");
    assert_eq!(matrix[3], "2,,,,,");
    let distance = lines(&out.join("distance.csv"));
    let counts: Vec<String> = distance
        .iter()
        .filter(|row| row.contains(",cos_sim,"))
        .map(|row| row.split(',').skip(4).take(2).collect::<Vec<_>>().join(":"))
        .collect();
    assert_eq!(counts, ["1:1", "2:1", "3:1"]);
    assert_eq!(lines(&out.join("pairs.csv")).len(), 1 + 10);
}

#[test]
fn a_condition_is_asked_of_neighbours_and_a_model_without_layers_is_missed() {
    let work = tempfile::tempdir().unwrap();
    checkpoint(&work.path().join("m"), &[0, 1, 2], 3);
    checkpoint(&work.path().join("empty"), &[], 3);
    let met = layers(work.path(), &["./m", "--fail-if", "cos_sim>0.9"]);
    assert_eq!(met.status.code(), Some(3));
    let told = String::from_utf8(met.stderr).unwrap();
    assert_eq!(told.matches("--fail-if cos_sim>0.9 holds: ").count(), 2, "{told}");
    assert!(told.contains("--fail-if cos_sim>0.9 holds for 2 of 2 pairs\n"), "{told}");
    assert_eq!(layers(work.path(), &["./m", "--fail-if", "cos_sim<0.1"]).status.code(), Some(0));
    let missed = layers(work.path(), &["./m", "./empty"]);
    assert_eq!(missed.status.code(), Some(1));
    let text = String::from_utf8(missed.stdout).unwrap();
    assert!(text.contains("empty  input_layernorm: it has no such tensor"), "{text}");
    let alone = layers(work.path(), &["./empty", "-o", "out"]);
    assert_eq!(alone.status.code(), Some(1));
    let report = fs::read_to_string(work.path().join("out/REPORT.md")).unwrap();
    assert!(report.contains("No comparable tensors"), "{report}");
}

#[test]
fn files_are_the_same_bytes_for_any_number_of_threads() {
    let work = tempfile::tempdir().unwrap();
    checkpoint(&work.path().join("m"), &[0, 1, 2, 3, 4, 5, 6], 7);
    for threads in ["1", "2"] {
        let out = format!("out-{threads}");
        let arguments = ["./m", "--threads", threads, "-o", &out, "--formats", "csv,md,html,svg"];
        let metrics = ["--metric", "cos_sim,pearson,norm_ratio"];
        assert_eq!(layers(work.path(), &[&arguments[..], &metrics].concat()).status.code(), Some(0));
    }
    let names = |out: &str| {
        let mut names: Vec<_> =
            fs::read_dir(work.path().join(out)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names("out-1"), names("out-2"));
    for name in names("out-1") {
        let read = |out: &str| fs::read(work.path().join(out).join(&name)).unwrap();
        assert!(read("out-1") == read("out-2"), "{name:?}");
    }
}

//! `docs/faults.md` names the test of each fault: here it is seen to that it exists.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

const TABLE: &str = include_str!("../../docs/faults.md");

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_test_that_the_table_of_faults_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("tests"), &mut files);
    let mut tests = BTreeSet::new();
    for file in files {
        let text = fs_err::read_to_string(file).unwrap();
        let names = text.split("fn ").skip(1).filter_map(|rest| rest.split('(').next());
        tests.extend(names.map(str::to_owned));
    }
    let mut rows = 0;
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| Fault |");
    for row in TABLE.lines().filter(is_row) {
        let cells: Vec<&str> = row.trim().trim_matches('|').split(" | ").collect();
        let [_, _, named] = cells.as_slice() else { panic!("not three cells: {row}") };
        let named: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test: {row}");
        for name in named {
            assert!(tests.contains(name), "there is no test `{name}`");
        }
        rows += 1;
    }
    assert!(rows > 40, "{rows} rows are not the table");
}

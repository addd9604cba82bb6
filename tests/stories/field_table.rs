//! `fixtures/field`: what public reports describe, rebuilt as small checkpoints. Each row is a run of the program that must give
//! the right values, or state the reason why it gives none; anything else fails.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use hub_audit::serve::{Fault, Intercept, Listener, LoggedRequest};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{COMMIT, Outcome, Workspace, reply, rows};

/// What a run must come to; see `row` of `make.py`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    case: String,
    words: Vec<String>,
    status: i32,
    #[serde(default)]
    says: Vec<String>,
    equal: Option<usize>,
    near: Option<usize>,
    all_equal: Option<usize>,
    #[serde(default)]
    without: usize,
    #[serde(default)]
    undefined: BTreeMap<String, usize>,
    values: Option<BTreeMap<String, Figures>>,
    #[serde(default)]
    reasons: Vec<(String, usize)>,
    parameters: Option<u64>,
    survey: Option<BTreeMap<String, f64>>,
    related: Option<Vec<String>>,
    mode: Option<String>,
    hashes: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Figures {
    cos_sim: f64,
    l2: f64,
}

type Cells = BTreeMap<String, String>;

impl Row {
    /// Whether it has values, and nothing that there should be is without.
    fn is_value(&self) -> bool {
        let described = |reason: &&(String, usize)| !reason.0.contains("describes the quantisation");
        let has_values =
            self.equal.is_some() || self.near.is_some() || self.all_equal.is_some() || self.values.is_some();
        let others = self.parameters.is_some() || self.survey.is_some() || self.hashes.is_some();
        (has_values || others)
            && self.status == 0
            && self.without == 0
            && self.reasons.iter().filter(described).count() == 0
    }

    fn check(&self, at: &Workspace, number: usize) -> Result<(), String> {
        let folder = format!("rows/{number}");
        let mut words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let writes = matches!(words[0], "compare" | "survey");
        if writes {
            words.extend(["-o", &folder, "--formats", "csv"]);
        }
        let cache = format!("caches/{number}");
        words.extend(["--cache-dir", &cache].iter().filter(|_| !self.words.iter().any(|word| word.starts_with("./"))));
        let outcome = at.run_as(&words, |command| {
            command.env("HF_TOKEN", "hf_test");
        });
        let found = self.differs(at, &outcome, &folder);
        found.map_err(|why| format!("{}: {}: {why}\n{outcome}\n", self.case, self.words.join(" ")))
    }

    fn differs(&self, at: &Workspace, outcome: &Outcome, folder: &str) -> Result<(), String> {
        is("status", &outcome.status, &self.status)?;
        let printed = format!("{}{}", outcome.stdout, outcome.stderr);
        if let Some(says) = self.says.iter().find(|says| !printed.contains(says.as_str())) {
            return Err(format!("it does not say `{says}`"));
        }
        if let Some(parameters) = self.parameters {
            let stated = outcome.stdout.lines().find_map(|line| line.trim().strip_prefix("parameters"));
            is("parameters", &stated.map(str::trim), &Some(parameters.to_string().as_str()))?;
        }
        if let Some(hashes) = &self.hashes {
            let told =
                rows(&outcome.stdout).into_iter().map(|mut row| (take(&mut row, "tensor"), take(&mut row, "sha256")));
            is("digests", &told.collect::<BTreeMap<_, _>>(), hashes)?;
        }
        let table = |file: &str| rows(&at.read(&format!("{folder}/{file}")));
        if self.words[0] == "compare" {
            self.pairs(&table("pairs.csv"))?;
            self.uncompared(&table("coverage.csv"))?;
        }
        if let Some(count) = self.all_equal {
            let pairs = table("pairs.csv");
            let with = |cell: &str| pairs.iter().filter(|row| row["l2"] == cell).count();
            is("pairs", &(pairs.len(), with("0"), with("")), &(count + self.without, count, self.without))?;
            for (reason, count) in &self.undefined {
                is(reason, &pairs.iter().filter(|row| row["undefined"] == *reason).count(), count)?;
            }
        }
        if let Some(means) = &self.survey {
            related(&table("related.csv"), means, self.related.as_deref().unwrap_or_default())?;
        }
        Ok(())
    }

    fn pairs(&self, pairs: &[Cells]) -> Result<(), String> {
        let compared: Vec<&Cells> = pairs.iter().filter(|row| !row["l2"].is_empty()).collect();
        let values = self.values.as_ref();
        let (stated, others): (Vec<_>, Vec<_>) =
            compared.into_iter().partition(|row| values.is_some_and(|values| values.contains_key(&row["tensor_a"])));
        for row in &stated {
            let right = &values.unwrap()[&row["tensor_a"]];
            close(&row["tensor_a"], "cos_sim", &row["cos_sim"], right.cos_sim)?;
            close(&row["tensor_a"], "l2", &row["l2"], right.l2)?;
        }
        is("pairs with stated values", &stated.len(), &values.map_or(0, BTreeMap::len))?;
        let most = if self.near.is_some() { 1e-5 } else { 0.0 };
        if let Some(row) = others.iter().find(|row| row["l2"].parse().map_or(true, |l2: f64| l2 > most)) {
            return Err(format!("`{}` is not equal: l2 {}, cosine {}", row["tensor_a"], row["l2"], row["cos_sim"]));
        }
        is("equal pairs", &others.len(), &self.equal.or(self.near).unwrap_or(0))
    }

    /// Every tensor that is not compared has one of the reasons.
    fn uncompared(&self, coverage: &[Cells]) -> Result<(), String> {
        let mut left: Vec<&str> =
            coverage.iter().filter(|row| row["status"] != "compared").map(|row| row["reason"].as_str()).collect();
        for (reason, count) in &self.reasons {
            let (told, others): (Vec<&str>, Vec<&str>) =
                left.into_iter().partition(|told| told.contains(reason.as_str()));
            is(reason, &told.len(), count)?;
            left = others;
        }
        is("tensors that are not compared for another reason", &left, &Vec::new())
    }
}

fn take(row: &mut Cells, column: &str) -> String {
    row.remove(column).unwrap()
}

fn is<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, right: &T) -> Result<(), String> {
    if found == right { Ok(()) } else { Err(format!("{what}: {found:?} instead of {right:?}")) }
}

fn close(tensor: &str, metric: &str, found: &str, right: f64) -> Result<(), String> {
    let value: f64 = found.parse().map_err(|_| format!("{tensor} has no {metric}"))?;
    let is_close = (value - right).abs() <= 1e-9 * right.abs().max(1.0);
    if is_close { Ok(()) } else { Err(format!("{tensor}: {metric} {value} instead of {right}")) }
}

/// The mean correlation of every pair of models, and which pairs are set apart.
fn related(table: &[Cells], means: &BTreeMap<String, f64>, apart: &[String]) -> Result<(), String> {
    let mut told = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for row in table {
        let name = |side: &str| row[side].rsplit('/').next().unwrap().to_owned();
        let pair = format!("{} {}", name("model_a"), name("model_b"));
        let right = means.get(&pair).ok_or_else(|| format!("there is a pair {pair}"))?;
        close(&pair, "mean_pearson", &row["mean_pearson"], *right)?;
        if row["set_apart"] == "true" {
            told.insert(pair.clone());
        }
        seen.insert(pair);
    }
    is("pairs of models", &seen.len(), &means.len())?;
    is("pairs set apart", &told, &apart.iter().cloned().collect())
}

fn fixture(file: &str) -> Vec<u8> {
    fs_err::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/field").join(file)).unwrap()
}

/// A place with the folders that are chosen, as folders and as repositories.
fn laid_out(chosen: impl Fn(&str) -> bool) -> Workspace {
    let at = Workspace::new();
    let bytes = fixture("files.bin");
    let folders: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_slice(&fixture("folders.json")).unwrap();
    for (folder, files) in folders.iter().filter(|(folder, _)| chosen(folder)) {
        at.part(folder, &json!({}));
        for (path, content) in files {
            match content {
                Value::String(text) => at.file(folder, path, text),
                Value::Array(stretch) => {
                    let [first, length] = [0, 1].map(|at| usize::try_from(stretch[at].as_u64().unwrap()).unwrap());
                    at.file(folder, path, &bytes[first..first + length]);
                }
                link => symlink(link["link"].as_str().unwrap(), &at.repo(folder).join(path)),
            }
        }
    }
    at
}

#[cfg(unix)]
fn symlink(target: &str, path: &Path) {
    std::os::unix::fs::symlink(target, path).unwrap();
}

/// Where there are no such links, a file that is none: these rows are told apart by their cases.
#[cfg(not(unix))]
fn symlink(_: &str, _: &Path) {}

/// Checks rows on several threads; what is wrong, in the order of the rows.
fn checked(at: &Workspace, table: &[(usize, &Row)]) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some((number, row)) = table.get(next.fetch_add(1, Ordering::SeqCst)) {
            wrong.extend(row.check(at, *number).err().map(|why| (*number, why)));
        }
        wrong
    };
    let mut wrong: Vec<(usize, String)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    wrong.sort();
    wrong.into_iter().map(|(_, why)| why).collect()
}

/// The Hubs of the reports on redirects and odd answers: what this one does to a request for weights. `there` is another that
/// has the same files, `files` all of them by name.
fn mirror(mode: &str, there: &str, files: BTreeMap<String, Vec<u8>>) -> Intercept {
    let (what, status) = mode.split_at(mode.find(|letter: char| letter.is_ascii_digit()).unwrap_or(mode.len()));
    let status: u16 = status.parse().unwrap_or(302);
    let (what, there) = (what.to_owned(), there.to_owned());
    let count = AtomicUsize::new(0);
    let answer = move |request: &LoggedRequest| -> Option<Fault> {
        let query = request.query.as_deref().unwrap_or_default();
        let again = |query: &str| format!("{}?{query}&again=1", request.path);
        let name = request.path.rsplit('/').next().unwrap_or_default();
        if request.path.contains("/revision/") && what == "upper_commit" {
            let id = request.path.split('/').skip(3).take(2).collect::<Vec<_>>().join("/");
            let told = json!({ "id": id, "sha": COMMIT.to_uppercase() }).to_string();
            return Some(reply(200, &[("content-type", "application/json")], told));
        }
        let bytes = files.get(name)?;
        let is_file = request.listener == Listener::Cdn;
        match what.as_str() {
            "moved" | "both" if !is_file => {
                Some(reply(status, &[("location", &format!("{there}{}?{query}", request.path))], ""))
            }
            "upper_commit" if !is_file => {
                let location = format!("{there}{}", request.path);
                Some(reply(302, &[("location", &location), ("x-repo-commit", &COMMIT.to_uppercase())], ""))
            }
            "relative" if !is_file && !query.contains("again") => Some(reply(307, &[("location", &again(query))], "")),
            "file" | "both" if is_file && !query.contains("again") => {
                Some(reply(status, &[("location", &again(query))], ""))
            }
            "whole" if is_file => Some(reply(200, &[], bytes.clone())),
            "range" | "fresh_etags" if is_file => {
                let (first, last) = request.range.as_deref()?.strip_prefix("bytes=")?.split_once('-')?;
                let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
                let stated = format!("bytes {first}-{last}/{}", bytes.len());
                let etag = format!("W/\"{}\"", count.fetch_add(1, Ordering::SeqCst));
                let status = if what == "range" { status } else { 206 };
                Some(reply(status, &[("content-range", &stated), ("etag", &etag)], &bytes[first..=last]))
            }
            _ => None,
        }
    };
    Intercept::new(answer)
}

/// Runs the rows of one mode; the token goes to the first host alone.
fn through_a_mirror(mode: &str, table: &[(usize, &Row)]) -> Vec<String> {
    let of_mirror = |folder: &str| ["base/single", "mirror/Model-1.5_x"].contains(&folder);
    let [mut at, mut elsewhere] = [0, 1].map(|_| laid_out(of_mirror));
    let files: BTreeMap<String, Vec<u8>> = ["base/single", "mirror/Model-1.5_x"]
        .iter()
        .flat_map(|folder| Workspace::files(&at.repo(folder)))
        .filter(|(name, _)| name.ends_with(".safetensors"))
        .collect();
    let inner = mirror(&mode.replace("both", "file"), "", files.clone());
    elsewhere.serve_with(|options| options.intercept = mode.starts_with("both").then_some(inner));
    let outer = mirror(mode, elsewhere.url(), files);
    at.serve_with(|options| options.intercept = Some(outer));
    let mut wrong = checked(&at, table);
    let (asked, others) = (at.asked(), elsewhere.asked());
    if asked.to_hub().any(|request| !request.authorised)
        || asked.to_cdn().chain(&others.0).any(|request| request.authorised)
    {
        wrong.push(format!("{mode}: the token belongs to the first host alone"));
    }
    let leads_elsewhere = ["moved", "both", "upper"].iter().any(|what| mode.starts_with(what));
    if leads_elsewhere == others.0.is_empty() {
        wrong.push(format!("{mode}: the other host was asked {} times", others.count()));
    }
    wrong
}

#[test]
#[expect(clippy::print_stdout, reason = "the counts are what a reader of this table looks for")]
fn every_case_of_the_field_has_its_right_value_or_its_stated_reason() {
    let table: Vec<Row> = serde_json::from_slice(&fixture("expected.json")).unwrap();
    let numbered: Vec<(usize, &Row)> = table.iter().enumerate().collect();
    let (by_mode, plain): (Vec<_>, Vec<_>) = numbered.into_iter().partition(|(_, row)| row.mode.is_some());
    let mut at = laid_out(|_| true);
    at.serve();
    let mut wrong = checked(&at, &plain);
    let modes: BTreeSet<&str> = by_mode.iter().filter_map(|(_, row)| row.mode.as_deref()).collect();
    for mode in modes {
        let of_mode: Vec<_> = by_mode.iter().filter(|(_, row)| row.mode.as_deref() == Some(mode)).copied().collect();
        wrong.extend(through_a_mirror(mode, &of_mode));
    }
    let mut counts: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for row in &table {
        counts.entry(&row.case).or_default()[usize::from(!row.is_value())] += 1;
    }
    println!("case  right value  stated reason");
    for (case, [value, reason]) in &counts {
        println!("{case:<4} {value:>12} {reason:>14}");
    }
    let sum = |at: usize| counts.values().map(|count| count[at]).sum::<usize>();
    println!("all  {:>12} {:>14}", sum(0), sum(1));
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

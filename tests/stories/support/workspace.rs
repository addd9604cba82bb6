//! A place for one story: a folder of its own with checkpoints, cache and home, and a Hub of its own in this process.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use hub_audit::serve::{self, Hub, ServeOptions, Store};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{Asked, Outcome, Shard, Tensor, llama, llama_config, shard};

/// The commit of every repository, unless a story says otherwise.
pub(crate) const COMMIT: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_hub-audit");

/// One runtime for the Hubs of all stories; the program under test is another process and waits on its own.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// The place of one story. What it made is gone when it is.
pub(crate) struct Workspace {
    hub: Option<Hub>,
    /// The Hub's address; it stays when the Hub is closed.
    url: String,
    folder: TempDir,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        Self { hub: None, url: "http://127.0.0.1:9".to_owned(), folder: tempfile::tempdir().unwrap() }
    }

    /// A place whose Hub has the repository `o/a`, a llama of `layers` layers, `width` wide, in one file.
    pub(crate) fn with_llama(layers: usize, width: usize) -> Self {
        let at = Self::new();
        at.llama("o/a", 1, layers, width);
        at
    }

    /// Where everything of the story lies; the program runs here.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of a repository.
    pub(crate) fn repo(&self, id: &str) -> PathBuf {
        self.path().join("hub").join(id)
    }

    /// The cache's folder.
    pub(crate) fn cache(&self) -> PathBuf {
        self.path().join("store")
    }

    /// Where the cache keeps the tensors of a repository at [`COMMIT`].
    pub(crate) fn kept(&self, id: &str) -> PathBuf {
        self.cache().join("models").join(id).join(COMMIT)
    }

    /// Writes a file of a repository.
    pub(crate) fn file(&self, id: &str, path: &str, bytes: impl AsRef<[u8]>) {
        self.part(id, &json!({}));
        write(&self.repo(id).join(path), bytes.as_ref());
    }

    /// Says which part a repository plays: gated, private, renamed …
    pub(crate) fn part(&self, id: &str, part: &Value) {
        let path = self.repo(id).join(".hub.json");
        let mut known: Value = fs_err::read(&path)
            .map_or_else(|_| json!({ "refs": { "main": COMMIT } }), |bytes| serde_json::from_slice(&bytes).unwrap());
        for (key, value) in part.as_object().unwrap() {
            known[key] = value.clone();
        }
        write(&path, known.to_string().as_bytes());
    }

    /// Makes a repository of one file with these tensors.
    pub(crate) fn model(&self, id: &str, config: &Value, tensors: &[Tensor]) -> Shard {
        let shard = shard(tensors);
        self.file(id, "config.json", config.to_string());
        self.file(id, "model.safetensors", &shard.bytes);
        shard
    }

    /// Makes a llama in one file.
    pub(crate) fn llama(&self, id: &str, seed: u64, layers: usize, width: usize) -> Shard {
        self.model(id, &llama_config(layers, width), &llama(seed, layers, width))
    }

    /// Opens the Hub.
    pub(crate) fn serve(&mut self) {
        self.serve_with(|_| {});
    }

    /// Opens the Hub with other manners.
    pub(crate) fn serve_with(&mut self, change: impl FnOnce(&mut ServeOptions)) {
        let mut options = ServeOptions::new(Store::folder(self.path().join("hub")).unwrap());
        change(&mut options);
        self.start(options);
    }

    /// Opens a Hub that has the nine synthetic models.
    pub(crate) fn serve_replica(&mut self) {
        self.start(ServeOptions::new(Store::replica()));
    }

    fn start(&mut self, options: ServeOptions) {
        let hub = RUNTIME.block_on(serve::start(options)).unwrap();
        hub.url().clone_into(&mut self.url);
        self.hub = Some(hub);
    }

    /// The Hub's address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Closes the Hub: whoever asks it now finds nobody.
    pub(crate) fn close(&mut self) {
        if let Some(hub) = self.hub.take() {
            RUNTIME.block_on(hub.shutdown());
        }
    }

    /// What the Hub was asked since this was last called.
    pub(crate) fn asked(&self) -> Asked {
        let hub = self.hub.as_ref().unwrap();
        let log = hub.log();
        hub.clear_log();
        Asked(log)
    }

    /// Runs the program.
    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        self.run_as(args, |_| {})
    }

    /// Runs the program with something else in its environment or on its standard input.
    pub(crate) fn run_as(&self, args: &[&str], change: impl FnOnce(&mut Command)) -> Outcome {
        let mut command = self.program(Path::new(PROGRAM), args);
        change(&mut command);
        self.outcome(&command.output().unwrap())
    }

    /// The program, to be started by a story that does more with it than wait: it, or another that starts it.
    pub(crate) fn program(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path().join("home"))
            .env("HUB_AUDIT_CACHE", self.cache())
            .env("HF_ENDPOINT", &self.url)
            // Where the lines that a story reaches are counted.
            .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)));
        command
    }

    /// What came of a run.
    pub(crate) fn outcome(&self, output: &Output) -> Outcome {
        let mut names = vec![(self.path().display().to_string(), "TMP")];
        if let Some(hub) = &self.hub {
            let host = |url: &str| url.trim_start_matches("http://").to_owned();
            names.extend([(host(hub.url()), "HUB"), (host(hub.cdn_url()), "CDN"), (host(hub.cas_url()), "CAS")]);
        }
        Outcome::new(output, &names)
    }

    /// A file below the story's folder, as text.
    #[track_caller]
    pub(crate) fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.path().join(path)).unwrap()
    }

    /// All files below a folder, by their path in it, sorted.
    pub(crate) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            let Ok(entries) = fs_err::read_dir(&next) else { continue };
            for entry in entries {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(folder).unwrap().display().to_string();
                    found.push((name, fs_err::read(&path).unwrap()));
                }
            }
        }
        found.sort();
        found
    }

    /// Tensors in the cache.
    pub(crate) fn kept_tensors(&self) -> usize {
        let files = Self::files(&self.cache());
        files.iter().filter(|(name, _)| is_one_of(name, &["npy"])).count()
    }
}

/// Whether a file's name ends in a dot and one of `ends`.
pub(crate) fn is_one_of(name: &str, ends: &[&str]) -> bool {
    name.rsplit_once('.').is_some_and(|(_, end)| ends.contains(&end))
}

fn write(path: &Path, bytes: &[u8]) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, bytes).unwrap();
}

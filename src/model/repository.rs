//! One model's files, wherever they are: a repository on the Hub at a pinned commit, or a folder on this machine.
//!
//! What the Hub says about a commit never changes, so it is kept: listing, small files and headers go into the cache's record
//! of the commit, and a later run on the same commit asks for none of them again. Files that the Hugging Face cache has at
//! that commit are read where they lie.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;

use super::{
    Access, AuditError,
    known::{Known, pinned},
    local_file::{LocalFile, folder_files, shared_files},
};
use crate::{
    cache::{Cache, TensorKey},
    checkpoint::{CheckpointError, FolderFile, Foreign, Header, folder_snapshot},
    digest,
    error::Result,
    hub::{EarlyFile, HubClient, RemoteFile},
    range::ByteRange,
    snapshot::{RepoFile, Snapshot},
    spec::{Commit, ModelSource, ModelSpec, RepoId},
};

/// Length of the first range of a header when nothing is known of it. Most headers are shorter.
pub const HEADER_GUESS: u64 = 64 * 1024;

/// What some editors write before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The file that tells what the rows of an embedding stand for.
pub(crate) const TOKENIZER: &str = "tokenizer.json";

/// An opened repository or folder.
#[derive(Debug)]
pub struct Repository {
    origin: Origin,
    snapshot: Snapshot,
    /// Links of a folder whose targets are gone.
    dangling: Vec<String>,
    known: Mutex<Known>,
    /// Files on this machine: those of the folder, or of the Hugging Face cache.
    local: BTreeMap<String, Arc<LocalFile>>,
    /// Remembers which of them were verified.
    cache: Arc<Cache>,
}

#[derive(Debug)]
enum Origin {
    Hub {
        client: HubClient,
        repo: RepoId,
        /// The id that was asked for, where the Hub knows the repository by another one now.
        renamed_from: Option<RepoId>,
        commit: Commit,
        files: Mutex<HashMap<String, Arc<RemoteFile>>>,
    },
    Folder(PathBuf),
}

/// A shard that can be read by ranges, wherever it is.
enum Shard {
    Remote(Arc<RemoteFile>),
    Local(FolderFile),
}

impl Shard {
    /// Reads exactly the bytes of `range`; those of a file on this machine within the poll, because local reads are short.
    async fn read(&self, range: ByteRange) -> Result<Bytes> {
        match self {
            Self::Remote(file) => Ok(file.read(range).await?),
            Self::Local(file) => Ok(file.read_at(range)?),
        }
    }

    /// As [`Shard::read`], of the header.
    async fn read_header(&self, range: ByteRange) -> Result<Bytes> {
        match self {
            Self::Remote(file) => Ok(file.read_metadata(range).await?),
            Self::Local(file) => Ok(file.read_at(range)?),
        }
    }
}

impl Repository {
    /// Pins the model's revision to a commit and lists its files, with their Xet hashes if these are wanted, which takes a request
    /// more. A commit that the cache knows costs no request, a branch one.
    pub async fn open(access: &Access, spec: &ModelSpec, xet_hashes: bool) -> Result<Self> {
        match &spec.source {
            ModelSource::Folder(path) => {
                let (snapshot, dangling) = folder_snapshot(path)?;
                Ok(Self {
                    dangling,
                    origin: Origin::Folder(path.clone()),
                    known: Mutex::new(Known::of_folder(snapshot.clone())),
                    local: folder_files(path, &snapshot)?,
                    cache: Arc::clone(&access.cache),
                    snapshot,
                })
            }
            ModelSource::Hub { repo, revision } => {
                let pinned = pinned(access, repo, revision, xet_hashes).await?;
                let (present, commit) = (pinned.repo.clone(), pinned.commit.clone());
                let known = Known::of_commit(access, pinned, xet_hashes).await?;
                let local = shared_files(access, [&present, repo], &commit, &known.record.snapshot);
                let renamed_from = (present != *repo).then(|| repo.clone());
                let repo = present;
                Ok(Self {
                    snapshot: known.record.snapshot.clone(),
                    dangling: Vec::new(),
                    known: Mutex::new(known),
                    local,
                    cache: Arc::clone(&access.cache),
                    origin: Origin::Hub {
                        client: access.hub.clone(),
                        repo,
                        renamed_from,
                        commit,
                        files: Mutex::default(),
                    },
                })
            }
        }
    }

    /// The files, with sizes and hashes.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The repository's present id; `None` for a folder.
    pub fn repo(&self) -> Option<&RepoId> {
        match &self.origin {
            Origin::Hub { repo, .. } => Some(repo),
            Origin::Folder(_) => None,
        }
    }

    /// The id that was asked for, where the Hub knows the repository by another one now.
    pub fn renamed_from(&self) -> Option<&RepoId> {
        match &self.origin {
            Origin::Hub { renamed_from, .. } => renamed_from.as_ref(),
            Origin::Folder(_) => None,
        }
    }

    /// The pinned commit; `None` for a folder.
    pub fn commit(&self) -> Option<&Commit> {
        match &self.origin {
            Origin::Hub { commit, .. } => Some(commit),
            Origin::Folder(_) => None,
        }
    }

    /// The folder, if it is one.
    pub fn folder(&self) -> Option<&PathBuf> {
        match &self.origin {
            Origin::Hub { .. } => None,
            Origin::Folder(path) => Some(path),
        }
    }

    /// `owner/name@commit`, or the folder's path: how messages name the model.
    pub fn place(&self) -> String {
        match &self.origin {
            Origin::Hub { repo, commit, .. } => format!("`{repo}@{}`", commit.short()),
            Origin::Folder(path) => format!("`{}`", path.display()),
        }
    }

    /// The cache's name for a tensor; `None` for a folder, whose tensors are not copied.
    pub fn key(&self, tensor: &str) -> Option<TensorKey> {
        match &self.origin {
            Origin::Hub { repo, commit, .. } => {
                Some(TensorKey { repo: repo.clone(), commit: commit.clone(), tensor: tensor.to_owned() })
            }
            Origin::Folder(_) => None,
        }
    }

    /// A file on this machine: of the folder, or of the Hugging Face cache, where it has proved to be the commit's. Reading it costs no
    /// traffic.
    pub fn local_file(&self, path: &str) -> Option<&FolderFile> {
        self.local.get(path)?.sound(&self.cache)
    }

    /// Whether a file is read from the Hugging Face cache.
    pub fn is_shared(&self, path: &str) -> bool {
        matches!(&self.origin, Origin::Hub { .. }) && self.local_file(path).is_some()
    }

    /// Fails if a file on this machine that was read is not what it was then: what was made of it may be of two models.
    pub fn check_unchanged(&self) -> Result<()> {
        self.local.values().try_for_each(|file| file.check_unchanged())
    }

    /// Whether the listing is only what the Hugging Face cache has of the commit, for want of network.
    pub fn is_partly_known(&self) -> bool {
        self.known.lock().partial
    }

    /// Whether the shard's address is known, so that a range of it costs one request and not two.
    pub fn is_resolved(&self, shard: &str) -> bool {
        match &self.origin {
            Origin::Hub { files, .. } => files.lock().contains_key(shard) || self.is_shared(shard),
            Origin::Folder(_) => true,
        }
    }

    /// Whether a file of a folder is a link whose target is gone.
    pub(crate) fn is_dangling(&self, path: &str) -> bool {
        self.dangling.iter().any(|link| link == path)
    }

    /// The weights of a folder that are links whose targets are gone.
    pub(crate) fn dangling_weights(&self) -> impl Iterator<Item = &str> {
        let links = self.dangling.iter().map(String::as_str);
        links.filter(|link| Path::new(link).extension().is_some_and(|extension| extension == "safetensors"))
    }

    /// A small text file whole, at most `cap` bytes, without a byte-order mark; `None` if there is no such file.
    pub async fn small_file(&self, path: &str, cap: u64) -> Result<Option<Vec<u8>>> {
        self.small_file_as_stored(path, cap).await?.map(|bytes| self.as_text(path, bytes)).transpose()
    }

    /// The text itself: a byte-order mark says nothing, and git's pointer is not the file.
    fn as_text(&self, path: &str, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        if Foreign::is_lfs_pointer(&bytes) {
            return Err(self.unusable(path, CheckpointError::LfsPointer));
        }
        if bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(bytes)
    }

    /// What a file says about itself names neither the model nor the file.
    pub(super) fn unusable(&self, path: &str, source: impl Into<crate::Error>) -> crate::Error {
        AuditError::File { model: self.place(), file: path.to_owned(), source: Box::new(source.into()) }.into()
    }

    async fn small_file_as_stored(&self, path: &str, cap: u64) -> Result<Option<Vec<u8>>> {
        if self.is_dangling(path) {
            return Err(self.unusable(path, CheckpointError::Dangling { links: vec![path.to_owned()] }));
        }
        let Some(file) = self.snapshot.file(path) else {
            return Ok(None);
        };
        if let Some(text) = self.known.lock().record.small_files.get(path) {
            return Ok(Some(text.clone().into_bytes()));
        }
        if file.size > cap {
            let (model, file, size) = (self.place(), path.to_owned(), file.size);
            return Err(AuditError::TooLarge { model, file, size, cap }.into());
        }
        let bytes = match (&self.origin, self.local_file(path)) {
            (Origin::Hub { client, repo, commit, .. }, None) => client.small_file(repo, commit, file, cap).await?,
            (_, Some(local)) => local.read_at(ByteRange::new(0, file.size))?.to_vec(),
            (Origin::Folder(_), None) => return Ok(None),
        };
        if let (Origin::Hub { .. }, Ok(text)) = (&self.origin, String::from_utf8(bytes.clone())) {
            self.known.lock().learn_small_file(path, text);
        }
        Ok(Some(bytes))
    }

    /// Takes of the files that were asked for early those that are the commit's: they are not asked for again.
    pub(super) fn take(&self, early: Vec<EarlyFile>) {
        let Origin::Hub { client, commit, .. } = &self.origin else { return };
        for file in early {
            let path = file.path.clone();
            let bytes = self.snapshot.file(&path).and_then(|listed| client.take_early(file, listed, commit));
            if let Some(text) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
                self.known.lock().learn_small_file(&path, text);
            }
        }
    }

    /// The tokenizer's file whole, at most `cap` bytes; `None` if there is none. What is kept of it is checked against the hash
    /// that the listing states, and costs no request.
    pub async fn tokenizer(&self, access: &Access, cap: u64) -> Result<Option<Vec<u8>>> {
        let Origin::Hub { client, repo, commit, .. } = &self.origin else {
            return self.small_file(TOKENIZER, cap).await;
        };
        let Some(file) = self.snapshot.file(TOKENIZER) else {
            return Ok(None);
        };
        // What cannot be read from the cache is asked of the Hub.
        let kept = access.cache.tokenizer(repo, commit).ok().flatten();
        let is_listed = |bytes: &[u8]| file.stated_hash().is_some() && digest::other_hash(file, bytes).is_none();
        let kept = kept.filter(|bytes| is_listed(bytes));
        if let Some(bytes) = kept {
            return Ok(Some(self.as_text(TOKENIZER, bytes)?));
        }
        if let Some(local) = self.local_file(TOKENIZER).filter(|_| file.size <= cap) {
            let bytes = local.read_at(ByteRange::new(0, file.size))?.to_vec();
            return Ok(Some(self.as_text(TOKENIZER, bytes)?));
        }
        let bytes = client.small_file(repo, commit, file, cap).await?;
        if is_listed(&bytes) {
            // What cannot be kept costs a later run; that is no reason to fail.
            let _ = access.cache.keep_tokenizer(repo, commit, &bytes);
        }
        Ok(Some(self.as_text(TOKENIZER, bytes)?))
    }

    /// The header of a shard: one range of the predicted length, and at most one more for its tail.
    pub async fn header(&self, shard: &str, predicted: Option<u64>) -> Result<Header> {
        let file = self.shard_file(shard)?.clone();
        let known = self.known.lock().record.headers.get(shard).cloned();
        if let Some(json) = known {
            return Ok(Header::from_json(&json, file.size)?);
        }
        self.prove(shard).await?;
        let source = self.shard(&file)?;
        let first = predicted.unwrap_or(HEADER_GUESS).min(file.size);
        let mut bytes = source.read_header(ByteRange::new(0, first)).await?.to_vec();
        let total = Header::total_length(&bytes, file.size)?;
        if total > first {
            bytes.extend_from_slice(&source.read_header(ByteRange::new(first, total)).await?);
        }
        let header = Header::parse(&bytes, file.size)?;
        // What is on this machine already costs nothing to read again.
        if let Shard::Remote(_) = source {
            self.known.lock().learn_header(shard, Header::json(&bytes, file.size)?);
        }
        Ok(header)
    }

    /// Bytes of a shard.
    pub async fn read(&self, shard: &str, range: ByteRange) -> Result<Bytes> {
        let file = self.shard_file(shard)?.clone();
        self.shard(&file)?.read(range).await
    }

    /// Writes what has been learnt of the commit to the cache.
    pub fn keep(&self, access: &Access) -> Result<()> {
        match &self.origin {
            Origin::Hub { repo, commit, .. } => self.known.lock().keep(access, repo, commit),
            Origin::Folder(_) => Ok(()),
        }
    }

    /// Has a shard on this machine prove what it is, beside other shards and off the reactor: it may have gigabytes.
    async fn prove(&self, shard: &str) -> Result<()> {
        let (Origin::Hub { .. }, Some(local)) = (&self.origin, self.local.get(shard).map(Arc::clone)) else {
            return Ok(());
        };
        let cache = Arc::clone(&self.cache);
        let prove = move || local.sound(&cache).is_some();
        tokio::task::spawn_blocking(prove).await?;
        Ok(())
    }

    fn shard_file(&self, shard: &str) -> Result<&RepoFile> {
        self.snapshot
            .file(shard)
            .ok_or_else(|| AuditError::NoFile { model: self.place(), file: shard.to_owned() }.into())
    }

    fn shard(&self, file: &RepoFile) -> Result<Shard> {
        match &self.origin {
            Origin::Hub { client, repo, commit, files, .. } => {
                if let Some(local) = self.local_file(&file.path) {
                    return Ok(Shard::Local(local.clone()));
                }
                let mut files = files.lock();
                if let Some(remote) = files.get(&file.path) {
                    return Ok(Shard::Remote(Arc::clone(remote)));
                }
                let remote = Arc::new(RemoteFile::new(client, repo, commit, file)?);
                files.insert(file.path.clone(), Arc::clone(&remote));
                Ok(Shard::Remote(remote))
            }
            Origin::Folder(_) => {
                let no_file = || AuditError::NoFile { model: self.place(), file: file.path.clone() };
                Ok(Shard::Local(self.local_file(&file.path).ok_or_else(no_file)?.clone()))
            }
        }
    }
}

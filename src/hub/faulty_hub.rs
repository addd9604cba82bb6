//! A Hub with one model that plays the faults which a test asks for, and a client of it.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{HubClient, HubError, HubOptions, RemoteFile};
use crate::{
    range::ByteRange,
    serve::{self, Fault, Hub, Intercept, Listener, LoggedRequest, ServeOptions, Store},
    snapshot::RepoFile,
    spec::{Commit, RepoId, Revision},
};

pub(super) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Bytes of the one file of weights, and of another where a test asks for it.
pub(super) const SIZE: u64 = 200_000;
pub(super) const LARGE: u64 = 8_000_000;

/// A Hub with `o/a`, and a client of it.
pub(super) struct Fixture {
    pub(super) hub: Hub,
    pub(super) client: HubClient,
    pub(super) repo: RepoId,
    pub(super) commit: Commit,
    folder: tempfile::TempDir,
}

pub(super) async fn fixture(hook: impl Fn(&LoggedRequest) -> Option<Fault> + Send + Sync + 'static) -> Fixture {
    fixture_with(hook, |_| {}).await
}

pub(super) async fn fixture_with(
    hook: impl Fn(&LoggedRequest) -> Option<Fault> + Send + Sync + 'static,
    change: impl FnOnce(&mut HubOptions),
) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let repo = folder.path().join("o/a");
    fs_err::create_dir_all(&repo).unwrap();
    fs_err::write(repo.join(".hub.json"), format!("{{\"refs\":{{\"main\":\"{COMMIT}\"}}}}")).unwrap();
    fs_err::write(repo.join("config.json"), "{}").unwrap();
    fs_err::write(repo.join("model.safetensors"), content(SIZE)).unwrap();
    let mut options = ServeOptions::new(Store::folder(folder.path()).unwrap());
    options.intercept = Some(Intercept::new(hook));
    let hub = serve::start(options).await.unwrap();
    let mut options = HubOptions { endpoint: hub.url().to_owned(), ..HubOptions::default() };
    change(&mut options);
    Fixture {
        client: HubClient::new(&options).unwrap(),
        hub,
        repo: "o/a".parse().unwrap(),
        commit: COMMIT.parse().unwrap(),
        folder,
    }
}

pub(super) fn content(size: u64) -> Vec<u8> {
    (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

impl Fixture {
    pub(super) fn file(&self) -> RemoteFile {
        RemoteFile::new(&self.client, &self.repo, &self.commit, &listed("model.safetensors", SIZE)).unwrap()
    }

    /// Another file, of [`LARGE`] bytes.
    pub(super) fn large(&self) -> RemoteFile {
        fs_err::write(self.folder.path().join("o/a/large.safetensors"), content(LARGE)).unwrap();
        RemoteFile::new(&self.client, &self.repo, &self.commit, &listed("large.safetensors", LARGE)).unwrap()
    }

    /// Reads these bytes, which must be the file's own.
    pub(super) async fn read(&self, start: u64, end: u64) -> Result<(), HubError> {
        let bytes = self.file().read(ByteRange::new(start, end)).await?;
        let (start, end) = (usize::try_from(start).unwrap(), usize::try_from(end).unwrap());
        assert_eq!(bytes, content(SIZE)[start..end]);
        Ok(())
    }

    pub(super) async fn pin(&self) -> Result<(), HubError> {
        let main: Revision = "main".parse().unwrap();
        self.client.pin(&self.repo, &main, false).await.map(drop)
    }

    pub(super) async fn list(&self) -> Result<usize, HubError> {
        Ok(self.client.snapshot(&self.repo, &self.commit).await?.files.len())
    }

    pub(super) fn asked_of(&self, listener: Listener) -> usize {
        self.hub.log().iter().filter(|request| request.listener == listener).count()
    }
}

pub(super) fn listed(path: &str, size: u64) -> RepoFile {
    RepoFile { path: path.to_owned(), size, blob_id: None, lfs_sha256: None, xet_hash: None, withheld: false }
}

/// An answer with this status and these headers, to the first `times` requests that are chosen.
pub(super) fn refuse(
    times: usize,
    chosen: impl Fn(&LoggedRequest) -> bool + Send + Sync + 'static,
    status: u16,
    headers: &[(&str, &str)],
) -> impl Fn(&LoggedRequest) -> Option<Fault> + Send + Sync + 'static {
    let fault = Fault::Reply {
        status,
        headers: headers.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect(),
        body: Vec::new(),
    };
    first(times, chosen, fault)
}

pub(super) fn first(
    times: usize,
    chosen: impl Fn(&LoggedRequest) -> bool + Send + Sync + 'static,
    fault: Fault,
) -> impl Fn(&LoggedRequest) -> Option<Fault> + Send + Sync + 'static {
    let played = AtomicUsize::new(0);
    move |request| (chosen(request) && played.fetch_add(1, Ordering::SeqCst) < times).then(|| fault.clone())
}

pub(super) fn on_api(request: &LoggedRequest) -> bool {
    request.path.starts_with("/api/")
}

pub(super) fn on_resolver(request: &LoggedRequest) -> bool {
    request.path.contains("/resolve/")
}

pub(super) fn on_cdn(request: &LoggedRequest) -> bool {
    request.listener == Listener::Cdn
}

//! Small files that come as gzip: whole, cut, damaged, beyond what is listed, or encoded otherwise.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use super::{HubClient, HubError, HubOptions};
use crate::{
    secret,
    serve::{self, Fault, Hub, Intercept, LoggedRequest, ServeOptions, Store},
    snapshot::RepoFile,
    spec::{Commit, RepoId},
};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const FILE: &str = "model.safetensors.index.json";
const CAP: u64 = 1 << 20;

/// A text like an index: 60 kB, a tenth of it as gzip.
fn text() -> Vec<u8> {
    (0..1500).flat_map(|n| format!("\"model.layers.{n}.weight\": \"model.x\",\n").into_bytes()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A Hub with one text, what it is to do in the place of its first `times` answers for it, and a client that may read so many bytes.
struct Fixture {
    hub: Hub,
    client: HubClient,
    _folder: tempfile::TempDir,
}

async fn fixture(times: usize, fault: Fault, max_metadata: u64) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let repo = folder.path().join("o/a");
    fs_err::create_dir_all(&repo).unwrap();
    fs_err::write(repo.join(".hub.json"), format!("{{\"refs\":{{\"main\":\"{COMMIT}\"}}}}")).unwrap();
    fs_err::write(repo.join(FILE), text()).unwrap();
    let mut options = ServeOptions::new(Store::folder(folder.path()).unwrap());
    let played = std::sync::atomic::AtomicUsize::new(0);
    options.intercept = Some(Intercept::new(move |request: &LoggedRequest| {
        let is_it = request.path.contains("/resolve-cache/");
        (is_it && played.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < times).then(|| fault.clone())
    }));
    let hub = serve::start(options).await.unwrap();
    let options = HubOptions { endpoint: hub.url().to_owned(), max_metadata, ..HubOptions::default() };
    Fixture { client: HubClient::new(&options).unwrap(), hub, _folder: folder }
}

/// An answer with this body, encoded so, with the weak tag that the Hub gives it.
fn answer(encoding: &str, body: Vec<u8>) -> Fault {
    let headers = [("Content-Encoding", encoding), ("ETag", "W/\"5d1be79d\""), ("X-Repo-Commit", COMMIT)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Fault::Reply { status: 200, headers, body }
}

impl Fixture {
    /// The text, of which so many bytes are listed.
    async fn read(&self, size: u64) -> Result<Vec<u8>, HubError> {
        let (repo, commit): (RepoId, Commit) = ("o/a".parse().unwrap(), COMMIT.parse().unwrap());
        let file =
            RepoFile { path: FILE.to_owned(), size, blob_id: None, lfs_sha256: None, xet_hash: None, withheld: false };
        self.client.small_file(&repo, &commit, &file, CAP).await
    }

    async fn read_it(&self) -> Result<Vec<u8>, HubError> {
        self.read(text().len() as u64).await
    }

    /// Encodings that were taken of the file itself, in the order of the requests.
    fn taken(&self) -> Vec<String> {
        let of_file = |request: &LoggedRequest| request.path.contains("/resolve-cache/");
        self.hub.log().into_iter().filter(of_file).filter_map(|request| request.accept_encoding).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_small_file_comes_as_gzip_and_counts_by_what_came() {
    let fixture = fixture(0, Fault::Drop, CAP).await;
    assert_eq!(fixture.read_it().await.unwrap(), text());
    let (traffic, log) = (fixture.client.traffic(), fixture.hub.log());
    assert_eq!((traffic.requests, fixture.taken()), (2, vec!["gzip".to_owned()]));
    assert_eq!(traffic.bytes, log.iter().map(|request| request.bytes_sent).sum::<u64>());
    assert!(traffic.bytes < text().len() as u64 / 4, "{traffic:?}");
}

#[tokio::test(start_paused = true)]
async fn gzip_that_is_cut_short_or_damaged_is_asked_for_again_as_it_is() {
    let whole = gzip(&text());
    let mut damaged = whole.clone();
    let check_sum = damaged.len() - 8;
    damaged[check_sum] ^= 0x55;
    for body in [whole[..whole.len() / 2].to_vec(), whole[..whole.len() - 1].to_vec(), damaged, Vec::new()] {
        let fixture = fixture(1, answer("gzip", body), CAP).await;
        assert_eq!(fixture.read_it().await.unwrap(), text());
        assert_eq!(fixture.taken(), ["gzip", "identity"]);
    }
    // A connection that breaks says nothing about how the file is packed.
    let fixture = fixture(1, Fault::CutAfter(40), CAP).await;
    assert_eq!(fixture.read_it().await.unwrap(), text());
    assert_eq!(fixture.taken(), ["gzip", "gzip"]);
}

#[tokio::test(start_paused = true)]
async fn gzip_that_unpacks_beyond_the_listed_size_is_refused_at_once() {
    let bomb = gzip(&vec![b' '; 50_000_000]);
    let fixture = fixture(9, answer("gzip", bomb), CAP).await;
    let error = fixture.read_it().await.unwrap_err();
    assert!(matches!(error, HubError::UnpacksBeyond { size, .. } if size == text().len() as u64), "{error}");
    assert_eq!(fixture.taken().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn gzip_that_unpacks_to_less_than_is_listed_is_refused() {
    let fixture = fixture(9, answer("gzip", gzip(&text()[..1000])), CAP).await;
    let error = fixture.read_it().await.unwrap_err();
    assert!(matches!(error, HubError::SizeDisagrees { got: 1000, .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_encoding_that_was_not_asked_for_is_refused() {
    for encoding in ["br", "zstd", "gzip, gzip", "deflate"] {
        let fixture = fixture(9, answer(encoding, gzip(&text())), CAP).await;
        let error = fixture.read_it().await.unwrap_err();
        assert!(matches!(&error, HubError::Encoding { encoding: named, .. } if named == encoding), "{error}");
        assert_eq!(fixture.taken().len(), 1);
    }
    // Whoever asks for the file as it is does not take gzip.
    let fixture = fixture(9, answer("gzip", gzip(&text())[1..].to_vec()), CAP).await;
    let error = fixture.read_it().await.unwrap_err();
    assert!(matches!(error, HubError::Encoding { .. }), "{error}");
    // And what says that it is as it is may be.
    let fixture = self::fixture(9, answer("Identity", text()), CAP).await;
    assert_eq!(fixture.read_it().await.unwrap(), text());
}

/// A megabyte of spaces is a kilobyte of gzip: what is held of it counts, not what came.
#[tokio::test(start_paused = true)]
async fn what_is_unpacked_counts_against_the_limit_in_full() {
    let fixture = fixture(0, Fault::Drop, text().len() as u64 - 1).await;
    let error = fixture.read_it().await.unwrap_err();
    assert!(matches!(error, HubError::TooMuchMetadata { .. }), "{error}");
    let fixture = self::fixture(0, Fault::Drop, text().len() as u64).await;
    assert_eq!(fixture.read_it().await.unwrap(), text());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_repeated_within_gzip_is_found() {
    secret::keep("hf_toldWithinGzip");
    let told = b"{\"token\": \"hf_toldWithinGzip\"}";
    let fixture = fixture(9, answer("gzip", gzip(told)), CAP).await;
    let error = fixture.read(told.len() as u64).await.unwrap_err();
    assert!(matches!(error, HubError::RepeatsToken { .. }), "{error}");
}

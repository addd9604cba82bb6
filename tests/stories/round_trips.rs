//! How often a question waits for the Hub, one answer after the other, and how much it asks. Each answer takes a second of a clock
//! that stands still while anything is done and jumps while all wait: the seconds of a run are its sequential round trips, however
//! slow the machine is.

use std::time::Duration;

use hub_audit::{
    cache::Cache,
    fetch::{self, Gathered, Limits, Request, Work},
    hub::HubOptions,
    model::{Access, Question, Session},
    question::critique::{Reads, Study},
    serve::{self, Hub, LoggedRequest, ServeOptions, Store},
    spec::ModelSpec,
};
use tokio::time::Instant;

use crate::support::{Asked, Workspace};

/// A Hub that takes a second for each answer, and a session that has asked it nothing yet.
async fn slow(store: Store, folder: &std::path::Path) -> (Hub, Session) {
    let mut options = ServeOptions::new(store);
    options.latency = Duration::from_secs(1);
    let hub = serve::start(options).await.unwrap();
    // As many requests at once as there are: what is counted is what waits for what.
    let options = HubOptions { endpoint: hub.url().to_owned(), jobs: 512, ..HubOptions::default() };
    let cache = Cache::open(folder.join("store")).unwrap();
    (hub, Session::new(Access::new(&options, cache).unwrap()))
}

/// Sequential round trips since `start`; what was asked, and the bytes of the answers.
fn cost(hub: &Hub, session: &Session, start: Instant) -> (u64, Asked, u64) {
    (start.elapsed().as_secs(), Asked(hub.log()), session.access.hub.traffic().bytes)
}

/// As `inspect` asks.
fn everything() -> Question {
    let question = Question::new("all".parse().unwrap(), "all".parse().unwrap()).unwrap();
    Question { skip: None, biases: true, all_headers: true, ..question }
}

fn specs(models: &[&str]) -> Vec<ModelSpec> {
    models.iter().map(|model| model.parse().unwrap()).collect()
}

/// Headers of more than one range, which take a round trip more.
fn tails(asked: &Asked) -> usize {
    let is_tail = |request: &&LoggedRequest| !request.range.as_deref().unwrap_or("bytes=0-").starts_with("bytes=0-");
    asked.to_cdn().filter(is_tail).count()
}

#[tokio::test(start_paused = true)]
async fn a_model_of_42_shards_is_inspected_in_three_round_trips() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, session) = slow(Store::replica(), folder.path()).await;
    let start = Instant::now();
    let opened = session.open(&specs(&["upstage/Solar-Open-100B"]), &everything()).await;
    assert_eq!(opened[0].outcome.as_ref().unwrap().tensors.len(), 18_963);
    let (round_trips, asked, bytes) = cost(&hub, &session, start);
    // The listing beside the configuration, which is a redirect; the addresses of the shards; their headers. No index.
    assert_eq!((round_trips, asked.count(), tails(&asked)), (3, 1 + 2 + 2 * 42, 0));
    assert_eq!(asked.hub_paths_with("index.json"), 0);
    assert!(bytes < 2_500_000, "{bytes}");
}

#[tokio::test(start_paused = true)]
async fn the_study_of_nine_models_waits_for_five_answers_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, session) = slow(Store::replica(), folder.path()).await;
    let study = Study::nine_models();
    let reads = Reads { all_roles: false, all_layers: false };
    let questions = study.questions(&"input_layernorm".parse().unwrap(), reads).unwrap();
    let start = Instant::now();
    let opened = session.open_each(&study.specs().unwrap(), &questions).await;
    let plans = fetch::each(&opened, |model| fetch::plan(&session, model, |_| true));
    let gathered = session.bring(opened, Work::Tensors(plans), Limits::default()).await.unwrap();
    let Gathered::Done(corpus) = gathered else { panic!("nothing was brought") };
    assert!(corpus.opened.iter().all(|opened| opened.outcome.is_ok()) && !corpus.any_tensor_failed());
    let (round_trips, asked, bytes) = cost(&hub, &session, start);
    // The listing beside configuration and index, which are redirects; addresses; headers; tensors, each in a shard of its own.
    assert_eq!((round_trips, asked.count()), (5, 9 * (1 + 2 + 2) + 36 * 3));
    // Two indexes of 1.7 MB come as gzip.
    assert!(bytes < 1_900_000, "{bytes}");
}

#[tokio::test(start_paused = true)]
async fn the_norms_of_a_model_in_one_file_come_in_four_round_trips_and_again_in_one() {
    let at = Workspace::with_llama(3, 64);
    let store = || Store::folder(at.path().join("hub")).unwrap();
    let (hub, session) = slow(store(), at.path()).await;
    let specs = specs(&["o/a"]);
    let question = Question::new("input_layernorm".parse().unwrap(), "all".parse().unwrap()).unwrap();
    let request = || Request { specs: &specs, question: &question, limits: Limits::default() };
    let start = Instant::now();
    session.gather(request()).await.unwrap();
    let (round_trips, asked, _) = cost(&hub, &session, start);
    assert_eq!((round_trips, asked.count()), (4, 1 + 2 + 1 + 1 + 3));
    // The branch may have moved.
    hub.clear_log();
    let start = Instant::now();
    session.gather(request()).await.unwrap();
    let (round_trips, asked, _) = cost(&hub, &session, start);
    assert_eq!((round_trips, asked.count()), (1, 1));
}

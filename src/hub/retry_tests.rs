//! Faults that take time, on a clock that is not real: waits, silences and drips. The embedded Hub and the client run on one
//! thread whose clock jumps whenever both of them wait.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    HubError, RetryPolicy,
    faulty_hub::{
        self, LARGE, SIZE, content, first, fixture, fixture_with, listed, on_api, on_cdn, on_resolver, refuse,
    },
};
use crate::{
    hint::Hint,
    range::ByteRange,
    serve::{Fault, Listener, LoggedRequest},
};

/// Whether `waited` is these seconds and at most a second more.
#[track_caller]
fn about(waited: Duration, seconds: u64) {
    assert!((seconds..=seconds + 1).contains(&waited.as_secs()), "{waited:?} is not {seconds} s");
}

#[tokio::test(start_paused = true)]
async fn a_used_up_window_is_waited_out_once_by_all_and_other_buckets_go_on() {
    let fixture = fixture_with(refuse(1, on_api, 429, &[("ratelimit", "\"api\";r=0;t=120")]), |options| {
        options.jobs = 1;
    })
    .await;
    let start = Instant::now();
    let pins = futures::future::join_all((0..5).map(|_| fixture.pin()));
    let (pinned, read) = tokio::join!(pins, async {
        fixture.read(0, 10).await.unwrap();
        start.elapsed()
    });
    assert!(pinned.iter().all(Result::is_ok));
    about(read, 0);
    about(start.elapsed(), 121);
    // One was refused for all five.
    assert_eq!(fixture.hub.log().iter().filter(|request| on_api(request)).count(), 5 + 1);
}

#[tokio::test(start_paused = true)]
async fn a_used_up_window_of_the_resolver_is_waited_out() {
    let fixture = fixture(refuse(1, on_resolver, 429, &[("ratelimit", "\"resolvers\";r=0;t=200")])).await;
    let start = Instant::now();
    fixture.read(5, 1000).await.unwrap();
    about(start.elapsed(), 201);
    assert_eq!((fixture.asked_of(Listener::Hub), fixture.asked_of(Listener::Cdn)), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_stated_by_retry_after_alone_is_kept() {
    let fixture = fixture(refuse(1, on_api, 429, &[("retry-after", "30")])).await;
    let start = Instant::now();
    fixture.pin().await.unwrap();
    about(start.elapsed(), 31);
    assert_eq!(fixture.asked_of(Listener::Hub), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_with_requests_left_in_the_window_is_tried_again_soon() {
    let fixture = fixture(refuse(1, on_api, 429, &[("ratelimit", "\"api\";r=7;t=290")])).await;
    let start = Instant::now();
    fixture.pin().await.unwrap();
    about(start.elapsed(), 0);
    assert_eq!(fixture.asked_of(Listener::Hub), 2);
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_refused_above_the_limit_even_at_the_end_of_time() {
    for (asked, longest) in [("600", 330), ("18446744073709551615", u64::MAX)] {
        let fixture = fixture_with(refuse(9, |_| true, 503, &[("retry-after", asked)]), |options| {
            options.retry = RetryPolicy { max_wait: Duration::from_secs(longest), ..RetryPolicy::default() };
        })
        .await;
        let error = fixture.pin().await.unwrap_err();
        assert!(matches!(error, HubError::RateLimited { .. }), "{error}");
        assert!(error.hint().unwrap().contains("--max-wait"));
        assert_eq!(fixture.asked_of(Listener::Hub), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stays_busy_is_left_after_five_attempts() {
    let fixture = fixture(refuse(usize::MAX, on_api, 503, &[("x-error-message", "maintenance")])).await;
    let start = Instant::now();
    let error = fixture.list().await.unwrap_err();
    let host = fixture.hub.url().trim_start_matches("http://");
    assert_eq!(error.to_string(), format!("{host} still answers 503 for `o/a@01234567` after 5 attempts: maintenance"));
    assert!(error.hint().unwrap().contains("run the same command again"));
    assert_eq!(fixture.asked_of(Listener::Hub), 5);
    // 250 ms, doubled three times, each with up to as much again of jitter.
    assert!((3..=8).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_file_host_that_fails_for_ever_is_named() {
    let fixture = fixture(refuse(usize::MAX, on_cdn, 500, &[])).await;
    let error = fixture.read(0, 10).await.unwrap_err();
    let host = fixture.hub.cdn_url().trim_start_matches("http://");
    assert!(error.to_string().starts_with(&format!("{host} still answers 500")), "{error}");
    assert_eq!((fixture.asked_of(Listener::Hub), fixture.asked_of(Listener::Cdn)), (1, 5));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_is_asked_again_and_then_left() {
    let fixture = fixture(first(2, on_cdn, Fault::Wait(Duration::MAX))).await;
    fixture.read(0, 10).await.unwrap();
    assert_eq!(fixture.asked_of(Listener::Cdn), 3);

    let fixture = faulty_hub::fixture(first(usize::MAX, on_cdn, Fault::Wait(Duration::MAX))).await;
    let start = Instant::now();
    let error = fixture.read(0, 10).await.unwrap_err();
    assert!(error.to_string().ends_with("did not answer in time (5 attempts)"), "{error}");
    assert_eq!(fixture.asked_of(Listener::Cdn), 5);
    assert!((53..=60).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_midway_is_taken_up_where_it_stopped() {
    let stall = Fault::Drip { bytes: 4000, pause: Duration::from_hours(1) };
    let fixture = fixture(first(1, on_cdn, stall)).await;
    fixture.read(100, 10_100).await.unwrap();
    let log = fixture.hub.log();
    let ranges: Vec<_> = log.iter().filter(|request| on_cdn(request)).map(|request| request.range.as_deref()).collect();
    assert_eq!(ranges, [Some("bytes=100-10099"), Some("bytes=4100-10099")]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_line_is_no_fault() {
    // 4 kB every two seconds: slow, and above the least pace.
    let slow = Fault::Drip { bytes: 4000, pause: Duration::from_secs(2) };
    let fixture = fixture(first(usize::MAX, on_cdn, slow)).await;
    let start = Instant::now();
    fixture.read(0, SIZE).await.unwrap();
    assert_eq!(fixture.asked_of(Listener::Cdn), 1);
    about(start.elapsed(), 98);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_drips_for_ever_is_left_within_minutes() {
    let drip = Fault::Drip { bytes: 1, pause: Duration::from_secs(9) };
    for what in ["weights", "listing"] {
        let fixture = fixture(first(usize::MAX, |_| true, drip.clone())).await;
        let start = Instant::now();
        let error = match what {
            "listing" => fixture.list().await.unwrap_err(),
            _ => fixture.file().read(ByteRange::new(0, SIZE)).await.unwrap_err(),
        };
        assert!(error.to_string().contains("sends less than 64 KiB a minute (5 attempts, "), "{error}");
        assert!(error.hint().unwrap().contains("run the same command again"));
        assert!((300..=330).contains(&start.elapsed().as_secs()), "{what}: {:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn what_arrives_counts_against_the_limit_and_not_what_was_planned() {
    let fixture = fixture(|_| None).await;
    fixture.client.limit_ranges(1000);
    fixture.read(0, 600).await.unwrap();
    fixture.read(600, 1000).await.unwrap();
    let error = fixture.read(1000, 1001).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`o/a@01234567`, file `model.safetensors` is not read further: more than the 1000 bytes of weights that are allowed \
         would arrive"
    );
    assert!(error.hint().unwrap().contains("--max-bytes"));

    // What broke off and came again is paid once: the rest alone is asked for.
    let fixture = faulty_hub::fixture(first(3, on_cdn, Fault::CutAfter(100))).await;
    fixture.client.limit_ranges(1000);
    fixture.read(0, 1000).await.unwrap();
    assert_eq!(fixture.asked_of(Listener::Cdn), 4);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cuts_every_answer_is_left_in_the_end() {
    let fixture = fixture(first(usize::MAX, on_cdn, Fault::CutAfter(0))).await;
    let error = fixture.read(0, 1000).await.unwrap_err();
    assert!(matches!(error, HubError::Broken { attempts: 5, .. }), "{error}");
    assert_eq!(fixture.asked_of(Listener::Cdn), 5);
}

#[tokio::test(start_paused = true)]
async fn readers_of_one_file_share_its_address_and_its_renewal() {
    // The first four answers of the file host refuse the address.
    let fixture = fixture(refuse(4, on_cdn, 403, &[])).await;
    let file = fixture.file();
    let reads = (0..4).map(|number| file.read(ByteRange::new(number * 10, number * 10 + 10)));
    for read in futures::future::join_all(reads).await {
        read.unwrap();
    }
    assert_eq!((fixture.asked_of(Listener::Hub), fixture.asked_of(Listener::Cdn)), (2, 8));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_sent_round_in_a_circle_is_given_up() {
    let round = |request: &LoggedRequest| {
        Some(Fault::Reply {
            status: 307,
            headers: vec![("location".to_owned(), request.path.clone())],
            body: Vec::new(),
        })
    };
    let fixture = fixture(round).await;
    let question = fixture.pin().await.unwrap_err();
    assert_eq!(fixture.asked_of(Listener::Hub), 6);
    let file = fixture.read(0, 1).await.unwrap_err();
    assert_eq!(fixture.asked_of(Listener::Hub), 12);
    for error in [question, file] {
        assert!(error.to_string().contains("more than 5 times"), "{error}");
    }
}

/// What the file host's answers come to, one after the other, and the truth from then on.
fn in_turn(faults: Vec<Option<Fault>>) -> impl Fn(&LoggedRequest) -> Option<Fault> + Send + Sync + 'static {
    let asked = AtomicUsize::new(0);
    move |request| {
        let fault = on_cdn(request).then(|| asked.fetch_add(1, Ordering::SeqCst));
        faults.get(fault?)?.clone()
    }
}

fn refusal() -> Fault {
    Fault::Reply { status: 403, headers: Vec::new(), body: b"Auth failed: invalid range".to_vec() }
}

#[tokio::test(start_paused = true)]
async fn a_file_host_that_refuses_now_and_then_is_asked_with_a_fresh_address_each_time() {
    let (cut, refused) = (|| Some(Fault::CutAfter(50)), || Some(refusal()));
    let turns = [
        vec![refused(), refused(), refused(), None],
        vec![cut(), refused(), cut(), refused(), cut(), refused(), refused()],
    ];
    for turns in turns {
        let refusals = turns.iter().filter(|turn| **turn == refused()).count();
        let fixture = fixture(in_turn(turns)).await;
        fixture.read(100, 1100).await.unwrap();
        assert_eq!(fixture.asked_of(Listener::Hub), 1 + refusals);
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_host_that_refuses_every_address_is_left_after_three_fresh_ones() {
    let fixture = fixture(refuse(usize::MAX, on_cdn, 403, &[])).await;
    let error = fixture.read(0, 10).await.unwrap_err();
    assert!(matches!(error, HubError::CdnRefused { status: 403, renewals: 3, .. }), "{error}");
    assert!(error.to_string().ends_with("with 403, also after the link was renewed 3 times"), "{error}");
    assert_eq!((fixture.asked_of(Listener::Hub), fixture.asked_of(Listener::Cdn)), (4, 4));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_every_megabyte_gets_to_the_end() {
    let fixture = fixture(first(usize::MAX, on_cdn, Fault::CutAfter(1_200_000))).await;
    let bytes = fixture.large().read(ByteRange::new(0, LARGE)).await.unwrap();
    assert!(bytes == content(LARGE));
    assert_eq!(fixture.asked_of(Listener::Cdn), 7);
    // Less than a megabyte at a time is no progress: the budget ends.
    let fixture = faulty_hub::fixture(first(usize::MAX, on_cdn, Fault::CutAfter(100_000))).await;
    let error = fixture.large().read(ByteRange::new(0, LARGE)).await.unwrap_err();
    assert!(matches!(error, HubError::Broken { attempts: 5, received: 500_000, .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_a_refusal_says_is_waited_for_no_longer_than_seconds() {
    let drip = Fault::Drip { bytes: 1, pause: Duration::from_secs(2) };
    let fixture = fixture(first(usize::MAX, |_| true, drip)).await;
    let start = Instant::now();
    let missing = listed("missing.json", 10);
    let error = fixture.client.small_file(&fixture.repo, &fixture.commit, &missing, 100).await.unwrap_err();
    assert!(matches!(error, HubError::EntryNotFound { .. }), "{error}");
    about(start.elapsed(), 5);
}

#[tokio::test(start_paused = true)]
async fn time_outs_and_waits_without_end_are_no_danger() {
    let fixture = fixture_with(
        |_| None,
        |options| {
            options.read_timeout = Duration::MAX;
            options.connect_timeout = Duration::MAX;
        },
    )
    .await;
    fixture.read(0, 10).await.unwrap();
}

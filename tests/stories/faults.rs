//! What a network does to people: broken connections, busy servers, links that die. The result is the same, or it is an error.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use hub_audit::serve::{Fault, Intercept, Listener, LoggedRequest};

use crate::support::{Shard, Workspace, always, first, is_one_of, llama_config, reply};

fn is_cdn(request: &LoggedRequest) -> bool {
    request.listener == Listener::Cdn
}

/// Whether weights are asked for: a range that does not begin the file.
fn is_weights(request: &LoggedRequest) -> bool {
    is_cdn(request) && request.range.as_deref().is_some_and(|range| !range.starts_with("bytes=0-"))
}

/// A Hub with `o/a`, and what it keeps of it when nothing goes wrong.
fn undisturbed() -> (Workspace, Shard, Vec<(String, Vec<u8>)>) {
    let mut at = Workspace::new();
    let shard = at.llama("o/a", 1, 2, 64);
    at.serve();
    at.run(&["fetch", "o/a"]).expect(0);
    let kept = values(&at);
    at.close();
    fs_err::remove_dir_all(at.cache()).unwrap();
    (at, shard, kept)
}

/// The values in the cache; sidecars name the Hub's address, which differs.
fn values(at: &Workspace) -> Vec<(String, Vec<u8>)> {
    let mut files = Workspace::files(&at.kept("o/a"));
    files.retain(|(name, _)| is_one_of(name, &["npy"]));
    files
}

#[test]
fn a_body_cut_midway_goes_on_at_the_next_byte() {
    let (mut at, shard, kept) = undisturbed();
    let whole = shard.asked("model.layers.0.input_layernorm.weight");
    let chosen = move |request: &LoggedRequest| request.range.as_deref() == Some(&whole);
    at.serve_with(|options| options.intercept = Some(first(1, chosen, Fault::CutAfter(50))));
    at.run(&["fetch", "o/a"]).expect(0);
    assert_eq!(values(&at), kept);
    let ranges = at.asked().ranges("model.safetensors");
    let norm = shard.ranges["model.layers.0.input_layernorm.weight"];
    let rest = format!("bytes={}-{}", norm.start + 50, norm.end - 1);
    assert!(ranges.contains(&rest), "{rest} is not in {ranges:?}");
}

#[test]
fn a_connection_that_drops_is_made_anew() {
    let (mut at, _, kept) = undisturbed();
    at.serve_with(|options| options.intercept = Some(first(1, is_weights, Fault::Drop)));
    at.run(&["fetch", "o/a"]).expect(0);
    assert_eq!(values(&at), kept);
}

#[test]
fn a_busy_server_is_asked_again() {
    let (mut at, _, kept) = undisturbed();
    let busy = |request: &LoggedRequest| request.path.contains("/revision/") || is_weights(request);
    at.serve_with(|options| options.intercept = Some(first(2, busy, reply(503, &[], "try later"))));
    at.run(&["fetch", "o/a"]).expect(0);
    assert_eq!(values(&at), kept);
    let refused = at.asked().0.iter().filter(|request| request.status == Some(503)).count();
    assert_eq!(refused, 2);
}

/// Waits a second, as the Hub asks.
#[test]
fn a_used_up_rate_limit_is_waited_out() {
    let (mut at, _, kept) = undisturbed();
    let limited = reply(429, &[("ratelimit", "\"api\";r=0;t=0")], "");
    at.serve_with(|options| options.intercept = Some(first(1, |request| request.path.contains("/revision/"), limited)));
    at.run(&["fetch", "o/a"]).expect(0);
    assert_eq!(values(&at), kept);
}

#[test]
fn a_wait_longer_than_allowed_is_refused_at_once() {
    let (mut at, ..) = undisturbed();
    let limited = reply(429, &[("ratelimit", "\"api\";r=0;t=300")], "");
    at.serve_with(|options| options.intercept = Some(always(|_| true, limited)));
    let outcome = at.run(&["fetch", "o/a", "--max-wait", "20"]).expect(2);
    insta::assert_snapshot!(outcome, @"
    exit status 2
    ----- stderr -----
    error: the Hub asks to wait 301 s before the next request, longer than the 20 s allowed
    hint: try again later, allow the wait with --max-wait 301, or give a token for a higher limit
    moved 0 bytes in 2 requests, 0 tensors fetched, 0 from cache, TIME
    ");
    // The listing and the configuration were asked for side by side.
    assert_eq!(at.asked().count(), 2);
}

#[test]
fn a_refused_link_is_renewed_once() {
    let (mut at, _, kept) = undisturbed();
    let refusal = reply(403, &[], "SignatureError: invalid key pair id");
    at.serve_with(|options| options.intercept = Some(first(1, is_weights, refusal)));
    at.run(&["fetch", "o/a", "--jobs", "1"]).expect(0);
    assert_eq!(values(&at), kept);
    // Once for the header, once more for the fresh address.
    assert_eq!(at.asked().hub_paths_with("model.safetensors"), 2);
}

#[test]
fn a_link_that_is_refused_again_names_the_host_and_no_signature() {
    let (mut at, ..) = undisturbed();
    at.serve_with(|options| options.intercept = Some(always(is_cdn, reply(403, &[], "Auth failed"))));
    let outcome = at.run(&["survey", "o/a", "-o", "out"]).expect(2);
    insta::assert_snapshot!(outcome, @"
    exit status 2
    ----- stderr -----
    warning: only one model given, so nothing to compare; `hub-audit layers` compares its layers
    error: shard `model.safetensors` of `o/a@c0ffee00` cannot be read
    caused by: the file host CDN refuses `o/a@c0ffee00`, file `model.safetensors` with 403, also after the link was renewed 3 times
    moved 2.3 kB in 11 requests, 0 tensors fetched, 0 from cache, TIME
    ");
    assert!(!outcome.raw.contains("Signature") && !outcome.raw.contains("Expires"), "{outcome}");
    assert_eq!(at.asked().hub_paths_with("model.safetensors"), 4);
    assert!(!at.path().join("out").exists());
}

#[test]
fn weights_that_cannot_be_fetched_leave_an_empty_row_with_the_reason() {
    let (mut at, ..) = undisturbed();
    at.llama("o/b", 2, 2, 64);
    let of_b = |request: &LoggedRequest| is_weights(request) && request.path.contains("o%2Fb");
    at.serve_with(|options| options.intercept = Some(always(of_b, reply(403, &[], "Auth failed"))));
    let outcome = at.run(&["survey", "o/a", "o/b", "--layers", "1", "-o", "out"]).expect(1);
    outcome.says(&["tensor `model.layers.1.input_layernorm.weight` was not fetched", "the file host CDN refuses"]);
    let pairs = at.read("out/pairs.csv");
    assert_eq!(pairs.lines().count(), 2);
    assert!(pairs.contains("all:the tensor was not read: "), "{pairs}");
}

#[test]
fn one_tensor_of_several_that_cannot_be_fetched_is_told_by_the_exit_status() {
    let (mut at, shard, _) = undisturbed();
    let lost = shard.asked("model.layers.1.input_layernorm.weight");
    let chosen = move |request: &LoggedRequest| request.range.as_deref() == Some(&lost);
    at.serve_with(|options| options.intercept = Some(always(chosen, reply(403, &[], "Auth failed"))));
    let outcome = at.run(&["survey", "o/a", "-o", "out"]).expect(1);
    outcome.says(&["tensor `model.layers.1.input_layernorm.weight` was not fetched", "1 tensor fetched"]);
}

#[test]
fn a_link_near_its_end_is_renewed_before_it_is_used() {
    let (mut at, _, kept) = undisturbed();
    // Less than the minute that must remain.
    at.serve_with(|options| options.location_ttl = Duration::from_secs(30));
    at.run(&["fetch", "o/a"]).expect(0);
    assert_eq!(values(&at), kept);
    let asked = at.asked();
    assert_eq!(asked.hub_paths_with("model.safetensors"), asked.to_cdn().count());
    assert!(asked.to_cdn().all(|request| request.status == Some(206)));
}

#[test]
fn a_link_that_was_valid_for_the_method_alone_is_used_with_it() {
    let (mut at, _, kept) = undisturbed();
    at.serve_with(|options| options.sign_method = true);
    at.run(&["fetch", "o/a"]).expect(0);
    assert_eq!(values(&at), kept);
}

#[test]
fn a_server_that_ignores_ranges_may_send_a_small_file_whole() {
    let (mut at, shard, kept) = undisturbed();
    let whole = Fault::Reply {
        status: 200,
        headers: vec![("content-length".to_owned(), shard.bytes.len().to_string())],
        body: shard.bytes.clone(),
    };
    at.serve_with(|options| options.intercept = Some(always(is_cdn, whole)));
    at.run(&["fetch", "o/a"]).expect(0);
    assert_eq!(values(&at), kept);
}

#[test]
fn a_server_that_ignores_ranges_is_left_before_it_sends_a_large_file() {
    let mut at = Workspace::new();
    at.file("o/big", "config.json", llama_config(1, 64).to_string());
    // 11 MB that take no room: the file is sparse.
    at.file("o/big", "model.safetensors", "");
    let file = fs_err::OpenOptions::new().write(true).open(at.repo("o/big").join("model.safetensors")).unwrap();
    file.set_len(11_000_000).unwrap();
    let whole = reply(200, &[("content-length", "11000000")], " ".repeat(11_000_000));
    at.serve_with(|options| options.intercept = Some(always(is_cdn, whole)));
    let outcome = at.run(&["fetch", "o/big"]).expect(2);
    insta::assert_snapshot!(outcome, @"
    exit status 2
    ----- stderr -----
    error: shard `model.safetensors` of `o/big@c0ffee00` cannot be read
    caused by: CDN ignored the range: asked 65536 bytes (0..65536) of `o/big@c0ffee00`, file `model.safetensors`, and it answered 200 with 11000000 bytes
    hint: this server cannot serve parts of files; use another endpoint, or audit a local folder
    moved 1.4 kB in 5 requests, 0 tensors fetched, 0 from cache, TIME
    ");
    assert_eq!(at.asked().to_cdn().count(), 1);
    assert_eq!(at.kept_tensors(), 0);
}

#[test]
fn another_range_than_was_asked_is_refused() {
    let (mut at, ..) = undisturbed();
    let shifted = reply(206, &[("content-range", "bytes 1-128/81000")], "x".repeat(128));
    at.serve_with(|options| options.intercept = Some(always(is_weights, shifted)));
    let outcome = at.run(&["survey", "o/a", "--layers", "0"]).expect(1);
    outcome.says(&["with the wrong bytes: `Content-Range: bytes 1-128/81000`"]);
    assert_eq!(at.kept_tensors(), 0);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    let (mut at, shard, _) = undisturbed();
    let norm = shard.ranges["model.layers.0.input_layernorm.weight"];
    let rest = format!("bytes {}-{}/{}", norm.start + 50, norm.end - 1, shard.bytes.len());
    let other = reply(206, &[("content-range", &rest), ("etag", "\"another\"")], "x".repeat(78));
    let asked = AtomicUsize::new(0);
    at.serve_with(|options| {
        options.intercept = Some(Intercept::new(move |request| {
            if !is_weights(request) {
                return None;
            }
            match asked.fetch_add(1, Ordering::SeqCst) {
                0 => Some(Fault::CutAfter(50)),
                _ => Some(other.clone()),
            }
        }));
    });
    let outcome = at.run(&["fetch", "o/a", "--layers", "0"]).expect(1);
    outcome.says(&["changed while it was being read: its ETag was", "and is now `\"another\"`"]);
    assert_eq!(at.kept_tensors(), 0);
}

/// Five attempts, with the pauses between them: the slowest of the stories.
#[test]
fn an_address_where_nobody_answers_is_named_with_advice() {
    let at = Workspace::with_llama(1, 64);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{closed}");
    let outcome = at.run(&["inspect", "o/a", "--endpoint", &endpoint]).expect(2);
    outcome.says(&[
        &format!("error: {closed} cannot be reached (5 attempts)"),
        "hint: check the network, the proxy settings and --endpoint (HF_ENDPOINT)",
    ]);
}

/// A file host that sends on to another address, by each status that does so, and a resolver that sends to another Hub without
/// a word about the file.
#[test]
fn a_second_redirect_is_followed() {
    for status in [301, 302, 307, 308] {
        let (mut at, _, kept) = undisturbed();
        at.serve_with(|options| {
            options.intercept = Some(Intercept::new(move |request| {
                let query = request.query.as_deref().unwrap_or_default();
                let there = format!("{}?{query}&again=1", request.path);
                (is_cdn(request) && !query.contains("again")).then(|| reply(status, &[("location", &there)], ""))
            }));
        });
        at.run(&["fetch", "o/a"]).expect(0);
        assert_eq!(values(&at), kept, "{status}");
        // The first reader finds the way for all.
        let asked = at.asked();
        assert_eq!(asked.to_cdn().filter(|request| request.status == Some(status)).count(), 1, "{status}");
        assert_eq!(asked.hub_paths_with("model.safetensors"), 1, "{status}");
    }
    for status in [301, 302, 307, 308] {
        let (mut at, _, kept) = undisturbed();
        let mut elsewhere = Workspace::new();
        elsewhere.llama("o/a", 1, 2, 64);
        elsewhere.serve();
        let there = elsewhere.url().to_owned();
        at.serve_with(|options| {
            options.intercept = Some(Intercept::new(move |request| {
                let location = format!("{there}{}", request.path);
                request.path.ends_with("model.safetensors").then(|| reply(status, &[("location", &location)], ""))
            }));
        });
        at.run(&["fetch", "o/a"]).expect(0);
        assert_eq!(values(&at), kept, "{status}");
        assert_eq!(at.asked().to_cdn().count(), 0);
        assert!(elsewhere.asked().to_cdn().count() > 1);
    }
}

#[test]
fn a_file_host_that_redirects_in_a_circle_is_left() {
    let (mut at, ..) = undisturbed();
    at.serve_with(|options| {
        options.intercept = Some(Intercept::new(|request| {
            let here = format!("{}?{}", request.path, request.query.as_deref().unwrap_or_default());
            is_cdn(request).then(|| reply(302, &[("location", &here)], ""))
        }));
    });
    at.run(&["fetch", "o/a"])
        .expect(2)
        .says(&["CDN redirects `o/a@c0ffee00`, file `model.safetensors` more than 5 times"]);
    assert_eq!(at.asked().to_cdn().count(), 6);
}

#[test]
fn what_needs_no_network_needs_no_certificates_and_no_proxy() {
    let (mut at, ..) = undisturbed();
    at.serve();
    at.run(&["fetch", "o/a"]).expect(0);
    at.close();
    let run = |args: &[&str]| {
        at.run_as(args, |command| {
            command.env("SSL_CERT_FILE", "nowhere").env("SSL_CERT_DIR", "nowhere");
            // Nobody listens there, and what is no proxy at all hurts nobody either who does not use it.
            command.env("HTTP_PROXY", "http://127.0.0.1:9").env("HTTPS_PROXY", "no proxy");
        })
    };
    run(&["inspect", "./hub/o/a"]).expect(0);
    run(&["fetch", "o/a", "--offline"]).expect(0).says(&["moved 0 bytes in 0 requests"]);
    let demo = ["inspect", "--demo", "zai-org/GLM-4.5-Air"];
    run(&demo).expect(0);
    let offline = at.run_as(&demo, |command| {
        command.env("HF_HUB_OFFLINE", "1");
    });
    offline.expect(0);
    let refused = run(&["inspect", "o/a"]).expect(2);
    refused
        .says(&["the value of HTTPS_PROXY cannot be used as a proxy", "hint: write HTTPS_PROXY as http://host:port"]);
}

#[test]
fn a_proxy_that_is_switched_off_for_all_is_used_for_none() {
    let (mut at, ..) = undisturbed();
    at.serve();
    let run = |no_proxy: &str| {
        at.run_as(&["inspect", "o/a"], |command| {
            command.env("HTTP_PROXY", "http://me:hunter2@127.0.0.1:9").env("NO_PROXY", no_proxy);
        })
    };
    run("*").expect(0);
    run("elsewhere.example, *").expect(0);
    let refused = run("").expect(2);
    assert!(!refused.raw.contains("hunter2"), "{refused}");
}

#[test]
fn a_peer_that_does_not_speak_tls_is_asked_once() {
    let at = Workspace::with_llama(1, 64);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        // The listing and the configuration are asked for side by side.
        let answer = |_| {
            let (mut peer, _) = listener.accept().unwrap();
            let mut hello = [0; 64];
            let read = peer.read(&mut hello).unwrap();
            peer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
            read
        };
        (0..2).map(answer).min().unwrap()
    });
    let outcome = at.run(&["inspect", "o/a", "--endpoint", &endpoint]).expect(2);
    assert!(asked.join().unwrap() > 0);
    outcome.says(&["the TLS connection to ", "in 2 requests", "hint: check that the address speaks https"]);
}

#[test]
fn numbers_without_sense_in_the_environment_are_no_danger() {
    let (mut at, ..) = undisturbed();
    at.serve();
    for (name, value) in [
        ("TOKIO_WORKER_THREADS", "0"),
        ("TOKIO_WORKER_THREADS", "abc"),
        ("RAYON_NUM_THREADS", "100000"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "18446744073709551615"),
    ] {
        let outcome = at.run_as(&["survey", "o/a"], |command| {
            command.env(name, value);
        });
        assert_eq!(outcome.status, 0, "{name}={value}: {outcome}");
    }
    at.run(&["survey", "o/a", "--threads", "4096"]).expect(0).says(&["--threads 4096: this machine has"]);
    at.run(&["survey", "o/a", "--threads", "4097"]).expect(2).says(&["4097 is not in 0..=4096"]);
}

//! Secrets: the token goes to the Hub and nowhere else, and neither it nor a signed link is ever shown or kept.

use std::path::Path;

use hub_audit::serve::{Fault, Intercept, Listener};
use serde_json::json;

use crate::support::{COMMIT, Outcome, Tensor, Workspace, always, first, gain, llama_config, reply};

const TOKEN: &str = "hf_test";

/// A Hub with a private model.
fn private() -> Workspace {
    let mut at = Workspace::with_llama(2, 64);
    at.llama("o/b", 2, 2, 64);
    at.part("o/b", &json!({ "private": true }));
    at.serve();
    at
}

/// Neither what was printed nor any file that the program can have written holds the token or a part of a signature.
#[track_caller]
fn holds_no_secret(at: &Workspace, outcome: &Outcome) {
    let secrets = [TOKEN, "Signature=", "Key-Pair-Id", "Policy=", "Expires="];
    for secret in secrets {
        assert!(!outcome.raw.contains(secret), "{secret}: {outcome}");
    }
    let served = Path::new("hub");
    for (name, bytes) in Workspace::files(at.path()) {
        if Path::new(&name).starts_with(served) {
            continue;
        }
        for secret in secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {name}");
        }
        assert!(!holds_store_token(&String::from_utf8_lossy(&bytes)), "{name}");
    }
    assert!(!holds_store_token(&outcome.raw), "{outcome}");
}

/// Whether a text has a token of the store: the word `xet_hash`, which names a field, is none.
fn holds_store_token(text: &str) -> bool {
    text.match_indices("xet_").any(|(at, _)| !text[at..].starts_with("xet_hash"))
}

/// Every command that asks the Hub, when all goes well and in each of the ways in which servers talk too much.
#[test]
fn no_command_tells_a_secret_even_when_servers_repeat_it() {
    let commands: [&[&str]; 10] = [
        &["inspect", "o/a", "-v"],
        &["fetch", "o/a", "o/b", "-v"],
        &["layers", "o/a", "o/b", "-v", "-o", "out"],
        &["layers", "o/a", "--role", "q_proj,o_proj", "--align", "heads", "-v", "-o", "out"],
        &["compare", "--chunks", "o/a", "o/b", "-v", "-o", "out"],
        &["embeddings", "o/a", "o/b", "--same-id", "-v", "-o", "out"],
        &["hash", "o/a", "o/b", "-v", "-o", "out"],
        &["hash", "--chunks", "--fingerprints", "o/a", "o/b", "-v"],
        &["survey", "o/a", "o/b", "-v", "-o", "out"],
        &["critique", "o/a", "o/b", "-v", "-o", "out"],
    ];
    let said =
        format!("no {TOKEN} at https://c/f?Expires=1&Signature=abc~&Key-Pair-Id=K, Authorization: Bearer {TOKEN}");
    let talks = move |status: u16| Fault::Reply {
        status,
        headers: vec![
            ("x-error-message".to_owned(), said.clone()),
            ("content-range".to_owned(), said.clone()),
            ("etag".to_owned(), said.clone()),
            ("x-repo-commit".to_owned(), said.clone()),
            ("content-type".to_owned(), said.clone()),
        ],
        body: said.clone().into_bytes(),
    };
    // Who talks: nobody, the Hub at once, at its listing, at the files' addresses, at the store's token; the file host at headers, at
    // weights; the store.
    let store = ["store's token", "store", "store as JSON"];
    for who in ["nobody", "hub", "listing", "resolver", "cdn", "weights", "weights as parts"].into_iter().chain(store) {
        for command in commands {
            if store.contains(&who) && !command.contains(&"--chunks") {
                continue;
            }
            let mut at = private();
            let talks = talks.clone();
            at.serve_with(|options| {
                options.intercept = Some(Intercept::new(move |request| {
                    let is_cdn = request.listener == Listener::Cdn;
                    let is_weights =
                        is_cdn && !request.range.as_deref().is_some_and(|range| range.starts_with("bytes=0-"));
                    match who {
                        "hub" => Some(talks(403)),
                        "listing" => {
                            ["/tree/", "/revision/"].iter().any(|part| request.path.contains(part)).then(|| talks(200))
                        }
                        "resolver" => {
                            request.path.ends_with("model.safetensors").then(|| talks(403)).filter(|_| !is_cdn)
                        }
                        "cdn" => is_cdn.then(|| talks(404)),
                        "weights" => is_weights.then(|| talks(403)),
                        "weights as parts" => is_weights.then(|| talks(206)),
                        "store's token" => request.path.contains("/xet-read-token/").then(|| talks(200)),
                        "store" => (request.listener == Listener::Cas).then(|| talks(403)),
                        "store as JSON" => (request.listener == Listener::Cas).then(|| talks(200)),
                        _ => None,
                    }
                }));
            });
            let outcome = at.run_as(command, |command| {
                command.env("HF_TOKEN", TOKEN);
            });
            assert!((0..=2).contains(&outcome.status), "{who}: {outcome}");
            holds_no_secret(&at, &outcome);
            let asked = at.asked();
            assert!(asked.to_hub().all(|request| request.authorised));
            assert!(asked.to_cdn().all(|request| !request.authorised));
            assert!(asked.to_cas().all(|request| request.authorised));
        }
    }
}

/// The store sees its own token and never the Hub's, and tells signed addresses, of which none is kept.
#[test]
fn the_token_of_the_store_goes_there_alone() {
    let at = private();
    let outcome = at.run_as(&["hash", "--chunks", "o/a", "o/b", "-v"], |command| {
        command.env("HF_TOKEN", TOKEN);
    });
    let outcome = outcome.expect(0);
    let asked = at.asked();
    // It answers who comes with a token of its own alone.
    assert!(asked.to_cas().count() > 0 && asked.to_cas().all(|request| request.status == Some(200)), "{asked:?}");
    holds_no_secret(&at, &outcome);
}

#[test]
fn the_token_reaches_the_hub_only_and_is_found_nowhere() {
    let at = private();
    let outcome = at
        .run_as(&["survey", "o/a", "o/b", "-v", "-o", "out"], |command| {
            command.env("HF_TOKEN", TOKEN);
        })
        .expect(0);
    let asked = at.asked();
    assert!(asked.to_hub().all(|request| request.authorised));
    assert!(asked.to_cdn().count() > 0 && asked.to_cdn().all(|request| !request.authorised));
    holds_no_secret(&at, &outcome);
}

#[test]
fn the_token_is_taken_from_where_the_hubs_own_client_keeps_it() {
    let at = private();
    let file = |path: &str| {
        let path = at.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, format!("{TOKEN}\n")).unwrap();
        path
    };
    let dry = ["fetch", "o/b", "--dry-run"];
    at.run(&dry).expect(2).says(&["does not exist, or it is private"]);
    let path = file("token-file");
    at.run(&["fetch", "o/b", "--token-file", path.to_str().unwrap()]).expect(0);
    at.run_as(&dry, |command| {
        command.env("HF_TOKEN_PATH", &path);
    })
    .expect(0)
    .says(&["moved"]);
    let home = file("hf-home/token");
    let said = at.run_as(&dry, |command| {
        command.env("HF_HOME", home.parent().unwrap());
    });
    assert!(!said.stderr.contains("error"), "{said}");
    file("home/.cache/huggingface/token");
    at.asked();
    assert!(!at.run(&dry).stderr.contains("error"));
    assert!(at.asked().0.iter().all(|request| request.authorised));
    let refused = at.run(&["fetch", "o/b", "--no-token"]).expect(2);
    refused.says(&["or it is private"]);
    assert!(at.asked().0.iter().all(|request| !request.authorised));
}

#[test]
fn a_listing_that_goes_on_at_another_host_is_refused() {
    let mut at = Workspace::with_llama(1, 64);
    let page = Fault::Reply {
        status: 200,
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            (
                "link".to_owned(),
                "<http://elsewhere.invalid/api/models/o/a/tree/main?cursor=1>; rel=\"next\"".to_owned(),
            ),
        ],
        body: b"[]".to_vec(),
    };
    at.serve_with(|options| options.intercept = Some(always(|request| request.path.contains("/tree/"), page)));
    let outcome = at.run_as(&["fetch", &format!("o/a@{COMMIT}")], |command| {
        command.env("HF_TOKEN", TOKEN);
    });
    insta::assert_snapshot!(outcome.expect(2), @"
    exit status 2
    ----- stderr -----
    error: the listing of `o/a@c0ffee00` continues at another host, elsewhere.invalid
    moved 346 bytes in 3 requests, 0 tensors fetched, 0 from cache, TIME
    ");
}

#[test]
fn a_password_in_an_address_is_not_repeated() {
    let at = Workspace::with_llama(1, 64);
    let outcome = at.run(&["inspect", "o/a", "--endpoint", "http://me:hunter2@127.0.0.1:1"]).expect(2);
    assert!(!outcome.raw.contains("hunter2"), "{outcome}");
    outcome.says(&["must not hold a user name or password"]);
    for endpoint in
        ["http://me:hunter2@127.0.0.1:99999", "http://me:hunter2@[bad", "me:hunter2@host", "http://me:hun/ter2@x"]
    {
        let outcome = at.run(&["inspect", "o/a", "--endpoint", endpoint]).expect(2);
        assert!(!outcome.raw.contains("hunter2") && !outcome.raw.contains("ter2"), "{outcome}");
        outcome.says(&["cannot be the Hub's address", "<hidden>@"]);
    }
}

/// Where a server may put the token, besides its words about a refusal.
#[test]
fn a_server_that_repeats_the_token_where_data_belong_is_not_believed() {
    let escaped = TOKEN.replace('t', "\\u0074");
    let config = |token: &str| format!("{{\"model_type\":\"{token}\"}}");
    let listing = |path: &str| json!([{ "type": "file", "path": path, "size": 1, "oid": TOKEN }]).to_string();
    let header = json!({ TOKEN: { "dtype": "BF16", "shape": [1], "data_offsets": [0, 2] } }).to_string();
    let mut shard = (header.len() as u64).to_le_bytes().to_vec();
    shard.extend([header.as_bytes(), &[0, 0]].concat());
    for (path, bytes) in [
        ("config.json", config(TOKEN).into_bytes()),
        ("config.json", config(&escaped).into_bytes()),
        ("model.safetensors", shard),
    ] {
        let mut at = private();
        at.file("o/a", path, bytes);
        at.serve();
        let outcome = at.run_as(&["survey", "o/a", "o/b", "-v", "-o", "out"], |command| {
            command.env("HF_TOKEN", TOKEN);
        });
        // The Hub tells of a configuration in its answer about the model too.
        outcome.says(&["repeats the token in its answer for `o/a"]);
        holds_no_secret(&at, &outcome);
    }
    for path in ["config.json", TOKEN] {
        let mut at = private();
        let page = Fault::Reply { status: 200, headers: Vec::new(), body: listing(path).into_bytes() };
        at.serve_with(|options| options.intercept = Some(always(|request| request.path.contains("/tree/"), page)));
        let outcome = at.run_as(&["hash", "o/a", "--files", "-v"], |command| {
            command.env("HF_TOKEN", TOKEN);
        });
        outcome.says(&["repeats the token in its answer for `o/a@c0ffee00`"]);
        holds_no_secret(&at, &outcome);
    }
}

#[test]
fn a_token_that_cannot_be_sent_is_said() {
    let at = private();
    for token in ["hf_two words", "hf_t\u{f6}ken", "hf_two\nlines"] {
        let outcome = at
            .run_as(&["inspect", "o/a"], |command| {
                command.env("HF_TOKEN", token);
            })
            .expect(2);
        outcome.says(&[
            "the token in `HF_TOKEN` cannot be used",
            "a character that cannot be sent",
            "hint: a token is one word",
        ]);
        assert!(!outcome.raw.contains(token), "{outcome}");
    }
    assert_eq!(at.asked().count(), 0);
}

/// What is printed for a program is data, and stays as it is; what is said to a person steers no terminal.
#[test]
fn names_with_control_characters_stay_apart_and_are_harmless_in_messages() {
    let mut at = Workspace::new();
    let names = ["a\u{1b}[31mb", "ab"];
    let tensors = [1, 2].map(|seed| Tensor::f32(names[seed - 1], &gain(seed as u64, 16)));
    at.model("o/a", &llama_config(1, 16), &tensors);
    at.serve();
    let outcome = at.run(&["hash", "o/a"]).expect(0);
    for name in names {
        assert_eq!(outcome.raw.matches(name).count(), 1, "{outcome}");
    }
    let harm = first(
        usize::MAX,
        |request| request.path.contains("/revision/"),
        reply(500, &[], "{\"error\":\"\\u001b[2J gone\"}"),
    );
    at.serve_with(|options| options.intercept = Some(harm));
    let outcome = at.run(&["hash", "o/a"]).expect(2);
    assert!(outcome.stderr.contains("[2J gone") && !outcome.raw.contains('\u{1b}'), "{outcome}");
}

//! Answers of the Hub itself that lead astray: redirects, listings and facts that do not fit together.

use hub_audit::serve::{Fault, Intercept, Listener, LoggedRequest};
use serde_json::json;

use crate::support::{COMMIT, Outcome, Workspace, always, first, reply};

const TOKEN: &str = "hf_test";

fn is_listing(request: &LoggedRequest) -> bool {
    request.path.contains("/tree/")
}

fn is_shard(request: &LoggedRequest) -> bool {
    request.listener == Listener::Hub && request.path.ends_with("model.safetensors")
}

/// `o/a` at its commit, of which the files are listed apart.
fn pinned() -> String {
    format!("o/a@{COMMIT}")
}

/// What is said when the chosen requests are answered so; nothing is kept, and no token leaves the Hub.
#[track_caller]
fn misled(chosen: fn(&LoggedRequest) -> bool, fault: Fault) -> (Outcome, usize) {
    let mut at = Workspace::with_llama(1, 64);
    at.serve_with(|options| options.intercept = Some(always(chosen, fault)));
    let outcome = at
        .run_as(&["fetch", &pinned()], |command| {
            command.env("HF_TOKEN", TOKEN);
        })
        .expect(2);
    assert_eq!(at.kept_tensors(), 0);
    let asked = at.asked();
    assert!(asked.to_cdn().all(|request| !request.authorised));
    let chosen = asked.0.iter().filter(|request| chosen(request)).count();
    (outcome, chosen)
}

#[test]
fn a_redirect_to_something_else_than_the_web_is_refused() {
    for location in ["file:///etc/passwd", "ftp://127.0.0.1/model", "data:text/plain,x"] {
        for chosen in [is_listing, is_shard] {
            let (outcome, asked) = misled(chosen, reply(302, &[("location", location)], ""));
            outcome.says(&["redirects `o/a@c0ffee00`", "to an address that is neither http nor https"]);
            assert_eq!(asked, 1);
        }
    }
}

#[test]
fn a_redirect_with_a_user_name_in_it_is_refused_and_not_repeated() {
    for chosen in [is_listing, is_shard] {
        let (outcome, asked) = misled(chosen, reply(302, &[("location", "http://me:hunter2@127.0.0.1:9/")], ""));
        outcome.says(&["to an address with a user name in it"]);
        assert!(!outcome.raw.contains("hunter2"), "{outcome}");
        assert_eq!(asked, 1);
    }
}

#[test]
fn headers_that_contradict_each_other_are_refused() {
    let twice = [
        ("location", ["http://127.0.0.1:9/a", "http://127.0.0.1:9/b"]),
        ("x-linked-size", ["5", "6"]),
        ("x-repo-commit", [COMMIT, "d00dad00d00dad00d00dad00d00dad00d00dad00"]),
        ("etag", ["\"a\"", "\"b\""]),
        ("content-range", ["bytes 0-0/5", "bytes 0-0/6"]),
    ];
    for (name, [one, other]) in twice {
        let (outcome, asked) = misled(is_shard, reply(302, &[(name, one), (name, other)], ""));
        outcome.says(&[
            "answered `o/a@c0ffee00`, file `model.safetensors` with several headers `",
            name,
            "` that contradict each other",
        ]);
        assert_eq!(asked, 1);
        // Said twice is no contradiction; it fails for another reason.
        let (outcome, _) = misled(is_shard, reply(404, &[(name, one), (name, one)], ""));
        assert!(!outcome.stderr.contains("contradict"), "{outcome}");
    }
}

#[test]
fn a_redirect_to_nowhere_is_refused() {
    let (outcome, _) = misled(is_shard, reply(302, &[], ""));
    outcome.says(&["redirects `o/a@c0ffee00`, file `model.safetensors` without saying where to"]);
    let (outcome, _) = misled(is_shard, reply(302, &[("location", "http://")], ""));
    outcome.says(&["to something that is not an address"]);
}

#[test]
fn redirects_in_a_circle_are_left() {
    let circle = format!("/api/models/o/a/tree/{COMMIT}?recursive=true&expand=false");
    let (outcome, asked) = misled(is_listing, reply(307, &[("location", &circle)], ""));
    outcome.says(&["redirects `o/a@c0ffee00` more than 5 times"]);
    assert_eq!(asked, 6);
    let circle = format!("/o/a/resolve/{COMMIT}/model.safetensors");
    let (outcome, asked) = misled(is_shard, reply(307, &[("location", &circle)], ""));
    outcome.says(&["redirects `o/a@c0ffee00`, file `model.safetensors` more than 5 times"]);
    assert_eq!(asked, 6);
}

#[test]
fn a_question_that_is_sent_to_another_host_goes_there_without_the_token() {
    let mut at = Workspace::with_llama(1, 64);
    let mut elsewhere = Workspace::with_llama(1, 64);
    elsewhere.serve();
    let there = elsewhere.url().to_owned();
    at.serve_with(|options| {
        options.intercept = Some(Intercept::new(move |request| {
            let query = request.query.as_deref().unwrap_or_default();
            let location = format!("{there}{}?{query}", request.path);
            Some(reply(308, &[("location", &location)], ""))
        }));
    });
    at.run_as(&["fetch", "o/a"], |command| {
        command.env("HF_TOKEN", TOKEN);
    })
    .expect(0);
    assert!(at.asked().0.iter().all(|request| request.authorised));
    let asked = elsewhere.asked();
    assert!(asked.count() > 3 && asked.0.iter().all(|request| !request.authorised));
}

#[test]
fn a_listing_goes_on_at_a_relative_address() {
    let mut at = Workspace::with_llama(1, 64);
    let size = |file: &str| fs_err::metadata(at.repo("o/a").join(file)).unwrap().len();
    let entry = |file: &str| json!([{ "type": "file", "path": file, "size": size(file) }]).to_string();
    let pages = [entry("config.json"), entry("model.safetensors")];
    at.serve_with(|options| {
        options.intercept = Some(Intercept::new(move |request| {
            if !is_listing(request) {
                return None;
            }
            let json = ("content-type", "application/json");
            let is_second = request.query.as_deref() == Some("cursor=a%2Cb");
            Some(if is_second {
                reply(200, &[json], pages[1].as_bytes())
            } else {
                let link = "</elsewhere>; rel=\"prev\", <?cursor=a%2Cb>; rel=\"next\"";
                reply(200, &[json, ("link", link)], pages[0].as_bytes())
            })
        }));
    });
    at.run(&["fetch", &pinned()]).expect(0);
    assert_eq!(at.asked().hub_paths_with("/tree/"), 2);
    assert_eq!(at.kept_tensors(), 1);
}

#[test]
fn a_listing_that_names_a_file_twice_is_refused() {
    let twice = json!([
        { "type": "file", "path": "model.safetensors", "size": 1 },
        { "type": "file", "path": "model.safetensors", "size": 2 },
    ]);
    let (outcome, _) = misled(is_listing, reply(200, &[], twice.to_string()));
    outcome.says(&["the listing of `o/a@c0ffee00` names `model.safetensors` twice"]);
}

/// Where the files are told with the commit they are a listing like any other.
#[test]
fn files_that_are_told_with_the_commit_are_no_less_looked_at() {
    for (siblings, said) in [
        (json!([{ "rfilename": "a", "size": 1 }, { "rfilename": "a", "size": 1 }]), "names `a` twice"),
        (json!([{ "rfilename": "../a", "size": 1 }]), "names `../a`, which is no file of a repository"),
    ] {
        let mut at = Workspace::with_llama(1, 64);
        let info = json!({ "sha": COMMIT, "siblings": siblings }).to_string();
        let is_pin = |request: &LoggedRequest| request.path.contains("/revision/");
        at.serve_with(|options| options.intercept = Some(always(is_pin, reply(200, &[], info))));
        at.run(&["fetch", "o/a"]).expect(2).says(&[&format!("the listing of `o/a@c0ffee00` {said}")]);
        assert_eq!(at.kept_tensors(), 0);
    }
}

#[test]
fn json_cut_short_is_said_or_asked_again() {
    // In full length by its own account: nothing more will come.
    let (outcome, asked) = misled(is_listing, reply(200, &[("content-length", "20")], "[{\"type\":\"file\",\"pat"));
    outcome.says(&["answered `o/a@c0ffee00` with JSON of another form than the Hub's", "EOF while parsing"]);
    assert_eq!(asked, 1);
    // Shorter than it promised: the connection broke.
    let mut at = Workspace::with_llama(1, 64);
    at.serve_with(|options| options.intercept = Some(first(1, is_listing, Fault::CutAfter(30))));
    at.run(&["fetch", &pinned()]).expect(0);
    assert_eq!(at.asked().hub_paths_with("/tree/"), 2);
}

#[test]
fn a_shard_of_another_size_than_was_listed_is_refused() {
    let headers = [("location", "http://127.0.0.1:9/"), ("x-linked-size", "5")];
    let (outcome, asked) = misled(is_shard, reply(302, &headers, ""));
    outcome.says(&["file `model.safetensors` has ", " bytes by the listing, but HUB states 5"]);
    assert_eq!(asked, 1);
}

#[test]
fn a_shard_of_another_commit_than_was_pinned_is_refused() {
    let other = "ab".repeat(20);
    let headers = [("location", "http://127.0.0.1:9/"), ("x-repo-commit", other.as_str())];
    let (outcome, asked) = misled(is_shard, reply(302, &headers, ""));
    outcome.says(&[&format!("HUB answered `o/a@c0ffee00`, file `model.safetensors` for commit `{other}`")]);
    assert_eq!(asked, 1);
}

#[test]
fn a_small_file_with_other_bytes_than_were_listed_is_refused() {
    let is_config = |request: &LoggedRequest| request.path.ends_with("config.json");
    let mut at = Workspace::with_llama(1, 64);
    let length = fs_err::metadata(at.repo("o/a").join("config.json")).unwrap().len();
    let other = reply(200, &[], " ".repeat(usize::try_from(length).unwrap()));
    at.serve_with(|options| options.intercept = Some(always(is_config, other)));
    let outcome = at.run(&["fetch", "o/a"]).expect(2);
    outcome.says(&["file `config.json` has git blob id ", ", but the Hub lists "]);
    let asked = at.asked();
    // Once by the branch and, since it was not what is listed, once by the commit; the header was on its way by then.
    assert_eq!((asked.hub_paths_with("config.json"), asked.ranges("model.safetensors").len()), (2, 1));
}

#[test]
fn a_name_in_other_letter_case_is_followed_to_the_right_one() {
    let mut at = Workspace::with_llama(1, 64);
    at.serve();
    let outcome = at.run(&["fetch", "O/A"]).expect(0);
    assert!(outcome.stdout.contains("/models/o/a/"), "{outcome}");
    let asked = at.asked();
    // The listing and the configuration were asked for side by side.
    assert_eq!(asked.hub_paths_with("O/A"), 2);
    assert!(asked.0.iter().all(|request| request.method == "GET"));
}

/// An address with such a name in it would lead elsewhere on the same origin, and the token with it.
#[test]
fn names_that_lead_out_of_a_repository_are_refused() {
    for path in ["../../../secret", "a/../../b", "./config.json", "/etc/passwd", "a//b"] {
        let listing = json!([{ "type": "file", "path": path, "size": 1 }]).to_string();
        let (outcome, asked) = misled(is_listing, reply(200, &[], listing));
        outcome.says(&[&format!("the listing of `o/a@c0ffee00` names `{path}`, which is no file of a repository")]);
        assert_eq!(asked, 1);
    }
    let is_pin = |request: &LoggedRequest| request.path.contains("/revision/");
    for id in ["../../secret", "o/..", "a/b/c", "o/a?x", "o/a\u{1b}[2J"] {
        let info = json!({ "sha": COMMIT, "id": id }).to_string();
        let mut at = Workspace::with_llama(1, 64);
        at.serve_with(|options| options.intercept = Some(always(is_pin, reply(200, &[], info))));
        let outcome = at.run(&["fetch", "o/a"]).expect(2);
        outcome.says(&["with JSON of another form than the Hub's"]);
        assert!(!outcome.raw.contains('\u{1b}'), "{outcome}");
        assert_eq!(at.asked().hub_paths_with("/revision/"), 1);
    }
}

//! Xet storage as its clients see it: token, reconstruction, blocks, and what is refused.

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;
use hyper::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Packing, XetFault, XetFiles, XetOptions, cas};
use crate::{
    digest::xet::{
        file_hash,
        testing::{chunks, splitmix},
    },
    range::ByteRange,
    serve::{
        reply::{Content, Reply},
        site::Site,
        testing::{folder, from_cas, from_cdn, get, request, site},
    },
};

/// Names and values.
type Headers<'a> = &'a [(&'a str, &'a str)];

const MEMBER: (&str, &str) = ("authorization", "Bearer hf_test");

/// A site with a large file in `o/open` and another, with much of the first in it, in `o/new`.
struct Fixture {
    dir: tempfile::TempDir,
    site: Site,
    one: Vec<u8>,
    other: Vec<u8>,
}

fn fixture(options: &str) -> Fixture {
    let dir = folder();
    let one = splitmix(1, 3_000_000);
    let other = [&one[..1_500_000], &splitmix(2, 400_000), &one[900_000..2_900_000]].concat();
    fs_err::write(dir.path().join("o/open/one.safetensors"), &one).unwrap();
    fs_err::write(dir.path().join("o/new/other.safetensors"), &other).unwrap();
    let site = site(&dir, |site| site.xet = options.parse().unwrap());
    Fixture { dir, site, one, other }
}

fn hash(content: &[u8]) -> String {
    file_hash(&chunks(content)).to_string()
}

impl Fixture {
    fn token(&self, repo: &str) -> String {
        let answer = get(&self.site, &format!("/api/models/{repo}/xet-read-token/main"), &[MEMBER]).json_body();
        assert_eq!(answer["casUrl"], "http://cas");
        answer["accessToken"].as_str().unwrap().to_owned()
    }

    fn ask(&self, repo: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        let token = format!("Bearer {}", self.token(repo));
        from_cas(&self.site, path, &[&[("authorization", token.as_str())], headers].concat())
    }

    fn status(&self, repo: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
        self.ask(repo, path, headers).status.as_u16()
    }

    /// The bytes at a location.
    fn fetched(&self, url: &str, bytes: &Value) -> Bytes {
        let range = format!("bytes={}-{}", bytes["start"], bytes["end"]);
        let reply = from_cdn(&self.site, url, &[("range", &range)]);
        assert_eq!(reply.status, 206, "{url}");
        let Content::Xorb { name, range } = reply.content else { panic!("{:?}", reply.content) };
        let block = self.site.xet.read(&self.site.options.store, &name, range).unwrap();
        assert_eq!(block.len().to_string(), reply.headers["content-length"]);
        block
    }

    /// The content that an answer describes, from the blocks' own bytes.
    fn assembled(&self, answer: &Value) -> Vec<u8> {
        let mut content = Vec::new();
        for term in answer["terms"].as_array().unwrap() {
            let name = term["hash"].as_str().unwrap();
            let fetches = match answer.get("xorbs") {
                Some(xorbs) => xorbs[name]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|fetch| {
                        (
                            fetch["url"].clone(),
                            fetch["ranges"][0]["chunks"].clone(),
                            fetch["ranges"][0]["bytes"].clone(),
                        )
                    })
                    .collect::<Vec<_>>(),
                None => answer["fetch_info"][name]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|fetch| (fetch["url"].clone(), fetch["range"].clone(), fetch["url_range"].clone()))
                    .collect(),
            };
            let number = |value: &Value| value.as_u64().unwrap();
            let (start, end) = (number(&term["range"]["start"]), number(&term["range"]["end"]));
            let holds = |chunks: &Value| number(&chunks["start"]) <= start && end <= number(&chunks["end"]);
            let (url, run, bytes) = fetches.iter().find(|(_, run, _)| holds(run)).unwrap();
            let unpacked = unpacked(&self.fetched(url.as_str().unwrap(), bytes));
            let skipped = usize::try_from(start - number(&run["start"])).unwrap();
            let wanted = unpacked.iter().skip(skipped).take(usize::try_from(end - start).unwrap());
            let before = content.len();
            wanted.for_each(|chunk| content.extend_from_slice(chunk));
            assert_eq!((content.len() - before) as u64, number(&term["unpacked_length"]));
        }
        content
    }
}

/// The chunks of a block, by the headers before them.
fn unpacked(mut block: &[u8]) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    while let Some((header, rest)) = block.split_first_chunk::<8>() {
        let length = |bytes: &[u8]| bytes.iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte));
        assert_eq!((header[0], header[4], &header[1..4]), (0, 0, &header[5..]));
        let (chunk, behind) = rest.split_at(length(&header[1..4]));
        chunks.push(chunk.to_vec());
        block = behind;
    }
    assert!(block.is_empty());
    chunks
}

/// The blocks of which a file is put together.
fn blocks(answer: &Value) -> HashSet<String> {
    answer["terms"].as_array().unwrap().iter().map(|term| term["hash"].to_string()).collect()
}

#[test]
fn a_file_is_put_together_from_signed_locations() {
    for options in ["on", "separate", "v1"] {
        let fixture = fixture(options);
        for version in ["v1", "v2"].into_iter().filter(|version| options != "v1" || *version == "v1") {
            for (repo, content) in [("o/open", &fixture.one), ("o/new", &fixture.other)] {
                let path = format!("/{version}/reconstructions/{}", hash(content));
                let answer = fixture.ask(repo, &path, &[]).json_body();
                assert_eq!(answer["offset_into_first_range"], 0);
                assert!(fixture.assembled(&answer) == *content, "{options} {version} {repo}");
            }
        }
    }
}

#[test]
fn a_range_is_answered_with_the_chunks_that_it_touches() {
    let fixture = fixture("on");
    let path = format!("/v2/reconstructions/{}", hash(&fixture.other));
    for (start, end) in [(0, 1), (1_600_000, 1_600_001), (1_450_000, 1_950_000), (3_899_999, 3_900_000)] {
        let answer = fixture.ask("o/new", &path, &[("range", &ByteRange::new(start, end).to_header())]).json_body();
        let offset = usize::try_from(answer["offset_into_first_range"].as_u64().unwrap()).unwrap();
        let (start, end) = (usize::try_from(start).unwrap(), usize::try_from(end).unwrap());
        let content = fixture.assembled(&answer);
        assert!(content[offset..offset + end - start] == fixture.other[start..end], "{start}..{end}");
        if end - start == 1 {
            let [term] = answer["terms"].as_array().unwrap().as_slice() else { panic!("{answer}") };
            assert_eq!(term["range"]["start"].as_u64().unwrap() + 1, term["range"]["end"].as_u64().unwrap());
        }
    }
}

#[test]
fn repositories_share_chunks_or_do_not() {
    let found = |options| {
        let fixture = fixture(options);
        let ask = |repo, content: &[u8]| {
            blocks(&fixture.ask(repo, &format!("/v2/reconstructions/{}", hash(content)), &[]).json_body())
        };
        ask("o/open", &fixture.one).intersection(&ask("o/new", &fixture.other)).count()
    };
    assert_eq!((found("shared"), found("separate")), (1, 0));
}

#[test]
fn what_cannot_be_answered_is_refused() {
    let fixture = fixture("on");
    let (mine, theirs) = (hash(&fixture.one), hash(&fixture.other));
    let v2 = |hash: &str| format!("/v2/reconstructions/{hash}");
    let nodes = format!("/v2/file-chunk-hashes/{mine}");
    let rows: [(&str, Headers<'_>, u16); 14] = [
        (&v2(&mine), &[], 200),
        (&v2(&mine.to_uppercase()), &[], 200),
        (&v2(&mine), &[("range", "bytes=2999999-")], 200),
        (&v2(&mine), &[("range", "bytes=3000000-")], 416),
        (&v2(&theirs), &[], 403),
        (&v2(&"a".repeat(64)), &[], 404),
        (&v2(&"*".repeat(64)), &[], 400),
        (&v2(""), &[], 400),
        ("/v3/reconstructions", &[], 404),
        (&nodes, &[("x-range-dirty", "bytes=0-0,5-9")], 200),
        (&nodes, &[("x-range-dirty", "bytes=3000000-3000001")], 400),
        (&nodes, &[("x-range-dirty", "bytes=9-")], 400),
        (&nodes, &[], 400),
        ("/", &[], 404),
    ];
    for (path, headers, status) in rows {
        assert_eq!(fixture.status("o/open", path, headers), status, "{path} {headers:?}");
    }
    for token in ["", "Bearer", "Bearer xet_", "Bearer hf_test"] {
        assert_eq!(from_cas(&fixture.site, &v2(&mine), &[("authorization", token)]).status, 401, "{token}");
    }
    assert_eq!(from_cas(&fixture.site, &v2(&mine), &[]).status, 401);
    let post = |path| cas::answer(&fixture.site, &request(Method::POST, path, &[], "")).status.as_u16();
    assert_eq!((post(v2(&mine).as_str()), post("/v1/telemetry")), (405, 200));
}

#[test]
fn a_location_opens_one_range_to_who_sends_no_credentials() {
    let mut fixture = fixture("on");
    let path = format!("/v1/reconstructions/{}", hash(&fixture.one));
    let url = |fixture: &Fixture| {
        let answer = fixture.ask("o/open", &path, &[]).json_body();
        let fetch = answer["fetch_info"].as_object().unwrap().values().next().unwrap()[0].clone();
        let range = format!("bytes={}-{}", fetch["url_range"]["start"], fetch["url_range"]["end"]);
        (fetch["url"].as_str().unwrap().to_owned(), range)
    };
    let (location, range) = url(&fixture);
    let status = |url: &str, headers: &[(&str, &str)]| from_cdn(&fixture.site, url, headers).status.as_u16();
    assert_eq!(status(&location, &[("range", &range)]), 206);
    assert_eq!(status(&location, &[("range", &range), ("authorization", "Bearer xet_")]), 400);
    assert_eq!(status(&location, &[]), 403);
    assert_eq!(status(&location, &[("range", "bytes=0-9")]), 403);
    let narrower = location.replace(&range.replace('=', "%3D"), "bytes%3D0-9");
    assert_ne!(narrower, location);
    assert_eq!(status(&narrower, &[("range", "bytes=0-9")]), 403);
    let elsewhere = location.replace("/xorbs/default/", "/xorbs/other/");
    assert_eq!(status(&elsewhere, &[("range", &range)]), 403);
    fixture.site = site(&fixture.dir, |options| options.location_ttl = Duration::ZERO);
    let (expired, range) = url(&fixture);
    assert_eq!(from_cdn(&fixture.site, &expired, &[("range", &range)]).status, 403);
}

#[test]
fn who_may_read_a_repository_gets_a_token_for_a_while() {
    let fixture = fixture("token=60");
    let url = |repo: &str| format!("/api/models/{repo}/xet-read-token/main");
    let stranger = ("authorization", "Bearer hf_stranger");
    let rows: [(&str, Headers<'_>, u16); 8] = [
        ("o/open", &[], 200),
        ("solo", &[], 200),
        ("o/gated", &[], 401),
        ("o/gated", &[stranger], 403),
        ("o/gated", &[MEMBER], 200),
        ("o/private", &[], 401),
        ("o/private", &[MEMBER], 200),
        ("o/open", &[("authorization", "Bearer hf_wrong")], 401),
    ];
    for (repo, headers, status) in rows {
        assert_eq!(get(&fixture.site, &url(repo), headers).status, status, "{repo} {headers:?}");
    }
    assert_eq!(get(&fixture.site, &url("o/open").replace("main", "none"), &[]).status, 404);
    let reply = get(&fixture.site, &url("o/open"), &[]);
    let body = reply.json_body();
    assert_eq!(body["accessToken"], reply.text_of("x-xet-access-token"));
    assert_eq!(body["exp"].to_string(), reply.text_of("x-xet-token-expiration"));
    assert_eq!(body["casUrl"], reply.text_of("x-xet-cas-url"));
}

#[test]
fn a_token_of_no_time_has_expired_and_without_storage_there_is_none() {
    let expired = fixture("token=0");
    assert_eq!(expired.status("o/open", &format!("/v2/reconstructions/{}", hash(&expired.one)), &[]), 401);
    let off = fixture("off");
    assert_eq!(get(&off.site, "/api/models/o/open/xet-read-token/main", &[]).status, 404);
}

#[test]
fn hashes_are_stated_where_the_storage_has_the_file() {
    let listed = |options: &str, repo: &str, headers: &[(&str, &str)]| {
        let fixture = fixture(options);
        let tree = get(&fixture.site, &format!("/api/models/{repo}/tree/main"), headers).json_body();
        let files = tree.as_array().unwrap().iter().filter(|entry| entry.get("lfs").is_some());
        files.map(|file| file.get("xetHash").cloned()).collect::<Vec<_>>()
    };
    let (one, tiny) = (hash(&splitmix(1, 3_000_000)), fs_err::read(folder().path().join("o/open/model.safetensors")));
    let (one, tiny) = (Some(json!(one)), Some(json!(hash(&tiny.unwrap()))));
    let withheld = Some(json!("*".repeat(64)));
    assert_eq!(listed("on", "o/open", &[]), [tiny.clone(), one.clone()]);
    assert_eq!(listed("without=2", "o/open", &[]), [tiny.clone(), None]);
    assert_eq!(listed("off", "o/open", &[]), [None, None]);
    assert_eq!(listed("redacted", "o/open", &[MEMBER]), [withheld.clone(), withheld.clone()]);
    assert_eq!(listed("on", "o/gated", &[]), [withheld]);
    assert_eq!(listed("on", "o/gated", &[MEMBER]), [tiny]);
    let fixture = fixture("on");
    let redirect = get(&fixture.site, "/o/open/resolve/main/one.safetensors", &[]);
    assert_eq!(Some(json!(redirect.text_of("x-xet-hash"))), one);
    let link = redirect.text_of("link");
    assert!(link.contains(&format!("<http://cas/v1/reconstructions/{}>", redirect.text_of("x-xet-hash"))), "{link}");
}

#[test]
fn what_is_not_moved_yet_is_not_in_the_storage() {
    let fixture = fixture("without=2");
    assert_eq!(fixture.status("o/open", &format!("/v2/reconstructions/{}", hash(&fixture.one)), &[]), 404);
}

#[test]
fn a_file_that_comes_later_is_found() {
    let fixture = fixture("on");
    let later = splitmix(9, 200_000);
    let path = format!("/v2/reconstructions/{}", hash(&later));
    assert_eq!(fixture.status("o/open", &path, &[]), 404);
    fs_err::write(fixture.dir.path().join("o/open/later.safetensors"), &later).unwrap();
    assert!(fixture.assembled(&fixture.ask("o/open", &path, &[]).json_body()) == later);
}

#[test]
fn every_fault_is_what_it_says() {
    let asked = |options: &str| {
        let fixture = fixture(options);
        let path = format!("/v2/reconstructions/{}", hash(&fixture.other));
        let replies = [(); 2].map(|()| fixture.ask("o/new", &path, &[]));
        let text = |reply: &Reply| match &reply.content {
            Content::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        };
        (replies.each_ref().map(|reply| reply.status.as_u16()), replies.each_ref().map(text), replies)
    };
    for (fault, statuses) in [
        ("expired-once", [401, 200]),
        ("forbidden", [403, 403]),
        ("unknown", [404, 404]),
        ("too-many", [429, 429]),
        ("unavailable", [503, 503]),
    ] {
        assert_eq!(asked(&format!("fault={fault}")).0, statuses, "{fault}");
    }
    assert_eq!(asked("fault=too-many").2[0].text_of("retry-after"), "1");
    let lengths = |text: &String| {
        let answer: Value = serde_json::from_str(text).unwrap();
        let terms = answer["terms"].as_array().unwrap().iter();
        terms.map(|term| term["unpacked_length"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let true_lengths = lengths(&asked("on").1[0]);
    assert_eq!(true_lengths.iter().sum::<u64>(), 3_900_000);
    assert_eq!(lengths(&asked("fault=wrong-sum").1[0]).iter().sum::<u64>(), 3_900_001);
    let [first, second] = asked("fault=conflict").1.each_ref().map(lengths);
    assert_eq!((&first, second.iter().sum()), (&true_lengths, 3_900_000_u64));
    assert_ne!(first, second);
    assert!(serde_json::from_str::<Value>(&asked("fault=truncated").1[0]).is_err());
}

#[test]
fn versions_and_fingerprints_are_switched_off() {
    let old = fixture("v1,fingerprints=off");
    let hash = hash(&old.one);
    assert_eq!(old.status("o/open", &format!("/v2/reconstructions/{hash}"), &[]), 404);
    assert_eq!(old.status("o/open", &format!("/v1/reconstructions/{hash}"), &[]), 200);
    let dirty = [("x-range-dirty", "bytes=0-0")];
    assert_eq!(old.status("o/open", &format!("/v2/file-chunk-hashes/{hash}"), &dirty), 404);
}

#[tokio::test]
async fn the_third_origin_is_logged_or_does_not_listen() {
    use crate::serve::{Listener, ServeOptions, Store, start};
    let dir = folder();
    let mut options = ServeOptions::new(Store::folder(dir.path()).unwrap());
    let hub = start(options.clone()).await.unwrap();
    let url = |hub: &crate::serve::Hub| format!("{}/v2/reconstructions/{}", hub.cas_url(), "a".repeat(64));
    assert_eq!(reqwest::get(url(&hub)).await.unwrap().status(), 401);
    let log = hub.log();
    assert_eq!((log.len(), log[0].listener, log[0].status), (1, Listener::Cas, Some(401)));
    options.xet.fault = Some(XetFault::Down);
    let hub = start(options).await.unwrap();
    assert!(reqwest::get(url(&hub)).await.unwrap_err().is_connect());
}

#[test]
fn words_and_fields_say_the_same() {
    let expected = XetOptions { files: XetFiles::None, packing: Packing::Separate, ..XetOptions::default() };
    assert_eq!("off,separate".parse::<XetOptions>().unwrap(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_request_makes_the_storage_panic(
        path in "/(v[12]|xorbs)/(reconstructions|file-chunk-hashes|default)?/[0-9a-f*%]{0,70}(/[a-z]{0,3})?",
        range in "(bytes=)?[-0-9, ]{0,24}",
        query in "(X-Xet-Signed-Range=bytes%3D[-0-9]{0,12}&?)?(Expires=[0-9]{0,22}&?)?(Signature=[a-f]{0,4})?",
    ) {
        thread_local!(static FIXTURE: Fixture = fixture("on"));
        FIXTURE.with(|fixture| {
            let known = hash(&fixture.one);
            let headers = [("range", range.as_str()), ("x-range-dirty", range.as_str())];
            let known = ["reconstructions", "file-chunk-hashes"].map(|route| format!("/v2/{route}/{known}"));
            for path in known.iter().chain([&path]) {
                let status = fixture.status("o/open", path, &headers);
                prop_assert!(status < 500, "{path} {range}: {status}");
            }
            let reply = from_cdn(&fixture.site, &format!("http://cdn{path}?{query}"), &headers);
            prop_assert!(reply.status.is_client_error());
            Ok(())
        })?;
    }
}

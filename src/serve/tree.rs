//! Listings of a repository's files: the paged tree, and single paths on request.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    caller::Caller,
    query,
    question::Question,
    refusal::Refusal,
    reply::Reply,
    repo::{Entry, Repo, pointer},
    xet::XetFiles,
};
use crate::digest::sha256_hex;

/// Entries per page of an expanded listing, if the page size is not smaller still.
const EXPANDED_PAGE: usize = 50;

/// What stands at each path, in their order: a file, or a folder (`None`).
fn nodes(repo: &Repo) -> BTreeMap<&str, Option<&Entry>> {
    let mut nodes = BTreeMap::new();
    for entry in &repo.entries {
        nodes.insert(entry.path.as_str(), Some(entry));
        for (at, _) in entry.path.match_indices('/') {
            nodes.insert(&entry.path[..at], None);
        }
    }
    nodes
}

/// `GET /api/models/{id}/tree/{rev}[/{dir}]`.
pub(super) fn tree(question: &Question<'_>, folder: &str) -> Result<Reply, Refusal> {
    let (site, query) = (question.site, query::of(question.request));
    let (recursive, expand) = (query::is_set(query, "recursive"), query::is_set(query, "expand"));
    let after = query::value(query, "cursor").unwrap_or_default();
    let most = if expand { site.options.page_size.min(EXPANDED_PAGE) } else { site.options.page_size };
    let limit = query::page_size(query, most);
    let nodes = nodes(question.repo);
    let folder = folder.trim_matches('/');
    if !folder.is_empty() && nodes.get(folder).is_none_or(Option::is_some) {
        return Err(Refusal::EntryNotFound { path: folder.to_owned(), commit: question.commit.to_owned() });
    }
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let listed: Vec<(&str, Option<&Entry>)> = nodes
        .into_iter()
        .filter(|(path, _)| path.strip_prefix(&prefix).is_some_and(|rest| recursive || !rest.contains('/')))
        .filter(|(path, _)| *path > after.as_str())
        .collect();
    let page = listed.iter().take(limit).filter_map(|(path, entry)| described(question, path, *entry, expand));
    let reply = Reply::json(&page.collect::<Vec<Value>>());
    Ok(match listed.get(limit - 1) {
        Some((last, _)) if listed.len() > limit => query::link_next(reply, question.request, &site.hub_url, last),
        _ => reply,
    })
}

/// `POST /api/models/{id}/paths-info/{rev}`, with JSON or a form. Paths that do not exist are left out.
pub(super) fn paths_info(question: &Question<'_>) -> Result<Reply, Refusal> {
    let body = question.request.body();
    let (paths, expand) = match serde_json::from_slice::<Value>(body) {
        Ok(body) => {
            let paths = match &body["paths"] {
                Value::String(path) => vec![path.clone()],
                Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                _ => return Err(Refusal::BadRequest("`paths` is not a list of paths".to_owned())),
            };
            (paths, body["expand"].as_bool().unwrap_or(false))
        }
        Err(_) => (query::all(body, &["paths", "paths[]"]), query::is_set(body, "expand")),
    };
    let nodes = nodes(question.repo);
    let found = paths.iter().filter_map(|path| {
        let path = path.trim_matches('/');
        nodes.get(path).and_then(|entry| described(question, path, *entry, expand))
    });
    Ok(Reply::json(&found.collect::<Vec<Value>>()))
}

/// One entry; a folder has an oid too, made from its name. `None` for a file that cannot be read.
fn described(question: &Question<'_>, path: &str, entry: Option<&Entry>, expand: bool) -> Option<Value> {
    let Some(entry) = entry else {
        return Some(json!({ "type": "directory", "oid": sha256_hex(path.as_bytes())[..40], "size": 0, "path": path }));
    };
    let digests = question.digests(entry).ok()?;
    let mut value = json!({ "type": "file", "oid": digests.oid, "size": entry.size, "path": path });
    if let Some(sha256) = &digests.sha256 {
        let length = pointer(sha256, entry.size).len();
        value["lfs"] = json!({ "oid": sha256, "size": entry.size, "pointerSize": length });
        if let Some(hash) = question.xet_hash(entry, &digests) {
            let is_open = question.caller == Caller::Member || !question.repo.is_gated();
            let is_told = is_open && question.site.options.xet.files != XetFiles::Redacted;
            value["xetHash"] = if is_told { json!(hash.to_string()) } else { json!("*".repeat(64)) };
        }
    }
    if expand {
        value["lastCommit"] =
            json!({ "id": question.repo.commit, "title": "Upload files", "date": question.repo.modified });
        value["securityFileStatus"] = json!({ "status": "unscanned" });
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use hyper::Method;

    use super::super::{
        router,
        testing::{folder, get, request, site},
    };
    use super::*;

    fn paths(value: &Value) -> Vec<String> {
        value.as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn pages_put_together_are_the_whole_listing() {
        let dir = folder();
        let whole = get(&site(&dir, |_| {}), "/api/models/o/open/tree/main?recursive=true", &[]);
        let expected = ["config.json", "model.safetensors", "sub", "sub/deep", "sub/deep/a.txt", "sub/empty.txt"];
        assert_eq!(paths(&whole.json_body()), expected);
        assert!(!whole.headers.contains_key("link"));
        let site = site(&dir, |options| options.page_size = 2);
        let mut url = "/api/models/o/open/tree/main?recursive=true".to_owned();
        let mut found = Vec::new();
        for page in 0..3 {
            let reply = get(&site, &url, &[]);
            found.extend(paths(&reply.json_body()));
            let link = reply.text_of("link").to_owned();
            assert_eq!(link.is_empty(), page == 2, "{link}");
            let next = link.strip_prefix("<http://hub").and_then(|link| link.strip_suffix(">; rel=\"next\""));
            url = next.unwrap_or_default().to_owned();
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn a_folder_is_listed_one_level_deep_unless_recursive() {
        let dir = folder();
        let site = site(&dir, |_| {});
        let list = |url: &str| paths(&get(&site, url, &[]).json_body());
        assert_eq!(list("/api/models/o/open/tree/main"), ["config.json", "model.safetensors", "sub"]);
        assert_eq!(list("/api/models/o/open/tree/main/sub"), ["sub/deep", "sub/empty.txt"]);
    }

    #[test]
    fn paths_are_asked_with_json_or_a_form_and_unknown_ones_are_left_out() {
        let dir = folder();
        let site = site(&dir, |_| {});
        let bodies = [
            r#"{"paths":["sub","none","model.safetensors"],"expand":false}"#,
            "paths=sub&paths=none&paths=model.safetensors",
        ];
        for body in bodies {
            let reply = router::answer(&site, &request(Method::POST, "/api/models/o/open/paths-info/main", &[], body));
            let found = reply.json_body();
            assert_eq!(paths(&found), ["sub", "model.safetensors"]);
            assert_eq!(found[1]["lfs"]["oid"].as_str().map(str::len), Some(64));
            assert_eq!(found[0]["type"], "directory");
        }
    }
}

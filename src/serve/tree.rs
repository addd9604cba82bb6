//! Listings of a repository's files: the paged tree, and single paths on request.

use std::collections::BTreeMap;

use axum::http::header;
use serde_json::{Value, json};

use super::{
    api::is_true,
    refusal::Refusal,
    reply::Reply,
    router::Asked,
    site::{Site, Stop, commit_of},
    store::{Entry, Repo, pointer},
};
use crate::digest::sha256_hex;

/// Entries per page of an expanded listing, if the page size is not smaller still.
const EXPANDED_PAGE: usize = 50;

/// What stands at each path: a file, or a folder (`None`).
type Nodes<'a> = BTreeMap<&'a str, Option<&'a Entry>>;

/// Files and folders of a repository, in the order of paths.
fn nodes(repo: &Repo) -> Nodes<'_> {
    let mut nodes = Nodes::new();
    for entry in &repo.entries {
        nodes.insert(&entry.path, Some(entry));
        for (at, _) in entry.path.match_indices('/') {
            nodes.insert(&entry.path[..at], None);
        }
    }
    nodes
}

/// `GET /api/models/{id}/tree/{rev}[/{dir}]`.
pub(super) fn tree(site: &Site, asked: &Asked, repo: &Repo, revision: &str, folder: &str) -> Result<Reply, Stop> {
    let commit = commit_of(repo, revision)?;
    let (mut recursive, mut expand, mut after, mut limit) = (false, false, String::new(), site.options.page_size);
    for (key, value) in url::form_urlencoded::parse(asked.query.as_bytes()) {
        match key.as_ref() {
            "recursive" => recursive = is_true(&value),
            "expand" => expand = is_true(&value),
            "cursor" => after = value.into_owned(),
            "limit" => limit = value.parse().unwrap_or(limit).min(limit),
            _ => {}
        }
    }
    if expand {
        limit = limit.min(EXPANDED_PAGE);
    }
    let nodes = nodes(repo);
    let folder = folder.trim_matches('/');
    if !folder.is_empty() && nodes.get(folder).is_none_or(Option::is_some) {
        let path = folder.to_owned();
        return Err(Refusal::EntryNotFound { path, commit: commit.to_owned() }.into());
    }
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let listed: Vec<(&str, Option<&Entry>)> = nodes
        .into_iter()
        .filter(|(path, _)| path.strip_prefix(&prefix).is_some_and(|rest| recursive || !rest.contains('/')))
        .filter(|(path, _)| *path > after.as_str())
        .collect();
    let limit = limit.max(1);
    let page = listed.iter().take(limit);
    let page: Result<Vec<Value>, Stop> =
        page.map(|(path, entry)| described(site, repo, path, *entry, expand)).collect();
    let reply = Reply::json(&Value::Array(page?));
    Ok(match listed.get(limit - 1) {
        Some((last, _)) if listed.len() > limit => reply.with(header::LINK, &next_link(site, asked, last)),
        _ => reply,
    })
}

/// `POST /api/models/{id}/paths-info/{rev}`, with JSON or a form. Paths that do not exist are left out.
pub(super) fn paths_info(site: &Site, asked: &Asked, repo: &Repo, revision: &str) -> Result<Reply, Stop> {
    commit_of(repo, revision)?;
    let (mut paths, mut expand) = (Vec::new(), false);
    if let Ok(body) = serde_json::from_slice::<Value>(&asked.body) {
        match &body["paths"] {
            Value::String(path) => paths.push(path.clone()),
            Value::Array(many) => paths.extend(many.iter().filter_map(Value::as_str).map(str::to_owned)),
            _ => return Err(Refusal::BadRequest("`paths` is not a list of paths".to_owned()).into()),
        }
        expand = body["expand"].as_bool().unwrap_or(false);
    } else {
        for (key, value) in url::form_urlencoded::parse(&asked.body) {
            match key.as_ref() {
                "paths" | "paths[]" => paths.push(value.into_owned()),
                "expand" => expand = is_true(&value),
                _ => {}
            }
        }
    }
    let nodes = nodes(repo);
    let found = paths.iter().filter_map(|path| {
        let path = path.trim_matches('/');
        nodes.get(path).map(|entry| described(site, repo, path, *entry, expand))
    });
    Ok(Reply::json(&Value::Array(found.collect::<Result<_, Stop>>()?)))
}

/// One entry; a folder has an oid too, made from its name.
fn described(site: &Site, repo: &Repo, path: &str, entry: Option<&Entry>, expand: bool) -> Result<Value, Stop> {
    let Some(entry) = entry else {
        return Ok(json!({ "type": "directory", "oid": sha256_hex(path.as_bytes())[..40], "size": 0, "path": path }));
    };
    let digests = site.options.store.digests(&repo.id, entry)?;
    let mut value = json!({ "type": "file", "oid": digests.oid, "size": entry.size, "path": path });
    if let Some(sha256) = &digests.sha256 {
        let length = pointer(sha256, entry.size).len();
        value["lfs"] = json!({ "oid": sha256, "size": entry.size, "pointerSize": length });
        if site.options.xet_headers {
            value["xetHash"] = json!(digests.xet_hash());
        }
    }
    if expand {
        value["lastCommit"] = json!({ "id": repo.commit, "title": "Upload files", "date": repo.modified });
        value["securityFileStatus"] = json!({ "status": "unscanned" });
    }
    Ok(value)
}

/// An absolute link to the page after `cursor`.
pub(super) fn next_link(site: &Site, asked: &Asked, cursor: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(url::form_urlencoded::parse(asked.query.as_bytes()).filter(|(key, _)| key != "cursor"));
    query.append_pair("cursor", cursor);
    format!("<{}{}?{}>; rel=\"next\"", site.hub_url, asked.path, query.finish())
}

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::super::{
        router,
        testing::{asked, folder, get, site},
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
            let reply = router::answer(&site, &asked(Method::POST, "/api/models/o/open/paths-info/main", &[], body));
            let found = reply.json_body();
            assert_eq!(paths(&found), ["sub", "model.safetensors"]);
            assert_eq!(found[1]["lfs"]["oid"].as_str().map(str::len), Some(64));
            assert_eq!(found[0]["type"], "directory");
        }
    }
}

//! JSON about repositories: info, list, refs and the headers of all shards at once.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use hyper::Request;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json, value::RawValue};

use super::{
    caller::Caller,
    query,
    question::Question,
    refusal::Refusal,
    reply::Reply,
    repo::{Entry, Repo, pointer},
    site::Site,
};
use crate::digest::sha256_hex;

/// The largest header that is read, as the official client has it.
const MAX_HEADER: u64 = 25_000_000;

/// What is told of a repository without being asked.
const USUAL: &str = "author sha lastModified createdAt private gated disabled downloads likes library_name pipeline_tag tags \
                     cardData config safetensors usedStorage siblings";

/// What the Hub may know of a repository, and this one never does.
const UNKNOWN: &str = "baseModels gguf inference inferenceProviderMapping mask_token model-index resourceGroup \
                       transformersInfo widgetData";

/// `GET /api/models/{id}[/revision/{rev}]`.
pub(super) fn info(question: &Question<'_>) -> Result<Reply, Refusal> {
    let (repo, query) = (question.repo, query::of(question.request));
    let blobs = query::is_set(query, "blobs");
    let mut names = query::all(query, &["expand", "expand[]"]);
    if blobs && !names.is_empty() {
        return Err(Refusal::BadRequest("`expand` cannot be combined with `blobs`".to_owned()));
    }
    let mut answer = Map::from_iter([("_id".to_owned(), number(&repo.id)), ("id".to_owned(), json!(repo.id))]);
    if names.is_empty() {
        answer.insert("modelId".to_owned(), json!(repo.id));
        names.extend(USUAL.split(' ').map(str::to_owned));
    }
    for name in names {
        let Some(value) = field(question, &name, blobs) else {
            return Err(Refusal::BadRequest(format!("`{name}` cannot be expanded")));
        };
        // The Hub leaves out what it does not know.
        if !value.is_null() {
            answer.insert(name, value);
        }
    }
    Ok(Reply::json(&answer))
}

/// The place of the Hub's own number of a repository.
fn number(id: &str) -> Value {
    json!(sha256_hex(id.as_bytes())[..24])
}

/// One property; `None` for a name that does not exist, null for one without a value here.
fn field(question: &Question<'_>, name: &str, blobs: bool) -> Option<Value> {
    let repo = question.repo;
    Some(match name {
        "author" => json!(repo.id.split_once('/').map(|(owner, _)| owner)),
        "sha" => json!(question.commit),
        "lastModified" | "createdAt" => json!(repo.modified),
        "private" => json!(repo.private),
        "gated" => repo.gated.clone(),
        "disabled" => json!(repo.disabled),
        "downloads" | "downloadsAllTime" | "likes" | "childrenModelCount" | "trendingScore" => json!(0),
        "library_name" => json!("transformers"),
        "pipeline_tag" => json!("text-generation"),
        "tags" => json!(repo.tags),
        "cardData" => repo.card.clone(),
        "config" => config(question),
        "safetensors" => parameters(question),
        "usedStorage" => json!(repo.entries.iter().map(|entry| entry.size).sum::<u64>()),
        "siblings" => siblings(question, blobs),
        "spaces" | "evalResults" => json!([]),
        _ if UNKNOWN.split(' ').any(|unknown| unknown == name) => Value::Null,
        _ => return None,
    })
}

/// All files; with `blobs` those that can be read.
fn siblings(question: &Question<'_>, blobs: bool) -> Value {
    let sibling = |entry: &Entry| {
        let mut sibling = json!({ "rfilename": entry.path });
        if blobs {
            let digests = question.digests(entry).ok()?;
            sibling["size"] = json!(entry.size);
            sibling["blobId"] = json!(digests.oid);
            if let Some(sha256) = digests.sha256 {
                let length = pointer(&sha256, entry.size).len();
                sibling["lfs"] = json!({ "sha256": sha256, "size": entry.size, "pointerSize": length });
            }
        }
        Some(sibling)
    };
    question.repo.entries.iter().filter_map(sibling).collect()
}

/// The part of `config.json` that the Hub indexes.
fn config(question: &Question<'_>) -> Value {
    let config = question.entry("config.json").and_then(|entry| read_json(question, entry)).ok();
    let mut answer = Map::new();
    for key in ["architectures", "model_type", "quantization_config"] {
        if let Some(value) = config.as_ref().and_then(|config| config.get(key)) {
            answer.insert(key.to_owned(), value.clone());
        }
    }
    Value::Object(answer)
}

/// Elements by type; null where no header can be read.
fn parameters(question: &Question<'_>) -> Value {
    let known = question.site.options.store.parameters(&question.repo.id);
    let counts = known.unwrap_or_else(|| counted(question));
    if counts.is_empty() {
        return Value::Null;
    }
    let total = counts.values().fold(0_u64, |sum, &count| sum.saturating_add(count));
    json!({ "parameters": counts, "total": total })
}

/// Elements by type, from the headers.
fn counted(question: &Question<'_>) -> BTreeMap<String, u64> {
    let weights = |prefix: &str| -> Vec<&Entry> {
        let files = question.repo.entries.iter();
        files.filter(|e| e.path.starts_with(prefix) && e.path.ends_with(".safetensors")).collect()
    };
    // A consolidated copy beside the shards is not counted once more.
    let shards = Some(weights("model")).filter(|shards| !shards.is_empty()).unwrap_or_else(|| weights(""));
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for header in shards.into_iter().filter_map(|entry| header(question, entry).ok()) {
        let tensors: BTreeMap<String, &RawValue> = serde_json::from_str(header.get()).unwrap_or_default();
        for (_, tensor) in tensors.into_iter().filter(|(name, _)| name != "__metadata__") {
            let tensor: Value = serde_json::from_str(tensor.get()).unwrap_or_default();
            let dtype = tensor["dtype"].as_str().unwrap_or_default().to_owned();
            let shape = tensor["shape"].as_array().into_iter().flatten().map(|n| n.as_u64().unwrap_or_default());
            let elements = shape.fold(1_u64, u64::saturating_mul);
            let count = counts.entry(dtype).or_default();
            *count = count.saturating_add(elements);
        }
    }
    counts
}

/// Headers stay text: as values they would take ten times the memory.
#[derive(Serialize)]
struct Headers<'a> {
    index: Value,
    headers: BTreeMap<&'a str, Box<RawValue>>,
}

/// `GET /api/models/{id}/safetensors-metadata/{index}`: the headers of all shards that an index names.
pub(super) fn safetensors_metadata(question: &Question<'_>, path: &str) -> Result<Reply, Refusal> {
    let index = read_json(question, question.entry(path)?)?;
    let names: BTreeSet<&str> =
        index["weight_map"].as_object().into_iter().flatten().filter_map(|(_, v)| v.as_str()).collect();
    let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let mut headers = BTreeMap::new();
    for name in names {
        headers.insert(name, header(question, question.entry(&format!("{folder}{name}"))?)?);
    }
    Ok(Reply::json(&Headers { index: json!({ "metadata": index["metadata"] }), headers }))
}

/// `GET /api/models/{id}/refs`.
pub(super) fn refs(repo: &Repo) -> Reply {
    let listed = |name: &str, full: &str, commit: &str| json!({ "name": name, "ref": full, "targetCommit": commit });
    let mut branches = vec![listed("main", "refs/heads/main", &repo.commit)];
    let mut pulls = Vec::new();
    for (name, commit) in &repo.refs {
        match name.strip_prefix("refs/pr/") {
            Some(number) => pulls.push(listed(number, name, commit)),
            None => branches.push(listed(name, &format!("refs/heads/{name}"), commit)),
        }
    }
    Reply::json(&json!({ "branches": branches, "converts": [], "tags": [], "pullRequests": pulls }))
}

/// `GET /api/models`: enough of it to find what is here.
pub(super) fn list(site: &Site, caller: Caller, request: &Request<Bytes>) -> Result<Reply, Refusal> {
    if caller == Caller::Invalid {
        return Err(Refusal::InvalidToken);
    }
    let query = query::of(request);
    let limit = query::page_size(query, site.options.page_size);
    let after = query::value(query, "cursor").unwrap_or_default();
    let search = query::value(query, "search").unwrap_or_default().to_lowercase();
    let (author, filters) = (query::value(query, "author"), query::all(query, &["filter"]));
    let mut ids = site.options.store.ids()?;
    ids.sort();
    ids.retain(|id| {
        let owner = id.split_once('/').map(|(owner, _)| owner);
        *id > after && id.to_lowercase().contains(&search) && (author.is_none() || author.as_deref() == owner)
    });
    let mut page: Vec<Value> = Vec::new();
    let mut last = String::new();
    for id in ids {
        // One that cannot be read takes no other off the list.
        let Ok(Some(repo)) = site.options.store.find(&id) else { continue };
        let is_hidden = repo.private && caller != Caller::Member;
        if is_hidden || !filters.iter().all(|filter| repo.tags.contains(filter)) {
            continue;
        }
        if page.len() == limit {
            return Ok(query::link_next(Reply::json(&page), request, &site.hub_url, &last));
        }
        page.push(json!({
            "_id": number(&id), "id": id, "modelId": id, "private": repo.private, "likes": 0, "downloads": 0,
            "tags": repo.tags, "createdAt": repo.modified, "lastModified": repo.modified, "sha": repo.commit,
            "gated": repo.gated, "library_name": "transformers", "pipeline_tag": "text-generation",
        }));
        last = id;
    }
    Ok(Reply::json(&page))
}

fn read_json(question: &Question<'_>, entry: &Entry) -> Result<Value, Refusal> {
    parse(&entry.path, &question.read(entry, 0, entry.size)?)
}

/// The header of a shard.
fn header(question: &Question<'_>, entry: &Entry) -> Result<Box<RawValue>, Refusal> {
    let prefix: [u8; 8] = question.read(entry, 0, 8)?.as_ref().try_into().unwrap_or([u8::MAX; 8]);
    let length = u64::from_le_bytes(prefix);
    if length > MAX_HEADER {
        return Err(Refusal::BadRequest(format!("{} has no readable header", entry.path)));
    }
    parse(&entry.path, &question.read(entry, 8, 8 + length)?)
}

fn parse<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| Refusal::BadRequest(format!("{path}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{COMMIT, folder, get, site};

    #[test]
    fn info_has_sizes_and_digests_when_asked_and_counts_parameters() {
        let dir = folder();
        let site = site(&dir, |_| {});
        let plain = get(&site, "/api/models/o/open", &[]).json_body();
        assert_eq!(plain["sha"], COMMIT);
        assert_eq!(plain["safetensors"]["total"], 4);
        assert_eq!(plain["config"]["model_type"], "llama");
        assert!(plain["siblings"][0].get("size").is_none());
        let blobs = get(&site, "/api/models/o/open/revision/main?blobs=true", &[]).json_body();
        assert_eq!(blobs["siblings"][1]["lfs"]["sha256"].as_str().map(str::len), Some(64));
        let few = get(&site, "/api/models/o/open?expand=sha&expand[]=gated", &[]).json_body();
        let keys: Vec<&String> = few.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["_id", "id", "sha", "gated"]);
        assert_eq!(get(&site, "/api/models/o/open?expand=nonsense", &[]).status, 400);
    }

    #[test]
    fn a_list_is_paged_and_hides_private_repositories() {
        let dir = folder();
        let site = site(&dir, |options| options.page_size = 2);
        let reply = get(&site, "/api/models?author=o", &[]);
        let first = reply.json_body();
        let next = reply.text_of("link").strip_prefix("<http://hub").unwrap().split('>').next().unwrap().to_owned();
        let second = get(&site, &next, &[]).json_body();
        let ids =
            |page: &serde_json::Value| page.as_array().unwrap().iter().map(|m| m["id"].to_string()).collect::<String>();
        assert_eq!(ids(&first) + &ids(&second), r#""o/gated""o/new""o/off""o/open""#);
    }

    #[test]
    fn refs_and_all_headers_are_given_in_one_answer() {
        let dir = folder();
        let index = r#"{"metadata":{"total_size":8},"weight_map":{"w":"model.safetensors"}}"#;
        fs_err::write(dir.path().join("o/open/model.safetensors.index.json"), index).unwrap();
        let site = site(&dir, |_| {});
        let refs = get(&site, "/api/models/o/open/refs", &[]).json_body();
        assert_eq!(refs["pullRequests"][0]["ref"], "refs/pr/1");
        let url = "/api/models/o/open/safetensors-metadata/model.safetensors.index.json";
        let headers = get(&site, url, &[]).json_body();
        assert_eq!(headers["headers"]["model.safetensors"]["w"]["dtype"], "BF16");
        assert_eq!(headers["index"]["metadata"]["total_size"], 8);
    }
}

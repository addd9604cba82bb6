//! Which answer belongs to which path.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use hyper::{Method, Request, StatusCode, header::HeaderName};
use serde_json::json;

use super::{
    api,
    caller::Caller,
    query::{decode, decode_path},
    question::Question,
    refusal::Refusal,
    reply::Reply,
    resolve,
    site::Site,
    tree,
    xet::read_token,
};

const API: &str = "/api/models/";
const RESOLVE_CACHE: &str = "/api/resolve-cache/models/";

/// A path that asks something about a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Route<'a> {
    /// What stands before the id.
    prefix: &'a str,
    id: String,
    /// Encoded segments behind the id.
    behind: &'a [&'a str],
    verb: &'a str,
    revision: String,
    /// The file or folder that is asked for; empty where there is none.
    path: String,
}

/// Answers a request to the hub.
pub(super) fn answer(site: &Site, request: &Request<Bytes>) -> Reply {
    let caller = Caller::of(request.headers());
    let path = request.uri().path();
    let segments: Vec<&str> = path.split('/').collect();
    let outcome = match segments.as_slice() {
        // A registry without entries: the official client asks for it before all else, and expects this form.
        ["", "api", "agent-harnesses"] => Ok(Reply::json(&json!({ "standardEnvVars": [], "harnesses": {} }))),
        ["", "api", "models"] => api::list(site, caller, request),
        _ => route(&segments).ok_or(Refusal::NoRoute).and_then(|route| about_repo(site, caller, request, &route)),
    };
    let mut reply = outcome.unwrap_or_else(|refusal| refusal.reply(path.starts_with("/api/")));
    site.limits.count(path, caller, &mut reply.headers);
    let number = site.answered.fetch_add(1, Ordering::Relaxed);
    let id = format!("Root=1-{number:08x}-000000000000000000000000");
    reply.with(HeaderName::from_static("x-request-id"), &id)
}

fn about_repo(site: &Site, caller: Caller, request: &Request<Bytes>, route: &Route<'_>) -> Result<Reply, Refusal> {
    if caller == Caller::Invalid {
        return Err(Refusal::InvalidToken);
    }
    let repo = site.options.store.find(&route.id)?.ok_or(Refusal::RepoNotFound(caller))?;
    if repo.id != route.id {
        return Ok(moved(request, route, &repo.id));
    }
    if repo.private && caller != Caller::Member {
        return Err(Refusal::RepoNotFound(caller));
    }
    if repo.disabled {
        return Err(Refusal::Disabled);
    }
    let methods: &[Method] = if route.verb == "paths-info" { &[Method::POST] } else { &[Method::GET, Method::HEAD] };
    if !methods.contains(request.method()) {
        return Err(Refusal::NoRoute);
    }
    let reads_files = matches!(route.verb, "safetensors-metadata" | "resolve" | "resolve-cache" | "xet-read-token");
    if reads_files && repo.is_gated() && caller != Caller::Member {
        return Err(Refusal::Gated(caller, repo.id));
    }
    let commit = repo.resolve(&route.revision);
    let commit = commit.ok_or_else(|| Refusal::RevisionNotFound(route.revision.clone()))?;
    let question = Question { site, request, caller, repo: &repo, commit };
    match route.verb {
        "tree" => tree::tree(&question, &route.path),
        "paths-info" => tree::paths_info(&question),
        "refs" => Ok(api::refs(&repo)),
        "xet-read-token" => read_token::answer(&question),
        "safetensors-metadata" => api::safetensors_metadata(&question, &route.path),
        "resolve" => resolve::resolve(&question, &route.path),
        "resolve-cache" => resolve::cached(&question, &route.path),
        _ => api::info(&question),
    }
}

/// The same question under the id that the repository has by now.
fn moved(request: &Request<Bytes>, route: &Route<'_>, id: &str) -> Reply {
    let path: Vec<&str> = std::iter::once(id).chain(route.behind.iter().copied()).collect();
    let query = request.uri().query().filter(|query| !query.is_empty());
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Reply::redirect(StatusCode::TEMPORARY_REDIRECT, &format!("{}{}{query}", route.prefix, path.join("/")))
}

/// Finds the id in a path. Ids have one segment or two; the verb behind them tells.
fn route<'a>(segments: &'a [&'a str]) -> Option<Route<'a>> {
    let (prefix, segments) = match segments {
        ["", "api", "resolve-cache", "models", rest @ ..] => (RESOLVE_CACHE, rest),
        ["", "api", "models", rest @ ..] => (API, rest),
        ["", rest @ ..] => ("/", rest),
        _ => return None,
    };
    if segments.iter().take(2).any(|segment| segment.is_empty()) {
        return None;
    }
    (1..=2).find_map(|length| {
        let (id, behind) = segments.split_at_checked(length)?;
        let (verb, revision, path) = asked(prefix, behind)?;
        Some(Route { prefix, id: decode_path(id), behind, verb, revision, path })
    })
}

/// Verb, revision and path of what stands behind an id.
fn asked<'a>(prefix: &str, behind: &[&'a str]) -> Option<(&'a str, String, String)> {
    let of_main = |verb, path: &[&str]| Some((verb, "main".to_owned(), decode_path(path)));
    match (prefix, behind) {
        (RESOLVE_CACHE, [commit, path @ ..]) if commit.len() == 40 && !path.is_empty() => {
            Some(("resolve-cache", decode(commit), decode_path(path)))
        }
        // Behind one segment this is the second half of an id, behind two it is the whole question.
        (API, []) => of_main("revision", &[]),
        (API, ["refs"]) => of_main("refs", &[]),
        (API, ["safetensors-metadata", path @ ..]) if !path.is_empty() => of_main("safetensors-metadata", path),
        (API, [verb @ ("revision" | "tree" | "paths-info" | "xet-read-token"), rest @ ..])
        | ("/", [verb @ "resolve", rest @ ..]) => {
            let (revision, path) = revision_and_path(rest)?;
            (path.is_empty() || matches!(*verb, "tree" | "resolve")).then_some((*verb, revision, path))
        }
        _ => None,
    }
}

/// A revision is one encoded segment; `refs/pr/1` is understood unencoded as well.
fn revision_and_path(segments: &[&str]) -> Option<(String, String)> {
    let (revision, path) = match segments {
        ["refs", kind, name, path @ ..] => (format!("refs/{}/{}", decode(kind), decode(name)), path),
        [revision, path @ ..] if !revision.is_empty() => (decode(revision), path),
        _ => return None,
    };
    Some((revision, decode_path(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Id, verb, revision and path.
    fn found(path: &str) -> Option<[String; 4]> {
        let segments: Vec<&str> = path.split('/').collect();
        route(&segments).map(|route| [route.id, route.verb.to_owned(), route.revision, route.path])
    }

    #[test]
    fn ids_of_one_and_two_segments_are_found() {
        assert_eq!(
            found("/a/b/resolve/main/x/y.json"),
            Some(["a/b", "resolve", "main", "x/y.json"].map(str::to_owned))
        );
        assert_eq!(found("/gpt2/resolve/main/x"), Some(["gpt2", "resolve", "main", "x"].map(str::to_owned)));
        assert_eq!(found("/api/models/a/b"), Some(["a/b", "revision", "main", ""].map(str::to_owned)));
        assert_eq!(found("/api/models/gpt2"), Some(["gpt2", "revision", "main", ""].map(str::to_owned)));
        assert_eq!(found("/api/models/gpt2/refs"), Some(["gpt2", "refs", "main", ""].map(str::to_owned)));
        assert_eq!(found("/api/models/a/b/paths-info/dev"), Some(["a/b", "paths-info", "dev", ""].map(str::to_owned)));
        for path in ["/a/b", "/api/models/", "/api/models/a/b/paths-info/dev/x", "/a/b/blob/main/x"] {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn revisions_and_paths_are_decoded_segment_by_segment() {
        let expected = Some(["a/b", "resolve", "refs/pr/1", "x y/ü"].map(str::to_owned));
        assert_eq!(found("/a/b/resolve/refs%2Fpr%2F1/x%20y/%C3%BC"), expected);
        assert_eq!(found("/a/b/resolve/refs/pr/1/x%20y/%C3%BC"), expected);
    }

    proptest::proptest! {
        #[test]
        fn any_path_is_parsed_or_refused(path in "(/[a-z.%/]{0,12}){0,6}") {
            let _ = found(&path);
        }
    }
}

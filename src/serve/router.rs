//! Which answer belongs to which path.

use axum::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{
    api,
    refusal::Refusal,
    reply::Reply,
    resolve,
    site::{Caller, Site, Stop, pass_gate},
    tree,
};

/// A request, read whole.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// As it came, percent-encoded.
    pub(super) path: String,
    /// As it came, without the `?`; empty without one.
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What is asked about a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Info { revision: String },
    Tree { revision: String, folder: String },
    PathsInfo { revision: String },
    Refs,
    SafetensorsMetadata { index: String },
    Resolve { revision: String, path: String },
    ResolveCache { commit: String, path: String },
}

/// A repository's id within a path, and what is asked about it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Route<'a> {
    /// What stands before the id, without slashes at its ends.
    before: &'a str,
    id: String,
    /// Encoded segments behind the id.
    behind: Vec<&'a str>,
    target: Target,
}

/// Bytes that stay as they are in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One segment of a path, encoded.
pub(super) fn encode_segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A path of several segments, each encoded.
pub(super) fn encode_path(path: &str) -> String {
    path.split('/').map(encode_segment).collect::<Vec<_>>().join("/")
}

/// One segment of a path, decoded.
pub(super) fn decode(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// Answers a request to the hub.
pub(super) fn answer(site: &Site, asked: &Asked) -> Reply {
    let caller = site.caller(&asked.headers);
    let is_api = asked.path.starts_with("/api/");
    let route = route(&asked.path);
    let outcome = match (&route, asked.path.as_str()) {
        (_, "/api/agent-harnesses") => Ok(Reply::json(&serde_json::json!([]))),
        (_, "/api/models") => api::list(site, caller, asked),
        (Some(route), _) => about_repo(site, caller, asked, route),
        (None, _) => Err(Refusal::NoRoute.into()),
    };
    let mut reply = match outcome {
        Ok(reply) => reply,
        Err(Stop::Refused(refusal)) => refusal.reply(is_api),
        Err(Stop::Moved(id)) => moved(asked, route.as_ref(), &id),
        Err(Stop::Broken(error)) => Reply::text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    };
    site.limits.count(&asked.path, caller, &mut reply.headers);
    reply
}

fn about_repo(site: &Site, caller: Caller, asked: &Asked, route: &Route<'_>) -> Result<Reply, Stop> {
    let repo = site.repo(caller, &route.id)?;
    match &route.target {
        Target::PathsInfo { revision } if asked.method == Method::POST => {
            tree::paths_info(site, asked, &repo, revision)
        }
        _ if asked.method != Method::GET && asked.method != Method::HEAD => Err(Refusal::NoRoute.into()),
        Target::PathsInfo { .. } => Err(Refusal::NoRoute.into()),
        Target::Info { revision } => api::info(site, asked, &repo, revision),
        Target::Tree { revision, folder } => tree::tree(site, asked, &repo, revision, folder),
        Target::Refs => Ok(api::refs(&repo)),
        Target::SafetensorsMetadata { index } => {
            pass_gate(caller, &repo)?;
            api::safetensors_metadata(site, &repo, index)
        }
        Target::Resolve { revision, path } => {
            pass_gate(caller, &repo)?;
            resolve::resolve(site, asked, &repo, revision, path)
        }
        Target::ResolveCache { commit, path } => {
            pass_gate(caller, &repo)?;
            resolve::cached(site, asked, &repo, commit, path)
        }
    }
}

/// The same question under the id that the repository has by now.
fn moved(asked: &Asked, route: Option<&Route<'_>>, id: &str) -> Reply {
    let Some(route) = route else {
        return Refusal::NoRoute.reply(false);
    };
    let mut segments: Vec<&str> = Vec::new();
    if !route.before.is_empty() {
        segments.push(route.before);
    }
    segments.push(id);
    segments.extend(&route.behind);
    let query = if asked.query.is_empty() { String::new() } else { format!("?{}", asked.query) };
    Reply::redirect(StatusCode::TEMPORARY_REDIRECT, &format!("/{}{query}", segments.join("/")))
}

/// Finds the id in a path. Ids have one segment or two; the verb behind them tells.
fn route(path: &str) -> Option<Route<'_>> {
    let (before, rest) =
        [("api/resolve-cache/models", "/api/resolve-cache/models/"), ("api/models", "/api/models/"), ("", "/")]
            .into_iter()
            .find_map(|(before, prefix)| path.strip_prefix(prefix).map(|rest| (before, rest)))?;
    let segments: Vec<&str> = rest.split('/').collect();
    if segments.iter().take(2).any(|segment| segment.is_empty()) {
        return None;
    }
    let (split, target) = match before {
        "api/models" => (1..=2).find_map(|split| Some((split, api_target(segments.get(split..)?)?)))?,
        "" => (1..=2).find_map(|split| match segments.get(split..)? {
            ["resolve", rest @ ..] => {
                let (revision, path) = revision_and_path(rest)?;
                Some((split, Target::Resolve { revision, path }))
            }
            _ => None,
        })?,
        _ => (1..=2).find_map(|split| match segments.get(split..)? {
            [commit, path @ ..] if commit.len() == 40 && !path.is_empty() => {
                let (commit, path) = (decode(commit), decode_path(path));
                Some((split, Target::ResolveCache { commit, path }))
            }
            _ => None,
        })?,
    };
    Some(Route {
        before,
        id: segments[..split].iter().map(|segment| decode(segment)).collect::<Vec<_>>().join("/"),
        behind: segments[split..].to_vec(),
        target,
    })
}

fn api_target(segments: &[&str]) -> Option<Target> {
    match segments {
        // Behind one segment this is the second half of an id, behind two it is the whole question.
        [] => Some(Target::Info { revision: "main".to_owned() }),
        ["revision", rest @ ..] => match revision_and_path(rest)? {
            (revision, path) if path.is_empty() => Some(Target::Info { revision }),
            _ => None,
        },
        ["tree", rest @ ..] => revision_and_path(rest).map(|(revision, folder)| Target::Tree { revision, folder }),
        ["paths-info", rest @ ..] => match revision_and_path(rest)? {
            (revision, path) if path.is_empty() => Some(Target::PathsInfo { revision }),
            _ => None,
        },
        ["refs"] => Some(Target::Refs),
        ["safetensors-metadata", path @ ..] if !path.is_empty() => {
            Some(Target::SafetensorsMetadata { index: decode_path(path) })
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

fn decode_path(segments: &[&str]) -> String {
    segments.iter().map(|segment| decode(segment)).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(path: &str) -> Option<(String, Target)> {
        route(path).map(|route| (route.id, route.target))
    }

    fn resolve(revision: &str, path: &str) -> Target {
        Target::Resolve { revision: revision.to_owned(), path: path.to_owned() }
    }

    #[test]
    fn ids_of_one_and_two_segments_are_found() {
        assert_eq!(target("/a/b/resolve/main/x/y.json"), Some(("a/b".into(), resolve("main", "x/y.json"))));
        assert_eq!(target("/gpt2/resolve/main/x"), Some(("gpt2".into(), resolve("main", "x"))));
        let info = |id: &str| Some((id.to_owned(), Target::Info { revision: "main".into() }));
        assert_eq!(target("/api/models/a/b"), info("a/b"));
        assert_eq!(target("/api/models/gpt2"), info("gpt2"));
        assert_eq!(target("/api/models/gpt2/refs").map(|(id, _)| id), Some("gpt2".into()));
        assert_eq!(target("/a/b"), None);
        assert_eq!(target("/api/models/"), None);
    }

    #[test]
    fn revisions_and_paths_are_decoded_segment_by_segment() {
        let expected = Some(("a/b".into(), resolve("refs/pr/1", "x y/ü")));
        assert_eq!(target("/a/b/resolve/refs%2Fpr%2F1/x%20y/%C3%BC"), expected);
        assert_eq!(target("/a/b/resolve/refs/pr/1/x%20y/%C3%BC"), expected);
    }

    proptest::proptest! {
        #[test]
        fn any_path_is_parsed_or_refused(path in "(/[a-z.%/]{0,12}){0,6}") {
            let _ = route(&path);
        }

        #[test]
        fn what_is_encoded_is_decoded(text in "\\PC{0,20}") {
            proptest::prop_assert_eq!(decode(&encode_segment(&text)), text);
        }
    }
}

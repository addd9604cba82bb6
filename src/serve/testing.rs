//! A site on a temporary folder, and requests to it without a socket.

use bytes::Bytes;
use hyper::{Method, Request};

use super::{
    ServeOptions, Store, cdn,
    reply::{Content, Reply},
    router,
    site::Site,
    xet::cas,
};

pub(super) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A folder with a repository for each case: `o/open`, `o/gated`, `o/private`, `o/off`, bare `solo`, and `o/new`, once `o/old`.
pub(super) fn folder() -> tempfile::TempDir {
    // reqwest builds no client without one; an error means that another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let main = format!(r#""refs":{{"main":"{COMMIT}","refs/pr/1":""}}"#);
    let repos = [
        ("o/open", format!("{{{main}}}")),
        ("o/gated", format!(r#"{{{main},"gated":"manual"}}"#)),
        ("o/private", format!(r#"{{{main},"private":true}}"#)),
        ("o/off", r#"{"disabled":true}"#.to_owned()),
        ("o/new", r#"{"renamed_from":["o/old"]}"#.to_owned()),
        ("solo", format!("{{{main}}}")),
    ];
    for (id, settings) in repos {
        let files: [(&str, &[u8]); 5] = [
            (".hub.json", settings.as_bytes()),
            ("config.json", br#"{"model_type":"llama"}"#),
            ("model.safetensors", b"\x46\0\0\0\0\0\0\0{\"w\":{\"dtype\":\"BF16\",\"shape\":[2,2],\"data_offsets\":[0,8]}}             01234567"),
            ("sub/empty.txt", b""),
            ("sub/deep/a.txt", b"a"),
        ];
        for (path, bytes) in files {
            let path = dir.path().join(id).join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, bytes).unwrap();
        }
    }
    dir
}

pub(super) fn site(dir: &tempfile::TempDir, change: impl FnOnce(&mut ServeOptions)) -> Site {
    let mut options = ServeOptions::new(Store::folder(dir.path()).unwrap());
    change(&mut options);
    Site::new(options, ["http://hub", "http://cdn", "http://cas"].map(str::to_owned))
}

pub(super) fn request(method: Method, url: &str, headers: &[(&str, &str)], body: &'static str) -> Request<Bytes> {
    let request = headers.iter().fold(Request::builder(), |request, &(name, value)| request.header(name, value));
    request.method(method).uri(url).body(Bytes::from_static(body.as_bytes())).unwrap()
}

pub(super) fn get(site: &Site, url: &str, headers: &[(&str, &str)]) -> Reply {
    router::answer(site, &request(Method::GET, url, headers, ""))
}

pub(super) fn from_cdn(site: &Site, url: &str, headers: &[(&str, &str)]) -> Reply {
    let url = url.strip_prefix("http://cdn").unwrap();
    cdn::answer(site, &request(Method::GET, url, headers, ""))
}

pub(super) fn from_cas(site: &Site, path: &str, headers: &[(&str, &str)]) -> Reply {
    cas::answer(site, &request(Method::GET, path, headers, ""))
}

impl Reply {
    /// A header as text; empty where there is none.
    pub(super) fn text_of(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as JSON.
    pub(super) fn json_body(&self) -> serde_json::Value {
        match &self.content {
            Content::Bytes(bytes) => serde_json::from_slice(bytes).unwrap(),
            other @ (Content::File { .. } | Content::Xorb { .. }) => panic!("{other:?}"),
        }
    }
}

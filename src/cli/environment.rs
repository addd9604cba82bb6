//! What variables of the environment say, in the Hub's own client's way to write it and in that of proxies.

use std::env;

use hub_audit::hub::Proxy;
use url::Url;

/// The Hub's own way to write a truth into the environment.
pub(crate) fn is_true(name: &str) -> bool {
    let words = ["1", "ON", "YES", "TRUE"];
    env::var(name).is_ok_and(|text| words.contains(&text.trim().to_ascii_uppercase().as_str()))
}

/// The first of these variables that is not empty, and which it is.
fn first(names: [&'static str; 2]) -> Option<(&'static str, String)> {
    let value = |name| env::var_os(name).map(|text| (name, text.to_string_lossy().into_owned()));
    names.into_iter().filter_map(value).find(|(_, text)| !text.trim().is_empty())
}

/// Which proxy requests go through. The HTTP client reads the variables itself, and takes no notice of one that is malformed.
pub(crate) fn proxy() -> Proxy {
    let is_off =
        first(["NO_PROXY", "no_proxy"]).is_some_and(|(_, text)| text.split(',').any(|part| part.trim() == "*"));
    if is_off {
        return Proxy::None;
    }
    let [http, https, all] =
        [["HTTP_PROXY", "http_proxy"], ["HTTPS_PROXY", "https_proxy"], ["ALL_PROXY", "all_proxy"]].map(first);
    let used = match (http, https) {
        (Some(http), Some(https)) => vec![http, https],
        (one, other) => one.into_iter().chain(other).chain(all).collect(),
    };
    match used.into_iter().find(|(_, text)| !is_proxy(text.trim())) {
        Some((variable, _)) => Proxy::Malformed { variable: variable.to_owned() },
        None => Proxy::Environment,
    }
}

fn is_proxy(text: &str) -> bool {
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    Url::parse(&whole).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_proxy_is_told_from_something_else() {
        for text in ["http://127.0.0.1:3128", "proxy.example:8080", "https://me:secret@proxy", "[::1]:3128"] {
            assert!(is_proxy(text), "{text}");
        }
        for text in ["http://", "socks5://127.0.0.1:1080", "http://host:99999", "http://[bad", "no proxy", "://"] {
            assert!(!is_proxy(text), "{text}");
        }
    }
}

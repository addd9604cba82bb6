//! Where an answer may send a request: whoever answers may be anybody, and does not choose what this machine asks its neighbours.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// The address `text`, to which an answer from `from` points, or why it is not gone to: only HTTP, never out of HTTPS, with no
/// user name, and into this machine or its network only where the Hub itself is there.
pub(super) fn safe_target(endpoint: &Url, from: &Url, text: &str) -> Result<Url, &'static str> {
    let next = web_target(from, text)?;
    if is_near(&next) && !is_near(endpoint) {
        return Err("to an address of this machine or its network");
    }
    Ok(next)
}

/// The address of the content store, which the Hub states as `text`, or why it is not asked.
pub(super) fn store_url(endpoint: &Url, text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "to something that is not an address")?;
    let url = safe_target(endpoint, endpoint, url.as_str())?;
    let is_plain_and_here = endpoint.scheme() == "http" && is_here(endpoint);
    if url.scheme() != "https" && !is_plain_and_here {
        return Err("to an address without https");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("to an address with a query in it");
    }
    Ok(url)
}

fn web_target(from: &Url, text: &str) -> Result<Url, &'static str> {
    let next = from.join(text).map_err(|_| "to something that is not an address")?;
    if !matches!(next.scheme(), "http" | "https") || next.host_str().is_none() {
        return Err("to an address that is neither http nor https");
    }
    if from.scheme() == "https" && next.scheme() == "http" {
        return Err("from https to http");
    }
    if !next.username().is_empty() || next.password().is_some() {
        return Err("to an address with a user name in it");
    }
    Ok(next)
}

/// Endings of names that are of one network only.
const LOCAL: [&str; 7] = ["localhost", "local", "internal", "intranet", "lan", "corp", "home.arpa"];

/// Whether `url` is of this machine or of its own network, as far as its text tells.
fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_near_v4(address),
        Some(Host::Ipv6(address)) => is_near_v6(address),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            !name.contains('.')
                || LOCAL.iter().any(|end| name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.')))
        }
        None => false,
    }
}

/// Whether `url` is of this machine, as far as its text tells.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn is_near_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    // 100.64.0.0/10 is a provider's own network.
    let is_shared = first == 100 && (64..128).contains(&second);
    address.is_loopback() || address.is_private() || address.is_link_local() || first == 0 || is_shared
}

fn is_near_v6(address: Ipv6Addr) -> bool {
    // Addresses of the fourth version inside one of the sixth: mapped, and translated by 64:ff9b::/96.
    let inner = match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, a, b] => Some(Ipv4Addr::from((u32::from(a) << 16) | u32::from(b))),
        _ => address.to_ipv4_mapped(),
    };
    if let Some(inner) = inner {
        return is_near_v4(inner);
    }
    address.is_loopback() || address.is_unspecified() || address.is_unique_local() || address.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_to_the_web_and_never_out_of_https() {
        let from = Url::parse("https://hub.example/a/b").unwrap();
        let target = |text: &str| web_target(&from, text).map(|url| url.to_string());
        assert_eq!(target("/c?d=e"), Ok("https://hub.example/c?d=e".to_owned()));
        assert_eq!(target("https://cdn.example/f"), Ok("https://cdn.example/f".to_owned()));
        assert_eq!(target("http://cdn.example/f"), Err("from https to http"));
        assert_eq!(target("https://me:secret@cdn.example/f"), Err("to an address with a user name in it"));
        assert_eq!(target("https://"), Err("to something that is not an address"));
        for text in ["file:///etc/passwd", "ftp://cdn.example/f", "data:,x", "javascript:alert(1)"] {
            assert_eq!(target(text), Err("to an address that is neither http nor https"), "{text}");
        }
    }

    #[test]
    fn an_address_of_this_machine_or_its_network_is_told_from_a_public_one() {
        let near = |host: &str| is_near(&Url::parse(&format!("http://{host}/")).unwrap());
        for host in [
            "localhost",
            "LOCALHOST.:80",
            "a.localhost",
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1:8080",
            "169.254.169.254",
            "100.100.0.1",
            "metadata.google.internal",
            "printer",
            "nas.local",
            "[::1]",
            "[::]",
            "[fe80::1]",
            "[fd00::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[64:ff9b::7f00:1]",
        ] {
            assert!(near(host), "{host}");
        }
        for host in ["huggingface.co", "cdn.example:444", "8.8.8.8", "172.32.0.1", "[2606:4700::1]", "mylocal.example"]
        {
            assert!(!near(host), "{host}");
        }
    }

    #[test]
    fn only_a_hub_of_this_machine_sends_into_it() {
        let target = |endpoint: &str, text: &str| {
            let endpoint = Url::parse(endpoint).unwrap();
            safe_target(&endpoint, &endpoint, text).is_ok()
        };
        for near in
            ["http://127.0.0.1/f", "http://169.254.169.254/latest", "http://[::ffff:10.0.0.1]/f", "http://localhost:1/"]
        {
            assert!(!target("http://hub.example", near), "{near}");
            assert!(target("http://127.0.0.1:8000", near), "{near}");
            assert!(target("http://hub.corp", near), "{near}");
        }
        assert!(target("http://hub.example", "https://cdn.example/f"));
    }

    #[test]
    fn a_content_store_is_reached_by_https_unless_the_hub_is_here() {
        let store = |endpoint: &str, text: &str| store_url(&Url::parse(endpoint).unwrap(), text).map(String::from);
        let hub = "https://hub.example";
        assert_eq!(store(hub, "https://cas.example"), Ok("https://cas.example/".to_owned()));
        assert_eq!(store(hub, "http://cas.example"), Err("from https to http"));
        assert_eq!(store(hub, "https://me:secret@cas.example"), Err("to an address with a user name in it"));
        assert_eq!(store(hub, "https://169.254.169.254"), Err("to an address of this machine or its network"));
        assert_eq!(store(hub, "https://cas.example/?a=b"), Err("to an address with a query in it"));
        assert_eq!(store(hub, ""), Err("to something that is not an address"));
        assert_eq!(store(hub, "/cas"), Err("to something that is not an address"));
        assert_eq!(store("http://hub.corp", "http://cas.corp"), Err("to an address without https"));
        assert_eq!(store("http://127.0.0.1:8000", "http://127.0.0.1:8001"), Ok("http://127.0.0.1:8001/".to_owned()));
    }
}

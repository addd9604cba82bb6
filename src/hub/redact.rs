//! Addresses without their secrets: a signed query never reaches a message or a log.

use url::Url;

/// The host and port of `url`: all of a file host's address that a message may show.
pub(super) fn host(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => url.scheme().to_owned(),
    }
}

/// At most the first 60 characters of a body, on one line, for a message about an unexpected answer.
pub(super) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(240)]);
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().filter(|c| !c.is_control()).take(60).collect();
    if line.chars().count() > 60 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_address_is_shown_by_its_host_alone() {
        let url = Url::parse("https://cdn.example:444/a?Signature=secret&Policy=x").unwrap();
        assert_eq!(host(&url), "cdn.example:444");
    }

    #[test]
    fn an_excerpt_is_one_short_line() {
        assert_eq!(excerpt(b"<html>\n  <b>\x07hi"), "<html> <b>hi");
        assert_eq!(excerpt("x".repeat(100).as_bytes()).chars().count(), 61);
    }
}

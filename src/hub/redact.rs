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

/// Bytes of an answer that are looked at for an excerpt of it.
const LOOKED_AT: usize = 4096;

/// Parameters of a signed address; what stands around them is not shown.
const SIGNED: [&str; 5] = ["Signature", "Policy=", "Key-Pair-Id", "X-Amz-", "X-Xet-"];

/// At most the first 60 characters of a body, on one line, for a message about an unexpected answer. Queries of addresses,
/// parts of a signature, and `token` are left out.
pub(super) fn excerpt(body: &[u8], token: Option<&[u8]>) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(LOOKED_AT)]);
    let token = token.map(String::from_utf8_lossy).filter(|token| !token.is_empty());
    let text = match &token {
        Some(token) => text.replace(token.as_ref(), "<token>"),
        None => text.into_owned(),
    };
    let line: String = text.split_whitespace().map(unsigned).collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().filter(|c| !c.is_control()).take(60).collect();
    if line.chars().count() > 60 {
        short.push('…');
    }
    short
}

/// A word without what may be signed in it.
fn unsigned(word: &str) -> &str {
    let end = match word.find("://") {
        Some(_) => word.find('?'),
        None if SIGNED.iter().any(|part| word.contains(part)) => word.find('=').map(|at| at + 1),
        None => None,
    };
    &word[..end.unwrap_or(word.len())]
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
        assert_eq!(excerpt(b"<html>\n  <b>\x07hi", None), "<html> <b>hi");
        assert_eq!(excerpt("x".repeat(100).as_bytes(), None).chars().count(), 61);
    }

    #[test]
    fn a_secret_that_a_server_repeats_is_not_repeated() {
        let said = b"no hf_secret for <Url>https://c/a?Signature=abc&Policy=def ok";
        assert_eq!(excerpt(said, Some(b"hf_secret")), "no <token> for <Url>https://c/a ok");
        assert_eq!(excerpt(b"bad Signature=abc here", None), "bad Signature= here");
        assert_eq!(excerpt(b"SignatureError: key", None), "SignatureError: key");
    }
}

//! What of others' words and of addresses may stand in a message.

use url::Url;

use crate::secret;

/// The host and port of `url`: all of a file host's address that a message may show.
pub(super) fn host(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => url.scheme().to_owned(),
    }
}

/// An address that was given, well-formed or not, without anything that may be a user name, a password or a key.
pub(super) fn address(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = text.split_at(start);
    let at = rest.rfind('@').map(|at| at + 1).max(rest.rfind("%40").map(|at| at + 3));
    let (hidden, rest) = match at {
        Some(at) => ("<hidden>@", &rest[at..]),
        None => ("", rest),
    };
    let rest = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
    // What stands before a user name is a scheme, or part of it.
    let scheme =
        if hidden.is_empty() || scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/+-.".contains(&byte)) {
            scheme
        } else {
            ""
        };
    secret::hide(&format!("{scheme}{hidden}{rest}")).into_owned()
}

/// Bytes of an answer that are looked at for an excerpt of it.
const LOOKED_AT: usize = 4096;

/// Characters of an answer that a message shows.
const SHOWN: usize = 60;

/// The beginning of what a server said, on one line, for a message. Queries of addresses, parts of a signature and tokens are
/// left out.
pub(super) fn excerpt(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(&said[..said.len().min(LOOKED_AT)]);
    let plain: String =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !c.is_control()).collect();
    let mut words: Vec<&str> = plain.split(' ').filter(|word| !word.is_empty()).collect();
    // The last word may have been cut, and half of a secret is not known as one.
    if said.len() > LOOKED_AT && words.len() > 1 {
        words.pop();
    }
    let line = words.into_iter().map(without_query).collect::<Vec<_>>().join(" ");
    let line = secret::hide(&line);
    let mut short: String = line.chars().take(SHOWN).collect();
    if line.chars().count() > SHOWN {
        short.push('…');
    }
    short
}

fn without_query(word: &str) -> &str {
    let end = word.find("://").and_then(|_| word.find('?'));
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
        assert_eq!(excerpt(b"<html>\n  <b>\x07hi"), "<html> <b>hi");
        assert_eq!(excerpt("x".repeat(100).as_bytes()).chars().count(), 61);
    }

    #[test]
    fn a_secret_that_a_server_repeats_is_not_repeated() {
        secret::keep("hf_toldInExcerpts");
        let said = b"no hf_toldInExcerpts for <Url>https://c/a?Signature=abc&Policy=def ok";
        assert_eq!(excerpt(said), "no <token> for <Url>https://c/a ok");
        assert_eq!(excerpt(b"bad Signature=abc here"), "bad <signed> here");
        assert_eq!(excerpt(b"SignatureError: key"), "SignatureError: key");
        // Put together only when what does not print is gone, and cut where the look at the answer ends.
        assert_eq!(excerpt(b"no hf_told\x07InExcerpts"), "no <token>");
        let padded = format!("no{}hf_toldInExcerpts", " ".repeat(LOOKED_AT - 10));
        assert_eq!(excerpt(padded.as_bytes()), "no");
    }
}

//! How the Hub is reached: its address, the token, what requests go through, and how patiently.

use std::{fmt, time::Duration};

use reqwest::{Client, header::HeaderValue, redirect};
use url::Url;

use super::{error::HubError, redact, retry::RetryPolicy, tls};
use crate::secret;

/// A Hub access token. It is sent to the Hub's own origin only, and it never prints.
#[derive(Clone)]
pub struct Token(pub(super) HeaderValue);

impl Token {
    /// Takes the text of a token; white space around it is dropped. `None` if it is empty. From now on no text that passes
    /// [`secret::hide`] holds it.
    pub fn new(text: &str) -> Result<Option<Self>, HubError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        secret::keep(text);
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(HubError::UnsendableToken);
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| HubError::UnsendableToken)?;
        value.set_sensitive(true);
        Ok(Some(Self(value)))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(<hidden>)")
    }
}

/// How to reach the Hub.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// Base URL, such as `https://huggingface.co`.
    pub endpoint: String,
    /// The token, if there is one.
    pub token: Option<Token>,
    /// Maximum concurrent requests.
    pub jobs: usize,
    /// No request at all.
    pub offline: bool,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Longest silence while an answer arrives.
    pub read_timeout: Duration,
    /// What is tried again, and how often.
    pub retry: RetryPolicy,
    /// What requests go through.
    pub proxy: Proxy,
    /// Bytes of headers, indexes, listings and small files, over all models together: they come before any plan.
    pub max_metadata: u64,
}

/// What requests go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proxy {
    /// The proxy that the environment names, if it names one.
    Environment,
    /// Nothing.
    None,
    /// Nothing at all: the environment names something else than a proxy.
    Malformed {
        /// The variable that does.
        variable: String,
    },
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            endpoint: "https://huggingface.co".to_owned(),
            token: None,
            jobs: 32,
            offline: false,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(10),
            retry: RetryPolicy::default(),
            proxy: Proxy::Environment,
            max_metadata: 256_000_000,
        }
    }
}

/// No time-out is longer: clocks end somewhere.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(24);

/// A client that follows no redirect; of one that is not secure no certificate is asked.
pub(super) fn build(options: &HubOptions, is_secure: bool) -> Result<Client, HubError> {
    if let Proxy::Malformed { variable } = &options.proxy {
        return Err(HubError::Proxy { variable: variable.clone() });
    }
    tls::choose_provider();
    let builder = || {
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(options.connect_timeout.min(LONGEST_TIMEOUT))
            .read_timeout(options.read_timeout.min(LONGEST_TIMEOUT))
            .pool_max_idle_per_host(options.jobs)
            .user_agent(concat!("hub-audit/", env!("CARGO_PKG_VERSION")));
        if options.proxy == Proxy::Environment { builder } else { builder.no_proxy() }
    };
    let built = builder().build();
    // Without TLS a machine without certificates will do, unless a proxy is spoken to over TLS.
    let built = if is_secure { built } else { built.or_else(|_| builder().tls_certs_only([]).build()) };
    built.map_err(|source| HubError::Client { source })
}

pub(super) fn parse_endpoint(text: &str) -> Result<Url, HubError> {
    let invalid = |reason: String| HubError::Endpoint { text: redact::address(text), reason };
    let url = Url::parse(text.trim().trim_end_matches('/')).map_err(|error| invalid(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(invalid("it must begin with http:// or https://".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("it must not hold a user name or password".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it must not hold a query".to_owned()));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_never_prints() {
        let token = Token::new(" hf_secret\n").unwrap().unwrap();
        assert!(!format!("{token:?}").contains("secret"));
        assert!(!format!("{:?}", token.0).contains("secret"));
        assert!(Token::new("  ").unwrap().is_none());
        for text in ["a\nb", "a b", "hf_tökén"] {
            assert!(matches!(Token::new(text), Err(HubError::UnsendableToken)), "{text}");
        }
    }

    #[test]
    fn only_a_web_address_is_an_endpoint() {
        assert!(parse_endpoint("https://huggingface.co/").is_ok());
        assert!(parse_endpoint("http://127.0.0.1:1/base").is_ok());
        for text in ["huggingface.co", "ftp://a", "https://", "http://a/?b=c"] {
            assert!(parse_endpoint(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_in_an_endpoint_is_not_repeated_however_malformed_it_is() {
        for text in [
            "https://me:secret@host",
            "http://me:secret@127.0.0.1:99999",
            "http://me:secret@[bad",
            "http://me:se/secret@host",
            "http://me:se?secret@host",
            "http://me:se#secret@host",
            "http://me:secret%40host:x",
            "me:secret@host",
            "ftp://me:secret@host",
            "http:\\\\me:secret@host:x",
            "http://host:x/?key=secret",
        ] {
            // Without the password some of them are addresses.
            let Err(error) = parse_endpoint(text).map_err(|error| error.to_string()) else { continue };
            assert!(!error.contains("secret") && !error.contains("me:"), "{error}");
        }
        let error = parse_endpoint("huggingface.co").unwrap_err();
        assert!(error.to_string().starts_with("`huggingface.co` cannot be the Hub's address"), "{error}");
    }
}

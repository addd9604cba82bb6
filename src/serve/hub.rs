//! The running Hub: three listeners, one log.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use super::{
    connection::accept,
    error::ServeError,
    log::{Listener, LoggedRequest},
    options::ServeOptions,
    site::Site,
    xet::XetFault,
};

/// A Hub that runs until it is shut down or dropped.
#[derive(Debug)]
pub struct Hub {
    site: Arc<Site>,
    stop: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
}

/// Starts a Hub on this runtime. It answers when this returns.
pub async fn start(options: ServeOptions) -> Result<Hub, ServeError> {
    let (hub, hub_url) = bind(options.port).await?;
    let (cdn, cdn_url) = bind(0).await?;
    let (cas, cas_url) = bind(0).await?;
    let is_down = options.xet.fault == Some(XetFault::Down);
    let site = Arc::new(Site::new(options, [hub_url, cdn_url, cas_url]));
    let (stop, stopped) = watch::channel(false);
    let listeners = [(hub, Listener::Hub), (cdn, Listener::Cdn), (cas, Listener::Cas)].into_iter();
    let listeners = listeners
        .filter(|(_, listener)| !(is_down && *listener == Listener::Cas))
        .map(|(socket, listener)| tokio::spawn(accept(socket, Arc::clone(&site), listener, stopped.clone())))
        .collect();
    Ok(Hub { site, stop, listeners })
}

impl Hub {
    /// The endpoint, without a slash at its end: what `HF_ENDPOINT` wants.
    pub fn url(&self) -> &str {
        &self.site.hub_url
    }

    /// The origin of large files.
    pub fn cdn_url(&self) -> &str {
        &self.site.cdn_url
    }

    /// The origin of Xet storage.
    pub fn cas_url(&self) -> &str {
        &self.site.cas_url
    }

    /// What was asked so far, on all listeners, in the order of the answers.
    pub fn log(&self) -> Vec<LoggedRequest> {
        self.site.log.snapshot()
    }

    /// Forgets what was asked so far.
    pub fn clear_log(&self) {
        self.site.log.clear();
    }

    /// Stops listening, waits a moment for the answers under way, and breaks off the rest.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        for listener in &mut self.listeners {
            // It fails only if it was aborted, which is what is wanted.
            let _ = listener.await;
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}

async fn bind(port: u16) -> Result<(TcpListener, String), ServeError> {
    let failed = |source| ServeError::Listen { port, source };
    let socket = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    Ok((socket, format!("http://{address}")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::{
        super::{
            Fault, Intercept, Store,
            connection::{MAX_BODY, MOST_CONNECTIONS},
            testing::folder,
        },
        *,
    };

    const WEIGHTS: &str = "/o/open/resolve/main/model.safetensors";

    async fn hub(hook: impl Fn(&LoggedRequest) -> Option<Fault> + Send + Sync + 'static) -> (tempfile::TempDir, Hub) {
        let dir = folder();
        let mut options = ServeOptions::new(Store::folder(dir.path()).unwrap());
        options.intercept = Some(Intercept::new(hook));
        let hub = start(options).await.unwrap();
        (dir, hub)
    }

    fn on_cdn(fault: Fault) -> impl Fn(&LoggedRequest) -> Option<Fault> {
        move |request| (request.listener == Listener::Cdn).then(|| fault.clone())
    }

    async fn weights(hub: &Hub) -> reqwest::Result<bytes::Bytes> {
        let client = reqwest::Client::new().get(format!("{}{WEIGHTS}", hub.url()));
        let response = client.bearer_auth("hf_test").header("range", "bytes=76-85").send().await?;
        response.error_for_status()?.bytes().await
    }

    #[tokio::test]
    async fn a_range_is_read_through_both_origins_and_both_are_logged() {
        let (_dir, hub) = hub(|_| None).await;
        assert_eq!(weights(&hub).await.unwrap(), &b"  01234567"[..]);
        let log = hub.log();
        let listeners: Vec<_> = log.iter().map(|r| (r.listener, r.status, r.authorised)).collect();
        assert_eq!(listeners, [(Listener::Hub, Some(302), true), (Listener::Cdn, Some(206), false)]);
        assert_eq!((log[1].bytes_sent, log[1].range.as_deref()), (10, Some("bytes=76-85")));
        hub.clear_log();
        assert!(hub.log().is_empty());
        hub.shutdown().await;
    }

    #[tokio::test]
    async fn a_dropped_connection_ends_before_any_header() {
        let (_dir, hub) = hub(on_cdn(Fault::Drop)).await;
        let error = weights(&hub).await.unwrap_err();
        assert!(error.is_request(), "{error:?}");
        assert_eq!(hub.log().last().and_then(|request| request.status), None);
    }

    #[tokio::test]
    async fn a_cut_body_ends_after_exactly_so_many_bytes() {
        use futures::StreamExt;
        let (_dir, hub) = hub(on_cdn(Fault::CutAfter(4))).await;
        let response = reqwest::get(format!("{}{WEIGHTS}", hub.url())).await.unwrap();
        assert_eq!(response.content_length(), Some(86));
        let blocks: Vec<_> = response.bytes_stream().collect().await;
        let received: usize = blocks.iter().flatten().map(bytes::Bytes::len).sum();
        assert_eq!(received, 4);
        assert!(blocks.last().unwrap().is_err());
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_left_by_its_client_and_still_logged() {
        let (_dir, hub) = hub(on_cdn(Fault::Wait(Duration::MAX))).await;
        let client = reqwest::Client::builder().timeout(Duration::from_millis(200)).build().unwrap();
        let error = client.get(format!("{}{WEIGHTS}", hub.url())).send().await.unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        assert_eq!(hub.log().len(), 2);
        assert_eq!(hub.log()[1].status, None);
    }

    #[tokio::test]
    async fn a_test_can_answer_in_the_hubs_place() {
        let reply = Fault::Reply {
            status: 429,
            headers: vec![("RateLimit".to_owned(), "\"api\";r=0;t=2".to_owned())],
            body: b"slow down".to_vec(),
        };
        let (_dir, hub) = hub(move |_| Some(reply.clone())).await;
        let response = reqwest::get(format!("{}/api/models/o/open", hub.url())).await.unwrap();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["ratelimit"], "\"api\";r=0;t=2");
        assert_eq!(response.text().await.unwrap(), "slow down");
    }

    #[tokio::test]
    async fn a_body_shorter_than_it_claims_is_an_error_for_the_client() {
        let reply = Fault::Reply {
            status: 206,
            headers: vec![("Content-Length".to_owned(), "10".to_owned())],
            body: b"01234".to_vec(),
        };
        let (_dir, hub) = hub(on_cdn(reply)).await;
        assert!(weights(&hub).await.is_err());
    }

    #[tokio::test]
    async fn head_has_the_headers_of_get_and_no_body() {
        let (_dir, hub) = hub(|_| None).await;
        let client = reqwest::Client::new().head(format!("{}/o/open/resolve/main/config.json", hub.url()));
        let response = client.send().await.unwrap();
        assert_eq!(response.headers()["content-length"], "22");
        assert_eq!(hub.log().last().map(|request| request.bytes_sent), Some(0));
    }

    #[tokio::test]
    async fn connections_beyond_the_limit_wait_until_another_ends() {
        let (_dir, hub) = hub(|_| None).await;
        let mut idle = Vec::new();
        for _ in 0..MOST_CONNECTIONS {
            idle.push(TcpStream::connect(hub.url().trim_start_matches("http://")).await.unwrap());
        }
        let mut answer = tokio::spawn(reqwest::get(format!("{}/api/models/o/open", hub.url())));
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut answer).await.is_err());
        idle.pop();
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_refused() {
        let (_dir, hub) = hub(|_| None).await;
        let mut stream = TcpStream::connect(hub.url().trim_start_matches("http://")).await.unwrap();
        let head = b"POST /api/models/o/open/paths-info/main HTTP/1.1\r\nHost: hub\r\nContent-Length: 9000000\r\n\r\n";
        stream.write_all(head).await.unwrap();
        stream.write_all(&vec![b'x'; MAX_BODY + 1]).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 413");
    }

    #[tokio::test]
    async fn a_port_in_use_is_an_error_with_a_hint() {
        use crate::hint::Hint;
        let (dir, hub) = hub(|_| None).await;
        let mut options = ServeOptions::new(Store::folder(dir.path()).unwrap());
        options.port = hub.url().rsplit(':').next().unwrap().parse().unwrap();
        let error = start(options).await.unwrap_err();
        assert!(error.hint().unwrap().contains("another program"), "{error}");
    }
}

//! The running Hub: two listeners, one log.

use std::{
    future::{Future, pending},
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use super::{
    body::{Manner, body},
    cdn,
    connection::{Door, Switch},
    error::ServeError,
    intercept::Stunt,
    journal::{Journal, Listener, LoggedRequest},
    options::ServeOptions,
    reply::{Content, Reply, put},
    router::{self, Asked},
    site::Site,
};

/// The longest body of a request that is read.
const MAX_BODY: usize = 1 << 22;
/// How long a shutdown waits for answers under way.
const PATIENCE: Duration = Duration::from_secs(2);

/// A Hub that runs until it is shut down or dropped.
#[derive(Debug)]
pub struct Hub {
    site: Arc<Site>,
    journal: Arc<Journal>,
    stop: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
}

/// Starts a Hub on this runtime. It answers when this returns.
pub async fn start(options: ServeOptions) -> Result<Hub, ServeError> {
    let (hub, hub_url) = listen(options.port).await?;
    let (cdn, cdn_url) = listen(0).await?;
    let site = Arc::new(Site::new(options, hub_url, cdn_url));
    let journal = Arc::new(Journal::default());
    let (stop, _) = watch::channel(false);
    let listeners = [(hub, Listener::Hub), (cdn, Listener::Cdn)].map(|(socket, listener)| {
        let desk = Desk { site: Arc::clone(&site), journal: Arc::clone(&journal), listener, asked: Arc::default() };
        tokio::spawn(serve(socket, desk, stop.subscribe()))
    });
    Ok(Hub { site, journal, stop, listeners: listeners.into() })
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

    /// What was asked so far, on both listeners, in the order of the answers.
    pub fn log(&self) -> Vec<LoggedRequest> {
        self.journal.snapshot()
    }

    /// Forgets what was asked so far.
    pub fn clear_log(&self) {
        self.journal.clear();
    }

    /// Stops listening, and waits a moment for the answers under way.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        for listener in &mut self.listeners {
            let _ = tokio::time::timeout(PATIENCE, listener).await;
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

/// One listener's share of the Hub.
#[derive(Debug, Clone)]
struct Desk {
    site: Arc<Site>,
    journal: Arc<Journal>,
    listener: Listener,
    asked: Arc<AtomicU64>,
}

async fn listen(port: u16) -> Result<(TcpListener, String), ServeError> {
    let failed = |source| ServeError::Listen { port, source };
    let socket = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    Ok((socket, format!("http://{address}")))
}

async fn serve(socket: TcpListener, desk: Desk, mut stop: watch::Receiver<bool>) {
    let router = Router::new().fallback(handle).with_state(desk);
    let service = router.into_make_service_with_connect_info::<Switch>();
    let until = async move {
        // An error means that the Hub was dropped, which aborts this task anyway.
        let _ = stop.wait_for(|&stopped| stopped).await;
    };
    let _ = axum::serve(Door(socket), service).with_graceful_shutdown(until).await;
}

async fn handle(State(desk): State<Desk>, ConnectInfo(switch): ConnectInfo<Switch>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let asked = Asked {
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        body: axum::body::to_bytes(body, MAX_BODY).await.unwrap_or_default(),
        method: head.method,
        headers: head.headers,
    };
    let logged = logged(desk.listener, &asked);
    let stunt = desk.site.options.intercept.as_ref().and_then(|hook| hook.look(&logged));
    let wait = match stunt {
        Some(Stunt::Wait(Duration::MAX)) => {
            desk.journal.add(logged);
            return pending().await;
        }
        Some(Stunt::Wait(longer)) => longer.saturating_add(desk.site.options.latency),
        _ => desk.site.options.latency,
    };
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    match stunt {
        Some(Stunt::Drop) => {
            desk.journal.add(logged);
            switch.cut();
            Response::new(Body::empty())
        }
        Some(Stunt::Reply { status, headers, body }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut reply = Reply { status, headers: HeaderMap::new(), content: Content::Bytes(body.into()) };
            for (name, value) in headers {
                if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                    reply.headers.append(name, value);
                }
            }
            desk.send(logged, &asked.method, reply, Manner::Plain)
        }
        other => {
            let manner = match other {
                Some(Stunt::CutAfter(bytes)) => Manner::CutAfter(bytes),
                Some(Stunt::Drip { bytes, pause }) => Manner::Drip(bytes, pause),
                _ => Manner::Plain,
            };
            let method = asked.method.clone();
            let reply = desk.answer(asked).await;
            desk.send(logged, &method, reply, manner)
        }
    }
}

fn logged(listener: Listener, asked: &Asked) -> LoggedRequest {
    let text = |name| asked.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    LoggedRequest {
        listener,
        method: asked.method.to_string(),
        path: asked.path.clone(),
        query: Some(asked.query.clone()).filter(|query| !query.is_empty()),
        range: text(header::RANGE),
        authorised: asked.headers.contains_key(header::AUTHORIZATION),
        accept_encoding: text(header::ACCEPT_ENCODING),
        status: None,
        bytes_sent: 0,
    }
}

impl Desk {
    /// The true answer, computed where it may block.
    fn answer(&self, asked: Asked) -> impl Future<Output = Reply> + use<> {
        let (site, listener) = (Arc::clone(&self.site), self.listener);
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        async move {
            let answer = tokio::task::spawn_blocking(move || match listener {
                Listener::Hub => router::answer(&site, &asked),
                Listener::Cdn => cdn::answer(&site, &asked),
            });
            let failed =
                |error: tokio::task::JoinError| Reply::text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string());
            let mut reply = answer.await.unwrap_or_else(failed);
            if listener == Listener::Hub {
                let id = format!("Root=1-{number:08x}-000000000000000000000000");
                put(&mut reply.headers, HeaderName::from_static("x-request-id"), &id);
            }
            reply
        }
    }

    fn send(&self, mut logged: LoggedRequest, method: &Method, reply: Reply, manner: Manner) -> Response {
        logged.status = Some(reply.status.as_u16());
        let sent = self.journal.add(logged);
        let bodiless = *method == Method::HEAD || reply.status == StatusCode::NOT_MODIFIED;
        let content = if bodiless { Body::empty() } else { body(&self.site, reply.content, sent, manner) };
        let mut response = Response::new(content);
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        response
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Intercept, Store, testing::folder},
        *,
    };

    const WEIGHTS: &str = "/o/open/resolve/main/model.safetensors";

    async fn hub(hook: impl Fn(&LoggedRequest) -> Option<Stunt> + Send + Sync + 'static) -> (tempfile::TempDir, Hub) {
        let dir = folder();
        let mut options = ServeOptions::new(Store::folder(dir.path()).unwrap());
        options.intercept = Some(Intercept::new(hook));
        let hub = start(options).await.unwrap();
        (dir, hub)
    }

    fn on_cdn(stunt: Stunt) -> impl Fn(&LoggedRequest) -> Option<Stunt> {
        move |request| (request.listener == Listener::Cdn).then(|| stunt.clone())
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
        let (_dir, hub) = hub(on_cdn(Stunt::Drop)).await;
        let error = weights(&hub).await.unwrap_err();
        assert!(error.is_request(), "{error:?}");
        assert_eq!(hub.log().last().and_then(|request| request.status), None);
    }

    #[tokio::test]
    async fn a_cut_body_ends_after_exactly_so_many_bytes() {
        use futures::StreamExt;
        let (_dir, hub) = hub(on_cdn(Stunt::CutAfter(4))).await;
        let response = reqwest::get(format!("{}{WEIGHTS}", hub.url())).await.unwrap();
        assert_eq!(response.content_length(), Some(86));
        let blocks: Vec<_> = response.bytes_stream().collect().await;
        let received: usize = blocks.iter().flatten().map(bytes::Bytes::len).sum();
        assert_eq!(received, 4);
        assert!(blocks.last().unwrap().is_err());
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_left_by_its_client_and_still_logged() {
        let (_dir, hub) = hub(on_cdn(Stunt::Wait(Duration::MAX))).await;
        let client = reqwest::Client::builder().timeout(Duration::from_millis(200)).build().unwrap();
        let error = client.get(format!("{}{WEIGHTS}", hub.url())).send().await.unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        assert_eq!(hub.log().len(), 2);
        assert_eq!(hub.log()[1].status, None);
    }

    #[tokio::test]
    async fn a_test_can_answer_in_the_hubs_place() {
        let reply = Stunt::Reply {
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
        let reply = Stunt::Reply {
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
    async fn a_port_in_use_is_an_error_with_a_hint() {
        use crate::hint::Hint;
        let (dir, hub) = hub(|_| None).await;
        let mut options = ServeOptions::new(Store::folder(dir.path()).unwrap());
        options.port = hub.url().rsplit(':').next().unwrap().parse().unwrap();
        let error = start(options).await.unwrap_err();
        assert!(error.hint().unwrap().contains("another program"), "{error}");
    }
}

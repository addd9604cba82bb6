//! Connections, and what goes over them: each request is logged, met by the fault that a test wants, and answered.

use std::{future::pending, io, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Empty, Limited, combinators::UnsyncBoxBody};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    body::body,
    cdn,
    fault::Fault,
    log::{Listener, LoggedRequest},
    reply::Reply,
    router,
    site::Site,
    xet::cas,
};

/// Connections that are open at a time; more wait to be accepted. One has one answer under way at most.
pub(super) const MOST_CONNECTIONS: usize = 256;
/// The longest body of a request that is read.
pub(super) const MAX_BODY: usize = 1 << 20;
/// The longest head of a request that is read, and what is buffered of an answer until the client takes it.
const MAX_BUFFER: usize = 1 << 16;
/// How long a shutdown waits for answers under way.
const GRACE: Duration = Duration::from_millis(500);
/// How long nothing is accepted after a failure: no more files can be open, as a rule.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until it is told to stop.
pub(super) async fn accept(socket: TcpListener, site: Arc<Site>, listener: Listener, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stopped(&mut stop) => break,
            Some(_) = connections.join_next() => {}
            accepted = socket.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&site), listener, stop.clone()));
                }
                Err(_) => sleep(PAUSE).await,
            },
        }
    }
    drop(socket);
    // What is still open then is broken off with the set.
    let _ = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the Hub was dropped.
    let _ = stop.wait_for(|&stop| stop).await;
}

async fn connection(stream: TcpStream, site: Arc<Site>, listener: Listener, mut stop: watch::Receiver<bool>) {
    // Ranges are small: do not wait for more to send. A failure costs time, nothing else.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| respond(Arc::clone(&site), listener, request));
    let mut connection =
        pin!(http1::Builder::new().max_buf_size(MAX_BUFFER).serve_connection(TokioIo::new(stream), service));
    // How a connection fails is for the client to tell.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stopped(&mut stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// An error closes the connection before the first byte of an answer.
async fn respond(
    site: Arc<Site>,
    listener: Listener,
    request: Request<Incoming>,
) -> io::Result<Response<UnsyncBoxBody<Bytes, io::Error>>> {
    let (head, content) = request.into_parts();
    let content = Limited::new(content, MAX_BODY).collect().await.map(Collected::to_bytes);
    let mut logged = LoggedRequest::of(listener, &head);
    let fault = site.options.intercept.as_ref().and_then(|hook| hook.look(&logged));
    let wait = match fault {
        Some(Fault::Wait(longer)) => longer.saturating_add(site.options.latency),
        _ => site.options.latency,
    };
    if wait == Duration::MAX {
        site.log.add(logged);
        return pending().await;
    }
    if !wait.is_zero() {
        sleep(wait).await;
    }
    let is_head = head.method == Method::HEAD;
    let (reply, fault) = match (fault, content) {
        (Some(Fault::Drop), _) => {
            site.log.add(logged);
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        (Some(Fault::Reply { status, headers, body }), _) => (Reply::verbatim(status, headers, body), None),
        (fault, Ok(content)) => (answer(&site, listener, Request::from_parts(head, content)).await, fault),
        (fault, Err(_)) => (Reply::text(StatusCode::PAYLOAD_TOO_LARGE, "request entity too large"), fault),
    };
    logged.status = Some(reply.status.as_u16());
    let sent = site.log.add(logged);
    let mut response = Response::new(if is_head || reply.status == StatusCode::NOT_MODIFIED {
        Empty::new().map_err(io::Error::other).boxed_unsync()
    } else {
        body(&site, reply.content, sent, fault.as_ref())
    });
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    Ok(response)
}

/// The true answer.
async fn answer(site: &Arc<Site>, listener: Listener, request: Request<Bytes>) -> Reply {
    let answer = site.work(move |site| match listener {
        Listener::Hub => router::answer(site, &request),
        Listener::Cdn => cdn::answer(site, &request),
        Listener::Cas => cas::answer(site, &request),
    });
    answer.await.unwrap_or_else(|error| Reply::text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()))
}

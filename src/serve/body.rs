//! Bodies on their way out: read from the store block by block, counted, and cut where a test wants it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;

use super::{fault::Fault, reply::Content, site::Site};
use crate::range::ByteRange;

/// Bytes in memory at a time, for each response.
const BLOCK: u64 = 1 << 18;
/// Turns of the event loop that let the bytes before a cut reach the socket.
const TURNS_BEFORE_CUT: usize = 8;

/// A body of this content that counts what it hands out.
pub(super) fn body(
    site: &Arc<Site>,
    content: Content,
    sent: Arc<AtomicU64>,
    fault: Option<&Fault>,
) -> UnsyncBoxBody<Bytes, io::Error> {
    let content: BoxStream<'static, io::Result<Bytes>> = match content {
        Content::Bytes(bytes) => stream::iter([Ok(bytes)]).boxed(),
        Content::File { repo, path, range } => {
            blocks(Arc::clone(site), range, move |site, part| site.options.store.read(&repo, &path, part))
        }
        Content::Xorb { name, range } => {
            blocks(Arc::clone(site), range, move |site, part| site.xet.read(&site.options.store, &name, part))
        }
    };
    let content = match fault {
        Some(&Fault::CutAfter(limit)) => cut_after(content, limit),
        Some(&Fault::Drip { bytes, pause }) => drip(content, bytes.max(1), pause),
        _ => content,
    };
    let counted = content.map(move |block| {
        let bytes = block?;
        sent.fetch_add(bytes.len() as u64, Ordering::AcqRel);
        Ok(Frame::data(bytes))
    });
    StreamBody::new(counted).boxed_unsync()
}

/// What `read` reads, a block at a time.
fn blocks(
    site: Arc<Site>,
    range: ByteRange,
    read: impl Fn(&Site, ByteRange) -> io::Result<Bytes> + Send + Sync + 'static,
) -> BoxStream<'static, io::Result<Bytes>> {
    let read = Arc::new(read);
    stream::try_unfold(range.start, move |start| {
        let (site, read) = (Arc::clone(&site), Arc::clone(&read));
        async move {
            if start >= range.end {
                return Ok(None);
            }
            let part = ByteRange::new(start, range.end.min(start + BLOCK));
            let bytes = site.work(move |site| read(site, part)).await??;
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let next = start + bytes.len() as u64;
            Ok(Some((bytes, next)))
        }
    })
    .boxed()
}

fn cut_after(blocks: BoxStream<'static, io::Result<Bytes>>, limit: u64) -> BoxStream<'static, io::Result<Bytes>> {
    let kept = blocks.scan(limit, |left, block| {
        let block = block.map(|bytes| {
            let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= taken as u64;
            bytes.slice(..taken)
        });
        let over = block.as_ref().is_ok_and(Bytes::is_empty);
        std::future::ready((!over).then_some(block))
    });
    let end = stream::once(async {
        for _ in 0..TURNS_BEFORE_CUT {
            tokio::task::yield_now().await;
        }
        Err(io::ErrorKind::ConnectionReset.into())
    });
    kept.chain(end).boxed()
}

/// The pause comes after a piece, so that the first one comes with the headers.
fn drip(
    blocks: BoxStream<'static, io::Result<Bytes>>,
    size: usize,
    pause: Duration,
) -> BoxStream<'static, io::Result<Bytes>> {
    let pieces = blocks.flat_map(move |block| {
        let pieces: Vec<io::Result<Bytes>> = match block {
            Ok(bytes) => {
                (0..bytes.len()).step_by(size).map(|at| Ok(bytes.slice(at..bytes.len().min(at + size)))).collect()
            }
            Err(error) => vec![Err(error)],
        };
        stream::iter(pieces)
    });
    pieces
        .enumerate()
        .then(move |(number, piece)| async move {
            if number > 0 {
                tokio::time::sleep(pause).await;
            }
            piece
        })
        .boxed()
}

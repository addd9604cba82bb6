//! The storage as answers see it: what is served is packed when it is first asked for, and read from the files themselves.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::{BufMut, Bytes, BytesMut};
use parking_lot::Mutex;

use super::{
    options::{Packing, XetOptions},
    packs::{Packed, Packs, Part, Place, Stored, Xorb},
};
use crate::{digest::xet::XetHash, range::ByteRange, serve::store::Store};

/// All that is stored.
#[derive(Debug)]
pub(in crate::serve) struct Storage {
    options: XetOptions,
    packs: Mutex<Packs>,
    /// Requests that had a valid token, or would have.
    asked: AtomicU64,
}

impl Storage {
    pub(in crate::serve) fn new(options: XetOptions) -> Self {
        Self { options, packs: Mutex::default(), asked: AtomicU64::new(0) }
    }

    /// How many requests came before this one.
    pub(super) fn count(&self) -> u64 {
        self.asked.fetch_add(1, Ordering::Relaxed)
    }

    /// The file with a hash. Where it is not known, or not in this repository, what is served now is looked at again.
    pub(super) fn file(&self, store: &Store, hash: &XetHash, repo: &str) -> Option<Stored> {
        let mut packs = self.packs.lock();
        if packs.file(hash).is_none_or(|file| !file.repos.contains(repo)) {
            // What cannot be read is not stored.
            let _ = self.pack(store, &mut packs);
        }
        packs.file(hash).cloned()
    }

    pub(super) fn part(&self, file: &Stored, range: ByteRange) -> Part {
        self.packs.lock().part(file, range)
    }

    /// Length of a block.
    pub(super) fn len(&self, xorb: &XetHash) -> Option<u64> {
        self.packs.lock().xorb(xorb).map(Xorb::len)
    }

    /// Bytes of a block, as they would be on disk.
    pub(in crate::serve) fn read(&self, store: &Store, xorb: &XetHash, range: ByteRange) -> io::Result<Bytes> {
        let chunks: Vec<Packed> = {
            let packs = self.packs.lock();
            let all = packs.xorb(xorb).map(|xorb| xorb.chunks.as_slice()).unwrap_or_default();
            let first = all.partition_point(|chunk| chunk.start <= range.start).saturating_sub(1);
            let end = all.partition_point(|chunk| chunk.start < range.end);
            all.get(first..end).unwrap_or_default().to_vec()
        };
        let Some(first) = chunks.first() else { return Ok(Bytes::new()) };
        let start = range.start - first.start;
        let mut bytes = BytesMut::new();
        for chunk in &chunks {
            let size = chunk.node.size;
            let content =
                store.read(&chunk.place.repo, &chunk.place.path, ByteRange::new(chunk.at, chunk.at + size))?;
            if content.len() as u64 != size {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes.put_slice(&header(size));
            bytes.put_slice(&content);
        }
        let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
        let wanted = at(start)..at(start + range.len());
        Ok(bytes.freeze().slice(wanted))
    }

    fn pack(&self, store: &Store, packs: &mut Packs) -> io::Result<()> {
        for id in store.ids()? {
            let Ok(Some(repo)) = store.find(&id) else { continue };
            match self.options.packing {
                Packing::Shared => {}
                Packing::Indexed => packs.end_upload(),
                Packing::Separate => packs.forget(),
            }
            for entry in self.options.stored(&repo) {
                if let Ok(Some(content)) = store.digests(&id, entry).map(|digests| digests.xet) {
                    packs.add(Place { repo: id.clone(), path: entry.path.clone() }, &content);
                }
            }
            packs.close();
        }
        Ok(())
    }
}

/// What stands before a chunk that is stored as it is: version 0, length there, scheme 0, length of the content.
fn header(size: u64) -> [u8; 8] {
    let [a, b, c, ..] = size.to_le_bytes();
    [0, a, b, c, 0, a, b, c]
}

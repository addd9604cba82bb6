//! What is asked about a repository, once it is found and may be answered.

use std::io;

use bytes::Bytes;
use hyper::Request;

use super::{
    caller::Caller,
    refusal::Refusal,
    repo::{Digests, Entry, Repo},
    site::Site,
};
use crate::{digest::xet::XetHash, range::ByteRange};

#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) site: &'a Site,
    pub(super) request: &'a Request<Bytes>,
    pub(super) caller: Caller,
    pub(super) repo: &'a Repo,
    /// The commit of the revision.
    pub(super) commit: &'a str,
}

impl Question<'_> {
    pub(super) fn entry(&self, path: &str) -> Result<&Entry, Refusal> {
        let absent = || Refusal::EntryNotFound { path: path.to_owned(), commit: self.commit.to_owned() };
        self.repo.entry(path).ok_or_else(absent)
    }

    pub(super) fn digests(&self, entry: &Entry) -> io::Result<Digests> {
        self.site.options.store.digests(&self.repo.id, entry)
    }

    /// The name of a file in Xet storage, if it is there.
    pub(super) fn xet_hash(&self, entry: &Entry, digests: &Digests) -> Option<XetHash> {
        let is_stored = self.site.options.xet.stored(self.repo).any(|stored| stored.path == entry.path);
        digests.xet.as_ref().filter(|_| is_stored).map(|xet| xet.hash)
    }

    pub(super) fn read(&self, entry: &Entry, start: u64, end: u64) -> io::Result<Bytes> {
        self.site.options.store.read(&self.repo.id, &entry.path, ByteRange::new(start, end))
    }
}

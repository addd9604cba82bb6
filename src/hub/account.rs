//! What a client has moved, and what it may still move.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::error::{HubError, Place};

/// What has been asked and what has arrived so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// HTTP requests sent, redirects and repeated attempts included.
    pub requests: u64,
    /// Bytes of response bodies received.
    pub bytes: u64,
}

/// What bytes of an answer are, and so which limit they count against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matter {
    /// What a plan counts, since it is known before what it takes.
    Weights,
    /// What must be read before there is a plan.
    Metadata,
}

/// Bytes that may arrive, and how many of them are left.
#[derive(Debug)]
struct Allowance {
    limit: u64,
    left: u64,
}

impl Allowance {
    fn new(limit: u64) -> Mutex<Self> {
        Mutex::new(Self { limit, left: limit })
    }
}

/// The account of one client.
#[derive(Debug)]
pub(super) struct Account {
    requests: AtomicU64,
    bytes: AtomicU64,
    weights: Mutex<Allowance>,
    metadata: Mutex<Allowance>,
}

impl Account {
    /// One without a limit on weights.
    pub(super) fn new(max_metadata: u64) -> Self {
        Self {
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            weights: Allowance::new(u64::MAX),
            metadata: Allowance::new(max_metadata),
        }
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic { requests: self.requests.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }

    pub(super) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_bytes(&self, count: usize) {
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn limit_weights(&self, limit: u64) {
        *self.weights.lock() = Allowance { limit, left: limit };
    }

    /// Takes `bytes` from what may still arrive for what `place` names.
    pub(super) fn reserve(&self, matter: Matter, bytes: u64, place: &Place) -> Result<(), HubError> {
        let mut allowance = self.allowance(matter).lock();
        let (limit, place) = (allowance.limit, || place.clone());
        allowance.left = allowance.left.checked_sub(bytes).ok_or_else(|| match matter {
            Matter::Weights => HubError::Exhausted { place: place(), limit },
            Matter::Metadata => HubError::TooMuchMetadata { place: place(), limit },
        })?;
        Ok(())
    }

    /// Gives back what was reserved and did not arrive.
    pub(super) fn give_back(&self, matter: Matter, bytes: u64) {
        let mut allowance = self.allowance(matter).lock();
        allowance.left = allowance.left.saturating_add(bytes);
    }

    fn allowance(&self, matter: Matter) -> &Mutex<Allowance> {
        match matter {
            Matter::Weights => &self.weights,
            Matter::Metadata => &self.metadata,
        }
    }
}

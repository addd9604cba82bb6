//! Where a streamed tensor's bytes come from.

use std::convert::Infallible;

use crate::dtype::Dtype;

/// A tensor whose stored bytes can be read anywhere, any number of times, by several threads at once.
pub trait Source: Sync {
    /// Why a read fails.
    type Error: Send;

    /// Element type of the stored bytes.
    fn dtype(&self) -> &Dtype;

    /// Number of elements.
    fn numel(&self) -> u64;

    /// Fills `into` with the stored bytes from `start` on, counted from the tensor's first byte.
    fn read(&self, start: u64, into: &mut [u8]) -> Result<(), Self::Error>;

    /// The same bytes without a copy, where they lie in memory; `None` has them read.
    fn held(&self, _start: u64, _length: usize) -> Option<&[u8]> {
        None
    }
}

/// A tensor in memory, as stored: little-endian. Bytes beyond those of `numel` elements are not looked at, and missing ones
/// read as zero.
#[derive(Debug, Clone)]
pub struct Memory<'a> {
    /// Element type.
    pub dtype: Dtype,
    /// Number of elements.
    pub numel: u64,
    /// Stored bytes.
    pub bytes: &'a [u8],
}

impl Source for Memory<'_> {
    type Error = Infallible;

    fn dtype(&self) -> &Dtype {
        &self.dtype
    }

    fn numel(&self) -> u64 {
        self.numel
    }

    fn read(&self, start: u64, into: &mut [u8]) -> Result<(), Infallible> {
        let rest = usize::try_from(start).ok().and_then(|start| self.bytes.get(start..)).unwrap_or_default();
        let held = rest.len().min(into.len());
        into[..held].copy_from_slice(&rest[..held]);
        into[held..].fill(0);
        Ok(())
    }

    fn held(&self, start: u64, length: usize) -> Option<&[u8]> {
        let start = usize::try_from(start).ok()?;
        self.bytes.get(start..start.checked_add(length)?)
    }
}

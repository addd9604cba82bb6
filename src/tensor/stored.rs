//! A tensor's bytes where they lie, read block by block: in a shard on this machine, or in the cache, where narrow floats
//! are kept widened and are narrowed back, exactly.

use std::{fs::File, io};

use super::View;
use crate::{
    cache::Cache,
    checkpoint::FolderFile,
    dtype::{Dtype, Narrowing, decode},
    error::Result,
    metric::stream::Source,
    model::{AuditError, Model, Tensor},
};

/// The elements of a tensor that a [`View`] shows, on disk.
#[derive(Debug)]
pub struct Stored {
    file: fs_err::File,
    of: FolderFile,
    /// Where the data begin.
    start: u64,
    /// Bytes of an element as stored in the shard.
    width: u64,
    dtype: Dtype,
    /// How the bytes that the cache keeps widened become what they were; `None` where they are as stored.
    narrowing: Option<Narrowing>,
    /// Shape of the whole tensor.
    whole: Vec<u64>,
    view: View,
    /// Shape of what is seen of it.
    shape: Vec<u64>,
    pub(crate) zero_centred: bool,
}

/// Bytes of an element that is kept widened.
const WIDE: u64 = 4;

/// Elements narrowed at once.
const BLOCK: usize = 1 << 14;

impl Stored {
    /// Opens what `view` shows of a tensor that has been fetched, or lies in a folder.
    pub fn open(cache: &Cache, model: &Model, tensor: &Tensor, view: &View) -> Result<Self> {
        let vanished = || AuditError::Vanished { model: model.repository.place(), tensor: tensor.info.name.clone() };
        // A type that is not decoded was not fetched either: that is the reason, not its absence from the cache.
        decode(&tensor.info.dtype, &[])?;
        let undecodable = || AuditError::Undecodable {
            model: model.repository.place(),
            tensor: tensor.info.name.clone(),
            dtype: tensor.info.dtype.to_string(),
            bytes: tensor.info.range.len(),
        };
        let bits = tensor.info.dtype.bits().ok_or_else(undecodable)?;
        let shape = view.shape(&tensor.info.shape).ok_or_else(undecodable)?;
        let numel: u64 = tensor.info.shape.iter().product();
        let (of, start, narrowing) = if let Some(file) = model.repository.local_file(&tensor.shard) {
            (file.clone(), tensor.info.range.start, None)
        } else {
            let key = model.key(tensor).ok_or_else(vanished)?;
            let (kept, path) = cache.lookup(&key).ok_or_else(vanished)?;
            let narrowing = Narrowing::of(&tensor.info.dtype);
            let width = if narrowing.is_some() { WIDE } else { bits / 8 };
            let start = kept.npy_bytes.checked_sub(numel * width).ok_or_else(vanished)?;
            (FolderFile::open(path)?, start, narrowing)
        };
        let file = of.file()?;
        Ok(Self {
            file,
            of,
            start,
            width: bits / 8,
            narrowing,
            dtype: tensor.info.dtype.clone(),
            whole: tensor.info.shape.clone(),
            view: view.clone(),
            shape,
            zero_centred: tensor.zero_centred,
        })
    }

    /// The shape of what is seen.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Reads stored elements from `element` on, as many as fill `into`.
    fn fill(&self, element: u64, into: &mut [u8]) -> io::Result<()> {
        let Some(narrowing) = &self.narrowing else {
            return read_exact_at(self.file.file(), into, self.start + element * self.width);
        };
        let narrow = narrowing.width();
        let mut at = self.start + element * WIDE;
        let mut wide = vec![0; into.len().min(BLOCK * narrow) / narrow * 4];
        for piece in into.chunks_mut(BLOCK * narrow) {
            let wide = &mut wide[..piece.len() / narrow * 4];
            read_exact_at(self.file.file(), wide, at)?;
            at += wide.len() as u64;
            let (elements, _) = wide.as_chunks::<4>();
            for (code, &element) in piece.chunks_exact_mut(narrow).zip(elements) {
                code.copy_from_slice(&narrowing.code(f32::from_le_bytes(element)).to_le_bytes()[..narrow]);
            }
        }
        Ok(())
    }
}

impl Source for Stored {
    type Error = crate::Error;

    fn dtype(&self) -> &Dtype {
        &self.dtype
    }

    fn numel(&self) -> u64 {
        self.shape.iter().product()
    }

    fn read(&self, start: u64, into: &mut [u8]) -> Result<()> {
        let width = usize::try_from(self.width).unwrap_or(1);
        let fill = |element: u64, into: &mut [u8]| self.fill(element, into);
        self.view
            .read(&self.whole, width, start / self.width, into, fill)
            .map_err(|source| AuditError::Unreadable { path: self.of.path().to_owned(), source })?;
        self.of.check(&self.file)?;
        // The network's bytes are decoded when they arrive: those of a folder must be no other values.
        if self.dtype == Dtype::BOOL {
            decode(&self.dtype, into).map_err(|error| error.behind(start))?;
        }
        Ok(())
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut into: &mut [u8], mut at: u64) -> io::Result<()> {
    while !into.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, into, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        into = &mut into[read..];
        at += read as u64;
    }
    Ok(())
}

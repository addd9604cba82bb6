//! The two files of an entry, read and checked: its values and the sidecar that describes them.

use std::{
    io::{self, BufReader, Seek, SeekFrom},
    path::Path,
};

use super::{
    error::CacheError,
    file::{self, Flaw, Miss},
    key, npy,
    seal::unseal,
    sidecar::Sidecar,
};
use crate::values::Values;

/// Bytes that a sidecar has at most; and one that lists rows, of which each has a byte of values and more.
const SIDECAR_CAP: u64 = 64 * 1024;
const BYTES_A_ROW: u64 = 16;
const ROWS_CAP: u64 = 64 * 1024 * 1024;

/// Reads and checks the two files of an entry. Values without a sidecar are none yet: the next insert replaces them.
pub(super) fn read_files(sidecar: &Path, npy: &Path) -> Result<(Sidecar, Values), Miss> {
    let known = read_sidecar(sidecar, npy)?;
    let mut file = match file::open(npy, u64::MAX) {
        Err(Miss::Absent) => return Err(Miss::Broken(Flaw::NoValues)),
        found => found?,
    };
    let failed = || CacheError::read(npy);
    if file.metadata().map_err(failed())?.len() != known.npy_bytes {
        return Err(Miss::Broken(Flaw::Length));
    }
    // Checked before a word of it is believed: its header decides how much memory is taken.
    if file::digest_of(&mut file).map_err(failed())?.0 != known.npy_sha256 {
        return Err(Miss::Broken(Flaw::Digest));
    }
    file.seek(SeekFrom::Start(0)).map_err(failed())?;
    match npy::read(BufReader::with_capacity(1 << 16, file)) {
        Ok((values, shape)) if shape == known.kept_shape() => Ok((known, values)),
        Ok(_) => Err(Miss::Broken(Flaw::Content)),
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
            Err(Miss::Broken(Flaw::Content))
        }
        Err(error) => Err(failed()(error).into()),
    }
}

/// The sidecar of the values at `npy`.
pub(super) fn read_sidecar(path: &Path, npy: &Path) -> Result<Sidecar, Miss> {
    // One that lists rows grows with them.
    let most = if key::is_of_rows(path) {
        file::length(npy).unwrap_or(0).saturating_mul(BYTES_A_ROW).saturating_add(SIDECAR_CAP).min(ROWS_CAP)
    } else {
        SIDECAR_CAP
    };
    unseal(&file::read(path, most)?).ok_or(Miss::Broken(Flaw::Sidecar))
}

/// Whether the values at `npy` are, to the byte, those that the sidecar describes. They are not held in memory.
pub(super) fn is_intact(npy: &Path, sidecar: &Sidecar) -> Result<bool, CacheError> {
    let Ok(mut file) = file::open(npy, sidecar.npy_bytes) else { return Ok(false) };
    let (sha256, bytes) = file::digest_of(&mut file).map_err(CacheError::read(npy))?;
    Ok(sha256 == sidecar.npy_sha256 && bytes == sidecar.npy_bytes)
}

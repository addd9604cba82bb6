//! Values as `.npy` and back, bit for bit.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
};

use ndarray::{ArrayD, ArrayViewD, IxDyn};
use ndarray_npy::{
    ReadNpyError, ReadNpyExt, ReadableElement, WritableElement, WriteNpyError, WriteNpyExt, write_zeroed_npy,
};

use crate::values::{Values, for_any};

/// Writes `values` of `shape` as `.npy`, little-endian in C order. [`io::ErrorKind::InvalidInput`] where they do not agree.
pub(super) fn write(values: &Values, shape: &[u64], writer: impl Write) -> io::Result<()> {
    for_any!(values, elements => write_elements(elements, shape, writer))
}

/// Writes the header for elements of the type of `like`, and makes the file as long as its data will make it.
/// [`io::ErrorKind::InvalidInput`] where no memory could address them.
pub(super) fn write_header(like: &Values, shape: &[u64], file: &File) -> io::Result<()> {
    let extents = extents(shape)?;
    if data_bytes(like, shape).is_none_or(|bytes| isize::try_from(bytes).is_err()) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for_any!(like, elements => zeroed(elements, &extents, file)).map_err(failed)
}

fn extents(shape: &[u64]) -> io::Result<Vec<usize>> {
    shape.iter().map(|&extent| usize::try_from(extent).map_err(|_| io::ErrorKind::InvalidInput.into())).collect()
}

fn failed(error: WriteNpyError) -> io::Error {
    match error {
        WriteNpyError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidInput, other),
    }
}

fn zeroed<T: WritableElement>(_: &[T], extents: &[usize], file: &File) -> Result<(), WriteNpyError> {
    write_zeroed_npy::<T, _>(file, IxDyn(extents))
}

/// Bytes of the data of `shape` for elements of the type of `like`; `None` where they overflow.
pub(super) fn data_bytes(like: &Values, shape: &[u64]) -> Option<u64> {
    let width = for_any!(like, elements => width_of(elements)) as u64;
    shape.iter().try_fold(width, |bytes, &extent| bytes.checked_mul(extent))
}

fn width_of<T>(_: &[T]) -> usize {
    size_of::<T>()
}

/// The data of `values`: their elements, little-endian.
pub(super) fn data(values: &Values) -> Vec<u8> {
    match values {
        Values::Bool(elements) => elements.iter().map(|&element| u8::from(element)).collect(),
        Values::U8(elements) => elements.clone(),
        Values::I8(elements) => bytes_of(elements, i8::to_le_bytes),
        Values::F32(elements) => bytes_of(elements, f32::to_le_bytes),
        Values::F64(elements) => bytes_of(elements, f64::to_le_bytes),
        Values::I16(elements) => bytes_of(elements, i16::to_le_bytes),
        Values::I32(elements) => bytes_of(elements, i32::to_le_bytes),
        Values::I64(elements) => bytes_of(elements, i64::to_le_bytes),
        Values::U16(elements) => bytes_of(elements, u16::to_le_bytes),
        Values::U32(elements) => bytes_of(elements, u32::to_le_bytes),
        Values::U64(elements) => bytes_of(elements, u64::to_le_bytes),
    }
}

fn bytes_of<const N: usize, T: Copy>(elements: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    elements.iter().flat_map(|&element| bytes(element)).collect()
}

fn write_elements<T: WritableElement>(elements: &[T], shape: &[u64], writer: impl Write) -> io::Result<()> {
    let misfit = || io::Error::from(io::ErrorKind::InvalidInput);
    let extents = extents(shape)?;
    let count = extents.iter().try_fold(1_usize, |count, &extent| count.checked_mul(extent));
    // A view of the first elements would be taken for the whole.
    if count != Some(elements.len()) {
        return Err(misfit());
    }
    let view = ArrayViewD::from_shape(IxDyn(&extents), elements).map_err(|_| misfit())?;
    view.write_npy(writer).map_err(failed)
}

/// Reads a `.npy` file: its values and its shape. [`io::ErrorKind::InvalidData`] where it is none that this crate writes.
///
/// No more memory is taken than the file has bytes, whatever its header says.
pub(super) fn read(mut reader: impl Read + Seek) -> io::Result<(Values, Vec<u64>)> {
    let file_len = reader.seek(SeekFrom::End(0))?;
    reader.seek(SeekFrom::Start(0))?;
    let (descr, elements, data) = described(&mut reader)?;
    reader.seek(SeekFrom::Start(0))?;
    let unknown = || invalid("its element type is not one that is written here");
    let width = descr.get(2..).and_then(|width| width.parse().ok()).ok_or_else(unknown)?;
    let bytes = elements.checked_mul(width).and_then(|bytes| bytes.checked_add(data));
    if bytes != Some(file_len) {
        return Err(invalid("its header describes another number of bytes"));
    }
    Ok(match descr.as_str() {
        "<f4" => read_elements(reader, Values::F32)?,
        "<f8" => read_elements(reader, Values::F64)?,
        "|i1" => read_elements(reader, Values::I8)?,
        "<i2" => read_elements(reader, Values::I16)?,
        "<i4" => read_elements(reader, Values::I32)?,
        "<i8" => read_elements(reader, Values::I64)?,
        "|u1" => read_elements(reader, Values::U8)?,
        "<u2" => read_elements(reader, Values::U16)?,
        "<u4" => read_elements(reader, Values::U32)?,
        "<u8" => read_elements(reader, Values::U64)?,
        "|b1" => read_elements(reader, Values::Bool)?,
        _ => return Err(unknown()),
    })
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// The type of the elements, how many there are and where they begin, by a header of version 1.0 as this crate and NumPy write it for
/// arrays such as these. It must be known before the reader of arrays is let at it: that one has to be told the type, and takes the
/// memory that the shape asks for.
fn described(reader: &mut impl Read) -> io::Result<(String, u64, u64)> {
    let none = || invalid("it has no .npy header");
    let mut start = [0; 10];
    reader.read_exact(&mut start).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => none(),
        _ => error,
    })?;
    let [b'\x93', b'N', b'U', b'M', b'P', b'Y', 1, 0, low, high] = start else {
        return Err(none());
    };
    let length = u16::from_le_bytes([low, high]);
    let mut text = Vec::new();
    reader.take(length.into()).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let after = |key: &str| text.split_once(key).map(|(_, rest)| rest.trim_start());
    let descr = after("'descr':").and_then(|rest| rest.strip_prefix('\'')?.split_once('\''));
    let shape = after("'shape':").and_then(|rest| rest.strip_prefix('(')?.split_once(')'));
    let (Some((descr, _)), Some((shape, _))) = (descr, shape) else {
        return Err(none());
    };
    let extents = shape.split(',').map(str::trim).filter(|extent| !extent.is_empty());
    let mut extents = extents.map(|extent| extent.parse::<u64>().ok());
    let elements = extents.try_fold(1_u64, |product, extent| product.checked_mul(extent?));
    let elements = elements.ok_or_else(|| invalid("its shape cannot be counted"))?;
    Ok((descr.to_owned(), elements, 10 + u64::from(length)))
}

fn read_elements<T: ReadableElement + Copy>(
    reader: impl Read,
    wrap: impl Fn(Vec<T>) -> Values,
) -> io::Result<(Values, Vec<u64>)> {
    let array = ArrayD::<T>::read_npy(reader).map_err(|error| match error {
        ReadNpyError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    })?;
    let shape = array.shape().iter().map(|&extent| extent as u64).collect();
    let elements =
        if array.is_standard_layout() { array.into_raw_vec_and_offset().0 } else { array.iter().copied().collect() };
    Ok((wrap(elements), shape))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn written(values: &Values, shape: &[u64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(values, shape, &mut bytes).unwrap();
        bytes
    }

    /// The header that `numpy.save` (NumPy 2.4) writes for `numpy.array([[1, 2, 3], [4, 5, 6]], "<f4")`, but for its padding.
    const NUMPY: &str = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

    #[test]
    fn the_file_is_what_numpy_writes_but_for_a_comma() {
        let values = Values::F32(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let ours = written(&values, &[2, 3]);
        let (header, data) = ours.split_at(128);
        assert_eq!(&header[..10], b"\x93NUMPY\x01\x00\x76\x00");
        let text = std::str::from_utf8(&header[10..]).unwrap();
        assert_eq!(text.trim_end(), NUMPY.replace(", }", "}"));
        assert!(text.ends_with('\n'));
        let expected: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(data, expected);
        assert_eq!(read(Cursor::new(&ours)).unwrap(), (values.clone(), vec![2, 3]));

        let numpy = [&header[..10], format!("{NUMPY:<117}\n").as_bytes(), data].concat();
        assert_eq!(read(Cursor::new(numpy)).unwrap(), (values, vec![2, 3]));
    }

    #[test]
    fn shapes_without_elements_and_without_extents_come_back() {
        for (values, shape) in
            [(Values::I8(vec![]), vec![0, 7]), (Values::Bool(vec![true]), vec![]), (Values::U64(vec![3]), vec![1; 6])]
        {
            assert_eq!(read(Cursor::new(written(&values, &shape))).unwrap(), (values, shape));
        }
    }

    #[test]
    fn a_shape_that_does_not_fit_is_invalid_input() {
        for shape in [&[2_u64][..], &[0], &[u64::MAX, 2]] {
            let error = write(&Values::F32(vec![1.0; 3]), shape, io::sink()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn what_is_no_npy_is_invalid_data() {
        let good = written(&Values::F32(vec![1.0; 3]), &[3]);
        let text = String::from_utf8_lossy(&good).replace("<f4", "<c8").into_bytes();
        for bytes in [vec![], b"hello".to_vec(), good[..good.len() - 1].to_vec(), text] {
            let error = read(Cursor::new(bytes)).unwrap_err();
            assert!(matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof), "{error:?}");
        }
    }

    #[test]
    fn a_header_that_asks_for_more_than_the_file_has_takes_no_memory() {
        let good = written(&Values::F32(vec![1.0; 3]), &[3]);
        for shape in ["(9999999999,)", "(2,)", "(4,)", "(18446744073709551615, 9)", "(-3,)", "(3", "3"] {
            let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}");
            let bytes = [&good[..10], format!("{header:<117}\n").as_bytes(), &good[128..]].concat();
            let error = read(Cursor::new(bytes)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{shape}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            bits in prop::collection::vec(any::<u32>(), 0..40),
            columns in 1_u64..4,
        ) {
            let values = Values::U32(bits);
            let shape = if (values.len() as u64).is_multiple_of(columns) {
                vec![values.len() as u64 / columns, columns]
            } else {
                vec![values.len() as u64]
            };
            prop_assert_eq!(read(Cursor::new(written(&values, &shape))).unwrap(), (values, shape));
        }

        #[test]
        fn a_changed_or_lost_byte_is_refused_or_read(at in 0_usize..140, to: u8, keep in 0_usize..141) {
            let mut bytes = written(&Values::F32(vec![1.0; 3]), &[3]);
            bytes[at % 140] = to;
            bytes.truncate(keep);
            if let Ok((values, shape)) = read(Cursor::new(bytes)) {
                prop_assert_eq!(values.len() as u64, shape.iter().product::<u64>());
            }
        }
    }
}

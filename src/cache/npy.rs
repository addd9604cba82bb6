//! Values as `.npy` and back, bit for bit. The file is the one that `numpy.save` writes.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
};

use crate::values::{self, Values};

/// Bytes that are written or read at once; a multiple of every element's width.
const BLOCK: usize = 1 << 16;
/// Digits for which NumPy leaves room, so that the first extent can grow where it stands.
const GROWTH: usize = 21;
const MAGIC: [u8; 8] = *b"\x93NUMPY\x01\x00";

/// Each type of element: its name in `.npy`, little-endian.
macro_rules! elements {
    ($($variant:ident $type:ty, $descr:literal;)+) => {
        fn descr(values: &Values) -> &'static str {
            match values {
                $(Values::$variant(_) => $descr,)+
                Values::Bool(_) => "|b1",
            }
        }

        fn width(values: &Values) -> u64 {
            match values {
                $(Values::$variant(_) => size_of::<$type>() as u64,)+
                Values::Bool(_) => 1,
            }
        }

        fn write_data(values: &Values, writer: &mut impl Write) -> io::Result<()> {
            match values {
                $(Values::$variant(elements) => write_elements(elements, <$type>::to_le_bytes, writer),)+
                Values::Bool(elements) => write_elements(elements, |element| [u8::from(element)], writer),
            }
        }

        /// The `bytes` that are left of `reader`.
        fn read_data(descr: &str, bytes: u64, reader: &mut impl Read) -> io::Result<Values> {
            match descr {
                $($descr => Ok(Values::$variant(read_elements(bytes, |raw| Some(<$type>::from_le_bytes(raw)), reader)?)),)+
                "|b1" => Ok(Values::Bool(read_elements(bytes, |[raw]| (raw < 2).then_some(raw == 1), reader)?)),
                _ => Err(invalid("its element type is not one that is written here")),
            }
        }
    };
}
elements! {
    F32 f32, "<f4";
    F64 f64, "<f8";
    I8 i8, "|i1";
    I16 i16, "<i2";
    I32 i32, "<i4";
    I64 i64, "<i8";
    U8 u8, "|u1";
    U16 u16, "<u2";
    U32 u32, "<u4";
    U64 u64, "<u8";
}

/// Writes `values` of `shape` as `.npy`, little-endian in C order. [`io::ErrorKind::InvalidInput`] where they do not agree.
pub(super) fn write(values: &Values, shape: &[u64], mut writer: impl Write) -> io::Result<()> {
    if values::elements(shape) != Some(values.len() as u64) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    writer.write_all(&header(values, shape)?)?;
    write_data(values, &mut writer)
}

/// Writes the header for elements of the type of `like`, and makes the file as long as its data will make it. Gives the header and
/// that length. [`io::ErrorKind::InvalidInput`] where no memory could address them.
pub(super) fn begin(like: &Values, shape: &[u64], mut file: &File) -> io::Result<(Vec<u8>, u64)> {
    let header = header(like, shape)?;
    let data = values::elements(shape).and_then(|count| count.checked_mul(width(like)));
    let data = data.filter(|&bytes| isize::try_from(bytes).is_ok()).ok_or(io::ErrorKind::InvalidInput)?;
    let whole = header.len() as u64 + data;
    file.write_all(&header)?;
    file.set_len(whole)?;
    Ok((header, whole))
}

/// The data of `values`: their elements, little-endian.
pub(super) fn data(values: &Values) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write_data(values, &mut bytes)?;
    Ok(bytes)
}

fn header(values: &Values, shape: &[u64]) -> io::Result<Vec<u8>> {
    let extents: Vec<String> = shape.iter().map(u64::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    let room = extents.first().map_or(0, |first| GROWTH - first.len());
    let text = format!(
        "{{'descr': '{}', 'fortran_order': False, 'shape': ({}{comma}), }}{:room$}",
        descr(values),
        extents.join(", "),
        ""
    );
    // Magic, length, text and its end of line are a multiple of 64.
    let len = (MAGIC.len() + 2 + text.len() + 1).next_multiple_of(64) - MAGIC.len() - 2;
    let stored = u16::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok([&MAGIC[..], &stored.to_le_bytes(), format!("{text:<0$}\n", len - 1).as_bytes()].concat())
}

fn write_elements<const N: usize, T: Copy>(
    elements: &[T],
    bytes: impl Fn(T) -> [u8; N],
    writer: &mut impl Write,
) -> io::Result<()> {
    let mut buffer = vec![[0; N]; elements.len().min(BLOCK / N)];
    for block in elements.chunks(BLOCK / N) {
        buffer.truncate(block.len());
        buffer.iter_mut().zip(block).for_each(|(to, &element)| *to = bytes(element));
        writer.write_all(buffer.as_flattened())?;
    }
    Ok(())
}

/// Reads a `.npy` file: its values and its shape. [`io::ErrorKind::InvalidData`] where it is none that this crate writes.
///
/// No more memory is taken than the file has bytes, even if its header says so.
pub(super) fn read(mut reader: impl Read + Seek) -> io::Result<(Values, Vec<u64>)> {
    let file_len = reader.seek(SeekFrom::End(0))?;
    reader.seek(SeekFrom::Start(0))?;
    let (descr, shape, start) = read_header(&mut reader)?;
    let values = read_data(&descr, file_len.saturating_sub(start), &mut reader)?;
    if values::elements(&shape) != Some(values.len() as u64) {
        return Err(invalid("its header describes another number of bytes"));
    }
    Ok((values, shape))
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Reads a header of version 1.0, as this crate and NumPy write it for arrays such as these: the type of the elements, their shape,
/// and where they begin.
fn read_header(reader: &mut impl Read) -> io::Result<(String, Vec<u64>, u64)> {
    let none = || invalid("it has no .npy header");
    let mut start = [0; 10];
    reader.read_exact(&mut start).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => none(),
        _ => error,
    })?;
    let [magic @ .., low, high] = start;
    if magic != MAGIC {
        return Err(none());
    }
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
    if !after("'fortran_order':").is_some_and(|order| order.starts_with("False")) {
        return Err(invalid("its elements are not in C order"));
    }
    let extents = shape.split(',').map(str::trim).filter(|extent| !extent.is_empty());
    let extents: Result<Vec<u64>, _> = extents.map(str::parse).collect();
    let extents = extents.map_err(|_| invalid("its shape cannot be counted"))?;
    Ok((descr.to_owned(), extents, 10 + u64::from(length)))
}

fn read_elements<const N: usize, T>(
    bytes: u64,
    element: impl Fn([u8; N]) -> Option<T>,
    reader: &mut impl Read,
) -> io::Result<Vec<T>> {
    let too_many = |_| io::Error::from(io::ErrorKind::OutOfMemory);
    let mut left = usize::try_from(bytes).map_err(too_many)?;
    let mut elements = Vec::with_capacity(left / N);
    let mut buffer = vec![0; left.min(BLOCK)];
    while left > 0 {
        buffer.truncate(left);
        reader.read_exact(&mut buffer)?;
        let (chunks, []) = buffer.as_chunks::<N>() else {
            return Err(invalid("its data are no whole number of elements"));
        };
        for &raw in chunks {
            elements.push(element(raw).ok_or_else(|| invalid("a boolean is neither 0 nor 1"))?);
        }
        left -= buffer.len();
    }
    Ok(elements)
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

    /// The text that `numpy.save` (NumPy 2.4) writes for `numpy.array([[1, 2, 3], [4, 5, 6]], "<f4")`.
    const NUMPY: &str = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

    #[test]
    fn the_file_is_what_numpy_writes() {
        let values = Values::F32(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let ours = written(&values, &[2, 3]);
        let data: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let of = |text: &str| [b"\x93NUMPY\x01\x00\x76\x00", format!("{text:<117}\n").as_bytes(), &data].concat();
        assert_eq!(ours, of(NUMPY));
        assert_eq!(read(Cursor::new(&ours)).unwrap(), (values.clone(), vec![2, 3]));
        // As this crate wrote it once.
        assert_eq!(read(Cursor::new(of(&NUMPY.replace(", }", "}")))).unwrap(), (values, vec![2, 3]));
    }

    #[test]
    fn the_header_grows_where_numpys_does() {
        // By `numpy.lib.format.write_array_header_1_0` of NumPy 2.4.
        let of = |shape: &[u64]| header(&Values::F64(vec![]), shape).unwrap().len();
        for shape in [&[][..], &[7], &[4096, 14336], &[123_456_789; 4], &[3; 11], &[1; 14]] {
            assert_eq!(of(shape), 128, "{shape:?}");
        }
        assert_eq!([of(&[1; 15]), of(&[1; 17])], [192, 192]);
    }

    #[test]
    fn a_file_in_fortran_order_is_refused() {
        let good = written(&Values::F32(vec![1.0; 6]), &[2, 3]);
        let other = String::from_utf8_lossy(&good[10..128]).replace("False", "True ");
        let error = read(Cursor::new([&good[..10], other.as_bytes(), &good[128..]].concat())).unwrap_err();
        assert_eq!(error.to_string(), "its elements are not in C order");
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

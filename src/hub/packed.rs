//! Small files that come as gzip.

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;

/// What a gzip stream unpacks to, at most `size` bytes; `None` if it goes on beyond them. An error is a stream that is cut short or
/// damaged.
pub(super) fn unpack(stream: &[u8], size: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    // One byte more: a stream that ends there has its check sum compared, and one that does not is no longer read.
    MultiGzDecoder::new(stream).take(size.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= size).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_stream_is_unpacked_to_its_end_or_refused() {
        let text: Vec<u8> = (0..40_000_u32).flat_map(|n| (n * n).to_le_bytes()).collect();
        let (stream, size) = (packed(&text), text.len() as u64);
        assert_eq!(unpack(&stream, size).unwrap(), Some(text.clone()));
        assert_eq!(
            unpack(&stream, size + 1).unwrap(),
            Some(text.clone()),
            "shorter than listed is for the caller to see"
        );
        assert_eq!(unpack(&stream, size - 1).unwrap(), None);
        assert_eq!(unpack(&packed(b""), 0).unwrap(), Some(Vec::new()));
        assert_eq!(unpack(&[packed(b"ab"), packed(b"cd")].concat(), 4).unwrap(), Some(b"abcd".to_vec()));
        for cut in [0, 5, stream.len() / 2, stream.len() - 1] {
            assert!(unpack(&stream[..cut], size).is_err(), "{cut}");
        }
        let mut damaged = stream.clone();
        let sum = damaged.len() - 8;
        damaged[sum] ^= 1;
        assert!(unpack(&damaged, size).is_err(), "the check sum is compared");
        assert!(unpack(&[stream, b"more".to_vec()].concat(), size).is_err(), "nothing stands behind it");
    }

    #[test]
    fn a_bomb_is_unpacked_to_the_listed_size_and_no_further() {
        let bomb = packed(&vec![0; 50_000_000]);
        assert!(bomb.len() < 500_000);
        assert_eq!(unpack(&bomb, 1000).unwrap(), None);
    }
}

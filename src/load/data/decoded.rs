//! Text of files people bring: UTF-8, with a byte order mark or without, or UTF-16 with one, as spreadsheets save it; zipped
//! or not.

use crate::load::data::data_error::DataError;
use crate::load::data::unpacked;
use std::path::Path;

/// More than this is no text anybody wants in memory as a whole.
const LARGEST: u64 = 256_000_000;

/// The text of a file, as it is written but for a byte order mark. Zipped files are unpacked.
///
/// # Errors
/// When the file cannot be read, unpacks to more than 256 MB, or is no text in these codes; the byte is named.
pub fn read_decoded(path: &Path) -> Result<String, DataError> {
    let bytes = std::fs::read(path).map_err(|source| DataError::read(path, source))?;
    let bytes = if unpacked::is_gzip(&bytes) {
        unpacked::at_most(&bytes[..], LARGEST).map_err(|problem| DataError::bad_archive(path, &problem))?
    } else {
        bytes
    };
    decoded(&bytes).map_err(|at| {
        let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        DataError::NotUtf8 { path: path.to_owned(), at, line }
    })
}

/// The text that bytes stand for.
///
/// # Errors
/// The position of the first byte that belongs to no character.
pub fn decoded(bytes: &[u8]) -> Result<String, usize> {
    match bytes {
        [0xFF, 0xFE, units @ ..] => utf16(units, u16::from_le_bytes),
        [0xFE, 0xFF, units @ ..] => utf16(units, u16::from_be_bytes),
        _ => {
            let text = std::str::from_utf8(bytes).map_err(|error| error.valid_up_to())?;
            Ok(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned())
        }
    }
}

/// UTF-16 behind its byte order mark, which has two bytes.
fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, usize> {
    let (units, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    let mut at = 2;
    for character in char::decode_utf16(units.iter().map(|pair| unit(*pair))) {
        let character = character.map_err(|_| at)?;
        text.push(character);
        at += 2 * character.len_utf16();
    }
    if rest.is_empty() { Ok(text) } else { Err(at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_with_its_mark_gives_the_same_text() {
        let text = "rötlich 🐈\r\n";
        let with = |mark: &[u8], bytes: Vec<u8>| [mark.to_vec(), bytes].concat();
        let units: Vec<u16> = text.encode_utf16().collect();
        for bytes in [
            text.as_bytes().to_vec(),
            with(b"\xef\xbb\xbf", text.as_bytes().to_vec()),
            with(b"\xff\xfe", units.iter().flat_map(|unit| unit.to_le_bytes()).collect()),
            with(b"\xfe\xff", units.iter().flat_map(|unit| unit.to_be_bytes()).collect()),
        ] {
            assert_eq!(decoded(&bytes).unwrap(), text);
        }
    }

    #[test]
    fn the_first_byte_that_is_no_character_is_named() {
        assert_eq!(decoded(b"ab\xe9"), Err(2));
        assert_eq!(decoded(b"\xff\xfea\0b"), Err(4), "half a character");
        assert_eq!(decoded(b"\xff\xfea\0\x00\xd8b\0"), Err(4), "half a pair");
        assert_eq!(decoded(&[]).unwrap(), "");
    }
}

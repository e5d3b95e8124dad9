//! Text files as programs write them: UTF-8 with or without a byte order mark, and UTF-16 with one.

use std::path::Path;
use thiserror::Error;

/// Why a file holds no text, as a sentence.
#[derive(Debug, Error)]
#[allow(missing_docs)] // Every variant says in its message what it and its fields are.
pub enum TextFileError {
    #[error("The file cannot be read: {0}.")]
    Read(#[from] std::io::Error),
    #[error("Byte {at} is not UTF-8, and no byte order mark says that the file is UTF-16.")]
    NotUtf8 { at: usize },
    #[error("Its byte order mark says UTF-16, which the bytes from {at} on are not.")]
    NotUtf16 { at: usize },
}

/// The text of a file, without its byte order mark.
///
/// # Errors
/// When the file cannot be read, or its bytes are no text.
pub fn read_text_file(path: &Path) -> Result<String, TextFileError> {
    decode(std::fs::read(path)?)
}

/// The text that bytes stand for, without its byte order mark. Line ends stay as they are.
///
/// # Errors
/// When they are neither UTF-8 nor, behind a byte order mark, UTF-16.
pub fn decode(bytes: Vec<u8>) -> Result<String, TextFileError> {
    match bytes.as_slice() {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => {
            let not_utf8 =
                |error: std::string::FromUtf8Error| TextFileError::NotUtf8 { at: error.utf8_error().valid_up_to() };
            let mut text = String::from_utf8(bytes).map_err(not_utf8)?;
            if text.starts_with('\u{FEFF}') {
                text.remove(0);
            }
            Ok(text)
        }
    }
}

/// `bytes` stand behind a byte order mark of two.
fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, TextFileError> {
    const MARK: usize = 2;
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(pairs.len());
    let mut at = MARK;
    for c in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let c = c.map_err(|_| TextFileError::NotUtf16 { at })?;
        at += 2 * c.len_utf16();
        text.push(c);
    }
    if rest.is_empty() { Ok(text) } else { Err(TextFileError::NotUtf16 { at }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_same_in_every_encoding_it_is_saved_in() {
        let text = "é 🙂\r\nx";
        let wide = |unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
            [b"\xFF\xFE".to_vec(), wide(u16::to_le_bytes)].concat(),
            [b"\xFE\xFF".to_vec(), wide(u16::to_be_bytes)].concat(),
        ] {
            assert_eq!(decode(bytes).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_text_is_told_with_its_place() {
        for (bytes, words) in [
            (&b"ab\xFFc"[..], "Byte 2 is not UTF-8"),
            (b"\xFF\xFEa\0b", "from 4 on"),
            (b"\xFF\xFEa\0\x3D\xD8b\0", "from 4 on"),
        ] {
            assert!(decode(bytes.to_vec()).unwrap_err().to_string().contains(words), "{bytes:?}");
        }
    }
}

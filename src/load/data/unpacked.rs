//! Gzip with a limit on what comes out: a file of two megabytes can hold two gigabytes.

use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, Read};

/// Why nothing was unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It cannot be read, is cut short or no gzip at all.
    #[error("it cannot be unzipped: {0}")]
    Broken(#[from] io::Error),
    /// More comes out than may.
    #[error("more than {} come out of it", crate::types::bytes_in_words(*.most))]
    TooLarge {
        /// How much may, in bytes.
        most: u64,
    },
}

/// True for the two bytes that every gzip file begins with, and no text or IDX file.
pub(in crate::load) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// What stands in a file, zipped or not: its name does not tell, because browsers unpack what they fetch and keep its name.
///
/// # Errors
/// When nothing can be read from it.
pub(in crate::load) fn unpacking<'a>(
    mut file: impl BufRead + Send + Sync + 'a,
) -> io::Result<Box<dyn Read + Send + Sync + 'a>> {
    Ok(if is_gzip(file.fill_buf()?) { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

/// Everything in a file, zipped or not, if it is `most` bytes or fewer. No more than one byte above that is unpacked.
///
/// # Errors
/// When it cannot be read, is cut short or holds more.
pub(in crate::load) fn at_most(file: impl BufRead + Send + Sync, most: u64) -> Result<Vec<u8>, UnpackError> {
    let mut bytes = Vec::new();
    unpacking(file)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(UnpackError::TooLarge { most }) } else { Ok(bytes) }
}

//! Gzip with a limit on what comes out: a file of two megabytes can hold two gigabytes.

use flate2::read::MultiGzDecoder;
use std::io::{BufReader, Read};

/// Why nothing was unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is cut short or no gzip at all.
    #[error("it cannot be unzipped: {0}")]
    Broken(#[from] std::io::Error),
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

/// Everything in a gzip file, if it is `most` bytes or fewer.
///
/// # Errors
/// When it is cut short or holds more.
pub(in crate::load) fn gzip(packed: impl Read, most: u64) -> Result<Vec<u8>, UnpackError> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(BufReader::new(packed)).take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(UnpackError::TooLarge { most }) } else { Ok(bytes) }
}

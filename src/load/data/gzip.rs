//! How small gzip makes a text.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

/// Bytes of a text that gzip compressed at its best level, header and checksum among them.
#[must_use]
pub fn gzipped(text: &[u8]) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(text).and_then(|()| encoder.finish());
    written.expect("memory takes what is written into it").len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_itself_becomes_small() {
        assert!(gzipped(b"") < 32);
        let text = "the same again ".repeat(1000);
        assert!(gzipped(text.as_bytes()) < 200);
        let mut random = crate::types::Random::new(1, 1);
        let noise: Vec<u8> = (0..4096).map(|_| random.below(256) as u8).collect();
        assert!(gzipped(&noise) > 4000, "noise stays");
    }
}

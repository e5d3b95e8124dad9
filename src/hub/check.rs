//! What a file's etag says about its content, and whether that is true.
//!
//! The hub's etag is the SHA-256 of files in large-file storage (all weights), and the SHA-1 of git's blob for small ones.
//! Other servers have etags of other kinds: then the length alone is checked.

use super::sha1::Sha1;
use sha2::{Digest, Sha256};

/// The kind of an etag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckKind {
    Sha256,
    GitSha1,
    LengthOnly,
}

impl CheckKind {
    pub(super) fn of(etag: &str) -> Self {
        let is_hash = etag.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match etag.len() {
            64 if is_hash => Self::Sha256,
            40 if is_hash => Self::GitSha1,
            _ => Self::LengthOnly,
        }
    }
}

/// A running hash over a file's bytes.
pub(super) enum Check {
    Sha256(Box<Sha256>),
    GitSha1(Box<Sha1>),
    LengthOnly,
}

impl Check {
    /// A check of a file with this etag and length in bytes.
    pub(super) fn new(etag: &str, length: u64) -> Self {
        match CheckKind::of(etag) {
            CheckKind::Sha256 => Self::Sha256(Box::new(Sha256::new())),
            CheckKind::GitSha1 => Self::GitSha1(Box::new(git_blob(length))),
            CheckKind::LengthOnly => Self::LengthOnly,
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::GitSha1(hash) => hash.update(bytes),
            Self::LengthOnly => {}
        }
    }

    /// The hash in hexadecimal, or `None` where only the length could be checked.
    pub(super) fn finish(self) -> Option<String> {
        match self {
            Self::Sha256(hash) => Some(hex(hash.finalize().as_slice())),
            Self::GitSha1(hash) => Some(hex(&hash.finish())),
            Self::LengthOnly => None,
        }
    }
}

/// The name git gives a file's content, in hexadecimal: the hub's etag of small files.
#[must_use]
pub fn git_blob_hash(content: &[u8]) -> String {
    let mut hash = git_blob(content.len() as u64);
    hash.update(content);
    hex(&hash.finish())
}

fn git_blob(length: u64) -> Sha1 {
    let mut hash = Sha1::new();
    hash.update(format!("blob {length}\0").as_bytes());
    hash
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(etag: &str, bytes: &[u8]) -> Option<String> {
        let mut check = Check::new(etag, bytes.len() as u64);
        check.update(bytes);
        check.finish()
    }

    #[test]
    fn both_kinds_of_etag_are_recomputed() {
        // `printf 'hello\n' | git hash-object --stdin`, and sha256sum of the same.
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(hash(git, b"hello\n").as_deref(), Some(git));
        assert_eq!(hash(sha256, b"hello\n").as_deref(), Some(sha256));
        assert_ne!(hash(git, b"Hello\n").as_deref(), Some(git));
        assert_eq!(hash("5-abc", b"hello\n"), None);
        assert_eq!(git_blob_hash(b"hello\n"), git);
    }
}

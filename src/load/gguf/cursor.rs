//! Reads numbers and texts from the beginning of a file, and tells at which byte one is wrong.

use crate::load::error::LoadError;
use std::path::{Path, PathBuf};

/// Longest text and longest list. Nothing of a model comes near it.
pub(super) const LONGEST: u64 = 1 << 30;

/// A place in the bytes of a file. Numbers are little-endian.
pub(super) struct Cursor<'a> {
    path: PathBuf,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(path: &Path, bytes: &'a [u8], at: usize) -> Self {
        Self { path: path.to_owned(), bytes, at }
    }

    /// Where the next byte is.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// What is wrong at a byte.
    pub(super) fn wrong_at(&self, at: usize, problem: impl Into<String>) -> LoadError {
        LoadError::Gguf { path: self.path.clone(), at: at as u64, problem: problem.into() }
    }

    /// What is wrong at the next byte.
    pub(super) fn wrong(&self, problem: impl Into<String>) -> LoadError {
        self.wrong_at(self.at, problem)
    }

    /// The next bytes.
    pub(super) fn take(&mut self, length: usize, what: &str) -> Result<&'a [u8], LoadError> {
        let Some(bytes) = self.bytes[self.at..].get(..length) else {
            let left = self.left();
            return Err(self.wrong(format!("{what} takes {length} bytes, and only {left} are left of the file")));
        };
        self.at += length;
        Ok(bytes)
    }

    fn number<const N: usize>(&mut self, what: &str) -> Result<[u8; N], LoadError> {
        let bytes = self.take(N, what)?;
        Ok(*bytes.first_chunk().expect("as many bytes as were taken"))
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32, LoadError> {
        self.number(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &str) -> Result<u64, LoadError> {
        self.number(what).map(u64::from_le_bytes)
    }

    /// How many things follow, of which each takes `least` bytes or more: never so many that they do not fit into the file.
    pub(super) fn count(&mut self, what: &str, least: usize) -> Result<usize, LoadError> {
        let at = self.at;
        let count = self.u64(what)?;
        let most = (self.left() / least) as u64;
        if count > LONGEST || count > most {
            let problem = format!("{what} is {count}, and the file has room for {most} at most");
            return Err(self.wrong_at(at, problem));
        }
        Ok(count as usize)
    }

    /// The bytes of a text, which stand behind their length.
    pub(super) fn text(&mut self, what: &str) -> Result<&'a [u8], LoadError> {
        let at = self.at;
        let length = self.u64(what)?;
        match usize::try_from(length) {
            Ok(bytes) if length <= LONGEST && bytes <= self.left() => self.take(bytes, what),
            _ => {
                let left = self.left();
                Err(self.wrong_at(at, format!("{what} has {length} bytes, and {left} are left of the file")))
            }
        }
    }
}

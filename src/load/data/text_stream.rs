//! A text file of any size, a stretch at a time: what [`read_decoded`](super::decoded::read_decoded) tells of codes, byte order
//! marks and zipped files holds here too, and line ends become line feeds.
//!
//! The file is read, not mapped: a mapped one that another program cuts short ends the process.

use crate::load::data::data_error::DataError;
use crate::load::data::unpacked::{UnpackError, unpacking};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes taken from the file, or from what unzips it, at a time.
const CHUNK: usize = 64 << 10;

/// How the characters of a file are written.
#[derive(Clone, Copy)]
enum Code {
    /// Not known before the first bytes are here.
    Unknown,
    Utf8,
    Utf16(fn([u8; 2]) -> u16),
}

/// The text of a file, from its beginning to its end.
pub(crate) struct TextStream {
    path: PathBuf,
    bytes: Box<dyn Read + Send + Sync>,
    /// Bytes of the file that were taken, zipped ones where it is zipped.
    taken: Arc<AtomicU64>,
    code: Code,
    /// Bytes that were read and not turned into characters: half of one, at most.
    raw: Vec<u8>,
    /// Where `raw` begins, in bytes of the unzipped file.
    at: usize,
    /// Line feeds before `raw`.
    lines: usize,
    /// The last character was a carriage return: a line feed behind it belongs to it.
    after_return: bool,
    /// Text behind the last line end, kept back while a limit may still cut it off.
    kept_back: String,
    /// Bytes of text that may still be given.
    left: Option<usize>,
    /// True once a limited text gave a whole line.
    has_lines: bool,
    /// True once there was more than white space.
    has_words: bool,
    is_over: bool,
}

impl TextStream {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        Self::of(File::open(path).map_err(|source| DataError::read(path, source))?, path)
    }

    /// The same of anything that is read. `path` is what it is called in errors.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn of(source: impl Read + Send + Sync + 'static, path: &Path) -> Result<Self, DataError> {
        let taken = Arc::new(AtomicU64::new(0));
        let counted = Counted { source, taken: Arc::clone(&taken) };
        let bytes = unpacking(BufReader::with_capacity(CHUNK, counted));
        let bytes = bytes.map_err(|source| DataError::read(path, source))?;
        Ok(Self {
            path: path.to_owned(),
            bytes,
            taken,
            code: Code::Unknown,
            raw: Vec::new(),
            at: 0,
            lines: 0,
            after_return: false,
            kept_back: String::new(),
            left: None,
            has_lines: false,
            has_words: false,
            is_over: false,
        })
    }

    /// The same, ending after at most so many bytes of text, at the end of a line if there is one.
    pub(crate) fn at_most(mut self, bytes: Option<usize>) -> Self {
        self.left = bytes;
        self
    }

    /// Bytes of the file that were taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Adds the next stretch to `text`; false when the file is over.
    ///
    /// # Errors
    /// When the file cannot be read or unzipped, is neither UTF-8 nor UTF-16, or held nothing but white space.
    pub(crate) fn read_into(&mut self, text: &mut String) -> Result<bool, DataError> {
        if self.is_over {
            return Ok(false);
        }
        let had = self.raw.len();
        let mut chunk = Vec::with_capacity(CHUNK);
        std::mem::swap(&mut chunk, &mut self.raw);
        chunk.resize(had + CHUNK, 0);
        let count = self.fill(&mut chunk[had..])?;
        chunk.truncate(had + count);
        let is_last = count == 0;
        let mut characters = std::mem::take(&mut self.kept_back);
        self.decode(&chunk, is_last, &mut characters)?;
        self.has_words |= characters.chars().any(|letter| !letter.is_whitespace());
        self.is_over = is_last;
        self.give(characters, text);
        if self.is_over && !self.has_words {
            return Err(DataError::empty(&self.path, "The file holds no text."));
        }
        Ok(true)
    }

    /// Reads until the buffer is full or the file over: what unzips a file gives less at a time than it could.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, DataError> {
        let mut count = 0;
        while count < buffer.len() {
            match self.bytes.read(&mut buffer[count..]) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if is_unzipping(&error) => {
                    return Err(DataError::bad_archive(&self.path, &UnpackError::Broken(error)));
                }
                Err(error) => return Err(DataError::read(&self.path, error)),
            }
        }
        Ok(count)
    }

    /// Turns bytes into characters; what may be half of one waits for more.
    fn decode(&mut self, bytes: &[u8], is_last: bool, characters: &mut String) -> Result<(), DataError> {
        let mut rest = bytes;
        if matches!(self.code, Code::Unknown) {
            let (code, mark) = match bytes {
                [0xFF, 0xFE, ..] => (Code::Utf16(u16::from_le_bytes), 2),
                [0xFE, 0xFF, ..] => (Code::Utf16(u16::from_be_bytes), 2),
                [0xEF, 0xBB, 0xBF, ..] => (Code::Utf8, 3),
                _ => (Code::Utf8, 0),
            };
            (self.code, rest, self.at) = (code, &bytes[mark..], mark);
        }
        let used = match self.code {
            Code::Utf16(unit) => self.utf16(rest, unit, characters),
            Code::Utf8 | Code::Unknown => self.utf8(rest, characters),
        };
        let (used, is_wrong) = used.map_or_else(|used| (used, true), |used| (used, false));
        self.lines += rest[..used].iter().filter(|byte| **byte == b'\n').count();
        self.at += used;
        self.raw = rest[used..].to_vec();
        if is_wrong || (is_last && !self.raw.is_empty()) {
            return Err(DataError::NotUtf8 { path: self.path.clone(), at: self.at, line: 1 + self.lines });
        }
        Ok(())
    }

    /// How many bytes became characters; the same as an error where the next can never become one.
    fn utf8(&mut self, bytes: &[u8], characters: &mut String) -> Result<usize, usize> {
        let (valid, is_wrong) = match std::str::from_utf8(bytes) {
            Ok(text) => (text, false),
            Err(error) => {
                let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
                (valid, error.error_len().is_some())
            }
        };
        if self.after_return || valid.contains('\r') {
            valid.chars().for_each(|letter| self.put(letter, characters));
        } else {
            characters.push_str(valid);
        }
        if is_wrong { Err(valid.len()) } else { Ok(valid.len()) }
    }

    fn utf16(&mut self, bytes: &[u8], unit: fn([u8; 2]) -> u16, characters: &mut String) -> Result<usize, usize> {
        let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
        let mut used = 0;
        for character in char::decode_utf16(units) {
            match character {
                Ok(letter) => {
                    self.put(letter, characters);
                    used += 2 * letter.len_utf16();
                }
                // The first half of a pair at the very end: the other half may come.
                Err(half) if used + 2 == bytes.len() & !1 && (0xD800..0xDC00).contains(&half.unpaired_surrogate()) => {
                    break;
                }
                Err(_) => return Err(used),
            }
        }
        Ok(used)
    }

    /// Adds a character, a line feed for every way to end a line.
    fn put(&mut self, letter: char, characters: &mut String) {
        match letter {
            '\r' => characters.push('\n'),
            '\n' if self.after_return => {}
            letter => characters.push(letter),
        }
        self.after_return = letter == '\r';
    }

    /// Gives what a limit leaves of the characters.
    fn give(&mut self, mut characters: String, text: &mut String) {
        let Some(left) = self.left else {
            text.push_str(&characters);
            return;
        };
        let line_end = |text: &str| text.rfind('\n').map(|at| at + 1);
        if characters.len() > left {
            let end = characters.floor_char_boundary(left);
            // Only a text without any line end is cut within a line.
            let within = if self.has_lines { 0 } else { end };
            characters.truncate(line_end(&characters[..end]).unwrap_or(within));
            self.is_over = true;
        } else if !self.is_over {
            self.kept_back = characters.split_off(line_end(&characters).unwrap_or(0));
        }
        self.has_lines |= characters.ends_with('\n');
        self.left = Some(left.saturating_sub(characters.len()));
        text.push_str(&characters);
    }
}

/// Counts what is taken from a file.
struct Counted<R> {
    source: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// True for what the decoder of a zipped file says, false for what the system says.
fn is_unzipping(error: &std::io::Error) -> bool {
    error.raw_os_error().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::data::text_data::read_text;
    use std::io::Write;

    fn streamed(path: &Path, most: Option<usize>) -> Result<String, DataError> {
        let (mut stream, mut text) = (TextStream::open(path)?.at_most(most), String::new());
        while stream.read_into(&mut text)? {}
        assert!(most.is_some() || stream.taken() == std::fs::metadata(path).unwrap().len());
        Ok(text)
    }

    fn zipped(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    /// Characters of one to four bytes and all line ends, so that chunks end within every one of them.
    fn long() -> String {
        (0..30_000).map(|i| ["a", "ß", "\r\n", "猫", "🐈", "\r", "\n", "bc"][i * 7 % 8]).collect()
    }

    #[test]
    fn a_stream_gives_what_the_whole_file_gives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        let text = long();
        let units: Vec<u16> = std::iter::once(0xFEFF).chain(text.encode_utf16()).collect();
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            units.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
            units.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            zipped(text.as_bytes()),
        ] {
            std::fs::write(&path, bytes).unwrap();
            assert!(std::fs::metadata(&path).unwrap().len() < 1 << 20);
            assert_eq!(streamed(&path, None).unwrap(), read_text(&path).unwrap());
        }
    }

    #[test]
    fn a_limit_ends_a_text_at_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        let lines: String = (0..40_000).map(|i| format!("line {i}\n")).collect();
        std::fs::write(&path, &lines).unwrap();
        for most in [3, 7, 8, 65_536, 65_540, 131_072, 200_001, lines.len(), lines.len() + 1] {
            let end = most.min(lines.len());
            let expected = if end == lines.len() { end } else { lines[..end].rfind('\n').map_or(end, |at| at + 1) };
            assert_eq!(streamed(&path, Some(most)).unwrap().len(), expected, "{most}");
        }
        std::fs::write(&path, "x".repeat(200_000)).unwrap();
        assert_eq!(
            streamed(&path, Some(100_000)).unwrap().len(),
            100_000,
            "a line without end is cut where it must be"
        );
    }

    #[test]
    fn what_is_no_text_is_named_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        let ends = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            match (streamed(&path, None), read_text(&path)) {
                (Err(DataError::NotUtf8 { at, line, .. }), Err(DataError::NotUtf8 { at: a, line: l, .. })) => {
                    assert_eq!((at, line), (a, l));
                    (at, line)
                }
                other => panic!("{other:?}"),
            }
        };
        let far = [b"line\n".repeat(20_000), b"ab\xe9 ".to_vec()].concat();
        assert_eq!(ends(&far), (100_002, 20_001));
        assert_eq!(ends(b"ab\xc3"), (2, 1), "half a character");
        assert_eq!(ends(b"\xff\xfea\0b"), (4, 1));
        assert_eq!(ends(b"\xff\xfea\0\x00\xd8"), (4, 1), "half a pair");
        assert_eq!(ends(b"\xff\xfea\0\x00\xd8b\0"), (4, 1));
        std::fs::write(&path, " \r\n\t").unwrap();
        assert!(matches!(streamed(&path, None), Err(DataError::Empty { .. })));
        std::fs::write(&path, &zipped(&far)[..50]).unwrap();
        assert!(matches!(streamed(&path, None), Err(DataError::BadArchive { .. })));
    }
}

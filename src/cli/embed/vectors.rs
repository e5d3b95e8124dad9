//! Vectors of texts in a file, written as they are made: NumPy's NPY, safetensors, CSV, JSON lines. The file is whole whenever
//! writing ends.

use crate::chart::npy_header;
use crate::cli::output::json_line;
use crate::types::UserError;
use serde::Serialize;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufWriter, Error, Result, Seek, SeekFrom, Write};
use std::path::Path;

/// The file formats for vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VectorFormat {
    /// `numpy.load(file)`: one row a text.
    Npy,
    /// `safetensors.numpy.load_file(file)["embeddings"]`: one row a text, and what they are of as metadata.
    Safetensors,
    /// A line a text: line, tokens, tokens left out, text, then the vector.
    Csv,
    /// An object a text.
    JsonLines,
}

impl VectorFormat {
    /// The format that the ending of a file name asks for.
    ///
    /// # Errors
    /// When it asks for none.
    pub(super) fn from_path(path: &Path) -> std::result::Result<Self, UserError> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match ending.as_str() {
            "npy" => Ok(Self::Npy),
            "safetensors" => Ok(Self::Safetensors),
            "csv" => Ok(Self::Csv),
            "jsonl" | "ndjson" => Ok(Self::JsonLines),
            _ => Err(UserError::new(
                format!("{} tells no format for vectors.", path.display()),
                "The ending of its name is none of npy, safetensors, csv and jsonl.",
                "Give --out a name such as vectors.npy.",
            )),
        }
    }
}

/// The vector of a text.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Vector<'a> {
    /// Where the text begins, from 1.
    pub(super) line: usize,
    /// The text.
    pub(super) text: &'a str,
    /// Tokens that were read.
    pub(super) tokens: usize,
    /// Tokens at its end that were not.
    pub(super) left_out: usize,
    /// All of one length.
    #[serde(rename = "vector")]
    pub(super) values: &'a [f32],
}

/// A file that vectors are added to.
pub(super) struct VectorFile {
    file: BufWriter<File>,
    format: VectorFormat,
    about: Vec<(String, String)>,
    width: usize,
    rows: usize,
}

/// Bytes kept free at the beginning of a safetensors file for its header, which is known at the end: for the names and numbers in it.
const HEADER: usize = 4096;

impl VectorFile {
    /// Makes the file, for vectors of this many numbers. `about` is what they are of, in pairs.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn create(
        path: &Path,
        format: VectorFormat,
        width: usize,
        about: Vec<(String, String)>,
    ) -> Result<Self> {
        let mut this = Self { file: BufWriter::new(File::create(path)?), format, about, width, rows: 0 };
        match format {
            VectorFormat::Csv => {
                let columns: String = (0..width).map(|i| format!(",{i}")).collect();
                writeln!(this.file, "line,tokens,left_out,text{columns}")?;
            }
            VectorFormat::Npy | VectorFormat::Safetensors => this.file.write_all(&this.header())?,
            VectorFormat::JsonLines => {}
        }
        Ok(this)
    }

    /// Adds one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn add(&mut self, vector: &Vector<'_>) -> Result<()> {
        assert_eq!(vector.values.len(), self.width, "vectors of one file have one length");
        self.rows += 1;
        match self.format {
            VectorFormat::JsonLines => {
                let line = json_line(vector).map_err(|error| Error::other(error.to_string()))?;
                self.file.write_all(line.as_bytes())
            }
            VectorFormat::Csv => {
                let Vector { line, text, tokens, left_out, values } = vector;
                write!(self.file, "{line},{tokens},{left_out},\"{}\"", text.replace('"', "\"\""))?;
                values.iter().try_for_each(|value| write!(self.file, ",{value}"))?;
                writeln!(self.file)
            }
            VectorFormat::Npy | VectorFormat::Safetensors => {
                vector.values.iter().try_for_each(|value| self.file.write_all(&value.to_le_bytes()))
            }
        }
    }

    /// Says in the file how much it holds.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn finish(mut self) -> Result<()> {
        if matches!(self.format, VectorFormat::Npy | VectorFormat::Safetensors) {
            let header = self.header();
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&header)?;
        }
        self.file.flush()
    }

    /// What stands before the numbers: as long for one number of rows as for any other.
    fn header(&self) -> Vec<u8> {
        let (rows, width) = (self.rows, self.width);
        if self.format == VectorFormat::Npy {
            // Filled up to a multiple of 64 bytes, which is 128 for any two numbers.
            return npy_header("<f4", &[rows, width]);
        }
        let tensor = json!({"dtype": "F32", "shape": [rows, width], "data_offsets": [0, rows * width * 4]});
        let about: serde_json::Map<String, Value> =
            self.about.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let mut words = json!({"__metadata__": about, "embeddings": tensor}).to_string();
        if words.len() > HEADER {
            words = json!({"embeddings": tensor}).to_string();
        }
        words.push_str(&" ".repeat(HEADER - words.len()));
        [&(HEADER as u64).to_le_bytes(), words.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a file holds after two vectors of three numbers.
    fn written(name: &str) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let format = VectorFormat::from_path(&path).unwrap();
        let about = vec![("model".to_owned(), "tiny \"é\"".to_owned())];
        let mut file = VectorFile::create(&path, format, 3, about).unwrap();
        for (line, text, values) in [(1, "a, \"b\"", [1.0, -0.5, 0.1]), (4, "c", [2.0, 0.0, 1e-20])] {
            file.add(&Vector { line, text, tokens: 5, left_out: 1, values: &values }).unwrap();
        }
        file.finish().unwrap();
        std::fs::read(&path).unwrap()
    }

    fn floats(bytes: &[u8]) -> Vec<f32> {
        bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    #[test]
    fn arrays_have_a_row_for_each_text() {
        let all = [1.0, -0.5, 0.1, 2.0, 0.0, 1e-20];
        let npy = written("a.npy");
        assert_eq!((&npy[..10], npy[127]), (&b"\x93NUMPY\x01\x00\x76\x00"[..], b'\n'));
        let header = String::from_utf8(npy[10..127].to_vec()).unwrap();
        assert_eq!(header.trim_end(), "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3,), }");
        assert_eq!(floats(&npy[128..]), all);
        let file = written("a.safetensors");
        let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        let header: Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
        assert_eq!(header["embeddings"], json!({"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}));
        assert_eq!(header["__metadata__"]["model"], "tiny \"é\"");
        assert_eq!(floats(&file[8 + length..]), all);
    }

    #[test]
    fn lines_hold_the_text_beside_its_vector() {
        let csv = String::from_utf8(written("a.csv")).unwrap();
        assert_eq!(
            csv.lines().collect::<Vec<_>>()[..2],
            ["line,tokens,left_out,text,0,1,2", "1,5,1,\"a, \"\"b\"\"\",1,-0.5,0.1"]
        );
        let lines = String::from_utf8(written("a.jsonl")).unwrap();
        let first = "{\"line\":1,\"text\":\"a, \\\"b\\\"\",\"tokens\":5,\"left_out\":1,\"vector\":[1.0,-0.5,0.1]}";
        assert_eq!((lines.lines().next(), lines.lines().count()), (Some(first), 2));
        assert!(VectorFormat::from_path(Path::new("a.txt")).is_err());
    }
}

//! Texts of a file of any size, one after the other: a line each, or a column of a table, or a field of JSON objects. No more is in
//! memory than a stretch of the file and the texts that are asked for.

use crate::load::data::data_error::DataError;
use crate::load::data::text_stream::TextStream;
use crate::types::{next_cell, text_column};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Bytes of one text, or of a line that holds it; more is no text that a model reads, and could be a file without line ends.
const LONGEST: usize = 16 << 20;
/// Bytes after which a mark that opens a cell counts as one like any other, if its counterpart has not come.
const LONGEST_MARKED: usize = 1 << 18;

/// How texts stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// A text a line.
    Lines,
    /// Cells with commas between them.
    Csv,
    /// Cells with tabs between them.
    Tsv,
    /// A JSON object, or a text in quotation marks, a line.
    JsonLines,
}

impl TextFormat {
    /// The format a file name tells, zipped or not.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        match name.strip_suffix(".gz").unwrap_or(&name).rsplit_once('.').map_or("", |(_, ending)| ending) {
            "csv" => Self::Csv,
            "tsv" | "tab" => Self::Tsv,
            "jsonl" | "ndjson" | "json" => Self::JsonLines,
            _ => Self::Lines,
        }
    }
}

/// A text of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedText {
    /// The line it begins in, from 1.
    pub line: usize,
    /// As it stands there; without white space around it where it is a cell.
    pub text: String,
}

/// The texts of a file.
pub struct TextList {
    path: PathBuf,
    stream: TextStream,
    format: TextFormat,
    /// As it was asked for: a name, or a number from 1.
    column: Option<String>,
    /// Of a table, once its first line is read.
    place: Option<usize>,
    /// Text that was taken in, split as far as `at`.
    text: String,
    at: usize,
    /// The line that the rest begins in, from 1.
    line: usize,
    is_over: bool,
}

impl TextList {
    /// Opens a file. `column` is the name of a column or field, or the number of a column from 1; without it, it is the one that is
    /// usually called so, or the first.
    ///
    /// # Errors
    /// When the file cannot be read, or lines are asked for a column.
    pub fn open(path: &Path, format: Option<TextFormat>, column: Option<&str>) -> Result<Self, DataError> {
        Self::new(path, TextStream::open(path)?, format.unwrap_or_else(|| TextFormat::of(path)), column)
    }

    /// The same of what somebody writes into a pipe. `name` is what it is called in errors.
    ///
    /// # Errors
    /// When lines are asked for a column.
    pub fn of_pipe(
        pipe: impl std::io::Read + Send + Sync + 'static,
        name: &str,
        format: Option<TextFormat>,
        column: Option<&str>,
    ) -> Result<Self, DataError> {
        let path = Path::new(name);
        Self::new(path, TextStream::of(pipe, path)?, format.unwrap_or(TextFormat::Lines), column)
    }

    fn new(path: &Path, stream: TextStream, format: TextFormat, column: Option<&str>) -> Result<Self, DataError> {
        if let (TextFormat::Lines, Some(column)) = (format, column) {
            return Err(bad(path, format!("It is read a text a line, and lines have no column {column:?}.")));
        }
        let (path, column) = (path.to_owned(), column.map(str::to_owned));
        Ok(Self { path, stream, format, column, place: None, text: String::new(), at: 0, line: 1, is_over: false })
    }

    /// How texts stand in it.
    pub(super) fn format(&self) -> TextFormat {
        self.format
    }

    /// All cells of the next line of a table, or the text of the next line of any other file, and the line it begins in. Blank ones
    /// are left out.
    ///
    /// # Errors
    /// When the file cannot be read, or is no text.
    pub(super) fn next_whole(&mut self, separator: Option<&str>) -> Result<Option<(usize, Vec<String>)>, DataError> {
        loop {
            let line = self.line;
            let cells = match separator {
                Some(separator) => self.next_cells(separator)?,
                None => self.next_line()?.map(|line| vec![line.text]),
            };
            match cells {
                None => return Ok(None),
                Some(cells) if cells.iter().all(|cell| cell.trim().is_empty()) => {}
                Some(cells) => return Ok(Some((line, cells))),
            }
        }
    }

    /// Bytes of the file that were taken, zipped ones where it is zipped.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.stream.taken()
    }

    /// The next texts: as many as are asked for, or fewer that hold as many bytes as are asked for. None when the file is over.
    /// Blank lines and rows are left out.
    ///
    /// # Errors
    /// When the file cannot be read, is no text, or a line is not of its format, named with its number.
    pub fn next(&mut self, count: usize, bytes: usize) -> Result<Vec<ListedText>, DataError> {
        let (mut texts, mut held) = (Vec::new(), 0);
        while texts.len() < count && held < bytes {
            let Some(text) = self.next_text()? else { break };
            held += text.text.len();
            texts.push(text);
        }
        Ok(texts)
    }

    fn next_text(&mut self) -> Result<Option<ListedText>, DataError> {
        loop {
            let found = match self.format {
                TextFormat::Lines | TextFormat::JsonLines => self.next_line()?,
                TextFormat::Csv => self.next_row(",")?,
                TextFormat::Tsv => self.next_row("\t")?,
            };
            let Some(mut found) = found else { return Ok(None) };
            if self.format == TextFormat::JsonLines && !found.text.trim().is_empty() {
                found.text = self.field(&found)?;
            }
            if !found.text.trim().is_empty() {
                return Ok(Some(found));
            }
        }
    }

    /// Takes in the next stretch of the file; false when it is over.
    fn more(&mut self) -> Result<bool, DataError> {
        self.text.drain(..std::mem::take(&mut self.at));
        if self.text.len() > LONGEST {
            let megabytes = LONGEST >> 20;
            return Err(bad(&self.path, format!("Line {} has no end within {megabytes} MiB.", self.line)));
        }
        self.is_over = self.is_over || !self.stream.read_into(&mut self.text)?;
        Ok(!self.is_over)
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Goes on behind what was split.
    fn skip(&mut self, length: usize) {
        self.line += self.rest()[..length].matches('\n').count();
        self.at += length;
    }

    fn next_line(&mut self) -> Result<Option<ListedText>, DataError> {
        let (line, mut searched) = (self.line, 0);
        let end = loop {
            if let Some(at) = self.rest()[searched..].find('\n') {
                break searched + at;
            }
            searched = self.rest().len();
            if !self.more()? {
                break searched;
            }
        };
        let rest = self.rest();
        if rest.is_empty() {
            return Ok(None);
        }
        let (text, length) = (rest[..end].to_owned(), rest.len().min(end + 1));
        self.skip(length);
        Ok(Some(ListedText { line, text }))
    }

    /// The cell of the next row; that of a row which ends before it is empty.
    fn next_row(&mut self, separator: &str) -> Result<Option<ListedText>, DataError> {
        loop {
            let line = self.line;
            let Some(mut cells) = self.next_cells(separator)? else { return Ok(None) };
            let (place, is_name) = match self.place {
                Some(place) => (place, false),
                None if cells.iter().all(String::is_empty) => continue,
                None => self.find_column(&cells, line)?,
            };
            self.place = Some(place);
            if !is_name {
                let text = if place < cells.len() { cells.swap_remove(place) } else { String::new() };
                return Ok(Some(ListedText { line, text }));
            }
        }
    }

    /// All cells of a line, which is several of the text where a cell in quotation marks holds line ends.
    fn next_cells(&mut self, separator: &str) -> Result<Option<Vec<String>>, DataError> {
        loop {
            let whole = self.rest();
            let (mut rest, mut cells, mut is_open) = (whole, Vec::new(), false);
            loop {
                let cell = next_cell(rest, separator);
                // A mark without its counterpart, which may come.
                is_open |= cell.text.starts_with('"');
                rest = cell.rest;
                cells.push(cell.text);
                if cell.ends_line {
                    break;
                }
            }
            // What ends with the stretch may go on.
            if !self.is_over && (rest.is_empty() || (is_open && whole.len() < LONGEST_MARKED)) {
                self.more()?;
                continue;
            }
            let length = whole.len() - rest.len();
            self.skip(length);
            return Ok((length > 0).then_some(cells));
        }
    }

    /// Which column it is, and whether the first row names it.
    fn find_column(&self, first: &[String], line: usize) -> Result<(usize, bool), DataError> {
        let Some(column) = &self.column else {
            return Ok(text_column(first.iter().map(String::as_str)).map_or((0, false), |place| (place, true)));
        };
        let named = |cell: &String| cell.eq_ignore_ascii_case(column.trim());
        if let Some(place) = first.iter().position(named) {
            return Ok((place, true));
        }
        match column.trim().parse::<usize>() {
            Ok(number) if (1..=first.len()).contains(&number) => Ok((number - 1, false)),
            Ok(number) => {
                Err(bad(&self.path, format!("There is no column {number}: line {line} has {} of them.", first.len())))
            }
            Err(_) => Err(bad(
                &self.path,
                format!("No column is called {column:?}: line {line} begins with {}.", listed(first.iter())),
            )),
        }
    }

    /// The text of a line of JSON.
    fn field(&self, ListedText { line, text }: &ListedText) -> Result<String, DataError> {
        let wrong = |why: String| bad(&self.path, format!("Line {line} {why}."));
        let value: Value = serde_json::from_str(text).map_err(|error| wrong(format!("is not JSON: {error}")))?;
        let value = match (value, &self.column) {
            (Value::Object(mut fields), Some(column)) => match fields.remove(column) {
                Some(value) => value,
                None => return Err(wrong(format!("has no field {column:?}, but {}", listed(fields.keys())))),
            },
            (Value::Object(mut fields), None) => {
                let usual = text_column(fields.keys().map(String::as_str));
                let place = usual.or_else(|| fields.values().position(Value::is_string));
                match place.and_then(|place| fields.values_mut().nth(place)) {
                    Some(value) => value.take(),
                    None => return Err(wrong("has no field with a text".to_owned())),
                }
            }
            (value, _) => value,
        };
        match value {
            Value::String(text) => Ok(text),
            Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
            Value::Null => Ok(String::new()),
            Value::Array(_) | Value::Object(_) => {
                Err(wrong("holds a list or an object where a text should be".to_owned()))
            }
        }
    }
}

fn bad(path: &Path, why: String) -> DataError {
    DataError::BadTexts { path: path.to_owned(), why }
}

/// A few names.
fn listed(names: impl ExactSizeIterator<Item: std::fmt::Debug>) -> String {
    const SHOWN: usize = 6;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    names.take(SHOWN).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(name: &str, content: &str, column: Option<&str>) -> Result<Vec<(usize, String)>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        let read = || {
            let (mut list, mut all) = (TextList::open(&path, None, column)?, Vec::new());
            // A few at a time, as who reads a long file asks.
            loop {
                let next = list.next(3, 1 << 20)?;
                if next.is_empty() {
                    assert_eq!(list.taken(), content.len() as u64);
                    return Ok(all);
                }
                all.extend(next.into_iter().map(|text| (text.line, text.text)));
            }
        };
        read().map_err(|error: DataError| error.to_string())
    }

    fn listed(expected: &[(usize, &str)]) -> Result<Vec<(usize, String)>, String> {
        Ok(expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect())
    }

    #[test]
    fn each_line_that_holds_something_is_a_text() {
        let content = "one\r\n\n  two words \n{\"a\": 1}\n\nlast";
        let expected = [(1, "one"), (3, "  two words "), (4, "{\"a\": 1}"), (6, "last")];
        assert_eq!(texts("a.txt", content, None), listed(&expected));
        assert!(texts("a.txt", content, Some("text")).unwrap_err().contains("no column \"text\""));
    }

    #[test]
    fn a_column_is_found_by_its_name_its_number_or_its_usual_name() {
        let content = "id,Text,note\n1,\"a, b\",x\n2,,y\n3,\"two\nlines \"\"here\"\"\",z\n4\n5,\"open,q\n";
        let of_text = [(2, "a, b"), (4, "two\nlines \"here\""), (7, "\"open")];
        assert_eq!(texts("a.csv", content, None), listed(&of_text));
        assert_eq!(texts("a.csv", content, Some("text")), listed(&of_text));
        let numbered = texts("a.csv", content, Some("3")).unwrap();
        assert_eq!(numbered.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["note", "x", "y", "z", "q"]);
        let wrong = texts("a.csv", content, Some("body")).unwrap_err();
        assert!(wrong.contains("No column is called \"body\"") && wrong.contains("\"Text\""), "{wrong}");
        assert!(texts("a.csv", content, Some("4")).unwrap_err().contains("has 3 of them"));
        // Without names the first column counts, its first line with it.
        assert_eq!(texts("a.tsv", "good film\t1\nbad film\t0\n", None), listed(&[(1, "good film"), (2, "bad film")]));
    }

    #[test]
    fn a_field_of_json_lines_is_found_the_same_way() {
        let content = "{\"id\": 1, \"sentence\": \"one\"}\n\n{\"sentence\": \"two\\nlines\", \"id\": 2}\n\"three\"\n";
        assert_eq!(texts("a.jsonl", content, None), listed(&[(1, "one"), (3, "two\nlines"), (4, "three")]));
        assert_eq!(texts("a.jsonl", content, Some("id")), listed(&[(1, "1"), (3, "2"), (4, "three")]));
        let wrong = texts("a.jsonl", content, Some("text")).unwrap_err();
        assert!(wrong.contains("Line 1 has no field \"text\"") && wrong.contains("\"sentence\""), "{wrong}");
        assert!(texts("a.jsonl", "{\"text\": \"a\"}\n{\"text\"\n", None).unwrap_err().contains("Line 2 is not JSON"));
        assert!(texts("a.jsonl", "{\"text\": [1]}\n", None).unwrap_err().contains("Line 1 holds a list"));
    }

    #[test]
    fn what_ends_within_a_stretch_of_the_file_is_read_whole() {
        // Cells with line ends, so long that they lie across the stretches in which a file is read.
        let cell = |i: usize| format!("{i} {}\n\"end\"", "word ".repeat(i % 7_000));
        let count = 40;
        let rows: String = (0..count).map(|i| format!("{i},\"{}\"\n", cell(i * 977).replace('"', "\"\""))).collect();
        let read = texts("a.csv", &rows, Some("2")).unwrap();
        assert_eq!(read.len(), count);
        assert!((0..count).all(|i| read[i] == (1 + 2 * i, cell(i * 977))));
        let lines: Vec<String> = (0..count).map(|i| format!("{i} {}", "ß".repeat(i * 977 % 9_000))).collect();
        let read = texts("a.txt", &lines.join("\n"), None).unwrap();
        assert!(read.iter().map(|(_, text)| text).eq(&lines));
        assert!(texts("a.txt", &"x".repeat(LONGEST + (1 << 20)), None).unwrap_err().contains("Line 1 has no end"));
    }

    #[test]
    fn names_tell_the_format() {
        for (name, format) in [
            ("a.txt", TextFormat::Lines),
            ("a", TextFormat::Lines),
            ("a.CSV.gz", TextFormat::Csv),
            ("a.tsv", TextFormat::Tsv),
            ("b.jsonl.gz", TextFormat::JsonLines),
        ] {
            assert_eq!(TextFormat::of(Path::new(name)), format, "{name}");
        }
    }
}

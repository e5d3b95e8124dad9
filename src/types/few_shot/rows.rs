//! Pairs from delimited text, whoever wrote it: a program, a spreadsheet's file or its clipboard.

use super::columns::Columns;
use super::delimited::{Record, next_cell, records};
use super::task_table::TableWarning;

/// What a text held.
#[derive(Debug, Default, PartialEq)]
pub struct PairRows {
    /// Input and output, in the order of the text.
    pub pairs: Vec<[String; 2]>,
    /// True when a column was named as one of labels.
    pub are_labels: bool,
    /// What was not read.
    pub warnings: Vec<TableWarning>,
}

impl PairRows {
    /// Reads a text with cells parted by what its first line is parted by: a tab, or else a semicolon or comma, whichever
    /// gives more cells. Spreadsheets may say it in a line of its own, `sep=;`. A first line of known names is a header.
    ///
    /// # Errors
    /// A sentence that names the line.
    pub fn read(text: &str) -> Result<Self, String> {
        if let Some((separator, rest)) = said_separator(text) {
            return Self::read_parted(rest, separator, 2);
        }
        let cells = |separator: &str| records(text, separator).next().map_or(0, |record| record.cells.len());
        let separator = if cells("\t") > 1 {
            "\t"
        } else if cells(";") > cells(",") {
            ";"
        } else {
            ","
        };
        Self::read_parted(text, separator, 1)
    }

    /// The same with a known separator; `line` is the number of the first line.
    ///
    /// # Errors
    /// A sentence that names the line.
    pub fn read_parted(text: &str, separator: &str, line: usize) -> Result<Self, String> {
        let mut records = records(text, separator).map(|record| Record { line: record.line + line - 1, ..record });
        let Some(first) = records.next() else { return Ok(Self::default()) };
        let (mut rows, mut extra) = (Self::default(), Vec::new());
        let header = Columns::named(first.cells.iter().map(String::as_str));
        let columns = header.clone().unwrap_or_else(Columns::first_two);
        rows.are_labels = columns.are_labels;
        if header.is_none() {
            rows.warnings.extend(odd_beginning(&first));
        }
        let without_header = header.is_none().then_some(&first);
        if let Some(first) = without_header {
            rows.push(first, &columns, separator)?;
        }
        for record in records {
            let long = [(&record, &first), (&first, &record)].into_iter().take(1 + usize::from(header.is_none()));
            if let Some((long, short)) = long.into_iter().find(|(long, short)| long.used() > short.cells.len().max(2)) {
                if separator != "\t" {
                    return Err(too_many_cells(long, short, separator));
                }
                // Nobody writes a tab by mistake: what stands there was put into a column of its own.
                extra.push(long.line);
            }
            rows.push(&record, &columns, separator)?;
        }
        extra.dedup();
        if !columns.left_out.is_empty() {
            rows.warnings.push(TableWarning::ColumnsLeftOut { columns: columns.left_out });
        }
        if !extra.is_empty() {
            rows.warnings.push(TableWarning::CellsLeftOut { lines: extra });
        }
        Ok(rows)
    }

    fn push(&mut self, record: &Record, columns: &Columns, separator: &str) -> Result<(), String> {
        let cell = |column: usize| Ok::<_, String>(record.cells.get(column).cloned());
        let pair = columns.pair(cell)?;
        let no_pair = || format!("Line {} has no {} between input and output.", record.line, name(separator));
        self.pairs.push(pair.ok_or_else(no_pair)?);
        Ok(())
    }

    /// Rows somebody pasted: as [`Self::read`] where the first line names columns or a separator, and else each line by
    /// itself: input and output parted by a tab, or else by the first `->`, semicolon, comma or `=`. What follows stays with
    /// the output. Lines without a separator become inputs with an empty output.
    #[must_use]
    pub fn pasted(text: &str) -> Vec<[String; 2]> {
        const SEPARATORS: [&str; 5] = ["\t", "->", ";", ",", "="];
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let (said, body) = said_separator(&text).map_or((None, text.as_str()), |(s, rest)| (Some(s), rest));
        let names_columns = |separator: &str| {
            let first = records(body, separator).next();
            first.is_some_and(|first| Columns::named(first.cells.iter().map(String::as_str)).is_some())
        };
        let separator = said.or_else(|| SEPARATORS.into_iter().find(|separator| names_columns(separator)));
        let rows = separator.and_then(|separator| Self::read_parted(body, separator, 1).ok());
        // A line of two known names by itself is a row like any other.
        if let Some(rows) = rows.filter(|rows| !rows.pairs.is_empty()) {
            return rows.pairs;
        }
        let (mut rest, mut pairs) = (body, Vec::new());
        while !rest.is_empty() {
            let parted = SEPARATORS.iter().map(|separator| (separator, next_cell(rest, separator)));
            let (separator, input) = match parted.into_iter().find(|(_, cell)| !cell.ends_line) {
                Some(found) => found,
                None => (&"\t", next_cell(rest, "\t")),
            };
            let output = if input.ends_line {
                rest = input.rest;
                String::new()
            } else {
                let output = next_cell(input.rest, separator);
                if output.ends_line {
                    rest = output.rest;
                    output.text
                } else {
                    let (line, after) = input.rest.split_once('\n').unwrap_or((input.rest, ""));
                    rest = after;
                    line.trim().to_owned()
                }
            };
            if !(input.text.is_empty() && output.is_empty()) {
                pairs.push([input.text, output]);
            }
        }
        pairs
    }
}

/// The separator that a first line `sep=;` names, and the text behind that line.
fn said_separator(text: &str) -> Option<(&str, &str)> {
    let (line, rest) = text.split_once('\n')?;
    let line = line.trim_end_matches('"').trim_start_matches('"');
    let said = line.get(..4).filter(|key| key.eq_ignore_ascii_case("sep=")).map(|_| &line[4..])?;
    let is_one = said.chars().count() == 1 && !said.contains(|c: char| c.is_alphanumeric() || c == '"');
    is_one.then_some((said, rest))
}

/// What is odd about a first line that is taken for a row.
fn odd_beginning(first: &Record) -> Option<TableWarning> {
    if first.cells.iter().any(|cell| Columns::knows(cell)) {
        return Some(TableWarning::PerhapsHeader { cells: first.cells.clone() });
    }
    let more = (first.used() > 2).then(|| (3..=first.used()).map(|column| column.to_string()).collect());
    more.map(|columns| TableWarning::ColumnsLeftOut { columns })
}

fn too_many_cells(long: &Record, short: &Record, separator: &str) -> String {
    format!(
        "Line {} has {} cells, line {} has {}. A cell with a {} in it needs quotation marks around it.",
        long.line,
        long.used(),
        short.line,
        short.cells.len(),
        name(separator)
    )
}

fn name(separator: &str) -> String {
    match separator {
        "\t" => "tab".to_owned(),
        ";" => "semicolon".to_owned(),
        "," => "comma".to_owned(),
        other => format!("“{other}”"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[[&str; 2]]) -> Vec<[String; 2]> {
        pairs.iter().map(|pair| pair.map(str::to_owned)).collect()
    }

    #[test]
    fn a_cell_too_many_is_told_with_its_line() {
        let error = PairRows::read("input,output\nhello, world,A\nb,B\n").unwrap_err();
        assert!(error.contains("Line 2 has 3 cells") && error.contains("comma"), "{error}");
        // Without a header the first line may be the odd one.
        let error = PairRows::read("hello, world,A\nb,B\n").unwrap_err();
        assert!(error.contains("Line 1 has 3 cells, line 2 has 2"), "{error}");
        let rows = PairRows::read("a\tA\nb\tB\tperhaps\n").unwrap();
        assert_eq!(rows.warnings, [TableWarning::CellsLeftOut { lines: vec![2] }]);
        let rows = PairRows::read("a,A,,\nb,B\n").unwrap();
        assert_eq!((rows.pairs, rows.warnings), (pairs(&[["a", "A"], ["b", "B"]]), Vec::new()));
    }

    #[test]
    fn columns_that_are_not_read_are_told() {
        let rows = PairRows::read("id,sentence,label\n1,fine,good\n").unwrap();
        assert_eq!(rows.pairs, pairs(&[["fine", "good"]]));
        assert_eq!(rows.warnings, [TableWarning::ColumnsLeftOut { columns: vec!["id".to_owned()] }]);
        let rows = PairRows::read("fine,good,1\n").unwrap();
        assert_eq!(rows.warnings, [TableWarning::ColumnsLeftOut { columns: vec!["3".to_owned()] }]);
        let rows = PairRows::read("sentence,stars\nfine,5\n").unwrap();
        let cells = vec!["sentence".to_owned(), "stars".to_owned()];
        assert_eq!((rows.pairs.len(), rows.warnings), (2, vec![TableWarning::PerhapsHeader { cells }]));
    }

    #[test]
    fn a_line_that_names_the_separator_is_followed() {
        for text in ["sep=;\ninput;output\na, b;A\n", "\"SEP=;\"\ninput;output\na, b;A\n", "sep=|\na, b|A\n"] {
            assert_eq!(PairRows::read(text).unwrap().pairs, pairs(&[["a, b", "A"]]), "{text}");
            assert_eq!(PairRows::pasted(text), pairs(&[["a, b", "A"]]), "{text}");
        }
        assert!(PairRows::read("sep=;\na;b\nc\n").unwrap_err().contains("Line 3 has no semicolon"));
        assert_eq!(PairRows::read("sep=a\tb\n").unwrap().pairs, pairs(&[["sep=a", "b"]]));
    }

    #[test]
    fn pasted_rows_are_read_as_those_of_a_file() {
        for (text, expected) in [
            ("a, b\tc\nd -> e\n\nf,g\nh", &[["a, b", "c"], ["d", "e"], ["f", "g"], ["h", ""]][..]),
            ("\"line one\r\nline two\"\tA\r\nb\tB\r\n", &[["line one\nline two", "A"], ["b", "B"]]),
            ("\"\"\"yes\"\"\"\tA\n\"a, b\",B\n", &[["\"yes\"", "A"], ["a, b", "B"]]),
            ("\"a\" and \"b\"\tB\nsay \"hi\"\tC\n", &[["\"a\" and \"b\"", "B"], ["say \"hi\"", "C"]]),
            ("label\tsentence\ngood\tfine\n", &[["fine", "good"]]),
            ("1,000,000 = many\na\tb\tc\n", &[["1", "000,000 = many"], ["a", "b\tc"]]),
            ("", &[]),
        ] {
            assert_eq!(PairRows::pasted(text), pairs(expected), "{text:?}");
        }
    }
}

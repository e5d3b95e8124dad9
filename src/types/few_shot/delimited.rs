//! Cells of delimited text: CSV, TSV, and rows copied from a spreadsheet.
//!
//! A cell in quotation marks may hold separators and line breaks, and a doubled mark in it is one (RFC 4180). A mark counts as
//! that of a cell only where the cell begins with it and a separator or the end of the line follows its counterpart; any other
//! is a mark like in any text, because files and the clipboard hold plain speech as well.

/// A line of a table; in quotation marks it may be several of the text.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    /// Of the line it begins in, from 1.
    pub line: usize,
    /// Without white space around them.
    pub cells: Vec<String>,
}

impl Record {
    /// True when nothing is written in it.
    pub fn is_blank(&self) -> bool {
        self.cells.iter().all(String::is_empty)
    }

    /// Cells up to the last one with something in it.
    pub fn used(&self) -> usize {
        self.cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1)
    }
}

/// A cell, and what comes after it.
pub struct Cell<'a> {
    /// Without white space around it.
    pub text: String,
    /// What follows its separator, or the text from the next line on.
    pub rest: &'a str,
    /// True when it is the last one of its line.
    pub ends_line: bool,
}

/// The lines of a text that knows no line end but `\n`, blank ones left out.
pub fn records(text: &str, separator: &str) -> impl Iterator<Item = Record> {
    let (mut rest, mut line) = (text, 1);
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (before, mut cells) = (rest, Vec::new());
            loop {
                let cell = next_cell(rest, separator);
                cells.push(cell.text);
                rest = cell.rest;
                if cell.ends_line {
                    break;
                }
            }
            let record = Record { line, cells };
            line += before[..before.len() - rest.len()].matches('\n').count();
            if !record.is_blank() {
                return Some(record);
            }
        }
        None
    })
}

/// The cell a text begins with.
pub fn next_cell<'a>(text: &'a str, separator: &str) -> Cell<'a> {
    if let Some(cell) = quoted(text, separator) {
        return cell;
    }
    let line = &text[..text.find('\n').unwrap_or(text.len())];
    let (cell, end) = match line.find(separator) {
        Some(at) => (&line[..at], Some(at + separator.len())),
        None => (line, None),
    };
    let rest = end.map_or_else(|| text[line.len()..].strip_prefix('\n').unwrap_or_default(), |end| &text[end..]);
    Cell { text: cell.trim().to_owned(), rest, ends_line: end.is_none() }
}

/// The cell in quotation marks that a text begins with.
fn quoted<'a>(text: &'a str, separator: &str) -> Option<Cell<'a>> {
    let is_space = |c: char| c.is_whitespace() && c != '\n' && !separator.contains(c);
    let inner = text.trim_start_matches(is_space).strip_prefix('"')?;
    let (mut cell, mut rest) = (String::new(), inner);
    loop {
        let at = rest.find('"')?;
        cell.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(after) = rest.strip_prefix('"') else { break };
        cell.push('"');
        rest = after;
    }
    // A spreadsheet puts either into a cell, hardly both: these are two lines that begin and end with a mark of their own.
    if separator == "\t" && cell.contains('\t') && cell.contains('\n') {
        return None;
    }
    let after = rest.trim_start_matches(is_space);
    let text = cell.trim().to_owned();
    if let Some(rest) = after.strip_prefix(separator) {
        return Some(Cell { text, rest, ends_line: false });
    }
    let rest = if after.is_empty() { after } else { after.strip_prefix('\n')? };
    Some(Cell { text, rest, ends_line: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str, separator: &str) -> Vec<(usize, Vec<String>)> {
        records(text, separator).map(|record| (record.line, record.cells)).collect()
    }

    fn record(line: usize, cells: &[&str]) -> (usize, Vec<String>) {
        (line, cells.iter().map(|&cell| cell.to_owned()).collect())
    }

    #[test]
    fn marks_hold_separators_line_breaks_and_doubled_marks() {
        let text = "a,b\n \"c, d\" , \"\"\"yes\"\"\"\n\n\"one\ntwo\",e\nf,\n";
        let expected = [
            record(1, &["a", "b"]),
            record(2, &["c, d", "\"yes\""]),
            record(4, &["one\ntwo", "e"]),
            record(6, &["f", ""]),
        ];
        assert_eq!(cells(text, ","), expected);
    }

    #[test]
    fn other_marks_are_marks() {
        let text = "say \"hi\"\t5\n\"Hello,\" she said\tx\n\"open\ty\nand \"shut\"\tz\n\"a\tb\n\"\tc";
        let expected = [
            record(1, &["say \"hi\"", "5"]),
            record(2, &["\"Hello,\" she said", "x"]),
            record(3, &["\"open", "y"]),
            record(4, &["and \"shut\"", "z"]),
            record(5, &["\"a", "b"]),
            record(6, &["\"", "c"]),
        ];
        assert_eq!(cells(text, "\t"), expected);
    }
}

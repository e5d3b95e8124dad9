//! A table of question–answer pairs from a file a person brings: Fovea's own TSV, any other TSV or CSV, JSON or JSON Lines.
//!
//! What a file is follows from its text, not from its name. Columns and fields are found by their names ([`crate::types::Columns`]); a table
//! without a first line of names has no header, and its first two columns count.

use crate::load::data::data_error::DataError;
use crate::load::data::{json_pairs, text_data};
use crate::types::{PairRows, TableWarning, TaskKind, TaskTable};
use std::collections::HashMap;
use std::path::Path;

/// A larger file is no table of examples.
const LARGEST: u64 = 64 << 20;
/// At most so many different answers, each given at least [`ROWS_A_LABEL`] times, are labels.
const MOST_LABELS: usize = 12;
const ROWS_A_LABEL: usize = 3;

/// Reads a table and tells what is odd about it. Rows without input or output are left out; a few answers that come again
/// and again become labels.
///
/// # Errors
/// When the file cannot be read, is larger than 64 MB, is no text, is empty, is a web page, or has a line that is no pair.
pub fn read_task_table(path: &Path) -> Result<(TaskTable, Vec<TableWarning>), DataError> {
    let size = std::fs::metadata(path).map_err(|source| DataError::read(path, source))?.len();
    if size > LARGEST {
        let why = format!("It has {} MB, and a table of examples has at most {} MB.", size >> 20, LARGEST >> 20);
        return Err(DataError::bad_table(path, why));
    }
    let text = text_data::read_text(path).map_err(|error| with_line(path, error))?;
    table_of(path, &text)
}

/// The table that the text of a file holds.
///
/// # Errors
/// When it is a web page, or has a line that is no pair.
pub(super) fn table_of(path: &Path, text: &str) -> Result<(TaskTable, Vec<TableWarning>), DataError> {
    let id = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let parsed = parse(&id, text).map_err(|why| DataError::bad_table(path, why))?;
    let Parsed { mut table, mut warnings, .. } = parsed;
    find_labels(&mut table, parsed.are_labels);
    warnings.extend(table.tidy());
    if table.rows.is_empty() {
        return Err(DataError::bad_table(path, "No line has both an input and an output."));
    }
    Ok((table, warnings))
}

/// A byte position says little in a table.
fn with_line(path: &Path, error: DataError) -> DataError {
    match error {
        DataError::NotUtf8 { line, .. } => DataError::bad_table(path, format!("Line {line} is not UTF-8 text.")),
        other => other,
    }
}

/// A table, whether a column was named as one of labels, and what was not read.
struct Parsed {
    table: TaskTable,
    are_labels: bool,
    warnings: Vec<TableWarning>,
}

fn parse(id: &str, text: &str) -> Result<Parsed, String> {
    let start = text.trim_start();
    let lower = start.get(..start.len().min(14)).unwrap_or_default().to_ascii_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        return Err("Line 1 begins a web page: the page that shows a file was saved, not the file.".to_owned());
    }
    let rows = if let Some(rows) = json_pairs::rows(text)? {
        rows
    } else if is_own_format(start) {
        let (table, warnings) = TaskTable::parse_tsv(id, text)?;
        return Ok(Parsed { table, are_labels: false, warnings });
    } else {
        PairRows::read(text)?
    };
    let PairRows { pairs, are_labels, warnings } = rows;
    let table = TaskTable { id: id.to_owned(), title: id.to_owned(), rows: pairs, ..TaskTable::default() };
    Ok(Parsed { table, are_labels, warnings })
}

/// True for what says of itself what it is: a line `# key: value` at the start.
fn is_own_format(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("# ").is_some_and(|rest| rest.contains(": "))
}

/// Takes the answers for labels where they are few and each is given often, or their column is called so.
fn find_labels(table: &mut TaskTable, are_called_so: bool) {
    if !table.labels.is_empty() {
        return;
    }
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut order = Vec::new();
    for [_, output] in table.rows.iter().filter(|[input, output]| !input.is_empty() && !output.is_empty()) {
        let count = counts.entry(output).or_insert(0);
        if *count == 0 {
            order.push(output.as_str());
        }
        *count += 1;
    }
    let is_often = || counts.values().all(|count| *count >= ROWS_A_LABEL);
    let are_labels = (2..=MOST_LABELS).contains(&order.len()) && (are_called_so || is_often());
    if are_labels {
        table.labels = order.into_iter().map(str::to_owned).collect();
        table.kind = TaskKind::Label;
    }
}

#[cfg(test)]
#[path = "task_file_tests.rs"]
mod tests;

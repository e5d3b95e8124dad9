//! A table of question–answer pairs from a file a person brings: Fovea's own TSV, any other TSV or CSV, JSON or JSON Lines.
//!
//! What a file is follows from its text, not from its name. Columns and fields are found by their names (`input` and
//! `output`, `question` and `answer`, `text` and `label`, `prompt` and `completion`, in any combination); a table without
//! such a first line has no header, and its first two columns count.

use crate::load::data::data_error::DataError;
use crate::load::data::text_data;
use crate::types::{TableWarning, TaskKind, TaskTable};
use csv::{ReaderBuilder, StringRecord};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// A larger file is no table of examples.
const LARGEST: u64 = 64 << 20;
/// Names of what is asked, and of what is answered.
const INPUTS: [&str; 4] = ["input", "question", "text", "prompt"];
const OUTPUTS: [&str; 4] = ["output", "answer", "label", "completion"];
/// At most so many different answers, each given at least [`ROWS_A_LABEL`] times, are labels.
const MOST_LABELS: usize = 12;
const ROWS_A_LABEL: usize = 3;

/// Reads a table and tells what is odd about it. Rows without input or output are left out; a few answers that come again
/// and again become labels.
///
/// # Errors
/// When the file cannot be read, is larger than 64 MB, is not UTF-8, is empty, is a web page, or has a line that is no pair.
pub fn read_task_table(path: &Path) -> Result<(TaskTable, Vec<TableWarning>), DataError> {
    let size = std::fs::metadata(path).map_err(|source| DataError::read(path, source))?.len();
    if size > LARGEST {
        let why = format!("It has {} MB, and a table of examples has at most {} MB.", size >> 20, LARGEST >> 20);
        return Err(DataError::bad_table(path, why));
    }
    let text = text_data::read_text(path).map_err(|error| with_line(path, error))?;
    let id = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut table = parse(&id, &text).map_err(|why| DataError::bad_table(path, why))?;
    find_labels(&mut table);
    let warnings = table.tidy();
    if table.rows.is_empty() {
        return Err(DataError::bad_table(path, "No line has both an input and an output."));
    }
    Ok((table, warnings))
}

/// A byte position says little in a table.
fn with_line(path: &Path, error: DataError) -> DataError {
    match error {
        DataError::NotUtf8 { at, .. } => {
            let before = std::fs::read(path).unwrap_or_default();
            let line = 1 + before.iter().take(at).filter(|byte| **byte == b'\n').count();
            DataError::bad_table(path, format!("Line {line} is not UTF-8 text."))
        }
        other => other,
    }
}

fn parse(id: &str, text: &str) -> Result<TaskTable, String> {
    let start = text.trim_start();
    let lower = start.get(..start.len().min(14)).unwrap_or_default().to_ascii_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        return Err("Line 1 begins a web page: the page that shows a file was saved, not the file.".to_owned());
    }
    let after_bracket = start.strip_prefix('[').map(str::trim_start);
    let rows = if after_bracket.is_some_and(|rest| rest.starts_with(['{', '[', ']'])) {
        json_array(start)?
    } else if start.starts_with('{') {
        json_lines(text)?
    } else if is_own_format(start) {
        return TaskTable::parse_tsv(id, text);
    } else {
        delimited(text)?
    };
    Ok(TaskTable { id: id.to_owned(), title: id.to_owned(), rows, ..TaskTable::default() })
}

/// True for what [`TaskTable::parse_tsv`] reads: a line `# key: value` or the two columns' names at the start.
fn is_own_format(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.trim_end() == "input\toutput" || first.strip_prefix("# ").is_some_and(|rest| rest.contains(": "))
}

fn json_lines(text: &str) -> Result<Vec<[String; 2]>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let place = format!("Line {}", number + 1);
            let value = serde_json::from_str(line).map_err(|error| format!("{place} is not JSON: {error}."))?;
            json_pair(&value, &place)
        })
        .collect()
}

fn json_array(text: &str) -> Result<Vec<[String; 2]>, String> {
    let items: Vec<Value> = serde_json::from_str(text).map_err(|error| format!("It is not JSON: {error}."))?;
    items.iter().enumerate().map(|(number, value)| json_pair(value, &format!("Item {}", number + 1))).collect()
}

fn json_pair(value: &Value, place: &str) -> Result<[String; 2], String> {
    let pair = match value {
        Value::Array(pair) if pair.len() == 2 => Some((&pair[0], &pair[1])),
        Value::Object(fields) => {
            let named = |names: &[&str]| {
                names.iter().find_map(|name| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)))
            };
            named(&INPUTS).zip(named(&OUTPUTS)).map(|((_, input), (_, output))| (input, output))
        }
        _ => None,
    };
    let (input, output) = pair.ok_or_else(|| {
        format!("{place} has no pair: one field of {} and one of {}.", INPUTS.join(", "), OUTPUTS.join(", "))
    })?;
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.trim().to_owned()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        Value::Null => Ok(String::new()),
        _ => Err(format!("{place} holds a list or an object where a text should be.")),
    };
    Ok([text(input)?, text(output)?])
}

fn delimited(text: &str) -> Result<Vec<[String; 2]>, String> {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |delimiter: char| first.matches(delimiter).count();
    let (delimiter, name) = if count('\t') > 0 {
        (b'\t', "tab")
    } else if count(';') > count(',') {
        (b';', "semicolon")
    } else {
        (b',', "comma")
    };
    // Between tabs a quotation mark is mostly just that.
    let reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .quoting(delimiter != b'\t')
        .from_reader(text.as_bytes())
        .into_records();
    let mut columns = None;
    let mut rows = Vec::new();
    for record in reader {
        let record = record.map_err(|error| format!("It is no table: {error}."))?;
        let line = record.position().map_or(0, csv::Position::line);
        if columns.is_none() {
            let header = header(&record);
            columns = Some(header.unwrap_or([0, 1]));
            if header.is_some() {
                continue;
            }
        }
        let [input, output] = columns.unwrap_or([0, 1]);
        let cell = |column: usize| record.get(column).map(unquoted);
        match (cell(input), cell(output)) {
            (Some(input), Some(output)) => rows.push([input, output]),
            _ if record.iter().all(|cell| cell.trim().is_empty()) => {}
            _ => return Err(format!("Line {line} has no {name} between input and output.")),
        }
    }
    Ok(rows)
}

/// The columns of input and output, if this is a line of their names.
fn header(record: &StringRecord) -> Option<[usize; 2]> {
    let cells: Vec<String> = record.iter().map(|cell| unquoted(cell).to_ascii_lowercase()).collect();
    let place = |names: &[&str]| names.iter().find_map(|name| cells.iter().position(|cell| cell == name));
    Some([place(&INPUTS)?, place(&OUTPUTS)?])
}

/// Without white space around it and, where a spreadsheet has put them, quotation marks.
fn unquoted(cell: &str) -> String {
    let cell = cell.trim();
    let inner = cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.map_or_else(|| cell.to_owned(), |inner| inner.replace("\"\"", "\""))
}

/// Takes the answers for labels where they are few and each is given often.
fn find_labels(table: &mut TaskTable) {
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
    let are_labels = (2..=MOST_LABELS).contains(&order.len()) && counts.values().all(|count| *count >= ROWS_A_LABEL);
    if are_labels {
        table.labels = order.into_iter().map(str::to_owned).collect();
        table.kind = TaskKind::Label;
    }
}

#[cfg(test)]
#[path = "task_file_tests.rs"]
mod tests;

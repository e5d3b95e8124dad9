//! Texts with labels from CSV, TSV and JSON lines, and from tables of tasks; pictures with labels from folders.

use super::labelled_columns::{self, listed};
use super::labelled_images;
use super::labelled_pictures;
use super::shipped_tasks::carried_tables;
use super::task_file::read_task_table;
use crate::load::data::data_error::DataError;
use crate::load::data::text_list::{TextFormat, TextList};
use crate::types::{DataPart, Labelled, LabelledRows, LabelledSource, TaskTable, UserError, label_column, text_column};
use serde_json::{Map, Value};
use std::path::Path;

/// Rows by which columns are found.
const SAMPLE: usize = 100;

/// Reads all files of a source, and splits what they hold.
///
/// # Errors
/// When a file cannot be read or has no such columns, or what it holds cannot be learned from.
pub fn read_labelled(source: &LabelledSource) -> Result<([Option<LabelledRows>; 3], Labelled), UserError> {
    let asked = [source.text.as_deref(), source.label.as_deref()];
    let read = |part| move |path: &Path| rows_of(path, asked, part);
    let own_test = source.test.is_none().then(|| labelled_images::own_test(&source.data)).flatten();
    let rows = [
        Some(read(DataPart::Train)(&source.data)?),
        source.validation.as_deref().map(read(DataPart::Validation)).transpose()?,
        source.test.as_deref().or(own_test).map(read(DataPart::Test)).transpose()?,
    ];
    let data = Labelled::split(rows.clone(), [source.validation_share, source.test_share], source.seed)?;
    Ok((rows, data))
}

/// Reads one file, or a folder with a folder of pictures for each class, to measure on it. Of a folder in MNIST's format those are the
/// images for the test, where it has some. Columns are asked for by their names or their numbers from 1.
///
/// # Errors
/// When it cannot be read, has no such columns, or no row with a text and a label.
pub fn read_labelled_rows(path: &Path, asked: [Option<&str>; 2]) -> Result<LabelledRows, DataError> {
    rows_of(path, asked, DataPart::Test)
}

fn rows_of(path: &Path, asked: [Option<&str>; 2], part: DataPart) -> Result<LabelledRows, DataError> {
    let rows = if let Some(table) = task_table(path)? {
        of_table(path, table)?
    } else if labelled_images::are_in(path) {
        labelled_images::read_rows(path, part)?
    } else if path.is_dir() {
        labelled_pictures::read_folders(path)?
    } else {
        let list = TextList::open(path, None, None)?;
        match list.format() {
            TextFormat::Csv => of_cells(path, list, ",", asked)?,
            // A text file may hold a table with tabs.
            TextFormat::Tsv | TextFormat::Lines => of_cells(path, list, "\t", asked)?,
            TextFormat::JsonLines => of_objects(path, list, asked)?,
        }
    };
    if rows.rows.is_empty() {
        let LabelledRows { without_text, without_label, .. } = rows;
        return Err(bad(
            path,
            format!("No row has both: {without_text} have no text, and {without_label} more no label."),
        ));
    }
    Ok(rows)
}

/// A table of a task: a shipped one, or a file that says of itself that it is one.
fn task_table(path: &Path) -> Result<Option<TaskTable>, DataError> {
    if !path.exists() {
        return Ok(match carried_tables(path) {
            Some(tables) => tables?.into_iter().next(),
            None => None,
        });
    }
    if !path.is_file() {
        return Ok(None);
    }
    let mut first = TextList::open(path, Some(TextFormat::Lines), None)?;
    let line = first.next_whole(None)?.map(|(_, cells)| cells.concat()).unwrap_or_default();
    let is_own = line.strip_prefix("# ").is_some_and(|rest| rest.contains(": "));
    if is_own { read_task_table(path).map(|(table, _)| Some(table)) } else { Ok(None) }
}

fn of_table(path: &Path, table: TaskTable) -> Result<LabelledRows, DataError> {
    if table.labels.is_empty() {
        return Err(bad(path, "It is a table of a task whose answers are no labels.".to_owned()));
    }
    let columns = ["input", "output"].map(str::to_owned);
    Ok(LabelledRows { columns: columns.to_vec(), chosen: columns, rows: table.rows, ..LabelledRows::default() })
}

fn of_cells(
    path: &Path,
    mut list: TextList,
    separator: &str,
    asked: [Option<&str>; 2],
) -> Result<LabelledRows, DataError> {
    let mut sample = Vec::new();
    while sample.len() < SAMPLE
        && let Some((_, cells)) = list.next_whole(Some(separator))?
    {
        sample.push(cells);
    }
    let found = labelled_columns::find(&sample, asked).map_err(|why| bad(path, why))?;
    let first = &sample[0];
    let columns = (0..first.len())
        .map(|place| if found.has_names { first[place].clone() } else { (place + 1).to_string() })
        .collect::<Vec<_>>();
    let chosen = found.places.map(|place| columns[place].clone());
    let mut rows = LabelledRows { columns, chosen, ..LabelledRows::default() };
    let mut add = |mut cells: Vec<String>| {
        let [text, label] = found.places.map(|place| cells.get_mut(place).map(std::mem::take).unwrap_or_default());
        rows.add(text, &label);
    };
    sample.into_iter().skip(usize::from(found.has_names)).for_each(&mut add);
    while let Some((_, cells)) = list.next_whole(Some(separator))? {
        add(cells);
    }
    Ok(rows)
}

fn of_objects(path: &Path, mut list: TextList, asked: [Option<&str>; 2]) -> Result<LabelledRows, DataError> {
    let mut found: Option<LabelledRows> = None;
    while let Some((line, cells)) = list.next_whole(None)? {
        let wrong = |why: String| bad(path, format!("Line {line} {why}."));
        let value: Value =
            serde_json::from_str(&cells.concat()).map_err(|error| wrong(format!("is not JSON: {error}")))?;
        let Value::Object(mut fields) = value else { return Err(wrong("is no JSON object".to_owned())) };
        let rows = match &mut found {
            Some(rows) => rows,
            none => {
                let chosen = fields_of(&fields, asked).map_err(|why| bad(path, why))?;
                let columns = fields.keys().cloned().collect();
                none.insert(LabelledRows { columns, chosen, ..LabelledRows::default() })
            }
        };
        let [text, label] = rows.chosen.each_ref().map(|field| match fields.remove(field.as_str()) {
            Some(Value::String(text)) => Ok(text),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::Array(_) | Value::Object(_)) => {
                Err(wrong(format!("holds a list or an object in the field {field:?}")))
            }
        });
        rows.add(text?, &label?);
    }
    found.ok_or_else(|| DataError::empty(path, "It has no line."))
}

/// The fields of texts and labels, by the first object.
fn fields_of(fields: &Map<String, Value>, asked: [Option<&str>; 2]) -> Result<[String; 2], String> {
    let names: Vec<String> = fields.keys().cloned().collect();
    let place = |asked: Option<&str>, usual: Option<usize>, what: &str| match asked {
        Some(asked) => {
            let named = names.iter().find(|name| name.eq_ignore_ascii_case(asked.trim())).cloned();
            named.ok_or_else(|| format!("The first line has no field {asked:?}, but {}.", listed(&names)))
        }
        None => usual.map(|place| names[place].clone()).ok_or_else(|| {
            format!("Nothing tells which field holds the {what}: the first line has {}.", listed(&names))
        }),
    };
    let known = || names.iter().map(String::as_str);
    Ok([place(asked[0], text_column(known()), "texts")?, place(asked[1], label_column(known()), "labels")?])
}

fn bad(path: &Path, why: String) -> DataError {
    DataError::BadLabelled { path: path.to_owned(), why }
}

#[cfg(test)]
#[path = "labelled_tests.rs"]
mod tests;

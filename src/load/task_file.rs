//! Tables of question–answer pairs from files.

use super::data_error::DataError;
use crate::types::{TableWarning, TaskTable};
use std::path::Path;

/// Reads a table.
///
/// # Errors
/// When it cannot be read.
pub fn read_task_table(path: &Path) -> Result<(TaskTable, Vec<TableWarning>), DataError> {
    #[derive(serde::Deserialize)]
    struct Pair {
        input: String,
        output: String,
    }
    let id = path.file_stem().map_or(String::new(), |stem| stem.to_string_lossy().into_owned());
    let text = std::fs::read_to_string(path).map_err(|source| DataError::read(path, source))?;
    let mut table = if path.extension().is_some_and(|e| e == "json") {
        let pairs: Vec<Pair> = serde_json::from_str(&text).map_err(|e| DataError::empty(path, &e.to_string()))?;
        let rows = pairs.into_iter().map(|pair| [pair.input, pair.output]).collect();
        TaskTable { id: id.clone(), title: id, rows, ..TaskTable::default() }
    } else {
        TaskTable::parse_tsv(&id, &text).map_err(|why| DataError::empty(path, &why))?
    };
    let warnings = table.tidy();
    Ok((table, warnings))
}

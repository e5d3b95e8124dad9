//! Reads a table of pairs from a file.

use super::{Step, Task, TaskContext};
use crate::engine::Outcome;
use crate::load;
use crate::types::{TableReport, UserError};
use std::path::PathBuf;
use std::sync::Arc;

/// Reads one file; tables are small, so one step is enough.
pub(crate) struct ReadTable {
    path: PathBuf,
}

impl ReadTable {
    /// To read the table in `path`.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Task for ReadTable {
    fn step(&mut self, _: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let (table, warnings) = load::read_task_table(&self.path)?;
        Ok(Step::Done(Outcome::TableRead(Arc::new(TableReport { table: Arc::new(table), warnings }))))
    }
}

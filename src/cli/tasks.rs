//! Few-shot tasks on the command line: the name of a shipped one, or a file.

use super::CliError;
use super::output::tell;
use super::session::{Session, unexpected};
use crate::engine::{Command, Outcome, Work, shipped_tasks};
use crate::types::{JobId, TaskTable, UserError};
use std::path::Path;
use std::sync::Arc;

/// Names that are offered where one is unknown.
const OFFERED: usize = 5;

/// The table of a task: a file is read by the engine, whose warnings go to standard error.
///
/// # Errors
/// When there is neither a file nor a shipped task of this name, or the file cannot be read.
pub(super) fn table(session: &Session, given: &str) -> Result<Arc<TaskTable>, CliError> {
    let path = Path::new(given);
    if !path.is_file() {
        return Ok(Arc::new(shipped(given)?.clone()));
    }
    let job = JobId::next();
    let command = Command::start(job, None, Work::ReadTable(path.to_owned()));
    let Outcome::TableRead(read) = session.run(job, command, |_| Ok(()))? else {
        return Err(unexpected());
    };
    for warning in &read.warnings {
        tell(format_args!("note: {given}: {warning}"));
    }
    Ok(Arc::clone(&read.table))
}

fn shipped(name: &str) -> Result<&'static TaskTable, UserError> {
    shipped_tasks().iter().find(|task| task.id == name).ok_or_else(|| {
        let next = match close_names(name).as_slice() {
            [] => "Give a TSV, CSV or JSONL file, or the name of a shipped task, such as sentiment.".to_owned(),
            names => format!("Did you mean {}? A file may be TSV, CSV or JSONL.", names.join(", ")),
        };
        UserError::new(
            format!("There is no task {name:?}."),
            format!("It is neither a file nor one of the {} tasks that come with Fovea.", shipped_tasks().len()),
            next,
        )
    })
}

/// Shipped tasks whose names are a few letters away, or hold what was written.
fn close_names(name: &str) -> Vec<&'static str> {
    let name = name.to_lowercase();
    let close = |task: &'static TaskTable| {
        let distance = distance(&name, &task.id);
        let holds = name.len() > 2 && (task.id.contains(&name) || name.contains(&task.id));
        (holds || distance <= 1 + name.chars().count() / 4).then_some((distance, task.id.as_str()))
    };
    let mut names: Vec<_> = shipped_tasks().iter().filter_map(close).collect();
    names.sort_unstable();
    names.into_iter().take(OFFERED).map(|(_, name)| name).collect()
}

/// Letters to insert, remove or replace to make one word of the other (Levenshtein 1966).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        for (a, b, expected) in [("", "", 0), ("copy", "", 4), ("copy", "cop", 1), ("sitting", "kitten", 3)] {
            assert_eq!((distance(a, b), distance(b, a)), (expected, expected), "{a} {b}");
        }
    }

    #[test]
    fn close_names_come_nearest_first() {
        assert_eq!(close_names("sentimant")[0], "sentiment");
        assert_eq!(close_names("Copy")[0], "copy");
        assert!(close_names("animals").iter().all(|name| name.contains("animals")));
        assert!(close_names("qqqqqqqq").is_empty());
        let error = shipped("plural").unwrap_err();
        assert!(error.next.contains("plurals"), "{error}");
    }
}

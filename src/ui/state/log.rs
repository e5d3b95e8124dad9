//! What happened, in order, for the log panel.

use crate::types::{JobId, UserError};
use std::collections::VecDeque;

/// Entries that are kept.
const ENTRIES_KEPT: usize = 500;

/// One line of the log.
#[derive(Clone, Debug, PartialEq)]
pub enum LogEntry {
    /// Something worth knowing.
    Info {
        /// Seconds since the app started.
        at_s: f64,
        /// One sentence.
        text: String,
    },
    /// Something failed.
    Error {
        /// Seconds since the app started.
        at_s: f64,
        /// The job it belongs to, if any.
        job: Option<JobId>,
        /// What, why and what next.
        error: UserError,
    },
}

/// The latest entries, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Log {
    entries: VecDeque<LogEntry>,
    errors_unread: usize,
}

impl Log {
    /// The entries, oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &LogEntry> {
        self.entries.iter()
    }

    /// Errors that came since [`Log::mark_read`].
    #[must_use]
    pub fn errors_unread(&self) -> usize {
        self.errors_unread
    }

    /// The person has seen the log.
    pub fn mark_read(&mut self) {
        self.errors_unread = 0;
    }

    /// Adds something worth knowing.
    pub fn info(&mut self, at_s: f64, text: impl Into<String>) {
        self.push(LogEntry::Info { at_s, text: text.into() });
    }

    /// Adds an error.
    pub fn error(&mut self, at_s: f64, job: Option<JobId>, error: UserError) {
        self.errors_unread += 1;
        self.push(LogEntry::Error { at_s, job, error });
    }

    fn push(&mut self, entry: LogEntry) {
        self.entries.push_back(entry);
        if self.entries.len() > ENTRIES_KEPT {
            self.entries.pop_front();
        }
    }
}

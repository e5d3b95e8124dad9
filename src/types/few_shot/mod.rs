//! Tasks given by examples, how tables of them are read, and how accuracy on them is measured.

pub(super) mod columns;
pub(super) mod delimited;
pub(super) mod draw;
pub(super) mod few_shot_task;
pub(super) mod kshot;
pub(super) mod rows;
pub(super) mod task_table;

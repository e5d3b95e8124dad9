//! Tasks given by examples, and how accuracy on them is measured.

pub(super) mod few_shot_task;
pub(super) mod kshot;
pub(super) mod task_table;

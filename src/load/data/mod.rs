//! Data that models learn from and are measured on: texts and tables of tasks.

pub(super) mod data_error;
pub(super) mod few_shot_file;
pub(super) mod shipped_tasks;
pub(super) mod task_file;
pub mod text_data;

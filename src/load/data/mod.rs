//! Data that models learn from and are measured on: texts and tables of tasks.

pub(super) mod data_error;
pub(super) mod decoded;
pub(crate) mod documents;
pub(super) mod few_shot_file;
pub(super) mod gzip;
mod json_pairs;
pub(super) mod labelled;
mod labelled_columns;
mod labelled_images;
pub(super) mod labelled_pictures;
pub(super) mod named_pictures;
pub(super) mod shipped_tasks;
pub(super) mod task_file;
pub mod text_data;
pub(super) mod text_list;
pub(crate) mod text_stream;
pub(super) mod unpacked;

//! The panels, one file or folder each.

mod adapter;
mod attention;
mod curves;
mod digits;
mod fine_tune;
mod lab;
mod labelled;
mod log;
mod models;
mod pretrain;
mod prompt;
mod run_folder;
mod suggestion;
mod ways;

use super::Panel;
use run_folder::run_folder;

/// Every panel, in the order of the rail. A new panel is one line here.
#[must_use]
pub fn all() -> Vec<Box<dyn Panel>> {
    vec![
        Box::new(prompt::PromptPanel::default()),
        Box::new(lab::LabPanel::default()),
        Box::new(attention::AttentionPanel::default()),
        Box::new(digits::DigitsPanel::default()),
        Box::new(pretrain::PretrainPanel::default()),
        Box::new(fine_tune::FineTunePanel::default()),
        Box::new(ways::WaysPanel::default()),
        Box::new(models::ModelsPanel::default()),
        Box::new(log::LogPanel),
    ]
}

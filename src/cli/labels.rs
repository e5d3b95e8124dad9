//! `fovea labels`: what labelled data holds, and how it is split.

use super::CliError;
use super::output::{print, print_json, tell};
use super::session::{Session, unexpected};
use crate::engine::{Command, Outcome, Work};
use crate::types::{DeviceChoice, JobId, LabelledKind, LabelledReport, LabelledSource, printable};
use clap::Args;
use std::path::PathBuf;

/// `fovea labels`.
#[derive(Debug, Args)]
pub struct LabelsArgs {
    /// A CSV, TSV or JSONL file, a table of a shipped task, a folder with a folder of pictures for each class,
    /// or a folder in MNIST's format
    pub data: PathBuf,
    /// The column of the texts: its name, or its number from 1 [default: text, sentence or the like]
    #[arg(long, value_name = "NAME")]
    pub text_column: Option<String>,
    /// The column of the labels [default: label, class or the like]
    #[arg(long, value_name = "NAME")]
    pub label_column: Option<String>,
    /// A file of its own for validation
    #[arg(long, value_name = "FILE")]
    pub validation: Option<PathBuf>,
    /// A file of its own for the test
    #[arg(long, value_name = "FILE")]
    pub test: Option<PathBuf>,
    /// Share held out for validation where it has no file
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub validation_share: f64,
    /// Share held out for the test where it has no file
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub test_share: f64,
    /// Seed of the split
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// All of it as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// Letters of a text that are shown.
const SHOWN: usize = 60;

/// Tells what data holds.
pub(super) fn run(args: &LabelsArgs) -> Result<(), CliError> {
    let source = LabelledSource {
        data: args.data.clone(),
        validation: args.validation.clone(),
        test: args.test.clone(),
        text: args.text_column.clone(),
        label: args.label_column.clone(),
        validation_share: args.validation_share,
        test_share: args.test_share,
        seed: args.seed,
    };
    let session = Session::start(DeviceChoice::Cpu);
    let job = JobId::next();
    let outcome = session.run(job, Command::start(job, None, Work::ReadLabelled(source)), |_| Ok(()))?;
    let Outcome::LabelledRead(report) = outcome else { return Err(unexpected()) };
    if args.json {
        return print_json(&*report);
    }
    for words in report.warnings() {
        tell(format_args!("note: {words}"));
    }
    print(&describe(&report))
}

fn describe(report: &LabelledReport) -> String {
    let [text, label] = &report.chosen;
    let mut lines = match (report.kind, label.as_str()) {
        (LabelledKind::Texts, _) => format!("texts in {}, labels in {}\n", printable(text), printable(label)),
        (LabelledKind::Pictures, "folder") => "pictures, labelled by their folders\n".to_owned(),
        (LabelledKind::Pictures, _) => "pictures in MNIST's format, labelled by numbers\n".to_owned(),
    };
    for [text, label] in &report.preview {
        let cut: String = text.chars().take(SHOWN).collect();
        let more = if cut.len() < text.len() { "…" } else { "" };
        lines += &format!("  {}\t{}{more}\n", printable(label), printable(&cut));
    }
    let width = report.labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(5);
    lines += &format!("\n{:<width$}{:>10}{:>12}{:>8}\n", "label", "training", "validation", "test");
    let mut row = |label: &str, [train, validation, test]: [usize; 3]| {
        lines += &format!("{:<width$}{train:>10}{validation:>12}{test:>8}\n", printable(label));
    };
    for (label, counts) in report.labels.iter().zip(&report.counts) {
        row(label, *counts);
    }
    let sum = |part: usize| report.counts.iter().map(|counts| counts[part]).sum();
    row("all", [sum(0), sum(1), sum(2)]);
    lines
}

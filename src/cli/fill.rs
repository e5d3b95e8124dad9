//! `fovea fill`.

use super::CliError;
use super::args::ModelArgs;
use super::output::{print, print_json};
use super::session::{Session, unexpected};
use crate::engine::{Command, FillSpec, Outcome, Work};
use crate::types::{FilledMask, JobId, printable};
use clap::Args;
use serde::Serialize;

/// `fovea fill`.
#[derive(Debug, Args)]
pub struct FillArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// The text, with the model's own mask token (such as [MASK] or <mask>) where words are to be guessed
    #[arg(long, value_name = "TEXT")]
    pub prompt: String,
    /// Tell this many of the likeliest tokens for each mask
    #[arg(long, value_name = "K", default_value_t = 5)]
    pub top: usize,
    /// The guesses as a JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Answer<'a> {
    prompt: &'a str,
    filled: &'a str,
    masks: &'a [FilledMask],
}

/// Guesses the masked tokens of a text.
pub(super) fn run(args: &FillArgs) -> Result<(), CliError> {
    let (session, info) = Session::with_model(&args.model)?;
    let job = JobId::next();
    let command = Command::start(job, info.id, Work::Fill(FillSpec { text: args.prompt.clone(), top: args.top }));
    let Outcome::Filled(report) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    if args.json {
        return print_json(&Answer { prompt: &report.text, filled: &report.filled, masks: &report.masks });
    }
    let mut lines = format!("{}\n", report.filled);
    for (place, mask) in report.masks.iter().enumerate() {
        lines += &format!("\nmask {} of {}, token {}\n", place + 1, report.masks.len(), mask.position);
        for candidate in &mask.candidates {
            lines += &format!("  {:>5.1} %  {}\n", candidate.probability * 100.0, printable(candidate.text.trim()));
        }
    }
    print(&lines)
}

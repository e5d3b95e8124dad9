//! `fovea fill`.

use super::CliError;
use super::args::FillArgs;
use super::output::{print, print_json};
use super::session::{Session, unexpected};
use crate::engine::{Command, FillSpec, Outcome, Work};
use crate::types::{FilledMask, JobId, printable};
use serde::Serialize;

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

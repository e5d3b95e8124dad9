//! `fovea classify`.

use super::CliError;
use super::args::ClassifyArgs;
use super::output::{print, print_json};
use super::session::{Session, unexpected};
use crate::engine::{Command, Outcome, read_digit_image};
use crate::types::JobId;
use serde::Serialize;

#[derive(Serialize)]
struct Answer {
    digit: usize,
    probabilities: Vec<f32>,
}

/// Tells which digit an image shows.
pub(super) fn run(args: &ClassifyArgs) -> Result<(), CliError> {
    let image = read_digit_image(&args.image)?;
    let (session, info) = Session::with_model(&args.model)?;
    let job = JobId::next();
    let outcome = session.run(job, Command::Classify { job, model: info.id, image }, |_| Ok(()))?;
    let Outcome::Classified { result, .. } = outcome else { return Err(unexpected()) };
    let probabilities = result.probabilities.clone();
    let mut ranked: Vec<(usize, f32)> = probabilities.iter().copied().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    if args.json {
        return print_json(&Answer { digit: ranked[0].0, probabilities });
    }
    let lines: String = ranked.iter().map(|(digit, p)| format!("{digit}  {:5.1} %\n", p * 100.0)).collect();
    print(&lines)
}

//! `fovea evaluate`.

use super::CliError;
use super::args::EvaluateArgs;
use super::output::{print, print_json};
use super::session::{Session, unexpected};
use super::train::bar;
use crate::engine::{Command, Event, Outcome, Work};
use crate::types::{EvaluationReport, JobId};

/// Measures a model.
pub(super) fn run(args: &EvaluateArgs) -> Result<(), CliError> {
    let (session, info) = Session::with_model(&args.model)?;
    let job = JobId::next();
    let progress = bar(0);
    let command = Command::start(job, info.id, Work::Evaluate(args.data.clone()));
    let outcome = session.run(job, command, |event| {
        if let Event::Progress { done, total, unit, .. } = event {
            progress.set_length(total);
            progress.set_position(done);
            progress.set_message(unit);
        }
        Ok(())
    });
    progress.finish_and_clear();
    let Outcome::Evaluated(report) = outcome? else { return Err(unexpected()) };
    if args.json { print_json(&report) } else { print(&describe(&report)) }
}

fn describe(report: &EvaluationReport) -> String {
    match report {
        EvaluationReport::Digits { images, accuracy, loss, confusion } => {
            let right: usize = (0..confusion.len()).map(|class| confusion[class][class]).sum();
            format!("accuracy {:.2} % ({right} of {images} images)\nloss {loss:.4} nats\n", accuracy * 100.0)
        }
        EvaluationReport::Text { tokens, bytes, loss, perplexity, bits_per_byte } => format!(
            "loss {loss:.4} nats a token\nperplexity {perplexity:.2}\n{bits_per_byte:.4} bits per byte\n\
             over {tokens} tokens, {bytes} bytes\n"
        ),
    }
}

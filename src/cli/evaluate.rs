//! `fovea evaluate`.

use super::CliError;
use super::args::EvaluateArgs;
use super::output::{print, print_json};
use super::session::{Session, unexpected};
use super::train::bar;
use crate::engine::{Command, Event, Outcome, Work};
use crate::types::{EvaluateSpec, EvaluationReport, FullPrecision, JobId};

/// Measures a model.
pub(super) fn run(args: &EvaluateArgs) -> Result<(), CliError> {
    let (session, info) = Session::with_model(&args.model)?;
    let job = JobId::next();
    let progress = bar(0);
    let spec = EvaluateSpec { data: args.data.clone(), beside_full: args.beside_f32 };
    let command = Command::start(job, info.id, Work::Evaluate(spec));
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
        EvaluationReport::Text { tokens, bytes, loss, perplexity, bits_per_byte, full } => {
            let beside = full.as_ref().map_or_else(String::new, |full| beside(*perplexity, full));
            format!(
                "loss {loss:.4} nats a token\nperplexity {perplexity:.2}\n{bits_per_byte:.4} bits per byte\n\
                 over {tokens} tokens, {bytes} bytes\n{beside}"
            )
        }
    }
}

fn beside(perplexity: f64, full: &FullPrecision) -> String {
    let FullPrecision { perplexity: of_full, divergence, most, same, .. } = full;
    format!(
        "with all weights in F32: perplexity {of_full:.4}, so {:+.4} ({:+.2} %)\n\
         divergence from it {divergence:.5} nats a token, at most {most:.4}; the likeliest token is the same in {:.2} %\n",
        perplexity - of_full,
        (perplexity / of_full - 1.0) * 100.0,
        same * 100.0
    )
}

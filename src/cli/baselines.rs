//! `fovea baselines`.

use super::CliError;
use super::args::DeviceName;
use super::output::{print, print_json};
use super::session::{Session, model_dir, unexpected};
use super::train::bar;
use crate::engine::{Command, Event, Outcome, Work};
use crate::types::{BaselinesReport, BaselinesSpec, BlankBaselines, JobId, ModelId, NextBaselines};
use clap::Args;
use std::path::PathBuf;

/// `fovea baselines`.
#[derive(Debug, Args)]
pub struct BaselinesArgs {
    /// A text file, or a folder searched for .txt files; may be given several times
    #[arg(long, value_name = "PATH", required = true)]
    pub data: Vec<PathBuf>,
    /// Count the tokens of this model, and tell what it reaches itself: one that continues text, or an encoder that fills blanks. Without
    /// it vocabularies are learned, and both are told
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Size of the vocabularies that are learned without a model
    #[arg(long, value_name = "N", default_value_t = 2048, conflicts_with = "model")]
    pub vocabulary: usize,
    /// Tokens of a sequence [default: 128, or what the model reads]
    #[arg(long, value_name = "N")]
    pub context: Option<usize>,
    /// Share of every file, at its end, that is held out: as in the run that trained the model
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub validation_share: f64,
    /// Of the blanks that are drawn: as in that run
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    pub device: DeviceName,
    /// What counting reaches as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// Counts a text, and tells what that reaches on what was held out of it.
pub(super) fn run(args: &BaselinesArgs) -> Result<(), CliError> {
    let session = Session::start(args.device);
    let model = match &args.model {
        Some(path) => {
            let path = model_dir(path)?;
            session.open(|job, model| Command::start(job, model, Work::Open(path)))?.id
        }
        None => ModelId::next(),
    };
    let spec = BaselinesSpec {
        data: args.data.clone(),
        context: args.context,
        validation_share: args.validation_share,
        seed: args.seed,
        vocabulary: args.vocabulary,
        of_model: true,
    };
    let (job, progress) = (JobId::next(), bar(0));
    let outcome = session.run(job, Command::start(job, model, Work::Baselines(spec)), |event| {
        if let Event::Progress { label, done, total, .. } = event {
            progress.set_length(total);
            progress.set_position(done);
            progress.set_message(label);
        }
        Ok(())
    });
    progress.finish_and_clear();
    let Outcome::Counted(report) = outcome? else { return Err(unexpected()) };
    if args.json { print_json(&*report) } else { print(&describe(&report)) }
}

fn describe(report: &BaselinesReport) -> String {
    let parts = [report.next.as_ref().map(next), report.blanks.as_ref().map(blanks)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn next(found: &NextBaselines) -> String {
    let NextBaselines { vocabulary, counted, tokens, bytes, rows, gzip } = found;
    let mut lines = format!(
        "The next token, by counting {counted} tokens of {vocabulary}; {tokens} held-out tokens, {bytes} bytes\n\
         {:<40} {:>14}  {:>14}\n",
        "", "nats per token", "bits per byte"
    );
    for row in rows {
        lines += &format!("{:<40} {:>14.4}  {:>14.4}\n", row.name, row.nats_per_token, row.bits_per_byte);
    }
    lines + &format!("{:<40} {:>14}  {:>14.4}\n", format!("gzip of all {} bytes", gzip.bytes), "", gzip.bits_per_byte)
}

fn blanks(found: &BlankBaselines) -> String {
    let BlankBaselines { vocabulary, counted, blanks, rows } = found;
    let mut lines = format!(
        "Blanks, by counting {counted} tokens of {vocabulary}; {blanks} held-out blanks\n{:<40} {:>14}\n",
        "", "filled rightly"
    );
    for row in rows {
        lines += &format!("{:<40} {:>12.2} %\n", row.name, row.right * 100.0);
    }
    lines
}

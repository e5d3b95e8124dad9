//! `fovea evaluate`.

use super::CliError;
use super::args::ModelArgs;
use super::output::{print, print_json};
use super::session::{Session, unexpected};
use super::train::bar;
use crate::engine::{Command, Event, Outcome, Work};
use crate::types::{DataPart, EvaluateSpec, EvaluationReport, FullPrecision, JobId, printable};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `--split` on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SplitName {
    /// What was learned from
    Train,
    /// What told which weights were best
    Validation,
    /// What nothing was learned from or chosen by
    Test,
}

impl SplitName {
    pub(super) fn part(self) -> DataPart {
        match self {
            Self::Train => DataPart::Train,
            Self::Validation => DataPart::Validation,
            Self::Test => DataPart::Test,
        }
    }
}

/// `fovea evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// A folder of IDX files, a text file; for a classifier a file of labelled texts, or a folder with a folder of pictures for each class
    #[arg(long, value_name = "PATH")]
    pub data: PathBuf,
    /// Measure this part of labelled texts alone, as the run split them that trained the model
    #[arg(long, value_enum)]
    pub split: Option<SplitName>,
    /// The column of labelled texts: its name, or its number from 1 [default: text, sentence or the like]
    #[arg(long, value_name = "NAME")]
    pub text_column: Option<String>,
    /// The column of their labels [default: label, class or the like]
    #[arg(long, value_name = "NAME")]
    pub label_column: Option<String>,
    /// Read a text once more with the values that weights in F16 or in blocks stand for, in F32, and tell the difference
    #[arg(long)]
    pub beside_f32: bool,
    /// The measurement as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// Measures a model.
pub(super) fn run(args: &EvaluateArgs) -> Result<(), CliError> {
    let (session, info) = Session::with_model(&args.model)?;
    let job = JobId::next();
    let progress = bar(0);
    let spec = EvaluateSpec {
        data: args.data.clone(),
        beside_full: args.beside_f32,
        part: args.split.map(SplitName::part),
        columns: [args.text_column.clone(), args.label_column.clone()],
    };
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
        EvaluationReport::Classes { examples, accuracy, macro_f1, loss, labels, f1, confusion, cut } => {
            let right: usize = (0..confusion.len()).map(|class| confusion[class][class]).sum();
            let mut lines = format!(
                "accuracy {:.2} % ({right} of {examples} examples)\nmacro F1 {:.2} %\nloss {loss:.4} nats\n",
                accuracy * 100.0,
                macro_f1 * 100.0
            );
            for ((label, f1), row) in labels.iter().zip(f1).zip(confusion) {
                let count: usize = row.iter().sum();
                lines += &format!("  F1 {:6.2} %  {} ({count} examples)\n", f1 * 100.0, printable(label));
            }
            if *cut > 0 {
                lines += &format!("{cut} texts were longer than the model reads and cut off\n");
            }
            lines
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

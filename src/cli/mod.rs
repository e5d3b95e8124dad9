//! The command line: the same engine without a window.
//!
//! Results go to standard output, everything else to standard error. Every error is one message that says what happened,
//! why, and what to do next, and exit code 2. Must not know: tensors, model formats or panels.

mod adapt;
mod adapter;
mod args;
mod attribute;
mod baselines;
mod bench;
mod card;
mod chat;
mod classify;
mod compare;
mod convert;
mod curves;
mod desktop;
mod embed;
mod evaluate;
mod fetch;
mod figure;
mod fill;
mod fit_lens;
mod forget;
mod generate;
mod heads;
mod inspect;
mod kind;
mod kshot;
mod labels;
mod lens;
mod licences;
mod logger;
mod manual;
mod memory;
mod merge;
mod models;
mod output;
mod pace;
mod patch;
mod sampling;
mod score;
mod search;
mod session;
mod similarity;
mod snapshots;
mod spec;
mod surprise;
mod sweep;
mod tasks;
mod texts;
mod train;
mod window;
mod write;

use crate::types::UserError;
use args::{Arguments, Verb};
use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

/// Exit code of every error, and of a command line that cannot be read.
const FAILED: u8 = 2;
/// Exit code after Ctrl-C, as shells have it (128 + SIGINT).
const INTERRUPTED: u8 = 130;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
enum CliError {
    /// Something to tell the person.
    #[error("{0}")]
    User(#[from] UserError),
    /// Whoever read the output has gone (`fovea … | head`): no fault of anybody.
    #[error("nobody reads the output")]
    PipeClosed,
    /// Ctrl-C; everything worth keeping was saved.
    #[error("interrupted")]
    Interrupted,
}

/// Runs the program: the window without a command, else the command.
#[must_use]
pub fn main() -> ExitCode {
    logger::start();
    let arguments = Arguments::parse();
    if !matches!(arguments.verb, None | Some(Verb::Open { .. })) {
        desktop::leave();
    }
    match run(arguments.verb) {
        Ok(()) | Err(CliError::PipeClosed) => ExitCode::SUCCESS,
        Err(CliError::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(CliError::User(error)) => {
            // Whoever read the errors may be gone, as after `2>&1 | head`; the exit code still tells.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(FAILED)
        }
    }
}

fn run(verb: Option<Verb>) -> Result<(), CliError> {
    match verb {
        None => window::run(None),
        Some(Verb::Open { dir }) => window::run(Some(session::model_dir(&dir)?)),
        Some(Verb::Generate(args)) => generate::run(&args),
        Some(Verb::ChatTemplate(args)) => chat::run(&args),
        Some(Verb::Inspect(args)) => inspect::run(&args),
        Some(Verb::Score(args)) => score::run(&args),
        Some(Verb::Surprise(args)) => surprise::run(&args),
        Some(Verb::Memory(args)) => memory::run(&args),
        Some(Verb::Pace(args)) => pace::run(&args),
        Some(Verb::Forget(args)) => forget::forget(&args),
        Some(Verb::States(args)) => forget::states(&args),
        Some(Verb::Heads(args)) => heads::run(&args),
        Some(Verb::Lens(args)) => lens::run(&args),
        Some(Verb::FitLens(args)) => fit_lens::fit(&args),
        Some(Verb::Attribute(args)) => attribute::run(&args),
        Some(Verb::Sweep(args)) => sweep::sweep(&args),
        Some(Verb::Patch(args)) => patch::patch(&args),
        Some(Verb::Adapt(args)) => adapt::run(&args),
        Some(Verb::Kshot(args)) => kshot::run(&args),
        Some(Verb::Embed(args)) => embed::run(&args),
        Some(Verb::Fill(args)) => fill::run(&args),
        Some(Verb::Classify(args)) => classify::run(&args),
        Some(Verb::Labels(args)) => labels::run(&args),
        Some(Verb::Snapshots(args)) => snapshots::run(&args),
        Some(Verb::Evaluate(args)) => evaluate::run(&args),
        Some(Verb::Similarity(args)) => similarity::run(&args),
        Some(Verb::Baselines(args)) => baselines::run(&args),
        Some(Verb::Write(args)) => write::run(&args),
        Some(Verb::Compare(args)) => compare::run(&args),
        Some(Verb::Train(args)) => train::run(&args),
        Some(Verb::Models(args)) => models::run(&args),
        Some(Verb::Fetch(args)) => fetch::run(&args),
        Some(Verb::Card(args)) => card::run(&args),
        Some(Verb::Convert(args)) => convert::run(&args),
        Some(Verb::Merge(args)) => merge::run(&args),
        Some(Verb::Bench(args)) => bench::run(&args),
        Some(Verb::Figure { figure: args::Figure::Attention(args) }) => figure::run(&args),
        Some(Verb::Figure { figure: args::Figure::Curves(args) }) => curves::run(&args),
        Some(Verb::Licences(args)) => licences::run(&args),
        Some(Verb::Completions(args)) => manual::completions(&args),
        Some(Verb::Man(args)) => manual::man(&args),
    }
}

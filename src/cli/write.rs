//! `fovea write`.

use super::CliError;
use super::args::DeviceName;
use super::output::tell;
use super::session::{Session, model_dir, unexpected};
use super::train::bar;
use crate::engine::{Command, Event, Outcome, Work};
use crate::types::{JobId, WriteTextSpec};
use clap::Args;
use std::path::PathBuf;

/// `fovea write`.
#[derive(Debug, Args)]
pub struct WriteArgs {
    /// The model that writes: a folder or a name, such as sprout
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// The file
    #[arg(long, value_name = "FILE.txt")]
    pub out: PathBuf,
    /// Passages that are begun from nothing
    #[arg(long, value_name = "N", default_value_t = 250)]
    pub passages: usize,
    /// Tokens of each at most; an unfinished last sentence is left out
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub tokens: usize,
    /// Of what is drawn: the same model and seed write the same text
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    pub device: DeviceName,
}

/// Lets a model write a text for others to learn from.
pub(super) fn run(args: &WriteArgs) -> Result<(), CliError> {
    let session = Session::start(args.device);
    let WriteArgs { out, passages, tokens, seed, .. } = args;
    let model = model_dir(&args.model)?;
    let spec = WriteTextSpec { model, passages: *passages, tokens: *tokens, seed: *seed, out: out.clone() };
    let (job, progress) = (JobId::next(), bar(0));
    let outcome = session.run(job, Command::start(job, None, Work::WriteText(spec)), |event| {
        if let Event::Progress { label, done, total, .. } = event {
            progress.set_length(total);
            progress.set_position(done);
            progress.set_message(label);
        }
        Ok(())
    });
    progress.finish_and_clear();
    let Outcome::Saved { path } = outcome? else { return Err(unexpected()) };
    tell(format_args!("{}", path.display()));
    Ok(())
}

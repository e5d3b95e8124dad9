//! `fovea merge`.

use super::CliError;
use super::args::{DeviceName, ModelArgs};
use super::output::print;
use super::session::{Session, unexpected};
use crate::engine::{Command, Outcome, SaveSpec, Work};
use crate::types::{JobId, Precision, UserError};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// `fovea merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The base: a folder in Hugging Face layout, a GGUF file, or a name as elsewhere
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// The adapter: a folder in PEFT's layout; =FACTOR multiplies its change, from 0 to 2
    #[arg(long, value_name = "DIR[=FACTOR]")]
    pub adapter: String,
    /// The folder to write, which must hold no other model
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The element type of the weights
    #[arg(long = "type", value_name = "TYPE", value_enum, default_value = "f32")]
    pub kind: MergedType,
}

/// `--type`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum MergedType {
    /// Single precision: the sum is not rounded again
    F32,
    /// Half precision
    F16,
}

/// Writes a base and an adapter as one model.
pub(super) fn run(args: &MergeArgs) -> Result<(), CliError> {
    // Its own base among them: what is merged once must not be merged again.
    let is_taken = ["config.json", "adapter_config.json"].into_iter().any(|file| args.out.join(file).exists());
    if is_taken {
        return Err(taken(&args.out).into());
    }
    let model = ModelArgs { model: args.model.clone(), adapter: Some(args.adapter.clone()), device: DeviceName::Cpu };
    let (session, info) = Session::with_model(&model)?;
    let precision = match args.kind {
        MergedType::F32 => Precision::F32,
        MergedType::F16 => Precision::F16,
    };
    let (job, path) = (JobId::next(), args.out.clone());
    let command = Command::start(job, info.id, Work::Save(SaveSpec { path, precision }));
    let Outcome::Saved { path } = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    print(&format!("{}: {} in {precision}\n", path.display(), info.name))
}

fn taken(out: &Path) -> UserError {
    UserError::new(
        format!("Nothing was written: {} holds a model or an adapter.", out.display()),
        "Its files would be overwritten, and what stands beside them would describe something that is gone.",
        "Choose a new folder, or delete that one.",
    )
}

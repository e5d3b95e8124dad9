//! `fovea fit-lens`.

use super::CliError;
use super::args::ModelArgs;
use super::output::tell;
use super::search::run;
use super::session::{Session, unexpected};
use crate::engine::{Outcome, Work};
use crate::types::{FitSpec, LensPassages, UserError};
use clap::Args;
use std::path::PathBuf;

/// `fovea fit-lens`.
#[derive(Debug, Args)]
pub(super) struct FitLensArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Passages to fit it on [default: 100, fewer for models above some million parameters]
    #[arg(long, value_name = "N")]
    pub passages: Option<usize>,
    /// Tokens of a passage
    #[arg(long, value_name = "N", default_value_t = FitSpec::default().tokens)]
    pub tokens: usize,
    /// Seed of what the model writes
    #[arg(long, value_name = "N", default_value_t = FitSpec::default().seed, conflicts_with = "data")]
    pub seed: u64,
    /// A text file to take passages from [default: the model writes them itself]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Where to write the lens
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: PathBuf,
}

/// Fits a lens and writes it.
pub(super) fn fit(args: &FitLensArgs) -> Result<(), CliError> {
    if args.out.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("safetensors")) {
        return Err(CliError::User(UserError::new(
            format!("{} is no name for a lens.", args.out.display()),
            "A lens is written as safetensors, and is found again by that ending.",
            "End the name with .safetensors.",
        )));
    }
    let (session, info) = Session::with_model(&args.model)?;
    let spec = FitSpec {
        passages: args.data.clone().map_or(LensPassages::Written, LensPassages::File),
        count: args.passages.unwrap_or_else(|| FitSpec::customary(&info, args.tokens)),
        tokens: args.tokens,
        seed: args.seed,
        out: Some(args.out.clone()),
    };
    let ran = run(&session, &info, Work::FitLens(spec))?;
    let Outcome::LensFitted(lens) = &ran.outcome else { return Err(unexpected()) };
    tell(format_args!("{}", lens.words()));
    ran.end()
}

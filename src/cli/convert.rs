//! `fovea convert`.

use super::CliError;
use super::output::{print, print_json, tell};
use super::session::model_dir;
use crate::engine::convert;
use crate::types::{ConvertSpec, ConvertTarget, ConvertType, bytes_in_words};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `fovea convert`.
#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// The model: a folder, a GGUF file, or a name as for --model
    pub from: PathBuf,
    /// The folder or the file to write, which must not be there yet
    pub to: PathBuf,
    /// Its format [default: gguf for a name that ends in .gguf, else safetensors]
    #[arg(long = "to", value_name = "FORMAT", value_enum)]
    pub format: Option<ConvertFormat>,
    /// The element type of its matrices; vectors stay F32
    #[arg(long = "type", value_name = "TYPE", value_enum, default_value = "f16")]
    pub kind: ConvertKind,
    /// What was written as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// `--to`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ConvertFormat {
    /// A folder in Hugging Face layout
    Safetensors,
    /// One file, as llama.cpp reads it
    Gguf,
}

/// `--type`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ConvertKind {
    /// Half precision
    F16,
    /// Blocks of 32 numbers of eight bits (GGUF only); rows that do not fill them stay F16
    #[value(name = "q8_0")]
    Q8_0,
    /// Single precision
    F32,
}

/// Converts a model and tells what was written.
pub(super) fn run(args: &ConvertArgs) -> Result<(), CliError> {
    let is_gguf = args.to.extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf"));
    let target = match args.format {
        Some(ConvertFormat::Gguf) => ConvertTarget::Gguf,
        Some(ConvertFormat::Safetensors) => ConvertTarget::Safetensors,
        None if is_gguf => ConvertTarget::Gguf,
        None => ConvertTarget::Safetensors,
    };
    let kind = match args.kind {
        ConvertKind::F16 => ConvertType::F16,
        ConvertKind::Q8_0 => ConvertType::Q8_0,
        ConvertKind::F32 => ConvertType::F32,
    };
    let spec = ConvertSpec { from: model_dir(&args.from)?, to: args.to.clone(), target, kind };
    let written = convert(&spec)?;
    for note in &written.notes {
        tell(format_args!("note: {note}"));
    }
    if args.json {
        return print_json(&written);
    }
    let (path, size) = (written.path.display(), bytes_in_words(written.bytes));
    print(&format!("{path}: {} tensors, matrices in {}, {size}\n", written.tensors, kind.name()))
}

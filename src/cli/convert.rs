//! `fovea convert`.

use super::CliError;
use super::args::{ConvertArgs, ConvertFormat, ConvertKind};
use super::output::{print, print_json, tell};
use super::session::model_dir;
use crate::engine::convert;
use crate::types::{ConvertSpec, ConvertTarget, ConvertType, bytes_in_words};

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

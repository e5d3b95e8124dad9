//! Low-rank adapters in the layout of PEFT: a folder with adapter_config.json and adapter_model.safetensors.
//!
//! Every tensor of a file has its place in the model, or the adapter is refused with the tensor's name: what PEFT passes over in
//! silence would leave the base as it is.

pub(in crate::load) mod classes;
mod config;
mod matrices;
mod pattern;
mod read;
mod write;

pub use matrices::{Matrix, MatrixKind, Named, learns_changes};
pub use read::{Adapter, Attached, read_adapter};
pub use write::{lora_targets, merged, with_lora, write_adapter};

use crate::load::fields::Fields;
use std::path::Path;

/// The settings of an adapter; what makes a folder one.
pub(in crate::load) const CONFIG_FILE: &str = "adapter_config.json";

/// True for a folder that holds an adapter.
#[must_use]
pub fn holds_adapter(dir: &Path) -> bool {
    dir.join(CONFIG_FILE).is_file()
}

/// What the settings of an adapter call its base, where they name one.
#[must_use]
pub fn adapter_base(dir: &Path) -> Option<String> {
    let fields = Fields::read(&dir.join(CONFIG_FILE)).ok()?;
    fields.text_if_any("base_model_name_or_path").ok()?.map(str::to_owned)
}

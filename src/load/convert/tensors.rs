//! The tensors of a model, one at a time, under the names that Hugging Face's files have for them.

use crate::load::error::LoadError;
use crate::load::gguf::Family;
use crate::load::tensors::container::{Container, WeightFiles};
use crate::load::tensors::elements::Elements;
use crate::types::Architecture;
use std::path::PathBuf;

/// The tensors of a model, in the order of their names.
pub(super) struct Tensors<'a> {
    containers: Vec<Container<'a>>,
    pub(super) all: Vec<Listed>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// The name with the prefix that models with a head have.
    pub(super) name: String,
    stored: String,
    container: usize,
    pub(super) shape: Vec<usize>,
}

impl<'a> Tensors<'a> {
    pub(super) fn of(files: &'a WeightFiles, architecture: Architecture) -> Result<Self, LoadError> {
        let (containers, _) = files.containers()?;
        let mut all = Vec::new();
        for (place, container) in containers.iter().enumerate() {
            for stored in container.names() {
                let Some(header) = container.header(stored) else { continue };
                let name = full_name(stored, architecture);
                all.push(Listed { name, stored: stored.to_owned(), container: place, shape: header.shape });
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { containers, all })
    }

    pub(super) fn find(&self, name: &str) -> Option<&Listed> {
        self.all.iter().find(|listed| listed.name == name)
    }

    /// Gives a table that is embedding and head at once, and stored under the head's name alone, the embedding's.
    pub(super) fn name_single_table(&mut self, [head, embedding]: [&str; 2]) {
        if self.find(embedding).is_none()
            && let Some(listed) = self.all.iter_mut().find(|listed| listed.name == head)
        {
            listed.name = embedding.to_owned();
        }
    }

    /// True when both are there and hold the same.
    pub(super) fn same(&self, a: &str, b: &str) -> Result<bool, LoadError> {
        let (Some(a), Some(b)) = (self.find(a), self.find(b)) else { return Ok(false) };
        let [a, b] = [a, b].map(|listed| self.containers[listed.container].tensor(&listed.stored));
        Ok(a?.zip(b?).is_some_and(|(a, b)| a.is_same(&b)))
    }

    /// The values of one, in F32, row-major.
    pub(super) fn values(&self, listed: &Listed) -> Result<Vec<f32>, LoadError> {
        let container = &self.containers[listed.container];
        let (path, name) = (container.path.to_owned(), listed.stored.clone());
        let Some(tensor) = container.tensor(&listed.stored)? else {
            return Err(LoadError::MissingTensor { path, name });
        };
        let Some(elements) = Elements::decode(tensor.dtype, &tensor.bytes) else {
            return Err(LoadError::WrongDtype { path, name, found: tensor.dtype.to_string() });
        };
        if let Some((index, value)) = elements.first_not_finite() {
            return Err(LoadError::NotFinite { path, name, index, value });
        }
        let rows = listed.shape.first().copied().unwrap_or(1);
        let values = elements.arranged(tensor.arrangement, rows).into_f32();
        container.is_done_with(&tensor.bytes);
        Ok(values)
    }

    /// The file a tensor is in.
    pub(super) fn path(&self, listed: &Listed) -> PathBuf {
        self.containers[listed.container].path.to_owned()
    }
}

/// The names of a head and of the embedding that it may be.
pub(super) fn tables(architecture: Architecture) -> [&'static str; 2] {
    match Family::of(architecture) {
        Some(Family::Gpt2) => ["lm_head.weight", "transformer.wte.weight"],
        Some(Family::GptNeox) => ["embed_out.weight", "gpt_neox.embed_in.weight"],
        _ => ["lm_head.weight", "model.embed_tokens.weight"],
    }
}

/// A name as files of models with a head have it: bare models leave the prefix out, and the first BERT files call the gain of a
/// LayerNorm gamma and its bias beta.
fn full_name(stored: &str, architecture: Architecture) -> String {
    const HEADS: [&str; 2] = ["lm_head.weight", "embed_out.weight"];
    if architecture == Architecture::GptNeox && stored == HEADS[0] {
        return HEADS[1].to_owned();
    }
    let prefix = match Family::of(architecture) {
        Some(Family::Gpt2) => "transformer.",
        Some(Family::GptNeox) => "gpt_neox.",
        Some(Family::Llama | Family::Qwen2 | Family::Qwen3 | Family::Gemma2) => "model.",
        Some(Family::Bert) => {
            let bare = stored.strip_prefix("bert.").unwrap_or(stored);
            let renamed = bare.strip_suffix(".gamma").map(|stem| format!("{stem}.weight"));
            let renamed = renamed.or_else(|| bare.strip_suffix(".beta").map(|stem| format!("{stem}.bias")));
            return renamed.unwrap_or_else(|| bare.to_owned());
        }
        None => "",
    };
    let is_full = stored.starts_with(prefix) || HEADS.contains(&stored) || stored.starts_with("blk.");
    if is_full { stored.to_owned() } else { format!("{prefix}{stored}") }
}

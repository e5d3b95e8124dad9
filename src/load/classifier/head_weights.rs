//! The tensors of heads for classes by their names in the file.

use crate::load::encoder::encoder_weights::read_linear;
use crate::load::error::LoadError;
use crate::load::tensors::weights::{StoredTensor, Weights};
use crate::load::text::llama_weights::write_linear;
use crate::nn::{ClassHead, Linear};
use crate::types::Architecture;

/// Names of the layers of a head: the one before the last, where there is one, and the last.
fn names(architecture: Architecture) -> (Option<&'static str>, &'static str) {
    match architecture {
        Architecture::Bert => (None, "classifier"),
        Architecture::Roberta => (Some("classifier.dense"), "classifier.out_proj"),
        Architecture::DistilBert => (Some("pre_classifier"), "classifier"),
        _ => (None, "score"),
    }
}

/// True where a last layer has a bias: a decoder's has none.
pub(in crate::load) fn has_bias(architecture: Architecture) -> bool {
    matches!(architecture, Architecture::Bert | Architecture::Roberta | Architecture::DistilBert)
}

/// True where a layer stands before the last one.
pub(in crate::load) fn has_dense(architecture: Architecture) -> bool {
    names(architecture).0.is_some()
}

/// True where max(0, x) stands between the two.
pub(in crate::load) fn rectifies(architecture: Architecture) -> bool {
    architecture == Architecture::DistilBert
}

/// Reads the head of a body of this width.
pub(in crate::load) fn read(
    architecture: Architecture,
    width: usize,
    classes: usize,
    weights: &mut Weights<'_>,
) -> Result<ClassHead, LoadError> {
    let (dense, out) = names(architecture);
    let dense = dense.map(|name| read_linear(name, [width, width], weights)).transpose()?;
    let out = if has_bias(architecture) {
        read_linear(out, [classes, width], weights)?
    } else {
        Linear::new(weights.matrix(&format!("{out}.weight"), [classes, width])?, None)
    };
    Ok(ClassHead { dense, out, rectifies: rectifies(architecture) })
}

/// Every tensor under its name in the file.
pub(in crate::load) fn write(architecture: Architecture, head: &ClassHead) -> Vec<(String, StoredTensor)> {
    let (dense, out) = names(architecture);
    let mut tensors = Vec::new();
    let layers = [(dense, head.dense.as_ref()), (Some(out), Some(&head.out))];
    for (name, layer) in layers.into_iter().filter_map(|(name, layer)| name.zip(layer)) {
        write_linear(&mut tensors, &[(name.to_owned(), layer.weight.dims()[0])], layer);
    }
    tensors
}

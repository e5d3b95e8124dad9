//! The tensors of heads for classes by their names in the file.

use crate::load::adapter::{Matrix, MatrixKind, Named};
use crate::load::encoder::encoder_weights::read_linear;
use crate::load::error::LoadError;
use crate::load::tensors::weights::{StoredTensor, Weights};
use crate::load::text::llama_weights::write_linear;
use crate::nn::{ClassHead, Linear, TextBody, TextClassifier, TextEncoder};
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

/// The module that gives the scores of classes.
pub(in crate::load) fn last_module(architecture: Architecture) -> &'static str {
    names(architecture).1
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

/// Every matrix under its module's name. BERT's pooler belongs to what learns as a whole; no other classifier has one.
pub(in crate::load) fn matrices(net: &mut TextClassifier) -> Vec<Matrix<'_>> {
    const POOLER: &str = "pooler.dense";
    let TextClassifier { body, head } = net;
    let (mut found, architecture) = match body {
        // Whichever it is: their heads have one name.
        TextBody::Decoder(lm) => (lm.matrices(), Architecture::Llama),
        TextBody::Encoder(encoder) => {
            let architecture = match encoder {
                TextEncoder::Bert(_) => Architecture::Bert,
                TextEncoder::Roberta(_) => Architecture::Roberta,
                TextEncoder::DistilBert(_) => Architecture::DistilBert,
            };
            (encoder.matrices(), architecture)
        }
    };
    let is_pooler = |matrix: &Matrix<'_>| matrix.modules[0].0.ends_with(POOLER);
    found.iter_mut().filter(|matrix| is_pooler(matrix)).for_each(|matrix| matrix.kind = MatrixKind::Classes);
    let (dense, out) = names(architecture);
    let layers = [dense.zip(head.dense.as_mut()), Some((out, &mut head.out))];
    found.extend(
        layers
            .into_iter()
            .flatten()
            .map(|(name, layer)| Matrix { kind: MatrixKind::Classes, ..Matrix::linear(name.to_owned(), layer) }),
    );
    found
}

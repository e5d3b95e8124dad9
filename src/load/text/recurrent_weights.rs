//! The tensors of networks without attention by their names in the file, read and written: layers as PyTorch's `nn.LSTM` and `nn.RNN`
//! call theirs, below `rnn`; gates in PyTorch's order. The one layer of a feed-forward network is `hidden`, the layers of a deeper one
//! `layers.0.hidden`, `layers.1.hidden` and so on, each beside its `norm`.

use crate::load::adapter::Matrix;
use crate::load::error::LoadError;
use crate::load::tensors::weights::{StoredTensor, Weights};
use crate::nn::{
    FEED_FORWARD_EPSILON, FeedForward, FeedForwardConfig, HiddenLayer, LayerNorm, Linear, Recurrent, RecurrentConfig,
    RecurrentLayer, Weight,
};
use crate::types::HiddenLayers;
use burn::module::Param;

const EMBEDDING: &str = "embedding";
const HEAD: &str = "head";
const DIRECT: &str = "direct";

pub(in crate::load) fn read(config: &RecurrentConfig, weights: &mut Weights<'_>) -> Result<Recurrent, LoadError> {
    let sizes = [config.vocabulary, config.embedding, config.hidden];
    let (token_embedding, head) = read_ends(sizes, config.tied, weights)?;
    let rows = config.cell.gates() * config.hidden;
    let mut blocks = Vec::with_capacity(config.layers);
    for layer in 0..config.layers {
        let inputs = if layer == 0 { config.embedding } else { config.hidden };
        let mut part = |part: &str, columns| -> Result<Linear, LoadError> {
            let weight = weights.matrix(&format!("rnn.weight_{part}_l{layer}"), [rows, columns])?;
            Ok(Linear::new(weight, Some(weights.tensor(&format!("rnn.bias_{part}_l{layer}"), [rows])?)))
        };
        blocks.push(RecurrentLayer { input: part("ih", inputs)?, recurrent: part("hh", config.hidden)? });
    }
    Ok(Recurrent { token_embedding, blocks, head, context: config.context })
}

pub(in crate::load) fn read_feed_forward(
    config: &FeedForwardConfig,
    weights: &mut Weights<'_>,
) -> Result<FeedForward, LoadError> {
    let (v, e, f) = (config.vocabulary, config.embedding, config.hidden);
    let (token_embedding, head) = read_ends([v, e, f], config.tied, weights)?;
    let seen = config.window * e;
    let mut layer = |number: usize, read: usize| -> Result<HiddenLayer, LoadError> {
        let name = |part: &str| feed_forward_name(number, config.layers.count, part);
        let (hidden, norm) = (name("hidden"), name("norm"));
        let weight = weights.matrix(&format!("{hidden}.weight"), [f, read])?;
        let linear = Linear::new(weight, Some(weights.tensor(&format!("{hidden}.bias"), [f])?));
        let norm = match config.layers.norm {
            true => {
                let gain = weights.tensor(&format!("{norm}.weight"), [f])?;
                Some(LayerNorm::new(gain, weights.tensor(&format!("{norm}.bias"), [f])?, FEED_FORWARD_EPSILON))
            }
            false => None,
        };
        Ok(HiddenLayer { linear, norm })
    };
    let HiddenLayer { linear: hidden, norm } = layer(0, seen)?;
    let deeper = (1..config.layers.count).map(|number| layer(number, f)).collect::<Result<Vec<_>, _>>()?;
    let direct = match config.direct {
        true => Some(Linear::new(weights.matrix("direct.weight", [v, seen])?, None)),
        false => None,
    };
    let HiddenLayers { activation, dropout, residual, .. } = config.layers;
    let context = config.context;
    Ok(FeedForward { token_embedding, hidden, norm, deeper, direct, head, context, activation, dropout, residual })
}

/// The module of a layer, or of what normalises it.
fn feed_forward_name(number: usize, layers: usize, part: &str) -> String {
    if layers == 1 { part.to_owned() } else { format!("layers.{number}.{part}") }
}

/// The token embedding `[V, E]` and the head `[V, H]`, whose bias may be missing; no head where it is tied.
fn read_ends(
    [v, e, h]: [usize; 3],
    tied: bool,
    weights: &mut Weights<'_>,
) -> Result<(Weight, Option<Linear>), LoadError> {
    let (name, head) = ("embedding.weight", "head.weight");
    let (table, mut head) = match tied {
        true => crate::load::read_embeddings(weights, name, head, [v, e], true)?,
        false => (weights.matrix(name, [v, e])?, Some(Linear::new(weights.matrix(head, [v, h])?, None))),
    };
    if let Some(head) = head.as_mut().filter(|_| weights.has("head.bias")) {
        head.bias = Some(Param::from_tensor(weights.tensor("head.bias", [v])?));
    }
    Ok((table, head))
}

/// A head that is the embedding again, or that is not read.
pub(in crate::load) fn is_harmless(name: &str, tied: bool) -> bool {
    tied && (name == "head.weight" || name == "head.bias")
}

/// Every tensor under its name in the file.
pub(in crate::load) fn write(model: &Recurrent) -> Vec<(String, StoredTensor)> {
    let mut tensors = vec![(format!("{EMBEDDING}.weight"), StoredTensor::of(model.token_embedding.val()))];
    for (layer, block) in model.blocks.iter().enumerate() {
        for (part, linear) in [("ih", &block.input), ("hh", &block.recurrent)] {
            tensors.push((format!("rnn.weight_{part}_l{layer}"), StoredTensor::of(linear.weight.val())));
            if let Some(bias) = &linear.bias {
                tensors.push((format!("rnn.bias_{part}_l{layer}"), StoredTensor::of(bias.val())));
            }
        }
    }
    tensors.extend(model.head.iter().flat_map(|head| linear(HEAD, head)));
    tensors
}

/// Every tensor of a feed-forward network under its name in the file.
pub(in crate::load) fn write_feed_forward(model: &FeedForward) -> Vec<(String, StoredTensor)> {
    let mut tensors = vec![(format!("{EMBEDDING}.weight"), StoredTensor::of(model.token_embedding.val()))];
    let first = std::iter::once((&model.hidden, model.norm.as_ref()));
    let layers = first.chain(model.deeper.iter().map(|layer| (&layer.linear, layer.norm.as_ref())));
    for (number, (hidden, norm)) in layers.enumerate() {
        let name = |part: &str| feed_forward_name(number, 1 + model.deeper.len(), part);
        tensors.extend(linear(&name("hidden"), hidden));
        if let Some(norm) = norm {
            let parts = [("weight", &norm.gain), ("bias", &norm.bias)];
            tensors.extend(
                parts.map(|(part, values)| (format!("{}.{part}", name("norm")), StoredTensor::of(values.val()))),
            );
        }
    }
    for (name, layer) in [(DIRECT, model.direct.as_ref()), (HEAD, model.head.as_ref())] {
        tensors.extend(layer.into_iter().flat_map(|layer| linear(name, layer)));
    }
    tensors
}

fn linear(name: &str, linear: &Linear) -> Vec<(String, StoredTensor)> {
    let mut tensors = vec![(format!("{name}.weight"), StoredTensor::of(linear.weight.val()))];
    tensors.extend(linear.bias.iter().map(|bias| (format!("{name}.bias"), StoredTensor::of(bias.val()))));
    tensors
}

/// Every matrix under its module's name. Those of PyTorch's recurrent layers are parameters of one module, which PEFT changes in no part.
pub(in crate::load) fn matrices(model: &mut Recurrent) -> Vec<Matrix<'_>> {
    let mut found = vec![Matrix::table(EMBEDDING, &mut model.token_embedding)];
    found.extend(model.head.as_mut().map(|head| Matrix::head(HEAD, head)));
    found
}

/// Every matrix of a feed-forward network under its module's name.
pub(in crate::load) fn feed_forward_matrices(model: &mut FeedForward) -> Vec<Matrix<'_>> {
    let mut found = vec![Matrix::table(EMBEDDING, &mut model.token_embedding)];
    let layers = 1 + model.deeper.len();
    let linears = std::iter::once(&mut model.hidden).chain(model.deeper.iter_mut().map(|layer| &mut layer.linear));
    for (number, linear) in linears.enumerate() {
        found.push(Matrix::linear(feed_forward_name(number, layers, "hidden"), linear));
    }
    found.extend(model.direct.as_mut().map(|direct| Matrix::linear(DIRECT.to_owned(), direct)));
    found.extend(model.head.as_mut().map(|head| Matrix::head(HEAD, head)));
    found
}

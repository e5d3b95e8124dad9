//! New networks without attention: what can be wrong with their shapes, and what their first weights are drawn from.

use super::wrong;
use crate::nn::{FeedForwardConfig, Random, RecurrentConfig};
use crate::train::stream::Stream;
use crate::types::{FeedForwardShape, HiddenLayers, RecurrentShape, UserError, Width};
use burn::tensor::{Device, Tensor, TensorData};

/// Most numbers of a network that is sized by them: what is beyond does not fit into memory beside its gradients.
const MOST_PARAMETERS: u64 = 1 << 34;
/// Most units of a layer, and most tokens of a window: products of both are far below what is counted with.
const MOST: usize = 1 << 20;

pub(super) fn check_recurrent(shape: &RecurrentShape) -> Result<(), UserError> {
    let layers = [("layers", shape.layers)];
    check(&layers, shape.width, shape.embedding, shape.tied)
}

pub(super) fn check_feed_forward(shape: &FeedForwardShape) -> Result<(), UserError> {
    let HiddenLayers { count, dropout, residual, .. } = shape.layers;
    if !(0.0..1.0).contains(&dropout) {
        return Err(wrong(format!(
            "dropout ({dropout}) must be from 0 to below 1: of all values something must be left."
        )));
    }
    if residual && count < 2 {
        return Err(wrong("residual needs two layers at least: the first has nothing of its width to add."));
    }
    check(&[("window", shape.window), ("layers", count)], shape.width, shape.embedding, shape.tied)
}

fn check(sizes: &[(&str, usize)], width: Width, embedding: Option<usize>, tied: Option<bool>) -> Result<(), UserError> {
    let units = match width {
        Width::Units(units) => Some(units),
        Width::Parameters(0) => return Err(wrong("parameters must be at least 1.")),
        Width::Parameters(parameters) if parameters > MOST_PARAMETERS => {
            return Err(wrong(format!("parameters ({parameters}) must be at most {MOST_PARAMETERS}.")));
        }
        Width::Parameters(_) if embedding.is_some() => {
            return Err(wrong(
                "Where parameters say how wide the network is, its embeddings are as wide as its layers: leave embedding out.",
            ));
        }
        Width::Parameters(_) => None,
    };
    let named = sizes.iter().copied().chain(units.map(|units| ("hidden", units)));
    for (name, size) in named.chain(embedding.map(|embedding| ("embedding", embedding))) {
        if !(1..=MOST).contains(&size) {
            return Err(wrong(format!("{name} ({size}) must be between 1 and {MOST}.")));
        }
    }
    let differ = units.zip(embedding).is_some_and(|(units, embedding)| units != embedding);
    if tied == Some(true) && differ {
        return Err(wrong(
            "A head that is the embedding needs hidden and embedding alike: leave tied or embedding out.",
        ));
    }
    Ok(())
}

/// The configuration of a shape, with so many tokens.
pub(super) fn config_of_recurrent(shape: &RecurrentShape, vocabulary: usize) -> RecurrentConfig {
    let (hidden, embedding, tied) = widths(shape.width, shape.embedding, shape.tied);
    let RecurrentShape { cell, layers, max_positions, .. } = *shape;
    let config = RecurrentConfig { cell, vocabulary, context: max_positions, embedding, hidden, layers, tied };
    match shape.width {
        Width::Units(_) => config,
        Width::Parameters(parameters) => config.sized(parameters),
    }
}

/// The same of a feed-forward network.
pub(super) fn config_of_feed_forward(shape: &FeedForwardShape, vocabulary: usize) -> FeedForwardConfig {
    let (hidden, embedding, tied) = widths(shape.width, shape.embedding, shape.tied);
    let FeedForwardShape { window, layers, direct, max_positions: context, .. } = *shape;
    let config = FeedForwardConfig { vocabulary, context, window, embedding, hidden, layers, direct, tied };
    match shape.width {
        Width::Units(_) => config,
        Width::Parameters(parameters) => config.sized(parameters),
    }
}

fn widths(width: Width, embedding: Option<usize>, tied: Option<bool>) -> (usize, usize, bool) {
    let hidden = match width {
        Width::Units(units) => units,
        Width::Parameters(_) => 1,
    };
    let embedding = embedding.unwrap_or(hidden);
    (hidden, embedding, tied.unwrap_or(embedding == hidden))
}

/// Matrices from U(−most, most), each from its place in the network and the seed.
pub(super) fn drawing(seed: u64, device: &Device) -> impl FnMut([usize; 2], f64) -> Tensor<2> {
    let (device, mut place) = (device.clone(), 0);
    move |[rows, columns], most| {
        let mut random = Random::new(seed, Stream::Weights.at(place));
        place += 1;
        let most = most as f32;
        let values: Vec<f32> = (0..rows * columns).map(|_| random.between(-most, most)).collect();
        Tensor::from_data(TensorData::new(values, [rows, columns]), &device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RecurrentCell;

    #[test]
    fn a_network_is_sized_by_the_numbers_of_another() {
        // Those of the shipped story model.
        let wanted = 1_000_576;
        let within = |numbers: u64, what: &str| {
            let off = numbers.abs_diff(wanted) as f64 / wanted as f64;
            assert!(off < 0.05, "{what}: {numbers} of {wanted}");
        };
        for cell in [RecurrentCell::Lstm, RecurrentCell::Tanh] {
            for (layers, tied) in [(1, true), (2, true), (2, false), (4, false)] {
                let width = Width::Parameters(wanted);
                let shape = RecurrentShape {
                    cell,
                    layers,
                    width,
                    embedding: None,
                    tied: Some(tied),
                    max_positions: 64,
                    vocabulary: 257,
                };
                let config = config_of_recurrent(&shape, 2048);
                within(config.parameters(), &format!("{config:?}"));
                assert_eq!(
                    config.init(&Device::flex()).num_params() as u64,
                    config.parameters(),
                    "counted as they are"
                );
            }
        }
        let deep = HiddenLayers { count: 6, norm: true, residual: true, ..HiddenLayers::default() };
        let one = HiddenLayers::default();
        for (window, direct, layers) in [(2, false, one), (8, false, one), (4, true, one), (4, false, deep)] {
            let width = Width::Parameters(wanted);
            let shape = FeedForwardShape {
                window,
                width,
                layers,
                embedding: None,
                direct,
                tied: None,
                max_positions: 64,
                vocabulary: 257,
            };
            let config = config_of_feed_forward(&shape, 2048);
            within(config.parameters(), &format!("{config:?}"));
            assert_eq!(config.init(&Device::flex()).num_params() as u64, config.parameters(), "counted as they are");
        }
    }

    use burn::module::Module;

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        let shape = |layers, width, embedding, tied| RecurrentShape {
            cell: RecurrentCell::Lstm,
            layers,
            width,
            embedding,
            tied,
            max_positions: 8,
            vocabulary: 257,
        };
        let refused = |shape: RecurrentShape| check_recurrent(&shape).unwrap_err().why;
        assert!(refused(shape(0, Width::Units(4), None, None)).contains("layers (0)"));
        assert!(refused(shape(1, Width::Units(usize::MAX), None, None)).contains("hidden"));
        assert!(refused(shape(1, Width::Parameters(u64::MAX), None, None)).contains("parameters"));
        assert!(refused(shape(1, Width::Parameters(0), None, None)).contains("parameters"));
        assert!(refused(shape(1, Width::Parameters(9), Some(4), None)).contains("leave embedding out"));
        assert!(refused(shape(1, Width::Units(4), Some(5), Some(true))).contains("alike"));
        assert!(check_recurrent(&shape(2, Width::Units(4), Some(5), None)).is_ok());
    }
}

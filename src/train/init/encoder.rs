//! A new encoder of BERT's architecture from a spec's shape, and its first weights.

use super::counted::{Counted, LARGEST};
use super::look_around::look_around;
use crate::load::{EncoderModel, Tokenizer};
use crate::nn::{Bert, BertConfig, EncoderShape, Random};
use crate::train::data::token_ids::TokenParts;
use crate::train::stream::Stream;
use crate::types::{BertShape, EncoderInit, TrainSpec, UserError, model_name};
use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use std::sync::Arc;

/// Standard deviation of random weights; those beyond two of them are drawn again (Devlin et al. 2019).
const DEVIATION: f32 = 0.02;
/// Token types: first and second text.
const TYPES: usize = 2;

/// What can be wrong with a shape.
///
/// # Errors
/// When no model has it, or sequences of `context` tokens do not fit.
pub(in crate::train) fn check_bert_shape(shape: &BertShape, context: usize) -> Result<(), UserError> {
    let wrong = |why: String| {
        Err(UserError::new("The model's shape is not possible.", why, "Change [task.shape] and start again."))
    };
    let BertShape { hidden, layers, heads, intermediate, max_positions, vocabulary, init } = *shape;
    if [hidden, layers, heads, intermediate, vocabulary].contains(&0) {
        return wrong("Every size must be at least 1.".to_owned());
    }
    if !hidden.is_multiple_of(heads) {
        return wrong(format!("hidden ({hidden}) must be a multiple of the {heads} heads."));
    }
    if init != EncoderInit::Normal && !(hidden / heads).is_multiple_of(2) {
        return wrong(format!(
            "init = \"look_around\" and \"counted\" need an even number of values for each of the {heads} heads."
        ));
    }
    if init == EncoderInit::Counted && vocabulary > LARGEST {
        return wrong(format!("init = \"counted\" counts pairs of at most {LARGEST} tokens."));
    }
    if context > max_positions {
        return wrong(format!("Sequences of {context} tokens do not fit in max_positions ({max_positions})."));
    }
    Ok(())
}

/// The model with random weights that depend on the spec's seed alone; `text` is what it learns from, which may be counted.
///
/// # Errors
/// When the tokenizer has no mask.
pub(in crate::train) fn new_encoder(
    spec: &TrainSpec,
    shape: &BertShape,
    tokenizer: Arc<Tokenizer>,
    text: &TokenParts,
    device: &Device,
) -> Result<EncoderModel, UserError> {
    let config = BertConfig {
        shape: EncoderShape {
            vocabulary: tokenizer.vocabulary(),
            positions: shape.max_positions,
            hidden: shape.hidden,
            layers: shape.layers,
            heads: shape.heads,
            intermediate: shape.intermediate,
            epsilon: 1e-12,
            tied: true,
        },
        token_types: TYPES,
    };
    let mut place = 0;
    let mut bert = config.init(device, |shape| {
        let mut random = Random::new(spec.seed, Stream::Weights.at(place));
        place += 1;
        let values: Vec<f32> = (0..shape[0] * shape[1]).map(|_| DEVIATION * cut_off(&mut random)).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    });
    match shape.init {
        EncoderInit::Normal => {}
        EncoderInit::LookAround => look_around(&mut bert, spec.seed),
        EncoderInit::Counted => {
            look_around(&mut bert, spec.seed);
            let sizes = [config.shape.vocabulary, shape.hidden];
            count_in(&mut bert, Counted::of(text, sizes, spec.seed, device), device);
        }
    }
    let name = spec.out.as_deref().map_or("new-encoder".to_owned(), model_name);
    Ok(EncoderModel::new(&name, config, bert, tokenizer)?)
}

/// Puts counted vectors in the place of drawn ones. The head hands on what it reads, so that a blank is compared with what stands around it.
fn count_in(bert: &mut Bert, counted: Counted, device: &Device) {
    let [v, d] = bert.token_embedding.dims();
    let tensor = |values, shape: [usize; 2]| Tensor::<2>::from_data(TensorData::new(values, shape), device);
    let vectors = counted.vectors.into_iter().map(|x| DEVIATION * x).collect::<Vec<f32>>();
    *bert.token_embedding.param_mut() = Param::from_tensor(tensor(vectors, [v, d]));
    if let Some(head) = &mut bert.head {
        let dense = head.dense.weight.val() + Tensor::eye(d, device);
        *head.dense.weight.param_mut() = Param::from_tensor(dense);
        head.bias = Param::from_tensor(Tensor::from_data(TensorData::new(counted.log_shares, [v]), device));
    }
}

/// From the normal distribution, cut off at two standard deviations.
fn cut_off(random: &mut Random) -> f32 {
    loop {
        let value = random.normal();
        if value.abs() <= 2.0 {
            return value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> BertShape {
        let init = EncoderInit::Normal;
        BertShape { hidden: 12, layers: 2, heads: 3, intermediate: 20, max_positions: 16, vocabulary: 100, init }
    }

    #[test]
    fn shapes_that_no_model_has_are_told() {
        assert!(check_bert_shape(&shape(), 16).is_ok());
        assert!(check_bert_shape(&shape(), 17).unwrap_err().why.contains("max_positions"));
        assert!(check_bert_shape(&BertShape { heads: 5, ..shape() }, 8).unwrap_err().why.contains("heads"));
        assert!(check_bert_shape(&BertShape { layers: 0, ..shape() }, 8).unwrap_err().why.contains("at least 1"));
    }

    #[test]
    fn weights_are_those_of_the_cut_off_distribution() {
        let mut random = Random::new(1, 1);
        let values: Vec<f32> = (0..50_000).map(|_| cut_off(&mut random)).collect();
        assert!(values.iter().all(|value| value.abs() <= 2.0));
        let variance = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / values.len() as f64;
        // 1 − 2 a φ(a) / (2 Φ(a) − 1) with a = 2.
        assert!((variance - 0.7737).abs() < 0.01, "{variance}");
    }
}

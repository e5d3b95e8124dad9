//! A new text model from a spec's shape, and its first weights.

mod counted;
mod encoder;
mod look_around;
mod look_back;
mod recurrent;

pub(super) use encoder::{check_bert_shape, new_encoder};

use super::stream::Stream;
use crate::load::tokens::byte_bpe::{DOCUMENT_SEPARATOR, SMALLEST_VOCABULARY};
use crate::load::{TextModel, Tokenizer};
use crate::nn::{CausalLm, Llama, LlamaConfig, LlamaFamily, Random, TextConfig};
use crate::types::{Init, LlamaShape, TextShape, TrainSpec, TrainTask, UserError};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};
use std::path::Path;
use std::sync::Arc;

/// Standard deviation of random weights (Radford et al. 2019).
const DEVIATION: f32 = 0.02;

/// What can be wrong with a shape.
pub(super) fn check_shape(shape: &TextShape, context: usize) -> Result<(), UserError> {
    match shape {
        TextShape::Llama(shape) => check_llama(shape)?,
        TextShape::Recurrent(shape) => recurrent::check_recurrent(shape)?,
        TextShape::FeedForward(shape) => recurrent::check_feed_forward(shape)?,
    }
    let (max_positions, vocabulary) = (shape.max_positions(), shape.vocabulary());
    if context == 0 || context > max_positions {
        return Err(wrong(format!("Sequences of {context} tokens do not fit in max_positions ({max_positions}).")));
    }
    if vocabulary < SMALLEST_VOCABULARY {
        return Err(wrong(format!(
            "vocabulary ({vocabulary}) must be at least {SMALLEST_VOCABULARY}: one token a byte."
        )));
    }
    Ok(())
}

fn check_llama(shape: &LlamaShape) -> Result<(), UserError> {
    let LlamaShape { hidden, layers, heads, kv_heads, intermediate, .. } = *shape;
    if [hidden, layers, heads, kv_heads, intermediate].contains(&0) {
        return Err(wrong("Every size must be at least 1."));
    }
    if !hidden.is_multiple_of(heads) || !(hidden / heads).is_multiple_of(2) {
        return Err(wrong(format!(
            "hidden ({hidden}) must be an even number of values for each of the {heads} heads."
        )));
    }
    if !heads.is_multiple_of(kv_heads) {
        return Err(wrong(format!("heads ({heads}) must be a multiple of kv_heads ({kv_heads}).")));
    }
    if shape.init == Init::LookBack && !look_back::fits(layers, heads, kv_heads) {
        return Err(wrong("init = \"look_back\" needs two layers, four heads and three kv_heads at least."));
    }
    Ok(())
}

fn wrong(why: impl Into<String>) -> UserError {
    UserError::new("The model's shape is not possible.", why, "Change [task.shape] and start again.")
}

/// The model with random weights that depend on the spec's seed alone.
pub(super) fn new_model(
    spec: &TrainSpec,
    shape: &TextShape,
    tokenizer: impl Into<Arc<Tokenizer>>,
    device: &Device,
) -> TextModel {
    let tokenizer = tokenizer.into();
    let (config, lm) = first_net(shape, tokenizer.vocabulary(), spec.seed, device);
    let end = tokenizer.token_id(DOCUMENT_SEPARATOR);
    let name = spec.out.as_deref().and_then(Path::file_name);
    let name = name.map_or("new-text-model".to_owned(), |name| name.to_string_lossy().into_owned());
    TextModel::new(&name, config, lm, tokenizer, end, end.into_iter().collect())
}

/// The configuration of a shape, with so many tokens, and its first weights.
fn first_net(shape: &TextShape, vocabulary: usize, seed: u64, device: &Device) -> (TextConfig, CausalLm) {
    match shape {
        TextShape::Llama(shape) => {
            let config = config_of(shape, vocabulary);
            let lm = CausalLm::Llama(first_weights(&config, shape.init, seed, device));
            (TextConfig::Llama(config), lm)
        }
        TextShape::Recurrent(shape) => {
            let config = recurrent::config_of_recurrent(shape, vocabulary);
            let lm = CausalLm::Recurrent(config.init_with(device, &mut recurrent::drawing(seed, device)));
            (TextConfig::Recurrent(config), lm)
        }
        TextShape::FeedForward(shape) => {
            let config = recurrent::config_of_feed_forward(shape, vocabulary);
            let lm = CausalLm::FeedForward(config.init_with(device, &mut recurrent::drawing(seed, device)));
            (TextConfig::FeedForward(config), lm)
        }
    }
}

/// A network of a shape by itself, with as many tokens as the shape has, and its first weights.
///
/// # Errors
/// When the shape is not possible.
pub(crate) fn drawn_network(
    shape: &TextShape,
    seed: u64,
    device: &Device,
) -> Result<(TextConfig, CausalLm), UserError> {
    check_shape(shape, shape.max_positions())?;
    Ok(first_net(shape, shape.vocabulary(), seed, device))
}

/// The model that a run from scratch begins with; none where the spec has no shape.
pub(crate) fn drawn_model(spec: &TrainSpec, tokenizer: Arc<Tokenizer>, device: &Device) -> Option<TextModel> {
    let shape = match &spec.task {
        TrainTask::Text(task) => task.shape.as_ref(),
        TrainTask::FewShot(task) => task.shape.as_ref(),
        TrainTask::Memory(task) => task.shape.as_ref(),
        TrainTask::Digits(_) | TrainTask::Classify(_) | TrainTask::Masked(_) | TrainTask::Contrastive(_) => None,
    };
    shape.map(|shape| new_model(spec, shape, tokenizer, device))
}

/// The configuration of a shape, with so many tokens.
pub(super) fn config_of(shape: &LlamaShape, vocabulary: usize) -> LlamaConfig {
    LlamaConfig {
        family: LlamaFamily::Llama,
        vocabulary,
        context: shape.max_positions,
        hidden: shape.hidden,
        layers: shape.layers,
        heads: shape.heads,
        kv_heads: shape.kv_heads,
        head_dim: shape.hidden / shape.heads,
        intermediate: shape.intermediate,
        epsilon: 1e-5,
        rope_theta: 10_000.0,
        rope_scaling: None,
        qkv_bias: false,
        attn_out_bias: false,
        head_norm: false,
        sliding: None,
        mlp_bias: false,
        tied: true,
    }
}

/// A model whose weights depend on the seed alone.
pub(super) fn first_weights(config: &LlamaConfig, init: Init, seed: u64, device: &Device) -> Llama {
    let deviation = match init {
        Init::Normal => DEVIATION,
        Init::LookBack => (0.2 / config.hidden as f32).sqrt(),
    };
    let into_residual = deviation / ((2 * config.layers) as f32).sqrt();
    let mut drawing = Drawing { path: Vec::new(), position: 0, seed, deviation, into_residual };
    let mut model = config.init(device).map(&mut drawing);
    if init == Init::LookBack {
        look_back::look_back(&mut model, seed);
    }
    model
}

/// Draws every matrix anew from the seed: a device's own random numbers are shared with everything else that runs.
struct Drawing {
    path: Vec<String>,
    position: u64,
    seed: u64,
    /// Standard deviation of matrices.
    deviation: f32,
    /// Standard deviation of projections that add to the residual stream.
    into_residual: f32,
}

impl ModuleMapper for Drawing {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let position = self.position;
        self.position += 1;
        if D < 2 {
            return param; // Gains stay 1, biases 0.
        }
        let adds = self.path.iter().any(|name| name == "attn_out" || name == "mlp_out");
        let embeds = self.path.iter().any(|name| name == "token_embedding");
        let deviation = if embeds {
            DEVIATION
        } else if adds {
            self.into_residual
        } else {
            self.deviation
        };
        let mut random = Random::new(self.seed, Stream::Weights.at(position));
        param.map(|tensor| {
            let shape = tensor.shape();
            let values: Vec<f32> = (0..shape.num_elements()).map(|_| deviation * random.normal()).collect();
            Tensor::from_data(TensorData::new(values, shape), &tensor.device())
        })
    }
}

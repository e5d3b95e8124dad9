//! GPT-2's tensors by their names in the file, read and written.
//!
//! GPT-2's projections are `Conv1D`: the file holds `[in, out]` where everything else in the field holds `[out, in]`.

use crate::load::adapter::Matrix;
use crate::load::error::LoadError;
use crate::load::tensors::weights::{StoredTensor, Weights};
use crate::nn::{Gpt2, Gpt2Block, Gpt2Config, LayerNorm, Linear};
use burn::module::Param;

pub(in crate::load) fn read(config: &Gpt2Config, weights: &mut Weights<'_>) -> Result<Gpt2, LoadError> {
    let prefix = weights.prefix("transformer.");
    let (v, d) = (config.vocabulary, config.hidden);
    let (token_embedding, head) =
        crate::load::read_embeddings(weights, &format!("{prefix}wte.weight"), crate::load::HEAD, [v, d], config.tied)?;
    let position_embedding = weights.tensor(&format!("{prefix}wpe.weight"), [config.context, d])?;
    let mut blocks = Vec::with_capacity(config.layers);
    for layer in 0..config.layers {
        blocks.push(read_block(config, &format!("{prefix}h.{layer}"), weights)?);
    }
    Ok(Gpt2 {
        token_embedding,
        position_embedding: Param::from_tensor(position_embedding),
        blocks,
        ln_final: read_norm(&format!("{prefix}ln_f"), d, config.epsilon, weights)?,
        head,
    })
}

fn read_block(config: &Gpt2Config, name: &str, weights: &mut Weights<'_>) -> Result<Gpt2Block, LoadError> {
    let (d, f) = (config.hidden, config.intermediate);
    Ok(Gpt2Block {
        ln_attn: read_norm(&format!("{name}.ln_1"), d, config.epsilon, weights)?,
        qkv: read_conv1d(&format!("{name}.attn.c_attn"), [3 * d, d], weights)?,
        attn_out: read_conv1d(&format!("{name}.attn.c_proj"), [d, d], weights)?,
        ln_mlp: read_norm(&format!("{name}.ln_2"), d, config.epsilon, weights)?,
        mlp_in: read_conv1d(&format!("{name}.mlp.c_fc"), [f, d], weights)?,
        mlp_out: read_conv1d(&format!("{name}.mlp.c_proj"), [d, f], weights)?,
        heads: config.heads,
    })
}

fn read_conv1d(name: &str, [outputs, inputs]: [usize; 2], weights: &mut Weights<'_>) -> Result<Linear, LoadError> {
    let weight = weights.transposed(&format!("{name}.weight"), [outputs, inputs])?;
    Ok(Linear::new(weight, Some(weights.tensor(&format!("{name}.bias"), [outputs])?)))
}

pub(in crate::load) fn read_norm(
    name: &str,
    width: usize,
    epsilon: f64,
    weights: &mut Weights<'_>,
) -> Result<LayerNorm, LoadError> {
    let gain = weights.tensor(&format!("{name}.weight"), [width])?;
    Ok(LayerNorm::new(gain, weights.tensor(&format!("{name}.bias"), [width])?, epsilon))
}

/// Tensors older files carry that are no weights: causal masks, and a head that is the embedding again.
pub(in crate::load) fn is_harmless(name: &str, tied: bool) -> bool {
    name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") || (tied && name == crate::load::HEAD)
}

/// Every tensor under its name in the file.
pub(in crate::load) fn write(model: &Gpt2) -> Vec<(String, StoredTensor)> {
    let mut tensors = vec![
        ("transformer.wte.weight".to_owned(), StoredTensor::of(model.token_embedding.val())),
        ("transformer.wpe.weight".to_owned(), StoredTensor::of(model.position_embedding.val())),
    ];
    for (layer, block) in model.blocks.iter().enumerate() {
        let name = |part| format!("transformer.h.{layer}.{part}");
        write_norm(&mut tensors, &name("ln_1"), &block.ln_attn);
        write_conv1d(&mut tensors, &name("attn.c_attn"), &block.qkv);
        write_conv1d(&mut tensors, &name("attn.c_proj"), &block.attn_out);
        write_norm(&mut tensors, &name("ln_2"), &block.ln_mlp);
        write_conv1d(&mut tensors, &name("mlp.c_fc"), &block.mlp_in);
        write_conv1d(&mut tensors, &name("mlp.c_proj"), &block.mlp_out);
    }
    write_norm(&mut tensors, "transformer.ln_f", &model.ln_final);
    if let Some(head) = &model.head {
        tensors.push((crate::load::HEAD.to_owned(), StoredTensor::of(head.weight.val())));
    }
    tensors
}

pub(in crate::load) fn write_norm(tensors: &mut Vec<(String, StoredTensor)>, name: &str, norm: &LayerNorm) {
    tensors.push((format!("{name}.weight"), StoredTensor::of(norm.gain.val())));
    tensors.push((format!("{name}.bias"), StoredTensor::of(norm.bias.val())));
}

fn write_conv1d(tensors: &mut Vec<(String, StoredTensor)>, name: &str, linear: &Linear) {
    tensors.push((format!("{name}.weight"), StoredTensor::of(linear.weight.val().transpose())));
    if let Some(bias) = &linear.bias {
        tensors.push((format!("{name}.bias"), StoredTensor::of(bias.val())));
    }
}

/// Every matrix under its module's name.
pub(in crate::load) fn matrices(model: &mut Gpt2) -> Vec<Matrix<'_>> {
    let mut found = vec![Matrix::table("transformer.wte", &mut model.token_embedding)];
    for (layer, block) in model.blocks.iter_mut().enumerate() {
        let name = |part| format!("transformer.h.{layer}.{part}");
        found.push(Matrix::linear(name("attn.c_attn"), &mut block.qkv));
        found.push(Matrix::linear(name("attn.c_proj"), &mut block.attn_out));
        found.push(Matrix::linear(name("mlp.c_fc"), &mut block.mlp_in));
        found.push(Matrix::linear(name("mlp.c_proj"), &mut block.mlp_out));
    }
    found.extend(model.head.as_mut().map(|head| Matrix::head("lm_head", head)));
    found
}

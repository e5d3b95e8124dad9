//! Gemma 2's tensors by their names in the file, read and written.
//!
//! As in Llama's files, queries, keys and values lie apart, and so do gate and up.

use crate::load::adapter::Matrix;
use crate::load::error::LoadError;
use crate::load::tensors::weights::{StoredTensor, Weights};
use crate::load::text::llama_weights::{
    block_matrices, gate_up_parts, qkv_parts, read_linear, write_linear, write_norm,
};
use crate::nn::{Gemma2, Gemma2Block, Gemma2Config, RmsNorm};

pub(in crate::load) fn read(config: &Gemma2Config, weights: &mut Weights<'_>) -> Result<Gemma2, LoadError> {
    let prefix = weights.prefix("model.");
    let (v, d) = (config.vocabulary, config.hidden);
    let embedding = format!("{prefix}embed_tokens.weight");
    let (token_embedding, head) =
        crate::load::read_embeddings(weights, &embedding, crate::load::HEAD, [v, d], config.tied)?;
    let mut blocks = Vec::with_capacity(config.layers);
    for layer in 0..config.layers {
        blocks.push(read_block(config, &format!("{prefix}layers.{layer}"), weights)?);
    }
    Ok(Gemma2 {
        token_embedding,
        blocks,
        norm_final: read_norm(&format!("{prefix}norm"), config, weights)?,
        head,
        rope: config.rope_frequencies(),
        sliding: config.sliding.clone(),
        logit_softcap: config.logit_softcap,
        context: config.context,
    })
}

fn read_block(config: &Gemma2Config, name: &str, weights: &mut Weights<'_>) -> Result<Gemma2Block, LoadError> {
    let (d, f, width) = (config.hidden, config.intermediate, config.head_dim);
    let qkv = qkv_parts(name, config.heads, config.kv_heads, width);
    let attn_out = [(format!("{name}.self_attn.o_proj"), d)];
    let mlp_out = [(format!("{name}.mlp.down_proj"), d)];
    Ok(Gemma2Block {
        norm_attn: read_norm(&format!("{name}.input_layernorm"), config, weights)?,
        qkv: read_linear(&qkv, d, config.attention_bias, weights)?,
        attn_out: read_linear(&attn_out, config.heads * width, config.attention_bias, weights)?,
        norm_attn_out: read_norm(&format!("{name}.post_attention_layernorm"), config, weights)?,
        norm_mlp: read_norm(&format!("{name}.pre_feedforward_layernorm"), config, weights)?,
        gate_up: read_linear(&gate_up_parts(name, f), d, false, weights)?,
        mlp_out: read_linear(&mlp_out, f, false, weights)?,
        norm_mlp_out: read_norm(&format!("{name}.post_feedforward_layernorm"), config, weights)?,
        heads: config.heads,
        kv_heads: config.kv_heads,
        scoring: config.scoring(),
    })
}

/// The file holds how far each gain is from 1.
fn read_norm(name: &str, config: &Gemma2Config, weights: &mut Weights<'_>) -> Result<RmsNorm, LoadError> {
    Ok(RmsNorm::around_one(weights.tensor(&format!("{name}.weight"), [config.hidden])?, config.epsilon))
}

/// Tensors some files carry that are no weights: rotary frequencies, and a head that is the embedding again.
pub(in crate::load) fn is_harmless(name: &str, tied: bool) -> bool {
    crate::load::text::llama_weights::is_harmless(name, tied)
}

/// Every tensor under its name in the file.
pub(in crate::load) fn write(model: &Gemma2) -> Vec<(String, StoredTensor)> {
    let embedding = StoredTensor::of(model.token_embedding.val());
    let mut tensors = vec![("model.embed_tokens.weight".to_owned(), embedding)];
    for (layer, block) in model.blocks.iter().enumerate() {
        let name = format!("model.layers.{layer}");
        let [rows, d] = block.qkv.weight.dims();
        let width = rows / (block.heads + 2 * block.kv_heads);
        let [gate_up_rows, _] = block.gate_up.weight.dims();
        write_norm(&mut tensors, &format!("{name}.input_layernorm"), &block.norm_attn);
        write_linear(&mut tensors, &qkv_parts(&name, block.heads, block.kv_heads, width), &block.qkv);
        write_linear(&mut tensors, &[(format!("{name}.self_attn.o_proj"), d)], &block.attn_out);
        write_norm(&mut tensors, &format!("{name}.post_attention_layernorm"), &block.norm_attn_out);
        write_norm(&mut tensors, &format!("{name}.pre_feedforward_layernorm"), &block.norm_mlp);
        write_linear(&mut tensors, &gate_up_parts(&name, gate_up_rows / 2), &block.gate_up);
        write_linear(&mut tensors, &[(format!("{name}.mlp.down_proj"), d)], &block.mlp_out);
        write_norm(&mut tensors, &format!("{name}.post_feedforward_layernorm"), &block.norm_mlp_out);
    }
    write_norm(&mut tensors, "model.norm", &model.norm_final);
    if let Some(head) = &model.head {
        tensors.push((crate::load::HEAD.to_owned(), StoredTensor::of(head.weight.val())));
    }
    tensors
}

/// Every matrix under its module's name.
pub(in crate::load) fn matrices(model: &mut Gemma2) -> Vec<Matrix<'_>> {
    let mut found = vec![Matrix::table("model.embed_tokens", &mut model.token_embedding)];
    for (layer, block) in model.blocks.iter_mut().enumerate() {
        let Gemma2Block { qkv, attn_out, gate_up, mlp_out, heads, kv_heads, .. } = block;
        found.extend(block_matrices(layer, [qkv, attn_out, gate_up, mlp_out], [*heads, *kv_heads]));
    }
    found.extend(model.head.as_mut().map(|head| Matrix::head("lm_head", head)));
    found
}

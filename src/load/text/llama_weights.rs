//! Llama's tensors by their names in the file, read and written; Mistral's and Qwen's have the same names.
//!
//! The file holds queries, keys and values apart, and gate and up apart; the model holds each group as one matrix, so that
//! decoding makes fewer, larger products.

use crate::load::adapter::Matrix;
use crate::load::error::LoadError;
use crate::load::tensors::weights::{StoredTensor, Weights};
use crate::nn::{Linear, Llama, LlamaBlock, LlamaConfig, RmsNorm};

pub(in crate::load) fn read(config: &LlamaConfig, weights: &mut Weights<'_>) -> Result<Llama, LoadError> {
    let prefix = weights.prefix("model.");
    let (v, d) = (config.vocabulary, config.hidden);
    let embedding = format!("{prefix}embed_tokens.weight");
    let (token_embedding, head) =
        crate::load::read_embeddings(weights, &embedding, crate::load::HEAD, [v, d], config.tied)?;
    let mut blocks = Vec::with_capacity(config.layers);
    for layer in 0..config.layers {
        blocks.push(read_block(config, &format!("{prefix}layers.{layer}"), weights)?);
    }
    Ok(Llama {
        token_embedding,
        blocks,
        norm_final: read_norm(&format!("{prefix}norm"), d, config.epsilon, weights)?,
        head,
        rope: config.rope_frequencies(),
        sliding: config.sliding.clone(),
        context: config.context,
    })
}

/// The projections that are one matrix in the model: names in the file and rows of each.
pub(in crate::load) fn qkv_parts(block: &str, heads: usize, kv_heads: usize, width: usize) -> [(String, usize); 3] {
    [("q_proj", heads), ("k_proj", kv_heads), ("v_proj", kv_heads)]
        .map(|(part, heads)| (format!("{block}.self_attn.{part}"), heads * width))
}

pub(in crate::load) fn gate_up_parts(block: &str, width: usize) -> [(String, usize); 2] {
    ["gate_proj", "up_proj"].map(|part| (format!("{block}.mlp.{part}"), width))
}

fn read_block(config: &LlamaConfig, name: &str, weights: &mut Weights<'_>) -> Result<LlamaBlock, LoadError> {
    let (d, f, width) = (config.hidden, config.intermediate, config.head_dim);
    let qkv = qkv_parts(name, config.heads, config.kv_heads, width);
    let attn_out = [(format!("{name}.self_attn.o_proj"), d)];
    let mlp_out = [(format!("{name}.mlp.down_proj"), d)];
    let head_norm = |part: &str, weights: &mut Weights<'_>| match config.head_norm {
        true => read_norm(&format!("{name}.self_attn.{part}"), width, config.epsilon, weights).map(Some),
        false => Ok(None),
    };
    Ok(LlamaBlock {
        norm_attn: read_norm(&format!("{name}.input_layernorm"), d, config.epsilon, weights)?,
        qkv: read_linear(&qkv, d, config.qkv_bias, weights)?,
        norm_q: head_norm("q_norm", weights)?,
        norm_k: head_norm("k_norm", weights)?,
        attn_out: read_linear(&attn_out, config.heads * width, config.attn_out_bias, weights)?,
        norm_mlp: read_norm(&format!("{name}.post_attention_layernorm"), d, config.epsilon, weights)?,
        gate_up: read_linear(&gate_up_parts(name, f), d, config.mlp_bias, weights)?,
        mlp_out: read_linear(&mlp_out, f, config.mlp_bias, weights)?,
        heads: config.heads,
        kv_heads: config.kv_heads,
    })
}

pub(in crate::load) fn read_linear(
    parts: &[(String, usize)],
    inputs: usize,
    with_bias: bool,
    weights: &mut Weights<'_>,
) -> Result<Linear, LoadError> {
    let named = |kind: &str| parts.iter().map(|(name, rows)| (format!("{name}.{kind}"), *rows)).collect::<Vec<_>>();
    let weight = weights.stacked(&named("weight"), inputs)?;
    let bias = if with_bias { Some(weights.joined(&named("bias"))?) } else { None };
    Ok(Linear::new(weight, bias))
}

fn read_norm(name: &str, width: usize, epsilon: f64, weights: &mut Weights<'_>) -> Result<RmsNorm, LoadError> {
    Ok(RmsNorm::new(weights.tensor(&format!("{name}.weight"), [width])?, epsilon))
}

/// Tensors older files carry that are no weights: rotary frequencies, and a head that is the embedding again.
pub(in crate::load) fn is_harmless(name: &str, tied: bool) -> bool {
    name.ends_with(".rotary_emb.inv_freq") || (tied && name == crate::load::HEAD)
}

/// Every tensor under its name in the file.
pub(in crate::load) fn write(model: &Llama) -> Vec<(String, StoredTensor)> {
    let embedding = StoredTensor::of(model.token_embedding.val());
    let mut tensors = vec![("model.embed_tokens.weight".to_owned(), embedding)];
    for (layer, block) in model.blocks.iter().enumerate() {
        let name = format!("model.layers.{layer}");
        let [rows, d] = block.qkv.weight.dims();
        let width = rows / (block.heads + 2 * block.kv_heads);
        let [gate_up_rows, _] = block.gate_up.weight.dims();
        write_norm(&mut tensors, &format!("{name}.input_layernorm"), &block.norm_attn);
        write_linear(&mut tensors, &qkv_parts(&name, block.heads, block.kv_heads, width), &block.qkv);
        for (part, norm) in [("q_norm", &block.norm_q), ("k_norm", &block.norm_k)] {
            if let Some(norm) = norm {
                write_norm(&mut tensors, &format!("{name}.self_attn.{part}"), norm);
            }
        }
        write_linear(&mut tensors, &[(format!("{name}.self_attn.o_proj"), d)], &block.attn_out);
        write_norm(&mut tensors, &format!("{name}.post_attention_layernorm"), &block.norm_mlp);
        write_linear(&mut tensors, &gate_up_parts(&name, gate_up_rows / 2), &block.gate_up);
        write_linear(&mut tensors, &[(format!("{name}.mlp.down_proj"), d)], &block.mlp_out);
    }
    write_norm(&mut tensors, "model.norm", &model.norm_final);
    if let Some(head) = &model.head {
        tensors.push((crate::load::HEAD.to_owned(), StoredTensor::of(head.weight.val())));
    }
    tensors
}

pub(in crate::load) fn write_norm(tensors: &mut Vec<(String, StoredTensor)>, name: &str, norm: &RmsNorm) {
    tensors.push((format!("{name}.weight"), StoredTensor::of(norm.gain.val())));
}

pub(in crate::load) fn write_linear(
    tensors: &mut Vec<(String, StoredTensor)>,
    parts: &[(String, usize)],
    linear: &Linear,
) {
    let weight = StoredTensor::of(linear.weight.val());
    let bias = linear.bias.as_ref().map(|bias| StoredTensor::of(bias.val()));
    let mut start = 0;
    for (name, rows) in parts {
        tensors.push((format!("{name}.weight"), weight.rows(start, *rows)));
        if let Some(bias) = &bias {
            tensors.push((format!("{name}.bias"), bias.rows(start, *rows)));
        }
        start += rows;
    }
}

/// Every matrix under its module's name.
pub(in crate::load) fn matrices(model: &mut Llama) -> Vec<Matrix<'_>> {
    let mut found = vec![Matrix::table("model.embed_tokens", &mut model.token_embedding)];
    for (layer, block) in model.blocks.iter_mut().enumerate() {
        let LlamaBlock { qkv, attn_out, gate_up, mlp_out, heads, kv_heads, .. } = block;
        found.extend(block_matrices(layer, [qkv, attn_out, gate_up, mlp_out], [*heads, *kv_heads]));
    }
    found.extend(model.head.as_mut().map(|head| Matrix::head("lm_head", head)));
    found
}

/// Those of a block whose layers lie as Llama's do.
pub(in crate::load) fn block_matrices(
    layer: usize,
    [qkv, attn_out, gate_up, mlp_out]: [&mut Linear; 4],
    [heads, kv_heads]: [usize; 2],
) -> [Matrix<'_>; 4] {
    let name = format!("model.layers.{layer}");
    let width = qkv.weight.dims()[0] / (heads + 2 * kv_heads);
    let of_each = gate_up.weight.dims()[0] / 2;
    [
        Matrix::of(qkv_parts(&name, heads, kv_heads, width), qkv),
        Matrix::linear(format!("{name}.self_attn.o_proj"), attn_out),
        Matrix::of(gate_up_parts(&name, of_each), gate_up),
        Matrix::linear(format!("{name}.mlp.down_proj"), mlp_out),
    ]
}

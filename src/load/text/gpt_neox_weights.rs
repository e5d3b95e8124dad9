//! GPT-NeoX's tensors by their names in the file, read and written.

use crate::load::adapter::Matrix;
use crate::load::error::LoadError;
use crate::load::tensors::weights::{StoredTensor, Weights};
use crate::load::text::gpt2_weights::{read_norm, write_norm};
use crate::load::text::llama_weights::{read_linear, write_linear};
use crate::nn::{GptNeox, GptNeoxBlock, GptNeoxConfig};

/// The head's name in files; the newest transformers may write `lm_head.weight` instead.
const HEAD: &str = "embed_out.weight";

pub(in crate::load) fn read(config: &GptNeoxConfig, weights: &mut Weights<'_>) -> Result<GptNeox, LoadError> {
    let prefix = weights.prefix("gpt_neox.");
    let (v, d) = (config.vocabulary, config.hidden);
    let embedding = format!("{prefix}embed_in.weight");
    let head = if weights.has(HEAD) { HEAD } else { crate::load::HEAD };
    let (token_embedding, head) = crate::load::read_embeddings(weights, &embedding, head, [v, d], config.tied)?;
    let mut blocks = Vec::with_capacity(config.layers);
    for layer in 0..config.layers {
        blocks.push(read_block(config, &format!("{prefix}layers.{layer}"), weights)?);
    }
    Ok(GptNeox {
        token_embedding,
        blocks,
        ln_final: read_norm(&format!("{prefix}final_layer_norm"), d, config.epsilon, weights)?,
        head,
        rope: config.rope_frequencies(),
        context: config.context,
    })
}

fn read_block(config: &GptNeoxConfig, name: &str, weights: &mut Weights<'_>) -> Result<GptNeoxBlock, LoadError> {
    let (d, f, attention_bias) = (config.hidden, config.intermediate, config.attention_bias);
    let part = |part: &str, rows: usize| [(format!("{name}.{part}"), rows)];
    Ok(GptNeoxBlock {
        ln_attn: read_norm(&format!("{name}.input_layernorm"), d, config.epsilon, weights)?,
        qkv: read_linear(&part("attention.query_key_value", 3 * d), d, attention_bias, weights)?,
        attn_out: read_linear(&part("attention.dense", d), d, attention_bias, weights)?,
        ln_mlp: read_norm(&format!("{name}.post_attention_layernorm"), d, config.epsilon, weights)?,
        mlp_in: read_linear(&part("mlp.dense_h_to_4h", f), d, true, weights)?,
        mlp_out: read_linear(&part("mlp.dense_4h_to_h", d), f, true, weights)?,
        heads: config.heads,
        parallel_residual: config.parallel_residual,
        activation: config.activation,
    })
}

/// Tensors older files carry that are no weights: causal masks, rotary frequencies, and a head that is the embedding again.
pub(in crate::load) fn is_harmless(name: &str, tied: bool) -> bool {
    const NO_WEIGHTS: [&str; 3] = [".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"];
    NO_WEIGHTS.iter().any(|end| name.ends_with(end)) || (tied && (name == HEAD || name == crate::load::HEAD))
}

/// Every tensor under its name in the file.
pub(in crate::load) fn write(model: &GptNeox) -> Vec<(String, StoredTensor)> {
    let embedding = StoredTensor::of(model.token_embedding.val());
    let mut tensors = vec![("gpt_neox.embed_in.weight".to_owned(), embedding)];
    for (layer, block) in model.blocks.iter().enumerate() {
        let name = |part| format!("gpt_neox.layers.{layer}.{part}");
        let mut linear = |part, linear: &crate::nn::Linear| {
            write_linear(&mut tensors, &[(name(part), linear.weight.dims()[0])], linear);
        };
        linear("attention.query_key_value", &block.qkv);
        linear("attention.dense", &block.attn_out);
        linear("mlp.dense_h_to_4h", &block.mlp_in);
        linear("mlp.dense_4h_to_h", &block.mlp_out);
        write_norm(&mut tensors, &name("input_layernorm"), &block.ln_attn);
        write_norm(&mut tensors, &name("post_attention_layernorm"), &block.ln_mlp);
    }
    write_norm(&mut tensors, "gpt_neox.final_layer_norm", &model.ln_final);
    if let Some(head) = &model.head {
        tensors.push((HEAD.to_owned(), StoredTensor::of(head.weight.val())));
    }
    tensors
}

/// Every matrix under its module's name.
pub(in crate::load) fn matrices(model: &mut GptNeox) -> Vec<Matrix<'_>> {
    let mut found = vec![Matrix::table("gpt_neox.embed_in", &mut model.token_embedding)];
    for (layer, block) in model.blocks.iter_mut().enumerate() {
        let name = |part| format!("gpt_neox.layers.{layer}.{part}");
        found.push(Matrix::linear(name("attention.query_key_value"), &mut block.qkv));
        found.push(Matrix::linear(name("attention.dense"), &mut block.attn_out));
        found.push(Matrix::linear(name("mlp.dense_h_to_4h"), &mut block.mlp_in));
        found.push(Matrix::linear(name("mlp.dense_4h_to_h"), &mut block.mlp_out));
    }
    found.extend(model.head.as_mut().map(|head| Matrix::head("embed_out", head)));
    found
}

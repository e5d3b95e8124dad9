//! config.json of GPT-2.

use super::sizes;
use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::nn::Gpt2Config;
use serde_json::{Value, json};

pub(in crate::load::text) fn read(fields: &Fields) -> Result<Gpt2Config, LoadError> {
    let activation = fields.text_if_any("activation_function")?.unwrap_or("gelu_new");
    if !matches!(activation, "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast") {
        return Err(fields.unsupported("activation_function", &activation, "gelu_new"));
    }
    if !fields.flag("scale_attn_weights", true)? {
        return Err(fields.unsupported("scale_attn_weights", &false, "true"));
    }
    for name in ["scale_attn_by_inverse_layer_idx", "add_cross_attention"] {
        if fields.flag(name, false)? {
            return Err(fields.unsupported(name, &true, "false"));
        }
    }
    let hidden = sizes::width(fields, "n_embd")?;
    Ok(Gpt2Config {
        vocabulary: sizes::vocabulary(fields, "vocab_size")?,
        context: sizes::context(fields, "n_positions")?,
        hidden,
        layers: sizes::layers(fields, "n_layer")?,
        heads: sizes::heads_of(fields, "n_head", "n_embd", hidden)?,
        intermediate: if fields.value("n_inner").is_some() { sizes::width(fields, "n_inner")? } else { 4 * hidden },
        epsilon: fields.number_if_any("layer_norm_epsilon")?.unwrap_or(1e-5),
        tied: fields.flag("tie_word_embeddings", true)?,
    })
}

pub(in crate::load::text) fn json(config: &Gpt2Config) -> Value {
    json!({
        "vocab_size": config.vocabulary,
        "n_positions": config.context,
        "n_embd": config.hidden,
        "n_layer": config.layers,
        "n_head": config.heads,
        "n_inner": config.intermediate,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": config.epsilon,
        "tie_word_embeddings": config.tied,
        // transformers trains with a dropout of 0.1 unless told; the models here have none.
        "attn_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "resid_pdrop": 0.0,
    })
}

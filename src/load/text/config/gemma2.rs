//! config.json of Gemma 2.

use super::{rope, sizes};
use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::nn::Gemma2Config;
use serde_json::{Value, json};

/// The bounds transformers takes where the file does not mention them; `null` means none.
const ATTENTION_SOFTCAP: f64 = 50.0;
const LOGIT_SOFTCAP: f64 = 30.0;
/// As for the bounds.
const QUERY_PRE_ATTN_SCALAR: f64 = 256.0;

pub(in crate::load::text) fn read(fields: &Fields) -> Result<Gemma2Config, LoadError> {
    let activation = fields.text_if_any("hidden_activation")?.unwrap_or("gelu_pytorch_tanh");
    if !matches!(activation, "gelu_pytorch_tanh" | "gelu_new" | "gelu_fast") {
        return Err(fields.unsupported("hidden_activation", &activation, "gelu_pytorch_tanh"));
    }
    if fields.flag("use_bidirectional_attention", false)? {
        return Err(fields.unsupported("use_bidirectional_attention", &true, "false"));
    }
    let hidden = sizes::width(fields, "hidden_size")?;
    let heads = sizes::heads(fields, "num_attention_heads")?;
    let kv_heads = sizes::kv_heads(fields, heads, false)?;
    if fields.value("head_dim").is_none() {
        // transformers would take 256 here whatever the other sizes say.
        return Err(fields.wrong("head_dim", "is missing"));
    }
    let head_dim = sizes::head_dim(fields, hidden, heads)?;
    let layers = sizes::layers(fields, "num_hidden_layers")?;
    let context = sizes::context(fields, "max_position_embeddings")?;
    let rope = rope::read_whole(fields, context)?;
    let width = sizes::sliding_window(fields)?;
    // In turns, the first block sliding, unless the file says which.
    let blocks = sizes::layer_types(fields, layers)?.unwrap_or_else(|| (0..layers).map(|l| l % 2 == 0).collect());
    Ok(Gemma2Config {
        vocabulary: sizes::vocabulary(fields, "vocab_size")?,
        context,
        hidden,
        layers,
        heads,
        kv_heads,
        head_dim,
        intermediate: sizes::width(fields, "intermediate_size")?,
        epsilon: fields.number_if_any("rms_norm_eps")?.unwrap_or(1e-6),
        rope_theta: rope.theta,
        rope_scaling: rope.scaling,
        query_pre_attn_scalar: fields.number_if_any("query_pre_attn_scalar")?.unwrap_or(QUERY_PRE_ATTN_SCALAR),
        attention_softcap: bound(fields, "attn_logit_softcapping", ATTENTION_SOFTCAP)?,
        logit_softcap: bound(fields, "final_logit_softcapping", LOGIT_SOFTCAP)?,
        sliding: sizes::sliding(fields, width, blocks)?,
        attention_bias: fields.flag("attention_bias", false)?,
        tied: fields.flag("tie_word_embeddings", true)?,
    })
}

fn bound(fields: &Fields, name: &str, default: f64) -> Result<Option<f64>, LoadError> {
    if fields.is_null(name) {
        return Ok(None);
    }
    Ok(Some(fields.number_if_any(name)?.unwrap_or(default)))
}

pub(in crate::load::text) fn json(config: &Gemma2Config) -> Value {
    let scalar = config.query_pre_attn_scalar;
    json!({
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.context,
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.intermediate,
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_act": "gelu_pytorch_tanh",
        "rms_norm_eps": config.epsilon,
        // The old spelling: transformers 4 and 5 both read it.
        "rope_theta": config.rope_theta,
        "rope_scaling": rope::scaling_json(config.rope_scaling),
        // transformers wants a whole number where it is one.
        "query_pre_attn_scalar": if scalar.fract() == 0.0 { json!(scalar as u64) } else { json!(scalar) },
        "attn_logit_softcapping": config.attention_softcap,
        "final_logit_softcapping": config.logit_softcap,
        "sliding_window": config.sliding.as_ref().map(|sliding| sliding.width),
        "layer_types": sizes::layer_types_json(config.sliding.as_ref(), config.layers),
        "attention_bias": config.attention_bias,
        "tie_word_embeddings": config.tied,
        "attention_dropout": 0.0,
    })
}

//! config.json of Llama, Mistral, Qwen 2 and Qwen 3: one architecture, whose options each family sets in its own way.

use super::{rope, sizes};
use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::nn::{LlamaConfig, LlamaFamily, SlidingWindow};
use serde_json::{Value, json};

pub(in crate::load::text) fn read(fields: &Fields, family: LlamaFamily) -> Result<LlamaConfig, LoadError> {
    let activation = fields.text_if_any("hidden_act")?.unwrap_or("silu");
    if !matches!(activation, "silu" | "swish") {
        return Err(fields.unsupported("hidden_act", &activation, "silu"));
    }
    if fields.flag("use_mrope", false)? {
        return Err(fields.unsupported("use_mrope", &true, "false"));
    }
    let hidden = sizes::width(fields, "hidden_size")?;
    let heads = sizes::heads(fields, "num_attention_heads")?;
    let kv_heads = sizes::kv_heads(fields, heads, family == LlamaFamily::Llama)?;
    if family == LlamaFamily::Qwen3 && fields.value("head_dim").is_none() {
        // transformers would take 128 here whatever the other sizes say.
        return Err(fields.wrong("head_dim", "is missing"));
    }
    let head_dim = sizes::head_dim(fields, hidden, heads)?;
    let layers = sizes::layers(fields, "num_hidden_layers")?;
    let context = sizes::context(fields, "max_position_embeddings")?;
    let rope = rope::read_whole(fields, context)?;
    let attention_bias = match family {
        LlamaFamily::Llama | LlamaFamily::Qwen3 => fields.flag("attention_bias", false)?,
        LlamaFamily::Mistral | LlamaFamily::Qwen2 => false,
    };
    Ok(LlamaConfig {
        family,
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
        qkv_bias: attention_bias || family == LlamaFamily::Qwen2,
        attn_out_bias: attention_bias,
        head_norm: family == LlamaFamily::Qwen3,
        sliding: sliding(fields, family, layers)?,
        mlp_bias: family == LlamaFamily::Llama && fields.flag("mlp_bias", false)?,
        tied: fields.flag("tie_word_embeddings", false)?,
    })
}

fn sliding(fields: &Fields, family: LlamaFamily, layers: usize) -> Result<Option<SlidingWindow>, LoadError> {
    match family {
        LlamaFamily::Llama => Ok(None),
        LlamaFamily::Mistral => {
            if let Some(types) = fields.value("layer_types") {
                return Err(fields.unsupported("layer_types", types, "the same attention in every block of a Mistral"));
            }
            let width = sizes::sliding_window(fields)?;
            Ok(width.map(|width| SlidingWindow { width, blocks: vec![true; layers] }))
        }
        LlamaFamily::Qwen2 | LlamaFamily::Qwen3 => {
            let on = fields.flag("use_sliding_window", false)?;
            let width = if on { sizes::sliding_window(fields)? } else { None };
            let blocks = match sizes::layer_types(fields, layers)? {
                Some(blocks) => blocks,
                None => {
                    // The first blocks see everything, and transformers takes 28 where the file does not say how many.
                    let full = fields.whole_number_if_any("max_window_layers")?.unwrap_or(28);
                    (0..layers).map(|layer| width.is_some() && layer >= full).collect()
                }
            };
            sizes::sliding(fields, width, blocks)
        }
    }
}

pub(in crate::load::text) fn json(config: &LlamaConfig) -> Value {
    let mut value = json!({
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.context,
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.intermediate,
        "hidden_act": "silu",
        "rms_norm_eps": config.epsilon,
        // The old spelling: transformers 4 and 5 both read it.
        "rope_theta": config.rope_theta,
        "rope_scaling": rope::scaling_json(config.rope_scaling),
        "tie_word_embeddings": config.tied,
    });
    let width = config.sliding.as_ref().map(|sliding| sliding.width);
    match config.family {
        LlamaFamily::Llama => {
            value["attention_bias"] = json!(config.attn_out_bias);
            value["mlp_bias"] = json!(config.mlp_bias);
        }
        LlamaFamily::Mistral => value["sliding_window"] = json!(width),
        LlamaFamily::Qwen2 | LlamaFamily::Qwen3 => {
            let blocks = config.sliding.as_ref().map_or(&[][..], |sliding| &sliding.blocks);
            value["use_sliding_window"] = json!(width.is_some());
            value["sliding_window"] = json!(width);
            value["layer_types"] = sizes::layer_types_json(config.sliding.as_ref(), config.layers);
            // For versions of transformers that know no layer_types.
            value["max_window_layers"] = json!(blocks.iter().position(|slides| *slides).unwrap_or(config.layers));
            if config.family == LlamaFamily::Qwen3 {
                value["attention_bias"] = json!(config.attn_out_bias);
            }
        }
    }
    value
}

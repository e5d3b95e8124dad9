//! config.json of GPT-NeoX and Pythia.

use super::{rope, sizes};
use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::nn::{Activation, GptNeoxConfig};
use serde_json::{Value, json};

/// Share of each head that turns where the file does not say.
const ROTARY_SHARE: f64 = 0.25;

pub(in crate::load::text) fn read(fields: &Fields) -> Result<GptNeoxConfig, LoadError> {
    let activation = match fields.text_if_any("hidden_act")?.unwrap_or("gelu") {
        "gelu" => Activation::Gelu,
        "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Activation::GeluTanh,
        other => return Err(fields.unsupported("hidden_act", &other, "gelu, gelu_new, gelu_fast, gelu_pytorch_tanh")),
    };
    let hidden = sizes::width(fields, "hidden_size")?;
    let heads = sizes::heads_of(fields, "num_attention_heads", "hidden_size", hidden)?;
    let context = sizes::context(fields, "max_position_embeddings")?;
    let rope = rope::read(fields, context, &["rotary_emb_base", "rope_theta"])?;
    let share = match rope.partial {
        Some(share) => share,
        None => fields.number_if_any("rotary_pct")?.unwrap_or(ROTARY_SHARE),
    };
    // Rounded down, as transformers does.
    let rotary_width = ((hidden / heads) as f64 * share) as usize;
    if share > 1.0 || rotary_width == 0 || !rotary_width.is_multiple_of(2) {
        let width = hidden / heads;
        let problem =
            format!("is {share}, which turns {rotary_width} of {width} values; it must be an even number of them");
        return Err(fields.wrong("rotary_pct", problem));
    }
    Ok(GptNeoxConfig {
        vocabulary: sizes::vocabulary(fields, "vocab_size")?,
        context,
        hidden,
        layers: sizes::layers(fields, "num_hidden_layers")?,
        heads,
        intermediate: sizes::width(fields, "intermediate_size")?,
        epsilon: fields.number_if_any("layer_norm_eps")?.unwrap_or(1e-5),
        rotary_width,
        rope_theta: rope.theta,
        rope_scaling: rope.scaling,
        parallel_residual: fields.flag("use_parallel_residual", true)?,
        attention_bias: fields.flag("attention_bias", true)?,
        activation,
        tied: fields.flag("tie_word_embeddings", false)?,
    })
}

pub(in crate::load::text) fn json(config: &GptNeoxConfig) -> Value {
    json!({
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.context,
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": config.intermediate,
        "hidden_act": match config.activation {
            Activation::Gelu => "gelu",
            Activation::GeluTanh => "gelu_new",
        },
        "layer_norm_eps": config.epsilon,
        // The old spelling: transformers 4 and 5 both read it.
        "rotary_pct": share(config.rotary_width, config.hidden / config.heads),
        "rotary_emb_base": config.rope_theta,
        "rope_scaling": rope::scaling_json(config.rope_scaling),
        "use_parallel_residual": config.parallel_residual,
        "attention_bias": config.attention_bias,
        "tie_word_embeddings": config.tied,
        "attention_dropout": 0.0,
        "hidden_dropout": 0.0,
    })
}

/// The share that, multiplied with the head's width and rounded down, gives the rotary width again.
fn share(rotary: usize, head: usize) -> f64 {
    let share = rotary as f64 / head as f64;
    if (share * head as f64) as usize == rotary { share } else { share.next_up() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_written_share_gives_the_rotary_width_again() {
        for head in 1..=256_usize {
            for rotary in 1..=head {
                assert_eq!((super::share(rotary, head) * head as f64) as usize, rotary, "{rotary} of {head}");
            }
        }
    }
}

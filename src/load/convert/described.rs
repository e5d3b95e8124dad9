//! The shape of a model as settings of GGUF.

use crate::load::error::LoadError;
use crate::load::gguf::{Family, Setting};
use crate::nn::{
    Activation, BertConfig, EncoderConfig, Gemma2Config, Gpt2Config, GptNeoxConfig, LlamaConfig, LlamaFamily,
    RopeFrequencies, RopeScaling, SlidingWindow, TextConfig,
};
use crate::types::Pooling;
use std::path::Path;

/// What is written of a shape.
pub(super) struct Described {
    pub(super) family: Family,
    /// Names without that of the architecture.
    pub(super) settings: Vec<(&'static str, Setting)>,
    pub(super) heads: usize,
    pub(super) kv_heads: usize,
    pub(super) vocabulary: usize,
    /// What each rotary frequency is divided by, where that is a table.
    pub(super) rope_factors: Option<Vec<f32>>,
    pub(super) notes: Vec<String>,
}

/// What GGUF has no place for.
fn refused(path: &Path, field: &str, value: &dyn ToString, supported: &str) -> LoadError {
    LoadError::UnsupportedOption {
        path: path.to_owned(),
        field: field.to_owned(),
        value: value.to_string(),
        supported: format!("{supported} in GGUF"),
    }
}

fn whole(number: usize) -> Setting {
    Setting::Whole(u32::try_from(number).unwrap_or(u32::MAX))
}

fn fraction(number: f64) -> Setting {
    Setting::Fraction(number as f32)
}

impl Described {
    fn new(family: Family, [context, hidden, layers, heads, kv_heads, inner, vocabulary]: [usize; 7]) -> Self {
        let mut settings = vec![
            ("context_length", whole(context)),
            ("embedding_length", whole(hidden)),
            ("block_count", whole(layers)),
            ("feed_forward_length", whole(inner)),
            ("attention.head_count", whole(heads)),
            ("vocab_size", whole(vocabulary)),
        ];
        if !matches!(family, Family::Gpt2 | Family::GptNeox | Family::Bert) {
            settings.push(("attention.head_count_kv", whole(kv_heads)));
        }
        Self { family, settings, heads, kv_heads, vocabulary, rope_factors: None, notes: Vec::new() }
    }

    /// Rotary positions of which `width` values of a head turn.
    fn rope(&mut self, width: usize, theta: f64, scaling: Option<RopeScaling>) {
        self.settings.push(("rope.dimension_count", whole(width)));
        self.settings.push(("rope.freq_base", fraction(theta)));
        match scaling {
            None => {}
            Some(RopeScaling::Linear { factor }) => {
                self.settings.push(("rope.scaling.type", Setting::Text("linear".to_owned())));
                self.settings.push(("rope.scaling.factor", fraction(factor)));
            }
            Some(scaling @ RopeScaling::Llama3 { .. }) => {
                let (plain, scaled) =
                    (RopeFrequencies::new(width, theta, None), RopeFrequencies::new(width, theta, Some(scaling)));
                let factors = plain.per_position().iter().zip(scaled.per_position());
                self.rope_factors = Some(factors.map(|(plain, scaled)| (plain / scaled) as f32).collect());
            }
        }
    }
}

/// A causal model.
pub(super) fn of_text(config: &TextConfig, path: &Path) -> Result<Described, LoadError> {
    match config {
        TextConfig::Gpt2(config) => Ok(gpt2(config)),
        TextConfig::GptNeox(config) => gpt_neox(config, path),
        TextConfig::Llama(config) => llama(config, path),
        TextConfig::Gemma2(config) => gemma2(config, path),
        TextConfig::Recurrent(_) | TextConfig::FeedForward(_) => {
            let name = config.architecture().model_type().unwrap_or_default();
            Err(refused(path, "model_type", &name, "llama, qwen2, qwen3, gemma2, gpt2, gpt_neox, bert"))
        }
    }
}

fn gpt2(c: &Gpt2Config) -> Described {
    let sizes = [c.context, c.hidden, c.layers, c.heads, c.heads, c.intermediate, c.vocabulary];
    let mut described = Described::new(Family::Gpt2, sizes);
    described.settings.push(("attention.layer_norm_epsilon", fraction(c.epsilon)));
    described
}

fn gpt_neox(c: &GptNeoxConfig, path: &Path) -> Result<Described, LoadError> {
    if c.activation != Activation::Gelu {
        return Err(refused(path, "hidden_act", &"gelu_new", "gelu"));
    }
    if !c.attention_bias {
        return Err(refused(path, "attention_bias", &false, "true"));
    }
    let sizes = [c.context, c.hidden, c.layers, c.heads, c.heads, c.intermediate, c.vocabulary];
    let mut described = Described::new(Family::GptNeox, sizes);
    described.settings.push(("attention.layer_norm_epsilon", fraction(c.epsilon)));
    described.settings.push(("use_parallel_residual", Setting::Flag(c.parallel_residual)));
    described.rope(c.rotary_width, c.rope_theta, c.rope_scaling);
    Ok(described)
}

fn llama(c: &LlamaConfig, path: &Path) -> Result<Described, LoadError> {
    let family = match c.family {
        LlamaFamily::Llama | LlamaFamily::Mistral => Family::Llama,
        LlamaFamily::Qwen2 => Family::Qwen2,
        LlamaFamily::Qwen3 => Family::Qwen3,
    };
    if family != Family::Llama && c.sliding.is_some() {
        return Err(refused(path, "use_sliding_window", &true, "false"));
    }
    if family == Family::Qwen3 && c.attn_out_bias {
        return Err(refused(path, "attention_bias", &true, "false"));
    }
    let sizes = [c.context, c.hidden, c.layers, c.heads, c.kv_heads, c.intermediate, c.vocabulary];
    let mut described = Described::new(family, sizes);
    described.settings.push(("attention.layer_norm_rms_epsilon", fraction(c.epsilon)));
    described.settings.push(("attention.key_length", whole(c.head_dim)));
    described.settings.push(("attention.value_length", whole(c.head_dim)));
    described.rope(c.head_dim, c.rope_theta, c.rope_scaling);
    if let Some(sliding) = &c.sliding {
        described.settings.push(("attention.sliding_window", whole(sliding.width)));
        let words = "llama.cpp looks at all of a text in files of this kind, and not through the sliding window";
        described.notes.push(format!("{words} of {} tokens.", sliding.width));
    }
    Ok(described)
}

fn gemma2(c: &Gemma2Config, path: &Path) -> Result<Described, LoadError> {
    /// Blocks of the largest, whose queries llama.cpp scales in another way.
    const OF_27B: usize = 46;
    let scalar = if c.layers == OF_27B { c.hidden / c.heads } else { c.head_dim };
    if c.query_pre_attn_scalar != scalar as f64 {
        return Err(refused(path, "query_pre_attn_scalar", &c.query_pre_attn_scalar, &scalar.to_string()));
    }
    if c.attention_bias {
        return Err(refused(path, "attention_bias", &true, "false"));
    }
    let in_turns =
        |sliding: &SlidingWindow| sliding.blocks.iter().enumerate().all(|(i, slides)| *slides == (i % 2 == 0));
    let Some(sliding) = c.sliding.as_ref().filter(|sliding| in_turns(sliding)) else {
        return Err(refused(
            path,
            "layer_types",
            &"of its own",
            "a sliding window in every other block, the first one first",
        ));
    };
    let sizes = [c.context, c.hidden, c.layers, c.heads, c.kv_heads, c.intermediate, c.vocabulary];
    let mut described = Described::new(Family::Gemma2, sizes);
    described.settings.push(("attention.layer_norm_rms_epsilon", fraction(c.epsilon)));
    described.settings.push(("attention.key_length", whole(c.head_dim)));
    described.settings.push(("attention.value_length", whole(c.head_dim)));
    described.settings.push(("attention.sliding_window", whole(sliding.width)));
    for (name, cap) in [("attn_logit_softcapping", c.attention_softcap), ("final_logit_softcapping", c.logit_softcap)] {
        let Some(cap) = cap else { return Err(refused(path, name, &"null", "a bound")) };
        described.settings.push((name, fraction(cap)));
    }
    described.rope(c.head_dim, c.rope_theta, c.rope_scaling);
    Ok(described)
}

/// An encoder, and how it makes one vector of a text.
pub(super) fn of_encoder(
    config: &EncoderConfig,
    pooling: Option<Pooling>,
    path: &Path,
) -> Result<Described, LoadError> {
    let EncoderConfig::Bert(BertConfig { shape, .. }) = config else {
        return Err(refused(path, "model_type", &config.architecture().family(), "BERT among the encoders"));
    };
    let heads = shape.heads;
    let sizes = [shape.positions, shape.hidden, shape.layers, heads, heads, shape.intermediate, shape.vocabulary];
    let mut described = Described::new(Family::Bert, sizes);
    described.settings.push(("attention.layer_norm_epsilon", fraction(shape.epsilon)));
    described.settings.push(("attention.causal", Setting::Flag(false)));
    let number = match pooling {
        None => 0,
        Some(Pooling::Mean) => 1,
        Some(Pooling::Cls) => 2,
        Some(Pooling::Max) => return Err(refused(path, "pooling_mode", &"max", "mean, cls")),
    };
    described.settings.push(("pooling_type", Setting::Whole(number)));
    Ok(described)
}

//! config.json of causal models: Hugging Face's field names to the shapes in [`crate::nn`] and back.

use super::error::LoadError;
use super::fields::Fields;
use crate::nn::{Gpt2Config, LlamaConfig, RopeScaling, TextConfig};
use crate::types::Architecture;
use serde_json::{Value, json};
use std::path::Path;

/// The file that makes a folder a model folder.
pub(super) const CONFIG_FILE: &str = "config.json";
const GENERATION_FILE: &str = "generation_config.json";

/// What config.json and generation_config.json say about a causal model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TextSettings {
    pub(super) config: TextConfig,
    /// Token put before a text, if the model has one.
    pub(super) bos: Option<u32>,
    /// Tokens that end a text; may be empty.
    pub(super) eos: Vec<u32>,
}

/// Which architecture a folder holds, by its config.json alone.
///
/// # Errors
/// When the folder has no readable config.json, or it names an architecture Fovea does not run.
pub fn peek_architecture(dir: &Path) -> Result<Architecture, LoadError> {
    architecture(&read_config(dir)?)
}

/// The shape of the causal model in a folder, by its config.json alone.
///
/// # Errors
/// As [`peek_architecture`], and when a field is missing, wrong, or asks for what Fovea does not compute.
pub fn read_text_config(dir: &Path) -> Result<TextConfig, LoadError> {
    Ok(read_settings(dir)?.config)
}

pub(super) fn read_settings(dir: &Path) -> Result<TextSettings, LoadError> {
    let fields = read_config(dir)?;
    let config = match architecture(&fields)? {
        Architecture::Gpt2 => TextConfig::Gpt2(gpt2(&fields)?),
        Architecture::Llama => TextConfig::Llama(llama(&fields)?),
        other @ (Architecture::DigitMlp | Architecture::DigitCnn) => {
            return Err(fields.unsupported("architectures", &other.config_name(), "a causal language model here"));
        }
    };
    let mut eos = fields.token_ids("eos_token_id")?;
    let generation = dir.join(GENERATION_FILE);
    if generation.is_file() {
        let ids = Fields::read(&generation)?.token_ids("eos_token_id")?;
        if !ids.is_empty() {
            eos = ids;
        }
    }
    Ok(TextSettings { config, bos: fields.token_ids("bos_token_id")?.first().copied(), eos })
}

/// Writes config.json and generation_config.json.
pub(super) fn write_settings(settings: &TextSettings, dir: &Path) -> Result<(), LoadError> {
    let mut config = match &settings.config {
        TextConfig::Gpt2(config) => gpt2_json(config),
        TextConfig::Llama(config) => llama_json(config),
    };
    let eos = match settings.eos.as_slice() {
        [] => Value::Null,
        [one] => json!(one),
        several => json!(several),
    };
    config["bos_token_id"] = json!(settings.bos);
    config["eos_token_id"] = eos.clone();
    config["torch_dtype"] = json!("float32");
    super::write_json(&dir.join(CONFIG_FILE), &config)?;
    super::write_json(&dir.join(GENERATION_FILE), &json!({ "bos_token_id": settings.bos, "eos_token_id": eos }))
}

fn read_config(dir: &Path) -> Result<Fields, LoadError> {
    let path = dir.join(CONFIG_FILE);
    if !path.is_file() {
        return Err(LoadError::MissingFile { dir: dir.to_owned(), file: CONFIG_FILE });
    }
    Fields::read(&path)
}

fn architecture(fields: &Fields) -> Result<Architecture, LoadError> {
    const ALL: [Architecture; 4] =
        [Architecture::Gpt2, Architecture::Llama, Architecture::DigitMlp, Architecture::DigitCnn];
    let unknown =
        |found: &str| LoadError::UnknownArchitecture { path: fields.path().to_owned(), found: found.to_owned() };
    let named = fields.value("architectures").and_then(|v| v.get(0)).and_then(Value::as_str);
    if let Some(name) = named {
        return ALL.into_iter().find(|a| a.config_name() == name).ok_or_else(|| unknown(name));
    }
    // Configurations written by hand often leave the list out.
    match fields.text_if_any("model_type")? {
        Some("gpt2") => Ok(Architecture::Gpt2),
        Some("llama") => Ok(Architecture::Llama),
        Some(other) => Err(unknown(other)),
        None => Err(fields.wrong("architectures", "is missing")),
    }
}

fn gpt2(fields: &Fields) -> Result<Gpt2Config, LoadError> {
    let activation = fields.text_if_any("activation_function")?.unwrap_or("gelu_new");
    if !matches!(activation, "gelu_new" | "gelu_pytorch_tanh") {
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
    let hidden = fields.count("n_embd")?;
    let heads = fields.count("n_head")?;
    if !hidden.is_multiple_of(heads) {
        return Err(fields.wrong("n_head", format!("is {heads}, which does not divide n_embd = {hidden}")));
    }
    Ok(Gpt2Config {
        vocabulary: fields.count("vocab_size")?,
        context: fields.count("n_positions")?,
        hidden,
        layers: fields.count("n_layer")?,
        heads,
        intermediate: fields.count_if_any("n_inner")?.unwrap_or(4 * hidden),
        epsilon: fields.number_if_any("layer_norm_epsilon")?.unwrap_or(1e-5),
        tied: fields.flag("tie_word_embeddings", true)?,
    })
}

fn gpt2_json(config: &Gpt2Config) -> Value {
    json!({
        "architectures": [Architecture::Gpt2.config_name()],
        "model_type": "gpt2",
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

fn llama(fields: &Fields) -> Result<LlamaConfig, LoadError> {
    let activation = fields.text_if_any("hidden_act")?.unwrap_or("silu");
    if !matches!(activation, "silu" | "swish") {
        return Err(fields.unsupported("hidden_act", &activation, "silu"));
    }
    let hidden = fields.count("hidden_size")?;
    let heads = fields.count("num_attention_heads")?;
    let kv_heads = fields.count_if_any("num_key_value_heads")?.unwrap_or(heads);
    if !heads.is_multiple_of(kv_heads) {
        let problem = format!("is {kv_heads}, which does not divide num_attention_heads = {heads}");
        return Err(fields.wrong("num_key_value_heads", problem));
    }
    let head_width = match fields.count_if_any("head_dim")? {
        Some(width) => width,
        None if hidden.is_multiple_of(heads) => hidden / heads,
        None => {
            let problem = format!("is {heads}, which does not divide hidden_size = {hidden}");
            return Err(fields.wrong("num_attention_heads", problem));
        }
    };
    if !head_width.is_multiple_of(2) {
        return Err(fields.wrong("head_dim", format!("is {head_width}; rotary positions need an even one")));
    }
    let context = fields.count("max_position_embeddings")?;
    let (rope_theta, rope_scaling) = rope(fields, context)?;
    Ok(LlamaConfig {
        vocabulary: fields.count("vocab_size")?,
        context,
        hidden,
        layers: fields.count("num_hidden_layers")?,
        heads,
        kv_heads,
        head_width,
        intermediate: fields.count("intermediate_size")?,
        epsilon: fields.number_if_any("rms_norm_eps")?.unwrap_or(1e-6),
        rope_theta,
        rope_scaling,
        attention_bias: fields.flag("attention_bias", false)?,
        mlp_bias: fields.flag("mlp_bias", false)?,
        tied: fields.flag("tie_word_embeddings", false)?,
    })
}

/// Rotary settings: `rope_theta` and `rope_scaling` until transformers 4, one object `rope_parameters` since 5.
fn rope(fields: &Fields, context: usize) -> Result<(f64, Option<RopeScaling>), LoadError> {
    let parameters = fields.object("rope_parameters")?;
    let theta = match &parameters {
        Some(parameters) if parameters.value("rope_theta").is_some() => parameters.number_if_any("rope_theta")?,
        _ => fields.number_if_any("rope_theta")?,
    };
    let theta = theta.unwrap_or(10_000.0);
    let scaling = match parameters {
        Some(parameters) => Some(parameters),
        None => fields.object("rope_scaling")?,
    };
    let Some(scaling) = scaling else { return Ok((theta, None)) };
    if let Some(share) = scaling.number_if_any("partial_rotary_factor")?.filter(|share| *share != 1.0) {
        return Err(scaling.unsupported("partial_rotary_factor", &share, "1.0"));
    }
    let name = if scaling.value("rope_type").is_some() { "rope_type" } else { "type" };
    let kind = match scaling.text_if_any(name)?.unwrap_or("default") {
        "default" => None,
        "linear" => Some(RopeScaling::Linear { factor: scaling.number("factor")? }),
        "llama3" => Some(RopeScaling::Llama3 {
            factor: scaling.number("factor")?,
            low: scaling.number("low_freq_factor")?,
            high: scaling.number("high_freq_factor")?,
            original_context: scaling.number_if_any("original_max_position_embeddings")?.unwrap_or(context as f64),
        }),
        other => return Err(scaling.unsupported(name, &other, "default, linear, llama3")),
    };
    Ok((theta, kind))
}

fn llama_json(config: &LlamaConfig) -> Value {
    let scaling = config.rope_scaling.map(|scaling| match scaling {
        RopeScaling::Linear { factor } => json!({ "rope_type": "linear", "factor": factor }),
        RopeScaling::Llama3 { factor, low, high, original_context } => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low,
            "high_freq_factor": high,
            "original_max_position_embeddings": original_context as usize,
        }),
    });
    json!({
        "architectures": [Architecture::Llama.config_name()],
        "model_type": "llama",
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.context,
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_width,
        "intermediate_size": config.intermediate,
        "hidden_act": "silu",
        "rms_norm_eps": config.epsilon,
        // The old spelling: transformers 4 and 5 both read it.
        "rope_theta": config.rope_theta,
        "rope_scaling": scaling,
        "attention_bias": config.attention_bias,
        "mlp_bias": config.mlp_bias,
        "tie_word_embeddings": config.tied,
    })
}

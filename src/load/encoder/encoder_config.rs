//! config.json of text encoders: the shapes of BERT, RoBERTa and DistilBERT. What would change a result and is not
//! computed is refused by name.

use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::nn::{BertConfig, DistilBertConfig, EncoderConfig, EncoderShape, RobertaConfig};
use crate::types::{Architecture, Precision};
use serde_json::{Value, json};

/// What config.json says about a text encoder.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::load) struct EncoderSettings {
    pub(in crate::load) config: EncoderConfig,
    /// Fills shorter texts of a batch up.
    pub(in crate::load) padding_id: u32,
    /// True when the weights must hold a head that guesses masked tokens.
    pub(in crate::load) masked_lm: bool,
}

pub(in crate::load) fn read_settings(
    fields: &Fields,
    architecture: Architecture,
) -> Result<EncoderSettings, LoadError> {
    let named =
        fields.value("architectures").and_then(|names| names.get(0)).and_then(Value::as_str).unwrap_or_default();
    let masked_lm = named.ends_with("ForMaskedLM") || named.ends_with("ForPreTraining");
    let padding_id = fields.token_ids("pad_token_id")?.first().copied();
    let (config, padding_id) = match architecture {
        Architecture::Bert => {
            let config = BertConfig { shape: bert_shape(fields)?, token_types: token_types(fields)? };
            (EncoderConfig::Bert(config), padding_id.unwrap_or(0))
        }
        Architecture::Roberta => {
            let padding_id = padding_id.unwrap_or(1);
            let config = RobertaConfig { shape: bert_shape(fields)?, token_types: token_types(fields)?, padding_id };
            if config.context() == 0 {
                let positions = config.shape.positions;
                let problem = format!("is {positions}; the first {} places are never used", padding_id + 1);
                return Err(fields.wrong("max_position_embeddings", problem));
            }
            (EncoderConfig::Roberta(config), padding_id)
        }
        Architecture::DistilBert => {
            let config = DistilBertConfig { shape: distilbert_shape(fields)? };
            (EncoderConfig::DistilBert(config), padding_id.unwrap_or(0))
        }
        other => return Err(fields.unsupported("architectures", &other.config_name(), "a text encoder here")),
    };
    let vocabulary = config.shape().vocabulary;
    if padding_id as usize >= vocabulary {
        let problem = format!("is {padding_id}, outside the vocabulary of {vocabulary}");
        return Err(fields.wrong("pad_token_id", problem));
    }
    Ok(EncoderSettings { config, padding_id, masked_lm })
}

/// The fields of config.json, but for a head's.
pub(in crate::load) fn json(config: &EncoderConfig, precision: Precision) -> Value {
    let shape = config.shape();
    let mut json = match config {
        EncoderConfig::DistilBert(_) => json!({
            "dim": shape.hidden,
            "n_layers": shape.layers,
            "n_heads": shape.heads,
            "hidden_dim": shape.intermediate,
            "activation": "gelu",
            // transformers trains with dropout unless told; the models here have none.
            "dropout": 0.0,
            "attention_dropout": 0.0,
            "seq_classif_dropout": 0.0,
        }),
        EncoderConfig::Bert(_) | EncoderConfig::Roberta(_) => json!({
            "hidden_size": shape.hidden,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "intermediate_size": shape.intermediate,
            "hidden_act": "gelu",
            "layer_norm_eps": shape.epsilon,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        }),
    };
    match config {
        EncoderConfig::Bert(config) => json["type_vocab_size"] = json!(config.token_types),
        EncoderConfig::Roberta(config) => json["type_vocab_size"] = json!(config.token_types),
        EncoderConfig::DistilBert(_) => {}
    }
    json["model_type"] = json!(config.architecture().model_type());
    json["vocab_size"] = json!(shape.vocabulary);
    json["max_position_embeddings"] = json!(shape.positions);
    json["tie_word_embeddings"] = json!(shape.tied);
    json["torch_dtype"] = json!(precision.torch_name());
    json
}

fn token_types(fields: &Fields) -> Result<usize, LoadError> {
    Ok(fields.count_if_any("type_vocab_size")?.unwrap_or(2))
}

fn bert_shape(fields: &Fields) -> Result<EncoderShape, LoadError> {
    only(fields, "position_embedding_type", "absolute")?;
    only(fields, "hidden_act", "gelu")?;
    for name in ["is_decoder", "add_cross_attention", "is_encoder_decoder"] {
        if fields.flag(name, false)? {
            return Err(fields.unsupported(name, &true, "false"));
        }
    }
    let shape = EncoderShape {
        vocabulary: fields.count("vocab_size")?,
        positions: fields.count("max_position_embeddings")?,
        hidden: fields.count("hidden_size")?,
        layers: fields.count("num_hidden_layers")?,
        heads: fields.count("num_attention_heads")?,
        intermediate: fields.count("intermediate_size")?,
        epsilon: fields.number_if_any("layer_norm_eps")?.unwrap_or(1e-12),
        tied: fields.flag("tie_word_embeddings", true)?,
    };
    check_heads(fields, "num_attention_heads", &shape)?;
    Ok(shape)
}

/// DistilBERT has names of its own for most fields, and a fixed ε.
fn distilbert_shape(fields: &Fields) -> Result<EncoderShape, LoadError> {
    only(fields, "activation", "gelu")?;
    let either = |own: &str, usual: &str| match fields.count_if_any(own)? {
        Some(count) => Ok(count),
        None => fields.count_if_any(usual)?.ok_or_else(|| fields.wrong(own, "is missing")),
    };
    let shape = EncoderShape {
        vocabulary: fields.count("vocab_size")?,
        positions: fields.count("max_position_embeddings")?,
        hidden: either("dim", "hidden_size")?,
        layers: either("n_layers", "num_hidden_layers")?,
        heads: either("n_heads", "num_attention_heads")?,
        intermediate: either("hidden_dim", "intermediate_size")?,
        epsilon: 1e-12,
        tied: fields.flag("tie_word_embeddings", true)?,
    };
    check_heads(fields, "n_heads", &shape)?;
    Ok(shape)
}

/// Refuses every value of a setting but the one that is computed.
pub(in crate::load) fn only(fields: &Fields, name: &str, supported: &str) -> Result<(), LoadError> {
    match fields.text_if_any(name)? {
        Some(value) if value != supported => Err(fields.unsupported(name, &value, supported)),
        _ => Ok(()),
    }
}

fn check_heads(fields: &Fields, name: &str, shape: &EncoderShape) -> Result<(), LoadError> {
    let (heads, hidden) = (shape.heads, shape.hidden);
    if hidden.is_multiple_of(heads) {
        return Ok(());
    }
    Err(fields.wrong(name, format!("is {heads}, which does not divide the width of {hidden}")))
}

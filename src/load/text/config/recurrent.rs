//! config.json of networks without attention: LSTM, RNN, feed-forward. Their names of fields are Hugging Face's where it has one.

use super::sizes;
use crate::load::classifier::class_settings::CLASSIFIER;
use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::load::hidden_fields::{dropout_share, nonlinearity};
use crate::nn::{FeedForwardConfig, RecurrentConfig};
use crate::types::{HiddenLayers, RecurrentCell};
use serde_json::{Value, json};

/// Tokens that a prediction may see at once; a product with other sizes must fit in 64 bits.
const MOST_WINDOW: usize = 1 << 14;

pub(in crate::load::text) fn read(fields: &Fields, cell: RecurrentCell) -> Result<RecurrentConfig, LoadError> {
    let (embedding, hidden, tied) = widths(fields)?;
    Ok(RecurrentConfig {
        cell,
        vocabulary: sizes::vocabulary(fields, "vocab_size")?,
        context: sizes::context(fields, "max_position_embeddings")?,
        embedding,
        hidden,
        layers: sizes::layers(fields, "num_hidden_layers")?,
        tied,
    })
}

pub(in crate::load::text) fn json(config: &RecurrentConfig) -> Value {
    json!({
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.context,
        "embedding_size": config.embedding,
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "tie_word_embeddings": config.tied,
    })
}

pub(in crate::load::text) fn read_feed_forward(fields: &Fields) -> Result<FeedForwardConfig, LoadError> {
    let (embedding, hidden, tied) = widths(fields)?;
    Ok(FeedForwardConfig {
        vocabulary: sizes::vocabulary(fields, "vocab_size")?,
        context: sizes::context(fields, "max_position_embeddings")?,
        window: fields.count_up_to("window", MOST_WINDOW)?,
        embedding,
        hidden,
        layers: hidden_layers(fields)?,
        direct: fields.flag("direct_connections", false)?,
        tied,
    })
}

fn hidden_layers(fields: &Fields) -> Result<HiddenLayers, LoadError> {
    let usual = HiddenLayers::default();
    let named = fields.value("num_hidden_layers").is_some();
    Ok(HiddenLayers {
        count: if named { sizes::layers(fields, "num_hidden_layers")? } else { usual.count },
        activation: nonlinearity(fields, usual.activation)?,
        dropout: dropout_share(fields)?,
        norm: fields.flag("layer_norm", usual.norm)?,
        residual: fields.flag("residual_connections", usual.residual)?,
    })
}

pub(in crate::load::text) fn feed_forward_json(config: &FeedForwardConfig) -> Value {
    json!({
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.context,
        "window": config.window,
        "embedding_size": config.embedding,
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers.count,
        "hidden_act": config.layers.activation.name(),
        "hidden_dropout_prob": config.layers.dropout,
        "layer_norm": config.layers.norm,
        "residual_connections": config.layers.residual,
        "direct_connections": config.direct,
        "tie_word_embeddings": config.tied,
    })
}

/// Widths of embeddings and layers, and whether the embeddings are the head, which needs both alike. Of a classifier nobody asks for
/// the scores of tokens.
fn widths(fields: &Fields) -> Result<(usize, usize, bool), LoadError> {
    let hidden = sizes::width(fields, "hidden_size")?;
    let named = fields.value("embedding_size").is_some();
    let embedding = if named { sizes::width(fields, "embedding_size")? } else { hidden };
    let tied = fields.flag("tie_word_embeddings", false)?;
    let is_classifier = fields
        .texts_if_any("architectures")?
        .is_some_and(|names| names.first().is_some_and(|name| name.ends_with(CLASSIFIER)));
    if tied && embedding != hidden && !is_classifier {
        let problem = format!("is {embedding}; a head that is the embedding needs as many as hidden_size = {hidden}");
        return Err(fields.wrong("embedding_size", problem));
    }
    Ok((embedding, hidden, tied))
}

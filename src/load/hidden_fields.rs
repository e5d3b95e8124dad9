//! Fields of config.json that say what hidden layers are made of. Their names are Hugging Face's where it has one.

use super::error::LoadError;
use super::fields::Fields;
use crate::types::Nonlinearity;

/// What is applied to each value.
pub(super) fn nonlinearity(fields: &Fields, usual: Nonlinearity) -> Result<Nonlinearity, LoadError> {
    let Some(name) = fields.text_if_any("hidden_act")? else { return Ok(usual) };
    Nonlinearity::from_name(name).ok_or_else(|| fields.unsupported("hidden_act", &name, "tanh, relu or sigmoid here"))
}

/// The share of values that learning drops; none unless told.
pub(super) fn dropout_share(fields: &Fields) -> Result<f64, LoadError> {
    const NAME: &str = "hidden_dropout_prob";
    let Some(value) = fields.value(NAME) else { return Ok(0.0) };
    let share = value.as_f64().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| fields.wrong(NAME, format!("is {value}, and must be a number from 0 to below 1")))
}

//! Rotary settings: `rope_theta` and `rope_scaling` until transformers 4, one object `rope_parameters` since 5.

use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::nn::RopeScaling;
use serde_json::{Value, json};

/// What config.json says about rotary positions.
pub(super) struct Rope {
    /// Base of the frequencies.
    pub(super) theta: f64,
    /// How they were stretched.
    pub(super) scaling: Option<RopeScaling>,
    /// Share of each head that turns, where the file says so.
    pub(super) partial: Option<f64>,
}

/// Base of the frequencies where the file names none.
const THETA: f64 = 10_000.0;

/// `theta_names` are the names the base goes by beside the object, the first that is there counts.
pub(super) fn read(fields: &Fields, context: usize, theta_names: &[&str]) -> Result<Rope, LoadError> {
    // Where both are there, transformers goes by the old one.
    let old = fields.object("rope_scaling")?.filter(|object| !object.is_empty());
    let object = match old {
        Some(object) => Some(object),
        None => fields.object("rope_parameters")?,
    };
    let object = object.map(alike_for_all_layers).transpose()?;
    let mut theta = None;
    let mut partial = None;
    if let Some(object) = &object {
        theta = object.number_if_any("rope_theta")?;
        partial = object.number_if_any("partial_rotary_factor")?;
    }
    for name in theta_names {
        theta = theta.or(fields.number_if_any(name)?);
    }
    partial = partial.or(fields.number_if_any("partial_rotary_factor")?);
    let scaling = match &object {
        Some(object) => scaling(fields, object, context)?,
        None => None,
    };
    Ok(Rope { theta: theta.unwrap_or(THETA), scaling, partial })
}

/// As [`read`], for architectures whose heads turn as a whole.
pub(super) fn read_whole(fields: &Fields, context: usize) -> Result<Rope, LoadError> {
    let rope = read(fields, context, &["rope_theta"])?;
    match rope.partial {
        Some(share) if share != 1.0 => Err(fields.unsupported("partial_rotary_factor", &share, "1.0")),
        _ => Ok(rope),
    }
}

/// The object may hold one object a kind of layer; models here turn all layers alike.
fn alike_for_all_layers(parameters: Fields) -> Result<Fields, LoadError> {
    let (full, sliding) = (parameters.object("full_attention")?, parameters.object("sliding_attention")?);
    match (full, sliding) {
        (Some(full), Some(sliding)) if full.same_values(&sliding) => Ok(full),
        (Some(_), Some(_)) => {
            Err(parameters.unsupported("sliding_attention", &"other than full_attention", "the same for all layers"))
        }
        (Some(one), None) | (None, Some(one)) => Ok(one),
        (None, None) => Ok(parameters),
    }
}

fn scaling(fields: &Fields, object: &Fields, context: usize) -> Result<Option<RopeScaling>, LoadError> {
    const ORIGINAL: &str = "original_max_position_embeddings";
    let name = if object.value("rope_type").is_some() { "rope_type" } else { "type" };
    Ok(match object.text_if_any(name)?.unwrap_or("default") {
        "default" => None,
        "linear" => Some(RopeScaling::Linear { factor: object.number("factor")? }),
        "llama3" => {
            let (low, high) = (object.number("low_freq_factor")?, object.number("high_freq_factor")?);
            if high <= low {
                return Err(object.wrong("high_freq_factor", format!("is {high}, not above low_freq_factor = {low}")));
            }
            let original = match fields.number_if_any(ORIGINAL)? {
                Some(original) => original,
                None => object.number_if_any(ORIGINAL)?.unwrap_or(context as f64),
            };
            Some(RopeScaling::Llama3 { factor: object.number("factor")?, low, high, original_context: original })
        }
        other => return Err(object.unsupported(name, &other, "default, linear, llama3")),
    })
}

/// The value of `rope_scaling`; null where nothing was stretched.
pub(super) fn scaling_json(scaling: Option<RopeScaling>) -> Value {
    match scaling {
        None => Value::Null,
        Some(RopeScaling::Linear { factor }) => json!({ "rope_type": "linear", "factor": factor }),
        Some(RopeScaling::Llama3 { factor, low, high, original_context }) => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low,
            "high_freq_factor": high,
            "original_max_position_embeddings": original_context as usize,
        }),
    }
}

//! config.json of causal models: Hugging Face's field names to the shapes in [`crate::nn`] and back.

pub(super) mod gemma2;
pub(super) mod gpt2;
pub(super) mod gpt_neox;
pub(super) mod llama;
pub(super) mod recurrent;
mod rope;
pub(super) mod sizes;

pub(in crate::load) use sizes::parameters;

use crate::load::classifier::class_settings;
use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::load::source::{CONFIG_FILE, ModelSource, source, write_generation};
use crate::load::text::family;
use crate::nn::TextConfig;
use crate::types::{Architecture, ModelKind, OwnSampling, Precision};
use serde_json::{Value, json};
use std::path::Path;

/// What config.json and generation_config.json say about a causal model.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::load) struct TextSettings {
    pub(in crate::load) config: TextConfig,
    /// Token put before a text, if the model has one.
    pub(in crate::load) bos: Option<u32>,
    /// Tokens that end a text; may be empty.
    pub(in crate::load) eos: Vec<u32>,
    /// How its authors sample from it, if they say.
    pub(in crate::load) own: Option<OwnSampling>,
}

/// Which architecture a folder holds, by its config.json alone.
///
/// # Errors
/// When the folder has no readable config.json, or it names an architecture Fovea does not run.
pub fn peek_architecture(dir: &Path) -> Result<Architecture, LoadError> {
    architecture(&source(dir).config()?)
}

/// What the model in a folder takes and gives, by its config.json alone: a head for classes makes a classifier of a model that reads
/// text.
///
/// # Errors
/// As [`peek_architecture`].
pub fn peek_kind(dir: &Path) -> Result<ModelKind, LoadError> {
    class_settings::kind(&source(dir).config()?)
}

/// The shape of the causal model in a folder, by its config.json alone.
///
/// # Errors
/// As [`peek_architecture`], and when a field is missing, wrong, or asks for what Fovea does not compute.
pub fn read_text_config(dir: &Path) -> Result<TextConfig, LoadError> {
    Ok(read_settings(&*source(dir))?.config)
}

pub(in crate::load) fn read_settings(source: &dyn ModelSource) -> Result<TextSettings, LoadError> {
    let fields = source.config()?;
    let architecture = architecture(&fields)?;
    refuse_what_is_not_computed(&fields)?;
    let config = family::read_config(&fields, architecture)?;
    let mut eos = fields.token_ids("eos_token_id")?;
    let mut own = None;
    if let Some(generation) = source.generation()? {
        own = Some(own_sampling(&generation)).filter(|own| !own.is_empty());
        let ids = generation.token_ids("eos_token_id")?;
        if !ids.is_empty() {
            eos = ids;
        }
    }
    Ok(TextSettings { config, bos: fields.token_ids("bos_token_id")?.first().copied(), eos, own })
}

/// Writes config.json and generation_config.json.
pub(in crate::load) fn write_settings(
    settings: &TextSettings,
    precision: Precision,
    dir: &Path,
) -> Result<(), LoadError> {
    let config = json(settings, precision);
    crate::load::write_json(&dir.join(CONFIG_FILE), &config)?;
    let mut generation = json!({ "bos_token_id": settings.bos, "eos_token_id": config["eos_token_id"] });
    if let (Some(fields), Some(Ok(Value::Object(own)))) =
        (generation.as_object_mut(), settings.own.as_ref().map(serde_json::to_value))
    {
        fields.extend(own);
    }
    write_generation(dir, &generation)
}

/// The fields of config.json.
pub(in crate::load) fn json(settings: &TextSettings, precision: Precision) -> Value {
    let mut config = family::family(&settings.config).json();
    let architecture = settings.config.architecture();
    config["architectures"] = json!([architecture.config_name()]);
    config["model_type"] = json!(architecture.model_type());
    config["bos_token_id"] = json!(settings.bos);
    config["eos_token_id"] = match settings.eos.as_slice() {
        [] => Value::Null,
        [one] => json!(one),
        several => json!(several),
    };
    config["torch_dtype"] = json!(precision.torch_name());
    config
}

/// What generation_config.json says about sampling. What is no number there is not said: nothing but a person's choice needs it.
fn own_sampling(generation: &Fields) -> OwnSampling {
    let number = |name: &str| generation.value(name).and_then(Value::as_f64).map(|x| x as f32);
    let count = |name: &str| generation.value(name).and_then(Value::as_u64).and_then(|x| usize::try_from(x).ok());
    OwnSampling {
        do_sample: generation.value("do_sample").and_then(Value::as_bool),
        temperature: number("temperature"),
        top_k: count("top_k"),
        top_p: number("top_p"),
        min_p: number("min_p"),
        repetition_penalty: number("repetition_penalty"),
        max_new_tokens: count("max_new_tokens"),
    }
}

/// Which architecture these settings are of. `model_type` decides, as in transformers: the names of classes have changed, and
/// files of bare models name others. A class that is not transformers' own may compute otherwise, so its name counts.
pub(in crate::load) fn architecture(fields: &Fields) -> Result<Architecture, LoadError> {
    let unknown =
        |found: &str| LoadError::UnknownArchitecture { path: fields.path().to_owned(), found: found.to_owned() };
    let named = fields.value("architectures").and_then(|v| v.get(0)).and_then(Value::as_str);
    let by_name = named.and_then(Architecture::from_config_name);
    let is_own = fields.value("auto_map").is_some() && by_name.is_none();
    let Some(found) = fields.text_if_any("model_type")?.filter(|_| !is_own) else {
        let name = named.ok_or_else(|| fields.wrong("architectures", "is missing"))?;
        return by_name.ok_or_else(|| unknown(name));
    };
    let by_type = Architecture::ALL.into_iter().find(|a| a.model_type() == Some(found));
    by_type.or(by_name.filter(|known| known.model_type().is_none())).ok_or_else(|| unknown(found))
}

/// What would change the numbers of any causal model and is not computed here.
fn refuse_what_is_not_computed(fields: &Fields) -> Result<(), LoadError> {
    for name in ["quantization_config", "compression_config"] {
        if let Some(value) = fields.value(name) {
            let method = value.get("quant_method").and_then(Value::as_str).unwrap_or("some quantisation");
            return Err(fields.unsupported(name, &method, "weights in F32, F16 or BF16"));
        }
    }
    Ok(())
}

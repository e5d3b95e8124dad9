//! config.json of vision transformers: ViT and DeiT. What would change a result and is not computed is refused by name.

use crate::load::encoder::encoder_config::only;
use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::nn::VitConfig;
use crate::types::{Architecture, Precision, printable};
use serde_json::{Map, Value, json};

/// Classes a model has that says nothing of them, as in transformers.
const USUAL_CLASSES: usize = 2;

/// What stands on top of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load) enum VisionHead {
    /// Nothing, or a pooler: the model can only be looked into.
    None,
    /// One classifier, on the first token.
    Classifier,
    /// Two classifiers, on the first token and on the distillation token, whose mean is the answer.
    WithTeacher,
}

/// What config.json says about a vision transformer.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::load) struct VisionSettings {
    pub(in crate::load) config: VitConfig,
    pub(in crate::load) head: VisionHead,
    /// Names of the classes; empty without a head.
    pub(in crate::load) labels: Vec<String>,
}

pub(in crate::load) fn read_settings(fields: &Fields, architecture: Architecture) -> Result<VisionSettings, LoadError> {
    only(fields, "hidden_act", "gelu")?;
    only(fields, "pooler_act", "tanh")?;
    let channels = fields.count_if_any("num_channels")?.unwrap_or(3);
    if ![1, 3].contains(&channels) {
        return Err(fields.unsupported("num_channels", &channels, "1 (grays) and 3 (colours)"));
    }
    let [height, width] = side(fields, "image_size", 224)?;
    let [patch, patch_width] = side(fields, "patch_size", 16)?;
    if patch != patch_width {
        return Err(fields.unsupported("patch_size", &format!("{patch} × {patch_width}"), "square patches"));
    }
    if !height.is_multiple_of(patch) || !width.is_multiple_of(patch) {
        return Err(fields.wrong("patch_size", format!("is {patch}, which does not divide image_size")));
    }
    let hidden = fields.count("hidden_size")?;
    if let Some(pooled) = fields.count_if_any("pooler_output_size")?.filter(|pooled| *pooled != hidden) {
        return Err(fields.unsupported("pooler_output_size", &pooled, hidden.to_string()));
    }
    let heads = fields.count("num_attention_heads")?;
    if !hidden.is_multiple_of(heads) {
        let problem = format!("is {heads}, which does not divide hidden_size = {hidden}");
        return Err(fields.wrong("num_attention_heads", problem));
    }
    let config = VitConfig {
        height,
        width,
        channels,
        patch,
        hidden,
        layers: fields.count("num_hidden_layers")?,
        heads,
        intermediate: fields.count("intermediate_size")?,
        epsilon: fields.number_if_any("layer_norm_eps")?.unwrap_or(1e-12),
        qkv_bias: fields.flag("qkv_bias", true)?,
        distillation: architecture == Architecture::Deit,
    };
    let named =
        fields.value("architectures").and_then(|names| names.get(0)).and_then(Value::as_str).unwrap_or_default();
    let head = match named {
        name if name.ends_with("WithTeacher") => VisionHead::WithTeacher,
        name if name.ends_with("ForImageClassification") => VisionHead::Classifier,
        _ => VisionHead::None,
    };
    let labels = if head == VisionHead::None { Vec::new() } else { labels(fields)? };
    Ok(VisionSettings { config, head, labels })
}

/// The fields of config.json of a model with so many heads, one or two.
pub(in crate::load) fn json(config: &VitConfig, heads: usize, labels: &[String], precision: Precision) -> Value {
    let side = |height: usize, width: usize| if height == width { json!(height) } else { json!([height, width]) };
    let numbered = labels.iter().enumerate();
    let architecture = if config.distillation { Architecture::Deit } else { Architecture::Vit };
    json!({
        "architectures": [architecture.config_names()[heads]],
        "model_type": architecture.model_type(),
        "image_size": side(config.height, config.width),
        "patch_size": config.patch,
        "num_channels": config.channels,
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": config.intermediate,
        "hidden_act": "gelu",
        "layer_norm_eps": config.epsilon,
        "qkv_bias": config.qkv_bias,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "id2label": numbered.clone().map(|(id, label)| (id.to_string(), json!(label))).collect::<Map<_, _>>(),
        "label2id": numbered.map(|(id, label)| (label.clone(), json!(id))).collect::<Map<_, _>>(),
        "torch_dtype": precision.torch_name(),
    })
}

/// A side in pixels, or height and width.
fn side(fields: &Fields, name: &str, usual: usize) -> Result<[usize; 2], LoadError> {
    let Some(list) = fields.value(name).and_then(Value::as_array) else {
        return Ok([fields.count_if_any(name)?.unwrap_or(usual); 2]);
    };
    let numbers: Vec<usize> = list.iter().filter_map(Value::as_u64).map(|n| n as usize).filter(|n| *n > 0).collect();
    match numbers.as_slice() {
        [height, width] if list.len() == 2 => Ok([*height, *width]),
        _ => Err(fields.wrong(name, format!("is {list:?}, neither a number nor height and width"))),
    }
}

/// The names of the classes, which must be numbered from 0 without a gap.
pub(in crate::load) fn labels(fields: &Fields) -> Result<Vec<String>, LoadError> {
    let Some(map) = fields.object("id2label")? else {
        let count = fields.count_if_any("num_labels")?.unwrap_or(USUAL_CLASSES);
        return Ok((0..count).map(|class| format!("LABEL_{class}")).collect());
    };
    let count = map.names().count();
    let label = |class: usize| {
        let label = map.text_if_any(&class.to_string())?;
        label
            .map(|label| printable(label).into_owned())
            .ok_or_else(|| map.wrong(&class.to_string(), format!("is missing; there are {count}")))
    };
    (0..count).map(label).collect()
}

//! What config.json says of the classes of a text classifier.

use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::load::text::config::architecture;
use crate::load::vision::vision_config::labels;
use crate::types::{Architecture, ModelKind, Problem};
use serde_json::{Map, Value, json};

/// The end of a classifier's name in the field `architectures`.
pub(in crate::load) const CLASSIFIER: &str = "ForSequenceClassification";

/// Classes, and what scores mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::load) struct ClassSettings {
    pub(in crate::load) labels: Vec<String>,
    pub(in crate::load) problem: Problem,
}

/// What the model in a folder takes and gives, by its config.json alone.
///
/// # Errors
/// When it names an architecture Fovea does not run.
pub(in crate::load) fn kind(fields: &Fields) -> Result<ModelKind, LoadError> {
    let own = architecture(fields)?.kind();
    let named = fields.value("architectures").and_then(|names| names.get(0)).and_then(Value::as_str);
    let reads_text = matches!(own, ModelKind::CausalLm | ModelKind::TextEncoder);
    let is_classifier = reads_text && named.is_some_and(|name| name.ends_with(CLASSIFIER));
    Ok(if is_classifier { ModelKind::TextClassifier } else { own })
}

/// Labels are numbered from 0 without a gap; without a problem, one label is a number and several are classes of which one is
/// right, as in transformers.
pub(in crate::load) fn read(fields: &Fields) -> Result<ClassSettings, LoadError> {
    let labels = labels(fields)?;
    if labels.is_empty() {
        return Err(fields.wrong("id2label", "names no class"));
    }
    let problem = match fields.text_if_any("problem_type")? {
        None if labels.len() == 1 => Problem::Numbers,
        None => Problem::OneClass,
        Some(name) => {
            let known = Problem::ALL.into_iter().find(|problem| problem.config_name() == name);
            let names = || Problem::ALL.map(Problem::config_name).join(", ");
            known.ok_or_else(|| fields.unsupported("problem_type", &name, names()))?
        }
    };
    Ok(ClassSettings { labels, problem })
}

/// Adds classes to the fields of a config.json.
pub(in crate::load) fn write(config: &mut Value, architecture: Architecture, labels: &[String], problem: Problem) {
    let numbered = labels.iter().enumerate();
    let names: Map<String, Value> = numbered.clone().map(|(id, label)| (id.to_string(), json!(label))).collect();
    let ids: Map<String, Value> = numbered.map(|(id, label)| (label.clone(), json!(id))).collect();
    config["architectures"] = json!([architecture.classifier_name()]);
    config["id2label"] = Value::Object(names);
    config["label2id"] = Value::Object(ids);
    config["problem_type"] = json!(problem.config_name());
}

//! What an adapter says of classes, in a file of its own: PEFT keeps the head and not its labels.

use crate::load::classifier::class_settings;
use crate::load::classifier::head_weights;
use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::types::{Architecture, ModelKind, Problem};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Beside the adapter, with the fields that config.json has for classes.
const FILE: &str = "labels.json";

/// Classes by number, and what scores mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::load) struct AdapterClasses {
    pub(in crate::load) labels: Vec<String>,
    pub(in crate::load) problem: Problem,
}

impl AdapterClasses {
    /// What stands beside an adapter; nothing where it was made by others.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, LoadError> {
        let path = dir.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let settings = class_settings::read(&Fields::read(&path)?)?;
        Ok(Some(Self { labels: settings.labels, problem: settings.problem }))
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), LoadError> {
        let names = self.labels.iter().enumerate().map(|(id, label)| (id.to_string(), json!(label)));
        let names: Map<String, Value> = names.collect();
        let value = json!({ "id2label": names, "problem_type": self.problem.config_name() });
        crate::load::write_json(&dir.join(FILE), &value)
    }

    /// Of an adapter whose head tells so many classes apart, on a base that is none: what its own file says, else what the base has names
    /// for, else numbers. The second value is true for numbers.
    ///
    /// # Errors
    /// When its own file names another number of classes, or the base's settings cannot be read.
    pub(in crate::load) fn of(
        own: Option<&Self>,
        classes: usize,
        base: Option<&Fields>,
        dir: &Path,
    ) -> Result<(Self, bool), LoadError> {
        if let Some(own) = own {
            if own.labels.len() != classes {
                return Err(LoadError::AdapterLabels {
                    path: dir.join(FILE),
                    labels: own.labels.clone(),
                    others: format!("the head has scores of {classes} classes"),
                });
            }
            return Ok((own.clone(), false));
        }
        let told = base.filter(|fields| fields.value("id2label").is_some()).map(class_settings::read).transpose()?;
        if let Some(told) = told.filter(|told| told.labels.len() == classes) {
            return Ok((Self { labels: told.labels, problem: told.problem }, false));
        }
        let problem = if classes == 1 { Problem::Numbers } else { Problem::OneClass };
        Ok((Self { labels: (0..classes).map(|class| class.to_string()).collect(), problem }, true))
    }
}

/// The module that gives the scores of classes, of networks that can have one.
pub(super) fn head_module(architecture: Architecture) -> Option<&'static str> {
    match architecture.kind() {
        ModelKind::ImageClassifier => Some("classifier"),
        ModelKind::DigitClassifier => None,
        _ => Some(head_weights::last_module(architecture)),
    }
}

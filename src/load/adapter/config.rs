//! adapter_config.json, read and written. What would change a result and is not computed is refused by name.
//!
//! Two fields need no reading: `lora_dropout` is for training alone, and `fan_in_fan_out` says how the base's files lie, while here every
//! matrix is `[out, in]`, to which B · A is added as it is.

use super::CONFIG_FILE;
use super::matrices::block_of;
use super::pattern::{PathPattern, ends_with};
use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::types::{LoraSpec, lora_scale};
use serde_json::{Map, Value, json};
use std::path::Path;

/// The task of an adapter for classes of texts.
const CLASSES: &str = "SEQ_CLS";
/// The tasks whose networks are here.
const TASKS: [&str; 3] = ["CAUSAL_LM", CLASSES, "FEATURE_EXTRACTION"];

/// What the settings say.
#[derive(Debug)]
pub(super) struct AdapterConfig {
    pub(super) base: Option<String>,
    pub(super) rank: usize,
    pub(super) alpha: f64,
    pub(super) rank_stabilised: bool,
    /// Ranks and alphas of modules of their own; the first key that holds counts.
    ranks: Vec<(PathPattern, usize)>,
    alphas: Vec<(PathPattern, f64)>,
    targets: Targets,
    /// Modules that are replaced as a whole.
    pub(super) whole: Vec<String>,
    /// It says that it is for classes of texts.
    pub(super) tells_classes: bool,
}

/// Which modules an adapter says it changes.
#[derive(Debug)]
enum Targets {
    /// By the ends of their paths; in some blocks alone, where these are told.
    Named { ends: Vec<String>, layers: Option<Vec<usize>> },
    /// By an expression that covers whole paths.
    Pattern(PathPattern),
    /// Nothing that could be held against the tensors.
    Untold,
}

impl AdapterConfig {
    /// Reads the settings of the adapter in a folder.
    ///
    /// # Errors
    /// When they cannot be read, or ask for what is not computed here.
    pub(super) fn read(dir: &Path) -> Result<Self, LoadError> {
        let path = dir.join(CONFIG_FILE);
        if !path.is_file() {
            return Err(match dir.exists() {
                true => LoadError::MissingFile { dir: dir.to_owned(), file: CONFIG_FILE },
                false => LoadError::MissingFolder { dir: dir.to_owned() },
            });
        }
        let fields = Fields::read(&path)?;
        refuse(&fields)?;
        let rank = fields.count_if_any("r")?.unwrap_or(8);
        if rank == 0 {
            return Err(fields.wrong("r", "is 0"));
        }
        Ok(Self {
            base: fields.text_if_any("base_model_name_or_path")?.filter(|base| !base.is_empty()).map(str::to_owned),
            rank,
            alpha: number(&fields, "lora_alpha", fields.value("lora_alpha"))?.unwrap_or(8.0),
            rank_stabilised: fields.flag("use_rslora", false)?,
            ranks: patterns(&fields, "rank_pattern", |value| {
                value.as_u64().and_then(|rank| usize::try_from(rank).ok()).filter(|rank| *rank > 0)
            })?,
            alphas: patterns(&fields, "alpha_pattern", |value| value.as_f64().filter(|alpha| alpha.is_finite()))?,
            targets: targets(&fields)?,
            whole: fields
                .texts_if_any("modules_to_save")?
                .unwrap_or_default()
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
            tells_classes: fields.text_if_any("task_type")? == Some(CLASSES),
        })
    }

    /// True when some module has a rank or an alpha of its own.
    pub(super) fn is_varied(&self) -> bool {
        !self.ranks.is_empty() || !self.alphas.is_empty()
    }

    /// The rank of the module with this path.
    pub(super) fn rank_of(&self, module: &str) -> usize {
        self.ranks.iter().find(|(key, _)| key.holds_for(module)).map_or(self.rank, |(_, rank)| *rank)
    }

    /// What its product of B and A is multiplied with.
    pub(super) fn scale_of(&self, module: &str) -> f32 {
        let alpha = self.alphas.iter().find(|(key, _)| key.holds_for(module)).map_or(self.alpha, |(_, alpha)| *alpha);
        lora_scale(alpha, self.rank_of(module), self.rank_stabilised) as f32
    }

    /// True when the settings say that the module with this path is changed, so that its tensors must be there.
    pub(super) fn is_target(&self, module: &str) -> bool {
        match &self.targets {
            Targets::Named { ends, layers } => {
                let in_layer = |layers: &Vec<usize>| block_of(module).is_some_and(|layer| layers.contains(&layer));
                ends.iter().any(|end| ends_with(module, end)) && layers.as_ref().is_none_or(in_layer)
            }
            Targets::Pattern(pattern) => pattern.holds_for(module),
            Targets::Untold => false,
        }
    }

    /// True when the module with this path is replaced as a whole: it, or one that it is a part of, ends in a name that is told. PEFT asks
    /// for no dot before that, so that `classifier` names `pre_classifier`, too.
    pub(super) fn is_whole(&self, module: &str) -> bool {
        let parts = module.match_indices('.').map(|(end, _)| &module[..end]).chain([module]);
        parts.into_iter().any(|part| self.whole.iter().any(|name| part.ends_with(name)))
    }
}

/// Everything of PEFT's that is known and not computed.
fn refuse(fields: &Fields) -> Result<(), LoadError> {
    if let Some(task) = fields.text_if_any("task_type")?.filter(|task| !TASKS.contains(task)) {
        return Err(fields.unsupported("task_type", &task, TASKS.join(", ")));
    }
    match fields.text_if_any("peft_type")? {
        Some("LORA") => {}
        Some(other) => return Err(fields.unsupported("peft_type", &other, "LORA")),
        None => return Err(fields.wrong("peft_type", "is missing, so this is no adapter of PEFT")),
    }
    for name in ["use_dora", "lora_bias", "use_qalora", "use_bdlora", "ensure_weight_tying"] {
        if fields.value(name).is_some_and(|value| *value != json!(false)) {
            return Err(fields.unsupported(name, &fields.value(name).unwrap_or(&Value::Null), "false"));
        }
    }
    if let Some(bias) = fields.text_if_any("bias")?.filter(|bias| *bias != "none") {
        return Err(fields.unsupported("bias", &bias, "none"));
    }
    let absent = [
        "layer_replication",
        "trainable_token_indices",
        "target_parameters",
        "megatron_config",
        "alora_invocation_tokens",
        "arrow_config",
        "corda_config",
        "loftq_config",
        "lora_ga_config",
        "monteclora_config",
        "kasa_config",
        "velora_config",
    ];
    for name in absent {
        let is_empty =
            |value: &Value| value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        if let Some(value) = fields.value(name).filter(|value| !is_empty(value)) {
            return Err(fields.unsupported(name, value, "null"));
        }
    }
    // The others change the base, too, before they begin.
    const KEEPING: [&str; 4] = ["gaussian", "orthogonal", "eva", "true"];
    match fields.value("init_lora_weights") {
        Some(Value::String(way)) if !KEEPING.contains(&way.as_str()) => {
            Err(fields.unsupported("init_lora_weights", way, "true, false, gaussian, orthogonal or eva"))
        }
        _ => Ok(()),
    }
}

fn number(fields: &Fields, name: &str, value: Option<&Value>) -> Result<Option<f64>, LoadError> {
    let Some(value) = value else { return Ok(None) };
    let number = value.as_f64().filter(|number| number.is_finite());
    number.map(Some).ok_or_else(|| fields.wrong(name, format!("is {value}, which is no number")))
}

fn patterns<T>(
    fields: &Fields,
    name: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<(PathPattern, T)>, LoadError> {
    let Some(object) = fields.object(name)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for (key, value) in object.entries() {
        let pattern = PathPattern::new(key).ok_or_else(|| object.wrong(key, "is no expression for modules"))?;
        let value = read(value).ok_or_else(|| object.wrong(key, format!("is {value}")))?;
        found.push((pattern, value));
    }
    Ok(found)
}

fn targets(fields: &Fields) -> Result<Targets, LoadError> {
    // Modules that are left out again, or blocks under another name: then the tensors alone tell.
    if fields.value("exclude_modules").is_some()
        || fields.value("layers_pattern").is_some_and(|value| *value != json!([]))
    {
        return Ok(Targets::Untold);
    }
    Ok(match fields.value("target_modules") {
        Some(Value::String(text)) if text == LoraSpec::ALL_LINEAR => Targets::Untold,
        Some(Value::String(text)) => match PathPattern::of_whole_path(text) {
            Some(pattern) => Targets::Pattern(pattern),
            None => return Err(fields.wrong("target_modules", "is no expression for modules")),
        },
        Some(Value::Array(_)) => {
            let ends = fields.texts_if_any("target_modules")?.unwrap_or_default();
            let layers = match fields.value("layers_to_transform") {
                None => None,
                Some(Value::Array(layers)) => {
                    Some(layers.iter().filter_map(Value::as_u64).map(|n| n as usize).collect())
                }
                Some(layer) => Some(layer.as_u64().map(|layer| layer as usize).into_iter().collect()),
            };
            Targets::Named { ends: ends.into_iter().map(str::to_owned).collect(), layers }
        }
        _ => Targets::Untold,
    })
}

/// What the settings of an adapter that was learned here say beside its recipe.
pub(super) struct Written<'a> {
    pub(super) base: &'a str,
    /// The projections of the base lie turned in its files.
    pub(super) turned: bool,
    /// Modules that are changed: ends of their paths, or whole ones.
    pub(super) targets: Vec<String>,
    /// Modules that are replaced as a whole.
    pub(super) whole: &'a [String],
    /// As PEFT names it; none for pictures.
    pub(super) task: Option<&'static str>,
}

/// The task of a network, as PEFT names it.
pub(super) fn task_name(reads_text: bool, tells_classes: bool) -> Option<&'static str> {
    match (reads_text, tells_classes) {
        (false, _) => None,
        (true, false) => Some(TASKS[0]),
        (true, true) => Some(CLASSES),
    }
}

/// Writes the settings of an adapter that was learned here, as PEFT writes them: sorted, with what it does not use as `null`.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write(dir: &Path, spec: &LoraSpec, written: &Written<'_>) -> Result<(), LoadError> {
    let Written { base, turned, targets, whole, task } = written;
    let target_modules = match targets.iter().any(|target| target == LoraSpec::ALL_LINEAR) {
        true => json!(LoraSpec::ALL_LINEAR),
        false => json!(targets),
    };
    // In order of name.
    let value = json!({
        "alpha_pattern": {},
        "auto_mapping": null,
        "base_model_name_or_path": base,
        "bias": "none",
        "exclude_modules": null,
        "fan_in_fan_out": turned,
        "inference_mode": true,
        "init_lora_weights": true,
        "layer_replication": null,
        "layers_pattern": null,
        "layers_to_transform": null,
        "lora_alpha": spec.alpha,
        "lora_bias": false,
        "lora_dropout": 0.0,
        "modules_to_save": if whole.is_empty() { Value::Null } else { json!(whole) },
        "peft_type": "LORA",
        "r": spec.rank,
        "rank_pattern": {},
        "revision": null,
        "target_modules": target_modules,
        "task_type": task,
        "use_dora": false,
        "use_rslora": spec.rank_stabilised,
    });
    crate::load::write_json(&dir.join(CONFIG_FILE), &value)
}

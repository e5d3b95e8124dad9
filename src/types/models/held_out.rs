//! What a model's few-shot training left out.

use serde::{Deserialize, Serialize};

/// Kept beside a model, in [`FILE`](Self::FILE).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// Names of tasks: what the model does with them it must have learned from the prompt.
    pub held_out_tasks: Vec<String>,
    /// Names of tables of rules, whose words stood in no document about a rule.
    #[serde(default)]
    pub unseen_rules: Vec<String>,
    /// Share of every other table's pairs.
    #[serde(default)]
    pub held_out_pairs: f64,
    /// Ways to write an example.
    #[serde(default)]
    pub held_out_templates: Vec<String>,
}

impl HeldOut {
    /// Name of the file beside a model.
    pub const FILE: &str = "fewshot.json";
}

//! Recipes as files have them: those of today, and those from before parameters had groups, when token embeddings had three
//! settings of their own.

use crate::types::{
    LoraSpec, LrSchedule, MixtureStage, ParameterGroup, Precision, SnapshotSteps, StartFrom, TrainSpec, TrainTask,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The path of a text model's token embeddings.
const TOKEN_EMBEDDING: &str = "token_embedding";

/// A [`TrainSpec`] as a file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::types) struct WrittenSpec {
    task: TrainTask,
    #[serde(default)]
    start: StartFrom,
    #[serde(default)]
    out: Option<PathBuf>,
    #[serde(default)]
    precision: Precision,
    learning_rate: f64,
    #[serde(default)]
    groups: Vec<ParameterGroup>,
    /// Before groups: the rate of token embeddings.
    #[serde(default = "whole")]
    embedding_rate: f64,
    /// Before groups: `seen_rows_only` of token embeddings.
    #[serde(default)]
    lazy_embeddings: bool,
    /// Before groups: `fixed_columns` of token embeddings.
    #[serde(default)]
    fixed_codes: usize,
    #[serde(default)]
    lora: Option<LoraSpec>,
    #[serde(default)]
    schedule: LrSchedule,
    #[serde(default)]
    warmup_steps: usize,
    #[serde(default)]
    weight_decay: f64,
    #[serde(default)]
    clip_norm: f64,
    batch_size: usize,
    #[serde(default = "one")]
    accumulate: usize,
    steps: usize,
    #[serde(default = "default_validation_share")]
    validation_share: f64,
    #[serde(default = "whole")]
    learn_from: f64,
    #[serde(default = "default_eval_every")]
    eval_every: usize,
    #[serde(default)]
    patience: usize,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    sample_prompts: Vec<String>,
    #[serde(default)]
    snapshots: Option<SnapshotSteps>,
}

fn one() -> usize {
    1
}

fn whole() -> f64 {
    1.0
}

fn default_validation_share() -> f64 {
    0.1
}

fn default_eval_every() -> usize {
    100
}

impl From<WrittenSpec> for TrainSpec {
    fn from(written: WrittenSpec) -> Self {
        let mut groups = written.groups;
        let of_embeddings = ParameterGroup {
            rate: written.embedding_rate,
            seen_rows_only: written.lazy_embeddings,
            fixed_columns: written.fixed_codes,
            ..ParameterGroup::of(TOKEN_EMBEDDING)
        };
        if of_embeddings != ParameterGroup::of(TOKEN_EMBEDDING) {
            groups.push(of_embeddings);
        }
        // What a stage gives a rate of its own is a group.
        if let TrainTask::FewShot(task) = &written.task {
            for parameters in task.stages.iter().flat_map(|stage| stage.rates.keys()) {
                if groups.iter().all(|group| group.parameters != *parameters) {
                    groups.push(ParameterGroup::of(parameters));
                }
            }
        }
        Self {
            task: written.task,
            start: written.start,
            out: written.out,
            precision: written.precision,
            learning_rate: written.learning_rate,
            groups,
            lora: written.lora,
            schedule: written.schedule,
            warmup_steps: written.warmup_steps,
            weight_decay: written.weight_decay,
            clip_norm: written.clip_norm,
            batch_size: written.batch_size,
            accumulate: written.accumulate,
            steps: written.steps,
            validation_share: written.validation_share,
            learn_from: written.learn_from,
            eval_every: written.eval_every,
            patience: written.patience,
            seed: written.seed,
            sample_prompts: written.sample_prompts,
            snapshots: written.snapshots,
        }
    }
}

/// A [`MixtureStage`] as a file has it.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::types) struct WrittenStage {
    until: f64,
    rates: BTreeMap<String, f64>,
    /// Before groups: the rate of token embeddings.
    embedding_rate: Option<f64>,
    text: f64,
    facts: f64,
    rules: f64,
    choose: f64,
    lookup: f64,
    repeats: f64,
    renamed: f64,
    shuffled: f64,
}

impl From<WrittenStage> for MixtureStage {
    fn from(written: WrittenStage) -> Self {
        let mut rates = written.rates;
        rates.extend(written.embedding_rate.map(|rate| (TOKEN_EMBEDDING.to_owned(), rate)));
        Self {
            until: written.until,
            rates,
            text: written.text,
            facts: written.facts,
            rules: written.rules,
            choose: written.choose,
            lookup: written.lookup,
            repeats: written.repeats,
            renamed: written.renamed,
            shuffled: written.shuffled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: &str =
        "[task]\nkind = \"few_shot\"\ncontext = 64\ntasks = []\n[[task.stages]]\nuntil = 1.0\nfacts = 1.0\n";

    fn spec(settings: &str, stage: &str) -> TrainSpec {
        toml::from_str(&format!("learning_rate = 1e-3\nbatch_size = 1\nsteps = 2\n{settings}\n{TASK}{stage}")).unwrap()
    }

    #[test]
    fn settings_of_embeddings_are_read_as_their_group() {
        let before = spec("embedding_rate = 0.1\nlazy_embeddings = true\nfixed_codes = 48", "embedding_rate = 1.0");
        let today = spec(
            "groups = [{ parameters = \"token_embedding\", rate = 0.1, seen_rows_only = true, fixed_columns = 48 }]",
            "rates = { token_embedding = 1.0 }",
        );
        assert_eq!(before, today);
        let group = ParameterGroup {
            rate: 0.1,
            seen_rows_only: true,
            fixed_columns: 48,
            ..ParameterGroup::of("token_embedding")
        };
        assert_eq!(today.groups, [group]);
        assert_eq!(spec("embedding_rate = 1.0", "").groups, []);
        assert_eq!(spec("", "embedding_rate = 0.5").groups, [ParameterGroup::of("token_embedding")]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let spec =
            spec("groups = [{ parameters = \"blocks.*.mlp\", frozen = true }]", "rates = { token_embedding = 0.3 }");
        assert_eq!(serde_json::from_str::<TrainSpec>(&serde_json::to_string(&spec).unwrap()).unwrap(), spec);
        assert_eq!(toml::from_str::<TrainSpec>(&toml::to_string(&spec).unwrap()).unwrap(), spec);
        let written = toml::to_string(&spec).unwrap();
        assert!(!written.contains("learn_from"), "as before: {written}");
        let hundredth = TrainSpec { learn_from: 0.01, ..spec };
        assert_eq!(toml::from_str::<TrainSpec>(&toml::to_string(&hundredth).unwrap()).unwrap(), hundredth);
    }

    #[test]
    fn a_group_holds_for_what_lies_below_its_path() {
        let group = ParameterGroup::of("blocks.*.mlp_out");
        assert!(group.holds_for("blocks.3.mlp_out.weight") && group.holds_for("blocks.3.mlp_out"));
        assert!(!group.holds_for("blocks.3.mlp_out_norm.gain") && !group.holds_for("blocks"));
        assert!(ParameterGroup::of("*").holds_for("token_embedding"));
    }
}

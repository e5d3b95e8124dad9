//! Learning in context: what a model is trained on so that it infers a task from examples.

use crate::types::TextShape;
use crate::types::training::train_written::WrittenStage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Next-token prediction on running text and on few-shot documents written from tables of pairs. In few-shot documents only
/// the answers and the ends of answers are learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FewShotTask {
    /// Sequence length T in tokens.
    pub context: usize,
    /// The model to build; needed only from scratch. Its vocabulary holds every word of `tasks` whole.
    #[serde(default)]
    pub shape: Option<TextShape>,
    /// Running text.
    #[serde(default)]
    pub text: Vec<TextSource>,
    /// Tables of pairs: files, or folders searched for `.tsv` and `.json` files.
    pub tasks: Vec<PathBuf>,
    /// More tables, whose words get no tokens of their own.
    #[serde(default)]
    pub more_tasks: Vec<PathBuf>,
    /// Names of tables that are never learned from: tasks the model has to do without their facts.
    #[serde(default)]
    pub held_out_tasks: Vec<String>,
    /// Names of tables of rules that are never learned from, and whose words never stand in a document about a rule.
    #[serde(default)]
    pub unseen_rules: Vec<String>,
    /// Share of every table's pairs that is never learned from, in `0..1`.
    #[serde(default)]
    pub held_out_pairs: f64,
    /// Templates that are never learned from, such as `{input} >> {output}`.
    #[serde(default)]
    pub held_out_templates: Vec<String>,
    /// Share of few-shot documents whose template is made up of any words and signs, in `0..=1`: so that a way of writing
    /// nobody thought of is read as one, too.
    #[serde(default)]
    pub made_up_templates: f64,
    /// What sequences are made of, one stage after the other.
    pub stages: Vec<MixtureStage>,
}

/// A text file or a folder of text files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSource {
    /// Where it is.
    pub path: PathBuf,
    /// How often it is read from, in proportion to the other sources.
    pub share: f64,
    /// Read no more than about so many megabytes of it, evenly over its files; all of it when absent.
    #[serde(default)]
    pub megabytes: Option<f64>,
}

/// What sequences are made of for a part of the run. The numbers are in proportion to each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "WrittenStage")]
pub struct MixtureStage {
    /// The stage lasts up to this share of the steps; the last one to the end.
    pub until: f64,
    /// Rates of groups, by what names their parameters, that replace the groups' own for the time of the stage.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<String, f64>,
    /// Running text.
    pub text: f64,
    /// Pairs of one table.
    pub facts: f64,
    /// Rules over random words: copy, capitalise, reverse.
    pub rules: f64,
    /// Rules that choose the word at a place among several.
    pub choose: f64,
    /// Random words that stand for random words, each pair several times: what was said before must be looked up.
    pub lookup: f64,
    /// A list of random tokens, said again and again: the densest lesson in looking back.
    pub repeats: f64,
    /// Pairs of a table with few labels, the labels renamed.
    pub renamed: f64,
    /// Pairs of a table with other answers of it: examples that are wrong say that what is known will not be asked for.
    pub shuffled: f64,
}

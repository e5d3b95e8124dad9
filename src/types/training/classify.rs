//! Learning to put texts into classes.

use crate::types::{FewShotPrompt, LabelledSource};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A head for classes on a pre-trained body. A classifier whose classes are those of the data goes on with its own head; any other
/// model that reads text is given a new one, as transformers draws it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifyTask {
    /// A CSV, TSV or JSONL file of texts with labels, a table of a shipped task that has labels, a folder with a folder of pictures for
    /// each class, or one with images in MNIST's format.
    pub data: PathBuf,
    /// A file of its own for validation; else the run's share of `data` is held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<PathBuf>,
    /// A file of its own for the test; else `test_share` of `data` is held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// The column of the texts: its name, or its number from 1; else the one that is usually called so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The column of the labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Share that nothing is learned from or chosen by, in `0..1`.
    #[serde(default = "tenth")]
    pub test_share: f64,
    /// What learns.
    #[serde(default)]
    pub learns: Learns,
    /// Labels are said as words by a decoder, in the place of a head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<LabelWords>,
    /// Texts are cut off behind this many tokens, special ones included; else where the model's own limit is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<usize>,
}

/// How a decoder is asked for a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabelWords {
    /// The text with its label, as `{input}` and `{output}`; a line break ends it, as between the examples of a prompt.
    pub template: String,
    /// The text is learned, too, and not the label alone.
    pub whole: bool,
}

impl Default for LabelWords {
    fn default() -> Self {
        Self { template: FewShotPrompt::default().template, whole: false }
    }
}

fn tenth() -> f64 {
    0.1
}

/// Which weights of a classifier learn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learns {
    /// The head alone, and the pooler of a BERT, which stands between body and head. What the body makes of a text is computed once.
    Head,
    /// So many of the last blocks, what stands behind them, and the head.
    LastLayers(usize),
    /// Everything.
    #[default]
    All,
}

impl Learns {
    /// True for a parameter that stays as it is, of a body with so many blocks. Paths begin with `body` or `head`.
    #[must_use]
    pub fn freezes(self, path: &str, layers: usize) -> bool {
        let Some(of_body) = path.strip_prefix("body.").filter(|path| !path.starts_with("pooler")) else { return false };
        match self {
            Self::All => false,
            Self::Head => true,
            Self::LastLayers(count) => {
                match layer_of(of_body) {
                    Some(block) => block < layers.saturating_sub(count),
                    // What stands behind the blocks is the last normalisation.
                    None => !of_body.starts_with("ln_final") && !of_body.starts_with("norm_final"),
                }
            }
        }
    }

    /// True for a parameter with this path that stands between a body and classes, where a low-rank change of the body is learned: it
    /// learns as a whole.
    #[must_use]
    pub fn beside_changes(path: &str) -> bool {
        path.strip_prefix("body.").is_none_or(|of_body| of_body.starts_with("pooler"))
    }

    /// The first block that low-rank changes are learned in, of a body with so many.
    #[must_use]
    pub fn first_changed(self, layers: usize) -> usize {
        match self {
            Self::All => 0,
            Self::Head => layers,
            Self::LastLayers(count) => layers.saturating_sub(count),
        }
    }

    /// In a few words.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Head => "head alone".to_owned(),
            Self::LastLayers(1) => "last layer and head".to_owned(),
            Self::LastLayers(count) => format!("last {count} layers and head"),
            Self::All => "all weights".to_owned(),
        }
    }
}

impl ClassifyTask {
    /// Of examples that are at hand and in no file.
    #[must_use]
    pub fn at_hand(learns: Learns) -> Self {
        let data = PathBuf::new();
        Self {
            data,
            validation: None,
            test: None,
            text: None,
            label: None,
            test_share: 0.0,
            learns,
            words: None,
            context: None,
        }
    }

    /// Where its data is read from, in a run with this share for validation and this seed.
    #[must_use]
    pub fn source(&self, validation_share: f64, seed: u64) -> LabelledSource {
        let Self { data, validation, test, text, label, test_share, .. } = self.clone();
        LabelledSource { data, validation, test, text, label, validation_share, test_share, seed }
    }
}

/// The layer that a parameter of a body belongs to. Those of a feed-forward network are one, and others behind it.
fn layer_of(path: &str) -> Option<usize> {
    let numbered = |prefix: &str| path.strip_prefix(prefix)?.split('.').next()?.parse::<usize>().ok();
    let is_first = path.starts_with("hidden.") || path.starts_with("norm.");
    numbered("blocks.").or_else(|| numbered("deeper.").map(|number| number + 1)).or(is_first.then_some(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_learns_is_told_by_paths() {
        let frozen = |learns: Learns| -> Vec<&str> {
            let paths = [
                "body.token_embedding",
                "body.ln_embed.gain",
                "body.blocks.0.qkv.weight",
                "body.blocks.1.qkv.weight",
                "body.norm_final.gain",
                "body.pooler.weight",
                "head.out.weight",
            ];
            paths.into_iter().filter(|path| learns.freezes(path, 2)).collect()
        };
        assert_eq!(frozen(Learns::All), [""; 0]);
        assert_eq!(frozen(Learns::Head).len(), 5);
        let below = ["body.token_embedding", "body.ln_embed.gain", "body.blocks.0.qkv.weight"];
        assert_eq!(frozen(Learns::LastLayers(1)), below);
        assert_eq!(frozen(Learns::LastLayers(9)), below[..2]);
    }

    #[test]
    fn recipes_say_what_learns_in_a_word_or_a_number() {
        let read = |learns: &str| -> ClassifyTask { toml::from_str(&format!("data = \"a.csv\"\n{learns}")).unwrap() };
        assert_eq!(read("").learns, Learns::All);
        assert_eq!(read("learns = \"head\"").learns, Learns::Head);
        let last = read("learns = { last_layers = 2 }");
        assert_eq!(last.learns, Learns::LastLayers(2));
        assert_eq!(toml::from_str::<ClassifyTask>(&toml::to_string(&last).unwrap()).unwrap(), last);
    }
}

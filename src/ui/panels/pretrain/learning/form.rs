//! Everything that is filled in, and the runs it stands for.

use super::net::{Net, Numbers, Size, Switches};
use crate::types::{
    BLANKS, LrSchedule, MaskedTask, Precision, StartFrom, TextTask, TrainSpec, TrainTask, WriteTextSpec,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Tokens of a passage that is written to be learned from.
const PASSAGE: usize = 200;

/// What is learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Learns {
    #[default]
    Next,
    Blanks,
}

/// Where the text comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    /// Stories that a shipped model writes.
    #[default]
    Stories,
    File,
}

/// The form. It survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Form {
    pub learns: Learns,
    pub nets: BTreeSet<Net>,
    pub source: Source,
    pub file: String,
    /// Of the stories.
    pub story_seed: u64,
    pub size: Size,
    /// As typed; nothing for what is usual at the size.
    pub steps: String,
    /// As typed; nothing for what is usual at the size.
    pub rate: String,
    pub seed: u64,
    /// Of the deep network.
    pub switches: Switches,
    /// Of what is not held out, the share that is learned from, in percent.
    pub learn_from: f64,
    pub keep: bool,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            learns: Learns::Next,
            nets: [Net::Transformer, Net::Lstm].into(),
            source: Source::Stories,
            file: String::new(),
            story_seed: 1,
            size: Size::Seconds,
            steps: String::new(),
            rate: String::new(),
            seed: 1,
            switches: Switches::default(),
            learn_from: 100.0,
            keep: true,
        }
    }
}

impl Form {
    /// The networks that learn, in the order of their turns.
    pub fn learners(&self) -> Vec<Net> {
        match self.learns {
            Learns::Next => Net::CAUSAL.into_iter().filter(|net| self.nets.contains(net)).collect(),
            Learns::Blanks => vec![Net::Encoder],
        }
    }

    /// What the size and what was typed say.
    ///
    /// # Errors
    /// What was typed and is no number, in words.
    pub fn numbers(&self) -> Result<Numbers, String> {
        let mut numbers = self.size.numbers();
        if self.learns == Learns::Blanks {
            // Few tokens of each sequence are asked for.
            numbers.batch *= 2;
        }
        let steps = self.steps.trim();
        if !steps.is_empty() {
            let parsed = steps.replace(',', "").parse().ok().filter(|steps| (1..=1_000_000).contains(steps));
            numbers.steps = parsed.ok_or_else(|| format!("{steps:?} is no number of steps from 1 to 1,000,000."))?;
            numbers.eval_every = numbers.eval_every.min((numbers.steps / 8).max(1));
        }
        let rate = self.rate.trim();
        if !rate.is_empty() {
            let parsed = rate.parse().ok().filter(|rate| (1e-7..=1.0).contains(rate));
            numbers.rate = parsed.ok_or_else(|| format!("{rate:?} is no learning rate from 1e-7 to 1."))?;
        }
        Ok(numbers)
    }

    /// What a network is called, with what is unusual about it.
    pub fn name(&self, net: Net) -> String {
        let name = match net {
            Net::Deep => format!("Deep: {}", self.switches.words()),
            net => net.name().to_owned(),
        };
        if self.learn_from < 100.0 { format!("{name}, {} % of the text", self.learn_from) } else { name }
    }

    /// What is missing, in words.
    pub fn missing(&self) -> Option<String> {
        if self.learners().is_empty() {
            return Some("Choose a network.".to_owned());
        }
        if self.source == Source::File && self.file.trim().is_empty() {
            return Some("Choose a text file.".to_owned());
        }
        self.numbers().err()
    }

    /// The stories that are to be written by a model, into a folder of texts.
    pub fn stories(&self, model: &Path, texts: &Path) -> WriteTextSpec {
        let passages = self.size.numbers().passages;
        let name = format!("stories-{passages}-seed-{}.txt", self.story_seed);
        WriteTextSpec {
            model: model.to_owned(),
            passages,
            tokens: PASSAGE,
            seed: self.story_seed,
            out: texts.join(name),
        }
    }

    /// The run of a network on a text. `parameters` is how many numbers networks without attention are to have.
    pub fn spec(&self, net: Net, data: PathBuf, parameters: u64, out: Option<PathBuf>) -> Result<TrainSpec, String> {
        let numbers = self.numbers()?;
        let data = vec![data];
        let context = numbers.context;
        let task = match net {
            Net::Encoder => {
                TrainTask::Masked(MaskedTask { data, context, blanks: BLANKS, shape: Some(numbers.encoder()) })
            }
            net => {
                TrainTask::Text(TextTask { data, context, shape: Some(numbers.shape(net, parameters, &self.switches)) })
            }
        };
        Ok(TrainSpec {
            task,
            start: StartFrom::Scratch,
            out,
            precision: Precision::F32,
            learning_rate: if self.rate.trim().is_empty() { numbers.rate * net.rate() } else { numbers.rate },
            groups: Vec::new(),
            lora: None,
            schedule: LrSchedule::Cosine,
            warmup_steps: (numbers.steps / 20).min(100),
            weight_decay: 0.01,
            clip_norm: 1.0,
            batch_size: numbers.batch,
            accumulate: 1,
            steps: numbers.steps,
            validation_share: 0.1,
            learn_from: self.learn_from / 100.0,
            eval_every: numbers.eval_every,
            patience: 0,
            seed: self.seed,
            sample_prompts: Vec::new(),
            snapshots: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_counts_over_the_size_and_nonsense_is_named() {
        let form = Form { steps: "1,200".to_owned(), rate: "2e-3".to_owned(), ..Form::default() };
        let numbers = form.numbers().unwrap();
        assert_eq!((numbers.steps, numbers.rate), (1200, 2e-3));
        for (steps, rate, word) in [("0", "", "\"0\""), ("few", "", "\"few\""), ("", "fast", "\"fast\"")] {
            let form = Form { steps: steps.to_owned(), rate: rate.to_owned(), ..Form::default() };
            assert!(form.missing().unwrap().contains(word), "{steps} {rate}");
        }
    }

    #[test]
    fn networks_take_their_turns_and_an_encoder_learns_alone() {
        let mut form = Form { nets: [Net::Rnn, Net::Transformer].into(), ..Form::default() };
        assert_eq!(form.learners(), [Net::Transformer, Net::Rnn]);
        form.learns = Learns::Blanks;
        assert_eq!(form.learners(), [Net::Encoder]);
        form.learns = Learns::Next;
        form.nets.clear();
        assert_eq!(form.missing().unwrap(), "Choose a network.");
        let file = Form { source: Source::File, ..Form::default() };
        assert_eq!(file.missing().unwrap(), "Choose a text file.");
    }
}

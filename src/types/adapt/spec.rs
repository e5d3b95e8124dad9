//! What is compared.

use super::way::Way;
use crate::types::{Labelled, LabelledSource, LoraSpec, Random, TaskTable, UserError};
use serde::{Deserialize, Serialize};

/// One task, and the ways to adapt a model to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdaptSpec {
    /// The labelled texts or pictures. What is held out for the test is what every way is measured on.
    pub data: LabelledSource,
    /// The ways.
    pub ways: Vec<Way>,
    /// Numbers of examples. A number larger than what there is stands for all.
    pub sizes: Vec<usize>,
    /// Each seed draws other examples, in an order of its own, and other new weights.
    pub seeds: Vec<u64>,
    /// What is done to the labels of the examples, each a column of its own.
    pub noises: Vec<LabelNoise>,
    /// Texts or pictures of the test part that are measured on at most; the same for every way, size and seed.
    pub test: usize,
    /// The vector that a decoder gives for a text; an encoder has its own.
    pub pooling: FeaturePooling,
    /// How examples are written in a prompt.
    pub prompt: AdaptPrompt,
    /// How networks learn.
    pub training: AdaptTraining,
}

/// What is done to the labels of the examples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelNoise {
    /// Nothing.
    #[default]
    True,
    /// They change places: as many of each as before, and nothing to be learned from them.
    Shuffled,
    /// A fifth of them is wrong, rounded up from a half.
    FifthWrong,
}

/// Which vector of a decoder stands for a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeaturePooling {
    /// That of its last token, which has seen all others.
    LastToken,
    /// The mean over its tokens.
    #[default]
    Mean,
}

/// How examples are written in a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdaptPrompt {
    /// Said once, before the examples.
    pub instruction: String,
    /// One example, with `{input}` and `{output}`.
    pub template: String,
    /// Put between examples.
    pub separator: String,
    /// The word for each class, in the order of the classes; the labels themselves where there are none.
    pub words: Vec<String>,
    /// Choose by contextual calibration (Zhao et al. 2021).
    pub calibrate: bool,
}

impl Default for AdaptPrompt {
    fn default() -> Self {
        let TaskTable { template, separator, .. } = TaskTable::default();
        Self { instruction: String::new(), template, separator, words: Vec::new(), calibrate: false }
    }
}

/// How networks learn: so many passes over the examples, with a peak rate for each way, after a tenth of warm-up along a cosine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdaptTraining {
    /// Passes over the examples.
    pub epochs: usize,
    /// Examples a step, at most.
    pub batch: usize,
    /// Steps at least, however few the examples are.
    pub least_steps: usize,
    /// Steps at most, however many the examples are.
    pub most_steps: usize,
    /// The low-rank changes.
    pub lora: LoraSpec,
    /// Peak learning rates in place of the usual ones.
    pub rates: Vec<(Way, f64)>,
}

impl Default for AdaptTraining {
    fn default() -> Self {
        let lora =
            LoraSpec { rank: 8, alpha: 16.0, rank_stabilised: false, targets: vec![LoraSpec::ALL_LINEAR.to_owned()] };
        Self { epochs: 10, batch: 8, least_steps: 20, most_steps: 400, lora, rates: Vec::new() }
    }
}

impl AdaptTraining {
    /// Examples a step and steps for so many of them.
    #[must_use]
    pub fn steps(&self, examples: usize) -> (usize, usize) {
        let batch = self.batch.clamp(1, examples.max(1));
        let all = (examples * self.epochs).div_ceil(batch);
        (batch, all.max(self.least_steps).min(self.most_steps.max(1)))
    }

    /// The peak learning rate of a way, for a network of so many parameters: a small network takes larger steps.
    #[must_use]
    pub fn rate(&self, way: Way, parameters: u64) -> f64 {
        const LARGE: u64 = 20_000_000;
        // Digit networks: their presets learn at 2e-3 and 4e-3.
        const TINY: u64 = 200_000;
        let (is_large, is_tiny) = (parameters > LARGE, parameters < TINY);
        let usual = match way {
            Way::Lora => 1e-3,
            Way::Full if is_large => 5e-5,
            Way::Scratch if is_large => 3e-4,
            Way::Full if is_tiny => 2e-3,
            Way::Scratch if is_tiny => 4e-3,
            Way::Full => 5e-4,
            Way::Scratch => 1e-3,
            Way::Examples | Way::Embeddings | Way::Prototypes | Way::Head => 1e-2,
        };
        self.rates.iter().find(|(of, _)| *of == way).map_or(usual, |(_, rate)| *rate)
    }
}

impl AdaptSpec {
    /// Refuses what cannot be compared.
    ///
    /// # Errors
    /// When nothing is asked for, or a setting is no number that serves.
    pub fn check(&self) -> Result<(), UserError> {
        let wrong = |what: &str, why: &str, next: &str| Err(UserError::new(what, why, next));
        if self.ways.is_empty() {
            return wrong("There is no way to compare.", "None was chosen.", "Choose at least one.");
        }
        if self.sizes.is_empty() || self.seeds.is_empty() || self.noises.is_empty() {
            return wrong(
                "There is nothing to measure.",
                "Each point is of a number of examples and a seed, and one of the two is missing.",
                "Give at least one number and one seed.",
            );
        }
        if self.sizes.contains(&0) {
            return wrong(
                "0 examples cannot be learned from.",
                "Only a prompt can do without any, and then nothing is compared.",
                "Begin with 1; accuracy without examples is told by `fovea kshot --k 0`.",
            );
        }
        if self.test == 0 {
            return wrong("There is nothing to measure on.", "None of the test part was asked for.", "Ask for more.");
        }
        let AdaptTraining { epochs, batch, most_steps, rates, .. } = &self.training;
        if [*epochs, *batch, *most_steps].contains(&0)
            || rates.iter().any(|(_, rate)| !rate.is_finite() || *rate <= 0.0)
        {
            return wrong(
                "A network cannot learn like that.",
                "Passes, examples a step, steps and learning rates are positive numbers.",
                "Change what is zero or below.",
            );
        }
        if ["{input}", "{output}"].iter().any(|part| self.prompt.template.matches(part).count() != 1) {
            return wrong(
                "The template does not say how an example is written.",
                "{input} and {output} must each stand in it once.",
                "Write it like \"{input} = {output}\".",
            );
        }
        Ok(())
    }

    /// Sizes in rising order, each once, no larger than the number of examples there are.
    #[must_use]
    pub fn sizes_of(&self, all: usize) -> Vec<usize> {
        let mut sizes: Vec<usize> = self.sizes.iter().map(|size| (*size).min(all)).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }

    /// Places of the test part that are measured on, in rising order: all, or so many drawn with the seed of the split.
    #[must_use]
    pub fn test_places(&self, test: &[usize]) -> Vec<usize> {
        let order = Random::new(self.data.seed, TEST).permutation(test.len());
        let mut places: Vec<usize> = order.into_iter().take(self.test).map(|place| test[place as usize]).collect();
        places.sort_unstable();
        places
    }
}

/// The stream that test texts are drawn from, and those of wrong labels.
const TEST: u64 = 23 << 40;
const SHUFFLED: u64 = 24 << 40;
const WRONG: u64 = 25 << 40;

/// The examples of a seed: places in the data with the class each is told with, in the order in which they are shown. In rounds of one
/// text of every class, as prompts of the lab are; those of a smaller size are the first of a larger one's.
#[must_use]
pub fn draw_examples(data: &Labelled, size: usize, seed: u64, noise: LabelNoise) -> Vec<(usize, usize)> {
    let train = &data.parts[0];
    // The order follows from the labels alone.
    let row = |place: &usize| [String::new(), data.labels[data.examples[*place].1].clone()];
    let table =
        TaskTable { rows: train.iter().map(row).collect(), labels: data.labels.clone(), ..TaskTable::default() };
    let order = table.order(seed, crate::types::Draw::Balanced, |_| true);
    let places: Vec<usize> = order.into_iter().take(size).map(|row| train[row]).collect();
    let classes: Vec<usize> = places.iter().map(|place| data.examples[*place].1).collect();
    let told = noise.apply(classes, data.labels.len(), seed);
    places.into_iter().zip(told).collect()
}

impl LabelNoise {
    /// A word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::True => "true labels",
            Self::Shuffled => "shuffled labels",
            Self::FifthWrong => "20 % wrong labels",
        }
    }

    fn apply(self, mut classes: Vec<usize>, of: usize, seed: u64) -> Vec<usize> {
        match self {
            Self::True => classes,
            Self::Shuffled => {
                let order = Random::new(seed, SHUFFLED).permutation(classes.len());
                order.into_iter().map(|place| classes[place as usize]).collect()
            }
            Self::FifthWrong => {
                let mut random = Random::new(seed, WRONG);
                let wrong = (classes.len() as f64 * 0.2).round() as usize;
                for place in random.permutation(classes.len()).into_iter().take(wrong) {
                    let class = &mut classes[place as usize];
                    // Another class, each as likely.
                    *class = (*class + 1 + random.below(of - 1)) % of;
                }
                classes
            }
        }
    }
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;

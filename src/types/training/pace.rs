//! How many tokens a second networks read and learn, against the length of a sequence and the number of sequences side by side: what it
//! means that a network computes all places at once, measured.

use crate::types::{
    FeedForwardShape, HiddenLayers, LlamaShape, ModelId, RecurrentCell, RecurrentShape, TextShape, Width,
};
use serde::{Deserialize, Serialize};

/// What is measured: every network in every pass on every processor there is, first one sequence of each length, then batches.
#[derive(Clone, Debug, PartialEq)]
pub struct PaceSpec {
    /// The networks.
    pub networks: Vec<PaceNetwork>,
    /// Lengths T in tokens, of one sequence.
    pub lengths: Vec<usize>,
    /// Sequences B side by side, each of `batch_length` tokens.
    pub batches: Vec<usize>,
    /// Tokens of each sequence of a batch.
    pub batch_length: usize,
    /// Seconds that each point is repeated for at least.
    pub seconds: f64,
    /// Of drawn weights and of the tokens that are read.
    pub seed: u64,
}

/// A network that is measured.
#[derive(Clone, Debug, PartialEq)]
pub enum PaceNetwork {
    /// An open model of text; its adapter, if it uses one, is in its weights.
    Open(ModelId),
    /// One that is built for this, with random weights.
    Drawn {
        /// What it is called.
        name: String,
        /// Its sizes.
        shape: TextShape,
    },
}

/// What a network does with tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PacePass {
    /// Forward: the logits at all places, nothing remembered from before.
    Read,
    /// Forward and backward: the mean cross-entropy of the next token, and its gradient to every weight. Nothing is changed.
    Learn,
}

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaceProcessor {
    /// One thread.
    OneCore,
    /// All compute threads of the program.
    AllCores,
    /// The graphics processor in use.
    Gpu,
}

impl PaceNetwork {
    /// A transformer, and an LSTM, a plain RNN (two layers each) and a feed-forward network over the last eight tokens with as many numbers.
    #[must_use]
    pub fn beside(llama: LlamaShape) -> Vec<Self> {
        let LlamaShape { max_positions, vocabulary, .. } = llama;
        let width = Width::Parameters(llama.parameters());
        let recurrent = |cell| {
            let (layers, embedding, tied) = (2, None, None);
            TextShape::Recurrent(RecurrentShape { cell, layers, width, embedding, tied, max_positions, vocabulary })
        };
        let feed_forward = FeedForwardShape {
            window: 8,
            width,
            layers: HiddenLayers::default(),
            embedding: None,
            direct: false,
            tied: None,
            max_positions,
            vocabulary,
        };
        [
            ("transformer", TextShape::Llama(llama)),
            ("LSTM", recurrent(RecurrentCell::Lstm)),
            ("RNN", recurrent(RecurrentCell::Tanh)),
            ("feed-forward", TextShape::FeedForward(feed_forward)),
        ]
        .map(|(name, shape)| Self::Drawn { name: name.to_owned(), shape })
        .into()
    }
}

impl PacePass {
    /// Both, in the order they are measured.
    pub const ALL: [Self; 2] = [Self::Read, Self::Learn];

    /// Its name on the command line and in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Learn => "learn",
        }
    }
}

impl PaceProcessor {
    /// All, in the order they are measured.
    pub const ALL: [Self; 3] = [Self::OneCore, Self::AllCores, Self::Gpu];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OneCore => "one_core",
            Self::AllCores => "all_cores",
            Self::Gpu => "gpu",
        }
    }

    /// Its name in a sentence.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::OneCore => "one core",
            Self::AllCores => "all cores",
            Self::Gpu => "GPU",
        }
    }
}

/// A network as it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacedNetwork {
    /// What it is called.
    pub name: String,
    /// Its architecture in words.
    pub architecture: String,
    /// Numbers that it is made of.
    pub parameters: u64,
    /// Longest sequence in tokens; points beyond are left out.
    pub context: usize,
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PacePoint {
    /// Which of [`PaceReport::networks`].
    pub network: usize,
    /// What it did.
    pub pass: PacePass,
    /// What computed.
    pub processor: PaceProcessor,
    /// Sequences B side by side.
    pub batch: usize,
    /// Tokens T of each.
    pub length: usize,
    /// Seconds of a pass: the median of all that were made behind a first one, which is not counted.
    pub seconds: f64,
    /// How many those are.
    pub passes: usize,
}

impl PacePoint {
    /// Tokens of all sequences a second.
    #[must_use]
    pub fn tokens_per_second(&self) -> f64 {
        (self.batch * self.length) as f64 / self.seconds
    }
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PaceReport {
    /// The networks, in the order of the spec.
    pub networks: Vec<PacedNetwork>,
    /// What was measured, in the order it was.
    pub points: Vec<PacePoint>,
    /// Compute threads of [`PaceProcessor::AllCores`].
    pub threads: usize,
    /// Tokens of each sequence of a batch.
    pub batch_length: usize,
    /// Points that there are in all.
    pub planned: usize,
}

impl PaceReport {
    /// One curve against the length of one sequence: length and tokens a second, in rising order.
    #[must_use]
    pub fn by_length(&self, network: usize, pass: PacePass, processor: PaceProcessor) -> Vec<(usize, f64)> {
        let found = self.of(network, pass, processor).filter(|point| point.batch == 1);
        sorted(found.map(|point| (point.length, point.tokens_per_second())))
    }

    /// One curve against the number of sequences: batch and tokens a second, in rising order.
    #[must_use]
    pub fn by_batch(&self, network: usize, pass: PacePass, processor: PaceProcessor) -> Vec<(usize, f64)> {
        let found = self.of(network, pass, processor).filter(|point| point.length == self.batch_length);
        sorted(found.map(|point| (point.batch, point.tokens_per_second())))
    }

    /// The processors that anything was measured on.
    #[must_use]
    pub fn processors(&self) -> Vec<PaceProcessor> {
        let has = |processor: &PaceProcessor| self.points.iter().any(|point| point.processor == *processor);
        PaceProcessor::ALL.into_iter().filter(has).collect()
    }

    fn of(&self, network: usize, pass: PacePass, processor: PaceProcessor) -> impl Iterator<Item = &PacePoint> {
        let is = move |point: &&PacePoint| (point.network, point.pass, point.processor) == (network, pass, processor);
        self.points.iter().filter(is)
    }
}

fn sorted(points: impl Iterator<Item = (usize, f64)>) -> Vec<(usize, f64)> {
    let mut points: Vec<_> = points.collect();
    points.sort_unstable_by_key(|(at, _)| *at);
    points.dedup_by_key(|(at, _)| *at);
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_told_apart_by_what_stays_the_same() {
        let point = |batch, length, seconds| PacePoint {
            network: 0,
            pass: PacePass::Read,
            processor: PaceProcessor::AllCores,
            batch,
            length,
            seconds,
            passes: 5,
        };
        let other = PacePoint { pass: PacePass::Learn, ..point(1, 16, 1.0) };
        let report = PaceReport {
            points: vec![point(1, 64, 0.5), point(1, 16, 0.5), point(4, 64, 0.5), other],
            batch_length: 64,
            ..PaceReport::default()
        };
        let (pass, processor) = (PacePass::Read, PaceProcessor::AllCores);
        assert_eq!(report.by_length(0, pass, processor), [(16, 32.0), (64, 128.0)]);
        assert_eq!(report.by_batch(0, pass, processor), [(1, 128.0), (4, 512.0)]);
        assert_eq!(report.by_length(1, pass, processor), []);
        assert_eq!(report.processors(), [PaceProcessor::AllCores]);
    }
}

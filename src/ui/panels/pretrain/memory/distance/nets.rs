//! The networks that learn to remember: four kinds with equally many numbers, each with the sizes and the rate that suit it.

use super::form::Form;
use crate::types::{
    BYTE_VOCABULARY, FeedForwardShape, HiddenLayers, LlamaShape, MemoryKind, MemoryTask, RecurrentCell, RecurrentShape,
    StartFrom, TextShape, TrainSpec, TrainTask, Width,
};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// The largest distance that is learned.
pub(super) const LONGEST: usize = 32;
/// Tokens that the feed-forward network sees.
const WINDOW: usize = 8;
/// Its peak learning rate. At half of it the far end of the window is not learned in as many steps.
const FEED_FORWARD_RATE: f64 = 1e-2;
/// Longest sequence that is asked.
const POSITIONS: usize = 256;

/// A kind of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Net {
    Lstm,
    Rnn,
    FeedForward,
    Transformer,
}

/// The recipes that come with Fovea, as `fovea train --preset` reads them.
static PRESETS: LazyLock<[TrainSpec; 2]> = LazyLock::new(|| {
    let read = |text: &str| toml::from_str(text).expect("a recipe that a test reads");
    [
        read(include_str!("../../../../../../assets/presets/memory-lstm.toml")),
        read(include_str!("../../../../../../assets/presets/memory-transformer.toml")),
    ]
});

impl Net {
    pub const ALL: [Self; 4] = [Self::Lstm, Self::Rnn, Self::FeedForward, Self::Transformer];

    pub fn name(self) -> &'static str {
        match self {
            Self::Lstm => "LSTM",
            Self::Rnn => "RNN",
            Self::FeedForward => "Feed-forward",
            Self::Transformer => "Transformer",
        }
    }

    pub fn help(self) -> &'static str {
        match self {
            Self::Lstm => {
                "Reads token by token. Gates say what enters its cell, what stays and what is handed on (Hochreiter and Schmidhuber 1997)."
            }
            Self::Rnn => {
                "Reads token by token: h = tanh(W x + U h' + b), where h' is what it kept before; it has no gates (Elman 1990)."
            }
            Self::FeedForward => "Sees the last 8 tokens at once and nothing before them (Bengio et al. 2003).",
            Self::Transformer => {
                "Looks back at every token by attention (Vaswani et al. 2017). It begins with the parts of induction heads in their places, \
                 which takes some minutes off the learning."
            }
        }
    }

    /// The run that teaches it what is asked for.
    pub fn spec(self, form: &Form) -> TrainSpec {
        let [lstm, transformer] = &*PRESETS;
        let preset = if self == Self::Transformer { transformer } else { lstm };
        let learning_rate = match self {
            Self::Lstm => lstm.learning_rate,
            // At a third of this rate a tanh network has learned nothing beyond two tokens in as many steps.
            Self::Rnn | Self::Transformer => transformer.learning_rate,
            Self::FeedForward => FEED_FORWARD_RATE,
        };
        let (of, shape) = (form.of, Some(self.shape()));
        TrainSpec {
            task: TrainTask::Memory(MemoryTask { of, longest: LONGEST, context: 2 * LONGEST, shape }),
            start: StartFrom::Scratch,
            out: None,
            learning_rate,
            steps: form.steps,
            eval_every: (form.steps / 8).max(1),
            seed: form.seed,
            ..preset.clone()
        }
    }

    fn shape(self) -> TextShape {
        let width = Width::Parameters(parameters());
        let recurrent = |cell| {
            TextShape::Recurrent(RecurrentShape {
                cell,
                layers: 1,
                width,
                embedding: None,
                tied: None,
                max_positions: POSITIONS,
                vocabulary: BYTE_VOCABULARY,
            })
        };
        match self {
            Self::Lstm => recurrent(RecurrentCell::Lstm),
            Self::Rnn => recurrent(RecurrentCell::Tanh),
            Self::FeedForward => TextShape::FeedForward(FeedForwardShape {
                window: WINDOW,
                width,
                layers: HiddenLayers::default(),
                embedding: None,
                direct: false,
                tied: None,
                max_positions: POSITIONS,
                vocabulary: BYTE_VOCABULARY,
            }),
            Self::Transformer => TextShape::Llama(transformer()),
        }
    }
}

/// The sizes of the transformer, as its preset has them.
fn transformer() -> LlamaShape {
    match &PRESETS[1].task {
        TrainTask::Memory(MemoryTask { shape: Some(TextShape::Llama(shape)), .. }) => shape.clone(),
        _ => unreachable!("the preset is that of a transformer"),
    }
}

/// Numbers that each network has, but for a few.
pub(super) fn parameters() -> u64 {
    transformer().parameters()
}

/// The distances that are asked at: to four times as far as is learned.
pub(super) fn distances(of: MemoryKind) -> Vec<usize> {
    const USUAL: [usize; 13] = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128];
    let mut distances: Vec<usize> = USUAL.into_iter().filter_map(|distance| of.at_most(distance)).collect();
    distances.dedup();
    distances
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_are_those_of_the_presets_with_what_is_filled_in() {
        let form = Form { of: MemoryKind::Recall, steps: 120, seed: 7, ..Form::default() };
        for net in Net::ALL {
            let spec = net.spec(&form);
            assert_eq!((spec.steps, spec.seed, spec.eval_every), (120, 7, 15));
            let TrainTask::Memory(task) = &spec.task else { panic!("{spec:?}") };
            assert_eq!((task.of, task.longest), (MemoryKind::Recall, LONGEST));
            assert!(task.shape.as_ref().is_some_and(|shape| shape.max_positions() >= 128 + 8));
        }
        assert_eq!(Net::Lstm.spec(&form).learning_rate, PRESETS[0].learning_rate);
    }

    #[test]
    fn distances_reach_four_times_as_far_as_is_learned() {
        assert_eq!(distances(MemoryKind::Copy).last(), Some(&(4 * LONGEST)));
        assert_eq!(distances(MemoryKind::Recall), [3, 5, 7, 11, 15, 23, 31, 47, 63, 95, 127]);
    }
}

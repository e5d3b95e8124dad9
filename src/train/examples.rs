//! The data of a run, an example at a time: what its loss is measured on, apart from all others.

use super::objective::{Objective, Preparation, Progress, Setup};
use super::objectives::{Digits, FewShot, NextToken};
use crate::load::TextModel;
use crate::types::{DataPart, StartFrom, TrainSpec, TrainTask, UserError};

/// An example.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Example {
    /// Token ids, and which of those behind the first are predicted.
    Tokens { ids: Vec<u32>, predicted: Vec<bool> },
    /// A text, or the path of a picture, with its label.
    Labelled { text: String, label: String },
    /// A 28×28 image, row-major, ink is 255.
    Digit { pixels: Vec<u8>, label: u8 },
}

/// Some examples of a part, spread evenly over it.
#[derive(Debug, Default)]
pub(crate) struct Drawn {
    /// Each with its place in the part.
    pub examples: Vec<(usize, Example)>,
    /// How many the part has.
    pub of: usize,
}

impl Drawn {
    /// At most `most` of `of` examples; `example` makes the one at a place.
    pub(crate) fn spread(of: usize, most: usize, mut example: impl FnMut(usize) -> Example) -> Self {
        let taken = of.min(most);
        let places = (0..taken).map(|i| (i as u128 * of as u128 / taken as u128) as usize);
        Self { examples: places.map(|place| (place, example(place))).collect(), of }
    }
}

/// Splits text into examples for a causal model, a stretch at a time, as a run does.
pub(crate) enum TextExamples {
    /// Passages of running text.
    Passages(Box<NextToken>),
    /// Sequences of few-shot documents and of running text.
    Documents(Box<FewShot>),
}

impl TextExamples {
    /// Of the data of a run; none where it is no text that is predicted.
    pub(crate) fn of(task: &TrainTask) -> Option<Self> {
        match task {
            TrainTask::Text(task) => Some(Self::Passages(Box::new(NextToken::new(task.clone())))),
            TrainTask::FewShot(task) => Some(Self::Documents(Box::new(FewShot::new(task.clone())))),
            TrainTask::Digits(_)
            | TrainTask::Memory(_)
            | TrainTask::Classify(_)
            | TrainTask::Masked(_)
            | TrainTask::Contrastive(_) => None,
        }
    }

    /// Reads a stretch with the tokenizer of a model; true once all is read.
    ///
    /// # Errors
    /// When the data cannot be used.
    pub(crate) fn read(
        &mut self,
        spec: &TrainSpec,
        model: &TextModel,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<bool, UserError> {
        let spec = TrainSpec { start: StartFrom::OpenModel, ..spec.clone() };
        let device = model.lm.device();
        let setup = Setup { spec: &spec, open: Some(model), checkpoint: None, device: &device };
        let prepared = match self {
            Self::Passages(objective) => objective.prepare(&setup, tell)?,
            Self::Documents(objective) => objective.prepare(&setup, tell)?,
        };
        Ok(!matches!(prepared, Preparation::More))
    }

    /// At most `most` examples of a part, once all is read.
    pub(crate) fn draw(&self, spec: &TrainSpec, part: DataPart, most: usize) -> Drawn {
        match self {
            Self::Passages(objective) => objective.examples(part, most),
            Self::Documents(objective) => objective.examples(spec, part, most),
        }
    }
}

/// At most `most` images of a part of the data of a digit network's run, undistorted.
///
/// # Errors
/// When they cannot be read.
pub(crate) fn digit_examples(spec: &TrainSpec, part: DataPart, most: usize) -> Result<Drawn, UserError> {
    match &spec.task {
        TrainTask::Digits(task) => Digits::new(task.clone()).examples(spec, part, most),
        _ => Ok(Drawn::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_spread_evenly_and_told_by_their_places() {
        let example = |_| Example::Digit { pixels: Vec::new(), label: 0 };
        let places = |of, most| -> Vec<usize> {
            Drawn::spread(of, most, example).examples.into_iter().map(|(place, _)| place).collect()
        };
        assert_eq!(places(10, 4), [0, 2, 5, 7]);
        assert_eq!(places(3, 10), [0, 1, 2]);
        assert_eq!((places(0, 5).len(), Drawn::spread(7, 2, example).of), (0, 7));
    }
}

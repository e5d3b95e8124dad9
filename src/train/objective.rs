//! What the training loop asks of the thing it trains.

use crate::types::{GlimpseToken, HeadValues, TrainSpec, UserError};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

/// A network and the data it learns from. Everything random is drawn from the spec's seed and the step ([`Stream`](super::stream::Stream)), so that an
/// objective keeps no state a checkpoint would have to save.
pub(crate) trait Objective {
    /// A network with what belongs to it: its sizes, its tokenizer, what is shown of it.
    type Model;
    /// The network.
    type Net: Module + 'static;

    /// Decay of AdamW's second moment.
    fn beta_2(&self) -> f32;

    /// Reads data and makes the model ready, a stretch at a time.
    ///
    /// # Errors
    /// When the data or the model cannot be used.
    fn prepare(
        &mut self,
        setup: &Setup<'_, Self::Model>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Preparation<Self::Model>, UserError>;

    /// The model's network, in the precision that is trained.
    fn net(model: &Self::Model) -> Self::Net;

    /// True for a parameter with this path that stays as it is, whatever the recipe's groups say. Asked once all is prepared.
    fn freezes(&self, _path: &str) -> bool {
        false
    }

    /// True for a parameter with this path that learns as a whole beside an adapter.
    fn learns_whole(&self, _path: &str) -> bool {
        false
    }

    /// The network a run begins with: the model's, or one that learns changes beside it, where the spec says so.
    ///
    /// # Errors
    /// When the spec asks for changes that the network cannot have.
    fn first_net(&self, spec: &TrainSpec, model: &Self::Model) -> Result<Self::Net, UserError> {
        let _ = spec;
        Ok(Self::net(model))
    }

    /// The loss of a batch, counted from 1 over the run; `device` carries autodiff.
    fn loss(&mut self, spec: &TrainSpec, net: &Self::Net, batch: usize, device: &Device) -> Loss;

    /// Rates of groups of parameters at a step, counted from 1, in place of their own.
    fn rates(&self, _spec: &TrainSpec, _step: usize) -> Option<&BTreeMap<String, f64>> {
        None
    }

    /// Tokens or images in one batch.
    fn examples_per_step(&self, spec: &TrainSpec) -> u64;

    /// The same in one pass over the data that is learned from, where it has an end.
    fn examples_per_epoch(&self) -> Option<u64> {
        None
    }

    /// Whether examples are tokens.
    fn reads_tokens(&self) -> bool {
        false
    }

    /// Number of slices a validation is cut into; 0 when nothing is held out.
    fn validation_slices(&self) -> usize;

    /// Names of the data sets that are held out of, where they are several.
    fn validation_sets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Which of [`Self::validation_sets`] a slice belongs to: a slice is of one alone.
    fn set_of_slice(&self, _slice: usize) -> usize {
        0
    }

    /// Measures one slice of the held-out data.
    fn validate(&self, net: &Self::Net, slice: usize, device: &Device) -> Tally;

    /// The same, with class and answer of each example where there are [`Self::classes`].
    fn validate_each(&self, net: &Self::Net, slice: usize, device: &Device) -> (Tally, Vec<[usize; 2]>) {
        (self.validate(net, slice, device), Vec::new())
    }

    /// Names of the classes that examples are put into; none where there are no classes.
    fn classes(&self) -> Vec<String> {
        Vec::new()
    }

    /// The network with what it learns beside its weights added to them.
    fn whole(net: &Self::Net) -> Self::Net {
        net.clone()
    }

    /// Scores of the heads of such a network, where it has some that are watched.
    fn head_values(&self, _net: &Self::Net) -> Option<HeadValues> {
        None
    }

    /// Writes the next piece of a sample, shown after each validation.
    fn sample(&mut self, _net: &Self::Net) -> SampleStep {
        SampleStep::None
    }

    /// What `net`, which is without autodiff, makes of one sequence of a batch, counted as in [`Self::loss`]; none where there are no tokens
    /// to show.
    fn glimpse(
        &mut self,
        _spec: &TrainSpec,
        _net: &Self::Net,
        _batch: usize,
        _device: &Device,
    ) -> Option<Vec<GlimpseToken>> {
        None
    }

    /// Writes files beside the finished model that say how it was trained.
    ///
    /// # Errors
    /// When they cannot be written.
    fn write_beside(&self, _out: &Path) -> Result<(), UserError> {
        Ok(())
    }

    /// Adds to a checkpoint what cannot be made again from spec and data.
    ///
    /// # Errors
    /// When it cannot be written.
    fn write_extra(&self, _folder: &Path) -> Result<(), UserError> {
        Ok(())
    }
}

/// What a run is prepared from.
pub(crate) struct Setup<'a, M> {
    /// The run's spec.
    pub spec: &'a TrainSpec,
    /// The model to go on from, where the spec says that it is open already.
    pub open: Option<&'a M>,
    /// The folder of the checkpoint of a run that is resumed.
    pub checkpoint: Option<&'a Path>,
    /// Where to compute, without autodiff.
    pub device: &'a Device,
}

/// How far a preparation is.
pub(crate) enum Preparation<M> {
    /// There is more to do.
    More,
    /// All is ready, for the open model.
    ReadyForOpen,
    /// All is ready, for a model that was made or opened.
    Ready(M),
}

/// What is being read, and how far.
pub(crate) struct Progress {
    /// What is done, in words.
    pub label: String,
    /// Units done and in total; zeros where that is not known.
    pub done: u64,
    /// All units.
    pub total: u64,
    /// What is counted.
    pub unit: &'static str,
}

/// The loss of a batch.
pub(crate) struct Loss {
    /// Mean cross-entropy, `[1]`.
    pub mean: Tensor<1>,
    /// Tokens of the batch, with repetitions; none where it has no tokens.
    pub tokens: Vec<u32>,
    /// How many predictions the mean is over.
    pub predicted: usize,
}

/// A measurement that can be added up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// Sum of cross-entropies in nats.
    pub loss: f64,
    /// Tokens or images measured.
    pub count: usize,
    /// How many answers were right, and of how many, where that is asked.
    pub correct: Option<(usize, usize)>,
}

impl Tally {
    /// Both measurements together.
    pub(super) fn plus(self, other: Self) -> Self {
        let correct = match (self.correct, other.correct) {
            (None, None) => None,
            (a, b) => {
                let ((right_a, of_a), (right_b, of_b)) = (a.unwrap_or_default(), b.unwrap_or_default());
                Some((right_a + right_b, of_a + of_b))
            }
        };
        Self { loss: self.loss + other.loss, count: self.count + other.count, correct }
    }

    /// Mean cross-entropy.
    pub(super) fn mean_loss(&self) -> f64 {
        self.loss / self.count as f64
    }

    /// Share of right answers.
    pub(super) fn accuracy(&self) -> Option<f64> {
        self.correct.map(|(right, of)| right as f64 / of as f64)
    }
}

/// What a network wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// What it was given.
    pub prompt: String,
    /// Of its draws.
    pub seed: u64,
    /// The prompt and what followed.
    pub text: String,
    /// Nothing more is written before the next validation.
    pub is_last: bool,
}

/// How far a sample is.
pub(crate) enum SampleStep {
    /// This kind of network writes none.
    None,
    /// There is more to come.
    More,
    /// All of it.
    Done(Written),
}

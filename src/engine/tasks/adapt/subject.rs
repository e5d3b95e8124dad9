//! What is adapted: a model with the examples of a task, as the ways ask it.

use super::vectors::Read;
use crate::engine::Event;
use crate::load::TextModel;
use crate::train::Objective;
use crate::types::{AdaptReport, JobId, LabelledKind, Learns, ModelInfo, TrainSpec, UserError, Way};
use burn::tensor::{Device, Tensor};

/// A model as it was when the comparison began, and what there is to read. Examples are named by their places in the data.
pub(super) trait Subject {
    /// What learns examples.
    type Objective: Objective;
    /// An example that is to be read.
    type Item;

    /// What it reads.
    const KIND: LabelledKind;

    /// The model.
    fn info(&self) -> &ModelInfo;

    /// Does a stretch of what is due before anything is measured; how far that is, or nothing once all is done.
    ///
    /// # Errors
    /// When an example cannot be read.
    fn prepare(&mut self, device: &Device) -> Result<Option<Far>, UserError>;

    /// Adds what it alone knows to a report.
    fn tell(&self, report: &mut AdaptReport);

    /// What continues text after a prompt, where something does.
    fn writer(&self) -> Option<&TextModel> {
        None
    }

    /// The vector that stands for an example where no head reads it.
    fn own(&self) -> Read;

    /// Examples to read, in the order in which they are best taken together.
    ///
    /// # Errors
    /// When one cannot be read.
    fn queue(&self, places: &[usize]) -> Result<Vec<Self::Item>, UserError>;

    /// Takes out the next that are worth a pass; at least one, while there are some.
    fn take(&self, waiting: &mut Vec<Self::Item>) -> Vec<Self::Item>;

    /// Where an example stands in the data.
    fn place(&self, item: &Self::Item) -> usize;

    /// Tokens that are read of it.
    fn tokens(&self, item: &Self::Item) -> usize;

    /// True where it is longer than what is read of it.
    fn is_cut(&self, _item: &Self::Item) -> bool {
        false
    }

    /// What the frozen model makes of each, row by row.
    ///
    /// # Errors
    /// When they cannot be read, or the vectors not be read back.
    fn vectors(&self, read: Read, items: &[Self::Item]) -> Result<Vec<Vec<f32>>, UserError>;

    /// Scores of the classes by a network that has learned, `[B, L]`.
    ///
    /// # Errors
    /// When the examples cannot be read.
    fn scores(&self, net: &NetOf<Self>, items: &[Self::Item]) -> Result<Tensor<2>, UserError>;

    /// The same by its head alone, of vectors as [`Read::OfHead`] makes them: `[B, W]` → `[B, L]`.
    fn decide(&self, net: &NetOf<Self>, vectors: Tensor<2>) -> Tensor<2>;

    /// A model with a new head, and what it learns.
    ///
    /// # Errors
    /// When it cannot learn so.
    fn pupil(&self, lesson: &Lesson<'_>) -> Result<Pupil<Self::Objective>, UserError>;
}

/// The network of a subject.
pub(super) type NetOf<S> = <<S as Subject>::Objective as Objective>::Net;

/// How far something is.
pub(super) struct Far {
    /// What is done, in words.
    pub label: &'static str,
    /// Examples that are done, and all.
    pub done: [usize; 2],
}

impl Far {
    /// The same as an event.
    pub(super) fn event(&self, job: JobId, kind: LabelledKind) -> Event {
        let [done, total] = self.done.map(|count| count as u64);
        Event::Progress { job, label: self.label.to_owned(), done, total, unit: kind.plural() }
    }
}

/// What a network is to learn.
pub(super) struct Lesson<'a> {
    /// How.
    pub way: Way,
    /// Of the new weights.
    pub seed: u64,
    /// Names of the classes.
    pub labels: &'a [String],
    /// Places of examples, each with the class it is told with.
    pub drawn: &'a [(usize, usize)],
    /// What the frozen model makes of each for its head, row-major, where that alone learns.
    pub vectors: Option<Vec<f32>>,
    /// Where to compute.
    pub device: &'a Device,
}

impl Lesson<'_> {
    /// Which weights learn.
    pub(super) fn learns(&self) -> Learns {
        if self.way == Way::Head { Learns::Head } else { Learns::All }
    }
}

/// What learns a lesson.
pub(super) struct Pupil<O: Objective> {
    /// The examples.
    pub objective: O,
    /// The model, with its new head.
    pub model: O::Model,
    /// What is known of it.
    pub info: ModelInfo,
}

impl<O: Objective> Pupil<O> {
    /// The network it begins with.
    ///
    /// # Errors
    /// When it cannot learn the changes that the spec asks for.
    pub(super) fn first_net(&self, spec: &TrainSpec) -> Result<O::Net, UserError> {
        self.objective.first_net(spec, &self.model)
    }
}

//! Learning to put texts or pictures into classes: a head on a pre-trained body.
//!
//! Where the head learns alone, what the body makes of each example is computed once, without gradients, in portions that do not
//! depend on the steps: a run that is taken up again has the same numbers to the last bit.

mod pictures;
mod texts;
mod words;

pub(crate) use pictures::{ClassifyPictures, SeenPictures};
pub(crate) use texts::Classify;
pub(crate) use words::ClassifyWords;

use crate::load;
use crate::nn::{Random, cross_entropy};
use crate::train::checkpoint::cannot_write;
use crate::train::objective::Tally;
use crate::train::stream::Stream;
use crate::types::{ClassifyTask, DataPart, Labelled, LabelledReport, TrainSpec, UserError};
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::Serialize;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

/// Examples in one slice of a validation, and in a portion of what the body makes of them.
const SLICE: usize = 32;
/// Numbers of what the body makes of examples that are kept: a gigabyte.
const MOST_REMEMBERED: usize = 1 << 28;
/// What is told of the data beside a finished model.
const FILE: &str = "labelled.json";

/// Labelled examples, and in which order they are learned from.
struct Examples {
    task: ClassifyTask,
    data: Labelled,
    /// Of the data, once it is read.
    report: Option<LabelledReport>,
    /// What the frozen body makes of each portion, row-major.
    vectors: RefCell<Vec<Option<Vec<f32>>>>,
    /// The epoch the order was drawn for.
    epoch: Option<usize>,
    order: Vec<u32>,
}

/// What is written beside a finished model.
#[derive(Serialize)]
struct Beside<'a> {
    #[serde(flatten)]
    report: &'a LabelledReport,
    /// Texts that were longer than what is read, and tokens that are read at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<[usize; 2]>,
}

impl Examples {
    /// Of a task; nothing is read yet.
    fn new(task: ClassifyTask) -> Self {
        Self {
            task,
            data: Labelled::default(),
            report: None,
            vectors: RefCell::default(),
            epoch: None,
            order: Vec::new(),
        }
    }

    /// Reads and splits the data.
    ///
    /// # Errors
    /// When it cannot be learned from.
    fn read(&mut self, spec: &TrainSpec) -> Result<(), UserError> {
        let (rows, mut data) = load::read_labelled(&self.task.source(spec.validation_share, spec.seed))?;
        data.learn_from(spec.learn_from, spec.seed);
        self.report = Some(LabelledReport::of(&rows, &data));
        self.data = data;
        Ok(())
    }

    /// Takes examples that are at hand, and what the body makes of each where that is known, row-major.
    fn give(&mut self, data: Labelled, vectors: Option<&[f32]>) {
        if let Some(vectors) = vectors {
            let width = vectors.len() / data.examples.len().max(1);
            let portions = vectors.chunks((SLICE * width).max(1)).map(|portion| Some(portion.to_vec()));
            self.vectors = RefCell::new(portions.collect());
        }
        self.data = data;
    }

    /// True where classes of a model are those of the data, in whatever order.
    fn fit(&self, labels: &[String]) -> bool {
        let [mut ours, mut theirs] = [self.data.labels.clone(), labels.to_vec()];
        ours.sort_unstable();
        theirs.sort_unstable();
        ours == theirs
    }

    /// Numbers the classes as a model does, which fits.
    fn number_as(&mut self, labels: &[String]) {
        let of_model = |label: &String| labels.iter().position(|known| known == label).unwrap_or_default();
        let numbers: Vec<usize> = self.data.labels.iter().map(of_model).collect();
        self.data.examples.iter_mut().for_each(|(_, class)| *class = numbers[*class]);
        self.data.labels = labels.to_vec();
    }

    /// Places of the examples of a batch: every one once an epoch, in an order drawn anew each epoch.
    fn batch(&mut self, spec: &TrainSpec, number: usize) -> Vec<usize> {
        let (batch, train) = (self.batch_size(spec), self.data.part(DataPart::Train));
        let batches = train.len() / batch;
        let (epoch, place) = ((number - 1) / batches, (number - 1) % batches);
        if self.epoch != Some(epoch) {
            self.order = Random::new(spec.seed, Stream::ExampleOrder.at(epoch as u64)).permutation(train.len());
            self.epoch = Some(epoch);
        }
        self.order[place * batch..(place + 1) * batch].iter().map(|place| train[*place as usize]).collect()
    }

    fn batch_size(&self, spec: &TrainSpec) -> usize {
        spec.batch_size.min(self.data.part(DataPart::Train).len()).max(1)
    }

    /// Examples that are learned from.
    fn learned(&self) -> usize {
        self.data.part(DataPart::Train).len()
    }

    fn slices(&self) -> usize {
        self.data.part(DataPart::Validation).len().div_ceil(SLICE)
    }

    /// Places of the examples of a slice of what is held out.
    fn slice(&self, slice: usize) -> &[usize] {
        let held_out = self.data.part(DataPart::Validation);
        &held_out[slice * SLICE..held_out.len().min((slice + 1) * SLICE)]
    }

    fn classes(&self, places: &[usize], device: &Device) -> Tensor<1, Int> {
        let classes: Vec<i32> = places.iter().map(|place| self.data.examples[*place].1 as i32).collect();
        Tensor::from_data(TensorData::new(classes, [places.len()]), device)
    }

    /// The mean cross-entropy of scores `[B, L]`, `[1]`.
    fn loss(&self, scores: Tensor<2>, places: &[usize], device: &Device) -> Tensor<1> {
        cross_entropy(scores, self.classes(places, device))
    }

    /// What scores `[B, L]` of some examples are worth.
    fn tally(&self, scores: &Tensor<2>, places: &[usize], device: &Device) -> Tally {
        let loss = self.loss(scores.clone(), places, device).into_scalar::<f32>();
        let classes = scores.dims()[1];
        let scores = scores.try_to_vec_as::<f32>().expect("the device gives back what it holds");
        let is_right = |(row, place): &(&[f32], &usize)| most_likely(row) == self.data.examples[**place].1;
        let right = scores.chunks_exact(classes).zip(places).filter(is_right).count();
        Tally { loss: f64::from(loss) * places.len() as f64, count: places.len(), correct: Some((right, places.len())) }
    }

    /// The same, with class and answer of each.
    fn tally_each(&self, scores: &Tensor<2>, places: &[usize], device: &Device) -> (Tally, Vec<[usize; 2]>) {
        let classes = scores.dims()[1];
        let values = scores.try_to_vec_as::<f32>().expect("the device gives back what it holds");
        let answers = values.chunks_exact(classes).zip(places);
        let answers = answers.map(|(row, place)| [self.data.examples[*place].1, most_likely(row)]).collect();
        (self.tally(scores, places, device), answers)
    }

    /// What the frozen body makes of some examples, `[B, W]` on the device; `make` makes it of those at some places, without autodiff.
    fn remembered(&self, places: &[usize], device: &Device, make: impl Fn(&[usize]) -> Tensor<2>) -> Tensor<2> {
        let total = self.data.examples.len();
        let mut known = self.vectors.borrow_mut();
        known.resize(total.div_ceil(SLICE), None);
        for portion in places.iter().map(|place| place / SLICE).collect::<BTreeSet<_>>() {
            if known[portion].is_none() {
                let all: Vec<usize> = (portion * SLICE..total.min((portion + 1) * SLICE)).collect();
                let vectors = make(&all);
                known[portion] = Some(vectors.try_to_vec_as::<f32>().expect("the device gives back what it holds"));
            }
        }
        let mut rows = Vec::new();
        for place in places {
            let portion = known[place / SLICE].as_deref().unwrap_or_default();
            let count = SLICE.min(total - place / SLICE * SLICE);
            let width = portion.len() / count;
            rows.extend_from_slice(&portion[place % SLICE * width..][..width]);
        }
        // What fills the memory is computed again when it is needed.
        if known.iter().flatten().map(Vec::len).sum::<usize>() > MOST_REMEMBERED {
            known.iter_mut().for_each(|portion| *portion = None);
        }
        let width = rows.len() / places.len();
        Tensor::from_data(TensorData::new(rows, [places.len(), width]), device)
    }

    /// Writes beside a finished model what its data was.
    fn write_beside(&self, cut: Option<[usize; 2]>, out: &Path) -> Result<(), UserError> {
        let Some(report) = &self.report else { return Ok(()) };
        let text = serde_json::to_string_pretty(&Beside { report, cut }).map_err(|error| cannot_write(out, &error))?;
        crate::disk::write(&out.join(FILE), text.as_bytes()).map_err(|error| cannot_write(out, &error))
    }
}

/// The class with the largest score.
pub(crate) fn most_likely(scores: &[f32]) -> usize {
    scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(class, _)| class)
}

/// A few classes.
fn some(labels: &[String]) -> String {
    const SHOWN: usize = 6;
    let more = if labels.len() > SHOWN { ", …" } else { "" };
    labels.iter().take(SHOWN).map(|label| format!("{label:?}")).collect::<Vec<_>>().join(", ") + more
}

/// An open model has other classes than the data.
fn other_classes(name: &str, theirs: &[String], ours: &[String]) -> UserError {
    UserError::new(
        format!("{name} tells other classes apart than the data has."),
        format!("Its classes are {}; the data has {}.", some(theirs), some(ours)),
        "Start from its folder: then it is given a new head for the classes of the data.",
    )
}

//! Learning to put texts into classes: a head on a pre-trained body.
//!
//! Where the head learns alone, what the body makes of each text is computed once, without gradients, in portions that do not depend
//! on the steps: a run that is taken up again has the same numbers to the last bit.

use crate::load::{self, ClassifierBody, ClassifierModel};
use crate::nn::{Random, TextClassifier, cross_entropy, in_full_precision};
use crate::train::checkpoint::cannot_write;
use crate::train::objective::{Loss, Objective, Preparation, Progress, Setup, Tally};
use crate::train::stream::Stream;
use crate::types::{
    ClassifyTask, DataPart, Labelled, LabelledReport, Learns, ModelKind, Problem, StartFrom, TrainSpec, UserError,
};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rayon::prelude::*;
use serde::Serialize;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

/// Texts in one slice of a validation, and of a portion of what the body makes of texts.
const SLICE: usize = 32;
/// Texts that are turned into tokens in one stretch.
const PORTION: usize = 4096;
/// Numbers of what the body makes of texts that are kept: a gigabyte.
const MOST_REMEMBERED: usize = 1 << 28;
/// What is told of the data beside a finished model.
const FILE: &str = "labelled.json";

/// A classifier of texts and the labelled texts it learns from.
pub(crate) struct Classify {
    task: ClassifyTask,
    data: Labelled,
    report: Option<LabelledReport>,
    /// The model of a folder, until all is ready.
    opened: Option<ClassifierModel>,
    padding_id: Option<u32>,
    /// Blocks of the body.
    layers: usize,
    /// What is read of each text.
    longest: usize,
    /// Tokens of each example, as far as they are read.
    tokens: Vec<Vec<u32>>,
    /// Texts that were cut off.
    cut: usize,
    /// What the frozen body makes of each portion of the examples that learn and are held out, `[SLICE, D]` row-major.
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
    /// Texts that were longer than what is read.
    cut: usize,
    /// Tokens that are read at most.
    longest: usize,
}

impl Classify {
    /// The objective of a task; nothing is read yet.
    pub(crate) fn new(task: ClassifyTask) -> Self {
        Self {
            task,
            data: Labelled::default(),
            report: None,
            opened: None,
            padding_id: None,
            layers: 0,
            longest: 0,
            tokens: Vec::new(),
            cut: 0,
            vectors: RefCell::default(),
            epoch: None,
            order: Vec::new(),
        }
    }

    /// Places of the examples of a step: every one once an epoch, in an order drawn anew each epoch.
    fn batch(&mut self, spec: &TrainSpec, step: usize) -> Vec<usize> {
        let train = self.data.part(DataPart::Train);
        let batch = spec.batch_size.min(train.len()).max(1);
        let steps_per_epoch = train.len() / batch;
        let (epoch, place) = ((step - 1) / steps_per_epoch, (step - 1) % steps_per_epoch);
        if self.epoch != Some(epoch) {
            self.order = Random::new(spec.seed, Stream::ExampleOrder.at(epoch as u64)).permutation(train.len());
            self.epoch = Some(epoch);
        }
        self.order[place * batch..(place + 1) * batch].iter().map(|place| train[*place as usize]).collect()
    }

    fn read_data(&mut self, spec: &TrainSpec) -> Result<(), UserError> {
        let (rows, data) = load::read_labelled(&self.task.source(spec.validation_share, spec.seed))?;
        if self.task.data.is_dir() {
            return Err(UserError::new(
                format!("{} holds pictures.", self.task.data.display()),
                "This task learns from texts.",
                "Choose a CSV, TSV or JSONL file of texts with labels.",
            ));
        }
        self.report = Some(LabelledReport::of(&rows, &data));
        self.data = data;
        Ok(())
    }

    /// The model a run starts from, with a head for the classes of the data.
    fn start_model(
        &self,
        setup: &Setup<'_, ClassifierModel>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Option<ClassifierModel>, UserError> {
        let path = match &setup.spec.start {
            StartFrom::OpenModel => return Ok(None),
            StartFrom::Scratch => return Err(no_body()),
            StartFrom::Folder { path } => path,
        };
        let label = format!("Opening {}", path.display());
        let mut progress = |done, total| tell(Progress { label: label.clone(), done, total, unit: "bytes" });
        let (device, progress) = (setup.device, &mut progress as &mut dyn FnMut(u64, u64));
        let body = match load::peek_kind(path)? {
            ModelKind::TextClassifier => {
                let model = load::open_classifier(path, device, progress)?;
                if self.fits(&model) {
                    return Ok(Some(model));
                }
                model.body
            }
            ModelKind::CausalLm => ClassifierBody::Decoder(load::open_text_model(path, device, progress)?),
            ModelKind::TextEncoder => ClassifierBody::Encoder(load::open_encoder_model(path, device, progress)?),
            ModelKind::ImageClassifier | ModelKind::DigitClassifier => return Err(no_body()),
        };
        let labels = self.data.labels.clone();
        Ok(Some(ClassifierModel::with_new_head(body, labels, setup.spec.seed, device)?))
    }

    /// True where a classifier's classes are those of the data, in whatever order.
    fn fits(&self, model: &ClassifierModel) -> bool {
        let [mut ours, mut theirs] = [self.data.labels.clone(), model.tells.labels.clone()];
        ours.sort_unstable();
        theirs.sort_unstable();
        model.tells.problem == Problem::OneClass && ours == theirs
    }

    /// Takes a model for the one that learns: numbers classes as it does.
    fn take(&mut self, model: &ClassifierModel) -> Result<(), UserError> {
        if !self.fits(model) {
            return Err(UserError::new(
                format!("{} tells other classes apart than the data has.", model.info().name),
                format!("Its classes are {}; the data has {}.", some(&model.tells.labels), some(&self.data.labels)),
                "Start from its folder: then it is given a new head for the classes of the data.",
            ));
        }
        let of_model = |label: &String| model.tells.labels.iter().position(|known| known == label).unwrap_or_default();
        let numbers: Vec<usize> = self.data.labels.iter().map(of_model).collect();
        self.data.examples.iter_mut().for_each(|(_, class)| *class = numbers[*class]);
        self.data.labels.clone_from(&model.tells.labels);
        self.padding_id = model.padding_id;
        self.layers = model.info().shape.layers();
        let longest = model.tells.longest;
        self.longest = match self.task.context {
            Some(context) if !(1..=longest).contains(&context) => {
                return Err(UserError::new(
                    format!("Texts of {context} tokens cannot be learned from."),
                    format!("The model reads 1 to {longest} tokens."),
                    "Change the context and start again.",
                ));
            }
            Some(context) => context,
            None => longest,
        };
        Ok(())
    }

    /// Turns the next texts into tokens; true when all are.
    fn take_in(&mut self, model: &ClassifierModel) -> Result<bool, UserError> {
        let first = self.tokens.len();
        let next = &self.data.examples[first..self.data.examples.len().min(first + PORTION)];
        let vocabulary = model.info().shape.vocabulary().unwrap_or(usize::MAX);
        let read = |(place, (text, _)): (usize, &(String, usize))| {
            let (ids, left_out) = model.ids_at_most(text, self.longest)?;
            if ids.is_empty() || ids.iter().any(|id| *id as usize >= vocabulary) {
                return Err(UserError::new(
                    format!(
                        "Example {} cannot be read: {:?}.",
                        first + place + 1,
                        text.chars().take(60).collect::<String>()
                    ),
                    format!("The tokenizer of {} makes no tokens of it that the model knows.", model.info().name),
                    "Leave it out of the file.",
                ));
            }
            Ok((ids, left_out > 0))
        };
        let read: Vec<(Vec<u32>, bool)> = next.par_iter().enumerate().map(read).collect::<Result<_, UserError>>()?;
        self.cut += read.iter().filter(|(_, is_cut)| *is_cut).count();
        self.tokens.extend(read.into_iter().map(|(ids, _)| ids));
        Ok(self.tokens.len() == self.data.examples.len())
    }

    fn texts(&self, places: &[usize]) -> Vec<&[u32]> {
        places.iter().map(|place| &self.tokens[*place][..]).collect()
    }

    fn classes(&self, places: &[usize], device: &Device) -> Tensor<1, Int> {
        let classes: Vec<i32> = places.iter().map(|place| self.data.examples[*place].1 as i32).collect();
        Tensor::from_data(TensorData::new(classes, [places.len()]), device)
    }

    /// What the frozen body makes of some texts, `[B, D]` on the device. `net` is without autodiff.
    fn remembered(&self, net: &TextClassifier, places: &[usize], device: &Device) -> Tensor<2> {
        let mut known = self.vectors.borrow_mut();
        known.resize(self.tokens.len().div_ceil(SLICE), None);
        for portion in places.iter().map(|place| place / SLICE).collect::<BTreeSet<_>>() {
            if known[portion].is_none() {
                let all: Vec<usize> = (portion * SLICE..self.tokens.len().min((portion + 1) * SLICE)).collect();
                let vectors = net.vectors(&self.texts(&all), self.padding_id);
                known[portion] = Some(vectors.try_to_vec_as::<f32>().expect("the device gives back what it holds"));
            }
        }
        let mut rows = Vec::new();
        for place in places {
            let portion = known[place / SLICE].as_deref().unwrap_or_default();
            let count = SLICE.min(self.tokens.len() - place / SLICE * SLICE);
            let width = portion.len() / count;
            rows.extend_from_slice(&portion[place % SLICE * width..][..width]);
        }
        // What fills the memory of a large model's width is computed again when it is needed.
        if known.iter().flatten().map(Vec::len).sum::<usize>() > MOST_REMEMBERED {
            known.iter_mut().for_each(|portion| *portion = None);
        }
        let width = rows.len() / places.len();
        Tensor::from_data(TensorData::new(rows, [places.len(), width]), device)
    }
}

impl Objective for Classify {
    type Model = ClassifierModel;
    type Net = TextClassifier;

    fn beta_2(&self) -> f32 {
        0.999
    }

    fn prepare(
        &mut self,
        setup: &Setup<'_, ClassifierModel>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Preparation<ClassifierModel>, UserError> {
        if self.report.is_none() {
            let label = format!("Reading {}", self.task.data.display());
            tell(Progress { label, done: 0, total: 0, unit: "texts" });
            self.read_data(setup.spec)?;
            return Ok(Preparation::More);
        }
        if self.longest == 0 {
            self.opened = self.start_model(setup, tell)?;
            let opened = self.opened.take();
            self.take(opened.as_ref().or(setup.open).ok_or_else(no_body)?)?;
            self.opened = opened;
            return Ok(Preparation::More);
        }
        let opened = self.opened.take();
        let is_read = self.take_in(opened.as_ref().or(setup.open).ok_or_else(no_body)?)?;
        let (done, total) = (self.tokens.len() as u64, self.data.examples.len() as u64);
        tell(Progress { label: "Splitting the texts into tokens".to_owned(), done, total, unit: "texts" });
        if !is_read {
            self.opened = opened;
            return Ok(Preparation::More);
        }
        if self.cut > 0 {
            let label = format!("{} texts are longer than {} tokens and cut off there", self.cut, self.longest);
            tell(Progress { label, done: total, total, unit: "texts" });
        }
        Ok(opened.map_or(Preparation::ReadyForOpen, Preparation::Ready))
    }

    fn net(model: &ClassifierModel) -> TextClassifier {
        in_full_precision(model.net())
    }

    fn freezes(&self, path: &str) -> bool {
        self.task.learns.freezes(path, self.layers)
    }

    fn loss(&mut self, spec: &TrainSpec, net: &TextClassifier, step: usize, device: &Device) -> Loss {
        let places = self.batch(spec, step);
        let scores = if self.task.learns == Learns::Head {
            net.decide(self.remembered(&net.valid(), &places, device))
        } else {
            net.forward(&self.texts(&places), self.padding_id)
        };
        let mean = cross_entropy(scores, self.classes(&places, device));
        Loss { mean, tokens: self.texts(&places).concat() }
    }

    fn examples_per_step(&self, spec: &TrainSpec) -> u64 {
        spec.batch_size.min(self.data.part(DataPart::Train).len()).max(1) as u64
    }

    fn validation_slices(&self) -> usize {
        self.data.part(DataPart::Validation).len().div_ceil(SLICE)
    }

    fn validate(&self, net: &TextClassifier, slice: usize, device: &Device) -> Tally {
        let held_out = self.data.part(DataPart::Validation);
        let places = &held_out[slice * SLICE..held_out.len().min((slice + 1) * SLICE)];
        let scores = if self.task.learns == Learns::Head {
            net.decide(self.remembered(net, places, device))
        } else {
            net.forward(&self.texts(places), self.padding_id)
        };
        let loss = cross_entropy(scores.clone(), self.classes(places, device)).into_scalar::<f32>();
        let classes = scores.dims()[1];
        let scores = scores.try_to_vec_as::<f32>().expect("the device gives back what it holds");
        let is_right = |(row, place): &(&[f32], &usize)| most_likely(row) == self.data.examples[**place].1;
        let right = scores.chunks_exact(classes).zip(places).filter(is_right).count();
        Tally { loss: f64::from(loss) * places.len() as f64, count: places.len(), correct: Some((right, places.len())) }
    }

    fn write_beside(&self, out: &Path) -> Result<(), UserError> {
        let Some(report) = &self.report else { return Ok(()) };
        let beside = Beside { report, cut: self.cut, longest: self.longest };
        let text = serde_json::to_string_pretty(&beside).map_err(|error| cannot_write(out, &error))?;
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

fn no_body() -> UserError {
    UserError::new(
        "A classifier of texts is trained on a pre-trained body.",
        "The run does not start from a model that reads text.",
        "Start from the folder of a BERT, RoBERTa, DistilBERT or a decoder, or from an open classifier.",
    )
}

//! Classes of texts.

use super::super::text::with_changes;
use super::{Examples, other_classes};
use crate::load::{self, ClassifierBody, ClassifierModel};
use crate::nn::{TextClassifier, in_full_precision};
use crate::train::objective::{Loss, Objective, Preparation, Progress, Setup, Tally};
use crate::train::stream::dropout;
use crate::types::{ClassifyTask, Labelled, Learns, ModelKind, Problem, StartFrom, TrainSpec, UserError};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use std::path::Path;

/// Texts that are turned into tokens in one stretch.
const PORTION: usize = 4096;

/// A classifier of texts and the labelled texts it learns from.
pub(crate) struct Classify {
    examples: Examples,
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
}

impl Classify {
    /// The objective of a task; nothing is read yet.
    pub(crate) fn new(task: ClassifyTask) -> Self {
        Self {
            examples: Examples::new(task),
            opened: None,
            padding_id: None,
            layers: 0,
            longest: 0,
            tokens: Vec::new(),
            cut: 0,
        }
    }

    /// The objective of examples that are at hand, ready to be learned from by a classifier of their classes. `vectors` are what its
    /// body makes of each example, row-major, where that is known already.
    ///
    /// # Errors
    /// When the model has other classes, or an example cannot be read.
    pub(crate) fn given(
        task: ClassifyTask,
        data: Labelled,
        vectors: Option<&[f32]>,
        model: &ClassifierModel,
    ) -> Result<Self, UserError> {
        let mut objective = Self::new(task);
        objective.examples.give(data, vectors);
        objective.take(model)?;
        while !objective.take_in(model)? {}
        Ok(objective)
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
        let labels = self.examples.data.labels.clone();
        Ok(Some(ClassifierModel::with_new_head(body, labels, setup.spec.seed, device)?))
    }

    fn fits(&self, model: &ClassifierModel) -> bool {
        model.tells.problem == Problem::OneClass && self.examples.fit(&model.tells.labels)
    }

    /// Takes a model for the one that learns.
    fn take(&mut self, model: &ClassifierModel) -> Result<(), UserError> {
        if !self.fits(model) {
            return Err(other_classes(&model.info().name, &model.tells.labels, &self.examples.data.labels));
        }
        self.examples.number_as(&model.tells.labels);
        self.padding_id = model.padding_id;
        self.layers = model.info().shape.layers();
        let longest = model.tells.longest;
        self.longest = match self.examples.task.context {
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
        let (first, examples) = (self.tokens.len(), &self.examples.data.examples);
        let next = &examples[first..examples.len().min(first + PORTION)];
        let longest = self.longest;
        let vocabulary = model.info().shape.vocabulary().unwrap_or(usize::MAX);
        let read = |(place, (text, _)): (usize, &(String, usize))| {
            let (ids, left_out) = model.ids_at_most(text, longest)?;
            if ids.is_empty() || ids.iter().any(|id| *id as usize >= vocabulary) {
                let text: String = text.chars().take(60).collect();
                return Err(UserError::new(
                    format!("Example {} cannot be read: {text:?}.", first + place + 1),
                    format!("The tokenizer of {} makes no tokens of it that the model knows.", model.info().name),
                    "Leave it out of the file.",
                ));
            }
            Ok((ids, left_out > 0))
        };
        let read: Vec<(Vec<u32>, bool)> = next.par_iter().enumerate().map(read).collect::<Result<_, UserError>>()?;
        self.cut += read.iter().filter(|(_, is_cut)| *is_cut).count();
        self.tokens.extend(read.into_iter().map(|(ids, _)| ids));
        Ok(self.tokens.len() == self.examples.data.examples.len())
    }

    fn texts(&self, places: &[usize]) -> Vec<&[u32]> {
        places.iter().map(|place| &self.tokens[*place][..]).collect()
    }

    /// Scores of some examples, `[B, L]`. `net` is without autodiff, `learning` the same or the one that learns.
    fn scores(&self, learning: &TextClassifier, net: &TextClassifier, places: &[usize], device: &Device) -> Tensor<2> {
        if self.examples.task.learns != Learns::Head {
            return learning.forward(&self.texts(places), self.padding_id);
        }
        let make = |places: &[usize]| net.vectors(&self.texts(places), self.padding_id);
        learning.decide(self.examples.remembered(places, device, make))
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
        if self.examples.report.is_none() {
            let label = format!("Reading {}", self.examples.task.data.display());
            tell(Progress { label, done: 0, total: 0, unit: "texts" });
            self.examples.read(setup.spec)?;
            return Ok(Preparation::More);
        }
        if self.longest == 0 {
            let opened = self.start_model(setup, tell)?;
            self.take(opened.as_ref().or(setup.open).ok_or_else(no_body)?)?;
            self.opened = opened;
            return Ok(Preparation::More);
        }
        let opened = self.opened.take();
        let is_read = self.take_in(opened.as_ref().or(setup.open).ok_or_else(no_body)?)?;
        let (done, total) = (self.tokens.len() as u64, self.examples.data.examples.len() as u64);
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

    fn first_net(&self, spec: &TrainSpec, model: &ClassifierModel) -> Result<TextClassifier, UserError> {
        let first = self.examples.task.learns.first_changed(self.layers);
        Ok(in_full_precision(with_changes(spec, &model.net(), first)?))
    }

    fn learns_whole(&self, path: &str) -> bool {
        Learns::beside_changes(path)
    }

    fn freezes(&self, path: &str) -> bool {
        self.examples.task.learns.freezes(path, self.layers)
    }

    fn loss(&mut self, spec: &TrainSpec, net: &TextClassifier, batch: usize, device: &Device) -> Loss {
        let places = self.examples.batch(spec, batch);
        let scores = match self.examples.task.learns {
            Learns::Head => self.scores(net, &net.valid(), &places, device),
            Learns::All | Learns::LastLayers(_) => {
                net.learn(&self.texts(&places), self.padding_id, dropout(spec.seed, batch))
            }
        };
        let (mean, tokens) = (self.examples.loss(scores, &places, device), self.texts(&places).concat());
        Loss { mean, tokens, predicted: places.len() }
    }

    fn examples_per_step(&self, spec: &TrainSpec) -> u64 {
        self.examples.batch_size(spec) as u64
    }

    fn examples_per_epoch(&self) -> Option<u64> {
        Some(self.examples.learned() as u64)
    }

    fn validation_slices(&self) -> usize {
        self.examples.slices()
    }

    fn validate(&self, net: &TextClassifier, slice: usize, device: &Device) -> Tally {
        let net = &load::merged(net);
        let places = self.examples.slice(slice);
        self.examples.tally(&self.scores(net, net, places, device), places, device)
    }

    fn validate_each(&self, net: &TextClassifier, slice: usize, device: &Device) -> (Tally, Vec<[usize; 2]>) {
        let places = self.examples.slice(slice);
        self.examples.tally_each(&self.scores(net, net, places, device), places, device)
    }

    fn classes(&self) -> Vec<String> {
        self.examples.data.labels.clone()
    }

    fn write_beside(&self, out: &Path) -> Result<(), UserError> {
        self.examples.write_beside(Some([self.cut, self.longest]), out)
    }
}

fn no_body() -> UserError {
    UserError::new(
        "A classifier of texts is trained on a pre-trained body.",
        "The run does not start from a model that reads text.",
        "Start from the folder of a BERT, RoBERTa, DistilBERT or a decoder, or from an open classifier.",
    )
}

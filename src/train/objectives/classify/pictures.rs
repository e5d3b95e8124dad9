//! Classes of pictures: a vision transformer and pictures in folders by class, or in MNIST's format.

use super::super::text::with_changes;
use super::{Examples, other_classes};
use crate::load::{self, NamedPictures, Preprocessor, VisionModel};
use crate::nn::{Hooks, Vit, in_full_precision};
use crate::train::objective::{Loss, Objective, Preparation, Progress, Setup, Tally};
use crate::types::{ClassifyTask, Labelled, Learns, ModelKind, Picture, StartFrom, TrainSpec, UserError};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use std::path::Path;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Pictures that are read in one stretch.
const PORTION: usize = 32;
/// Bytes of prepared pictures that are kept; those beyond are read again at each step that has them.
const MOST_KEPT: usize = 1 << 30;

/// Pictures at the size that a model reads, kept as far as there is room; what is not kept is read again.
pub(crate) struct SeenPictures {
    preprocessor: Preprocessor,
    pictures: NamedPictures,
    names: Vec<String>,
    kept: Vec<OnceLock<Picture>>,
    bytes: AtomicUsize,
}

impl SeenPictures {
    /// Those of some names, as a model sees them. Nothing is read yet but files that hold many.
    ///
    /// # Errors
    /// When such a file cannot be read.
    pub(crate) fn new(preprocessor: Preprocessor, names: Vec<String>) -> Result<Self, UserError> {
        let pictures = NamedPictures::of(names.iter().map(String::as_str))?;
        let kept = names.iter().map(|_| OnceLock::new()).collect();
        Ok(Self { preprocessor, pictures, names, kept, bytes: AtomicUsize::new(0) })
    }

    /// Reads the pictures at some places.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(crate) fn read(&self, places: &[usize]) -> Result<(), UserError> {
        places.par_iter().try_for_each(|place| self.at(*place).map(drop))
    }

    /// The same as the network takes them, `[B, U, H, W]` with U colour channels.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn pixels(&self, places: &[usize], device: &Device) -> Result<Tensor<4>, UserError> {
        let pixels = places.par_iter().map(|place| Ok(self.preprocessor.pixels(&self.at(*place)?)));
        let pixels: Vec<Vec<f32>> = pixels.collect::<Result<_, UserError>>()?;
        Ok(self.preprocessor.batch(&pixels, device))
    }

    fn at(&self, place: usize) -> Result<Picture, UserError> {
        let kept = &self.kept[place];
        if let Some(picture) = kept.get() {
            return Ok(picture.clone());
        }
        let picture = self.preprocessor.seen(&self.pictures.picture(&self.names[place])?);
        let bytes = picture.rgb.len();
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= MOST_KEPT {
            return Ok(kept.get_or_init(|| picture).clone());
        }
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Ok(picture)
    }
}

/// A vision transformer and the pictures it learns from.
pub(crate) struct ClassifyPictures {
    examples: Examples,
    /// The model of a folder, until all is ready.
    opened: Option<VisionModel>,
    layers: usize,
    /// The pictures, once the model is known.
    seen: Option<Rc<SeenPictures>>,
    /// Where each example stands among them.
    places: Vec<usize>,
    /// How many are read.
    read: usize,
}

impl ClassifyPictures {
    /// The objective of a task; nothing is read yet.
    pub(crate) fn new(task: ClassifyTask) -> Self {
        let examples = Examples::new(task);
        Self { examples, opened: None, layers: 0, seen: None, places: Vec::new(), read: 0 }
    }

    /// The objective of examples that are at hand at some places of `seen`, ready to be learned from by a model of their classes. `vectors`
    /// are what the body makes of the first token of each, row-major, where that is known already.
    ///
    /// # Errors
    /// When the model has other classes.
    pub(crate) fn given(
        task: ClassifyTask,
        data: Labelled,
        vectors: Option<&[f32]>,
        model: &VisionModel,
        (seen, places): (Rc<SeenPictures>, Vec<usize>),
    ) -> Result<Self, UserError> {
        let mut objective = Self { seen: Some(seen), read: places.len(), places, ..Self::new(task) };
        objective.examples.give(data, vectors);
        objective.take(model)?;
        Ok(objective)
    }

    /// The model a run starts from, with a head for the classes of the data.
    fn start_model(
        &self,
        setup: &Setup<'_, VisionModel>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Option<VisionModel>, UserError> {
        let path = match &setup.spec.start {
            StartFrom::OpenModel => return Ok(None),
            StartFrom::Scratch => return Err(no_body()),
            StartFrom::Folder { path } => path,
        };
        if load::peek_kind(path)? != ModelKind::ImageClassifier {
            return Err(no_body());
        }
        let label = format!("Opening {}", path.display());
        let mut progress = |done, total| tell(Progress { label: label.clone(), done, total, unit: "bytes" });
        let model = load::open_vision_model(path, setup.device, &mut progress)?;
        if self.examples.fit(&model.labels) {
            return Ok(Some(model));
        }
        let labels = self.examples.data.labels.clone();
        Ok(Some(model.with_new_head(labels, setup.spec.seed, setup.device)?))
    }

    /// Takes a model for the one that learns.
    fn take(&mut self, model: &VisionModel) -> Result<(), UserError> {
        if !self.examples.fit(&model.labels) {
            return Err(other_classes(&model.info.name, &model.labels, &self.examples.data.labels));
        }
        self.examples.number_as(&model.labels);
        self.layers = model.info.shape.layers();
        if self.seen.is_none() {
            let names: Vec<String> = self.examples.data.examples.iter().map(|(name, _)| name.clone()).collect();
            self.places = (0..names.len()).collect();
            self.seen = Some(Rc::new(SeenPictures::new(model.preprocessor.clone(), names)?));
        }
        Ok(())
    }

    /// Reads the next pictures; true when all are.
    fn take_in(&mut self) -> Result<bool, UserError> {
        let next = &self.places[self.read..self.places.len().min(self.read + PORTION)];
        self.seen.as_ref().ok_or_else(no_body)?.read(next)?;
        self.read += next.len();
        Ok(self.read == self.places.len())
    }

    /// Pictures as the network reads them, `[B, U, H, W]` with U colour channels.
    fn pixels(&self, places: &[usize], device: &Device) -> Tensor<4> {
        let seen = self.seen.as_ref().expect("they are there before the first step");
        let places: Vec<usize> = places.iter().map(|place| self.places[*place]).collect();
        // All were read before; one that is gone since ends the job, by the guard around it.
        seen.pixels(&places, device).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Scores of some examples, `[B, L]`. `net` is without autodiff, `learning` the same or the one that learns.
    fn scores(&self, learning: &Vit, net: &Vit, places: &[usize], device: &Device) -> Tensor<2> {
        let scores = if self.examples.task.learns == Learns::Head {
            let make = |places: &[usize]| net.special_vectors(self.pixels(places, &net.device())).flatten(1, 2);
            let vectors = self.examples.remembered(places, device, make); // [B, S·D]
            let ([b, width], [special, d]) = (vectors.dims(), learning.special.dims());
            debug_assert!(width == special * d || (width == d && learning.heads.len() == 1));
            learning.decide(&vectors.reshape([b, width / d, d]))
        } else {
            learning.forward(self.pixels(places, device), &mut Hooks::off())
        };
        scores.expect("it has a head")
    }
}

impl Objective for ClassifyPictures {
    type Model = VisionModel;
    type Net = Vit;

    fn beta_2(&self) -> f32 {
        0.999
    }

    fn prepare(
        &mut self,
        setup: &Setup<'_, VisionModel>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Preparation<VisionModel>, UserError> {
        if self.examples.report.is_none() {
            let label = format!("Listing {}", self.examples.task.data.display());
            tell(Progress { label, done: 0, total: 0, unit: "pictures" });
            self.examples.read(setup.spec)?;
            return Ok(Preparation::More);
        }
        if self.seen.is_none() {
            let opened = self.start_model(setup, tell)?;
            self.take(opened.as_ref().or(setup.open).ok_or_else(no_body)?)?;
            self.opened = opened;
            return Ok(Preparation::More);
        }
        let is_read = self.take_in()?;
        let (done, total) = (self.read as u64, self.examples.data.examples.len() as u64);
        tell(Progress { label: "Reading the pictures".to_owned(), done, total, unit: "pictures" });
        if !is_read {
            return Ok(Preparation::More);
        }
        Ok(self.opened.take().map_or(Preparation::ReadyForOpen, Preparation::Ready))
    }

    fn net(model: &VisionModel) -> Vit {
        in_full_precision(model.vit.clone())
    }

    fn first_net(&self, spec: &TrainSpec, model: &VisionModel) -> Result<Vit, UserError> {
        let first = self.examples.task.learns.first_changed(self.layers);
        Ok(in_full_precision(with_changes(spec, &model.vit, first)?))
    }

    fn freezes(&self, path: &str) -> bool {
        self.examples.task.learns.freezes(&named(path), self.layers)
    }

    fn learns_whole(&self, path: &str) -> bool {
        // A pooler has no part in classes of pictures.
        path.starts_with("heads")
    }

    fn loss(&mut self, spec: &TrainSpec, net: &Vit, batch: usize, device: &Device) -> Loss {
        let places = self.examples.batch(spec, batch);
        let scores = self.scores(net, &net.valid(), &places, device);
        Loss { mean: self.examples.loss(scores, &places, device), tokens: Vec::new(), predicted: places.len() }
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

    fn validate(&self, net: &Vit, slice: usize, device: &Device) -> Tally {
        let net = &load::merged(net);
        let places = self.examples.slice(slice);
        self.examples.tally(&self.scores(net, net, places, device), places, device)
    }

    fn validate_each(&self, net: &Vit, slice: usize, device: &Device) -> (Tally, Vec<[usize; 2]>) {
        let places = self.examples.slice(slice);
        self.examples.tally_each(&self.scores(net, net, places, device), places, device)
    }

    fn classes(&self) -> Vec<String> {
        self.examples.data.labels.clone()
    }

    fn write_beside(&self, out: &Path) -> Result<(), UserError> {
        self.examples.write_beside(None, out)
    }
}

/// A parameter as it is called in a classifier of texts, whose head and body have names of their own.
fn named(path: &str) -> String {
    if path.starts_with("heads") { "head".to_owned() } else { format!("body.{path}") }
}

fn no_body() -> UserError {
    UserError::new(
        "A classifier of pictures is trained on a pre-trained body.",
        "The data is a folder of pictures, and the run does not start from a vision transformer.",
        "Start from the folder of a ViT or DeiT.",
    )
}

//! Classes of pictures: a vision transformer and a folder with a folder of pictures for each class.

use super::super::text::with_changes;
use super::{Examples, other_classes};
use crate::load::{self, VisionModel};
use crate::nn::{Hooks, Vit, in_full_precision};
use crate::train::objective::{Loss, Objective, Preparation, Progress, Setup, Tally};
use crate::types::{ClassifyTask, Learns, ModelKind, Picture, StartFrom, TrainSpec, UserError};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use std::path::Path;

/// Pictures that are read in one stretch.
const PORTION: usize = 32;
/// Bytes of prepared pictures that are kept; those beyond are read again at each step that has them.
const MOST_KEPT: usize = 1 << 30;

/// A vision transformer and the pictures it learns from.
pub(crate) struct ClassifyPictures {
    examples: Examples,
    /// The model of a folder, until all is ready.
    opened: Option<VisionModel>,
    /// How pictures are prepared, once the model is known.
    preprocessor: Option<load::Preprocessor>,
    layers: usize,
    /// Each example at the size the model reads; none where it was read and not kept.
    seen: Vec<Option<Picture>>,
    kept: usize,
}

impl ClassifyPictures {
    /// The objective of a task; nothing is read yet.
    pub(crate) fn new(task: ClassifyTask) -> Self {
        let examples = Examples::new(task);
        Self { examples, opened: None, preprocessor: None, layers: 0, seen: Vec::new(), kept: 0 }
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
        self.preprocessor = Some(model.preprocessor.clone());
        Ok(())
    }

    /// Reads the next pictures; true when all are.
    fn take_in(&mut self) -> Result<bool, UserError> {
        let (first, examples) = (self.seen.len(), &self.examples.data.examples);
        let next = &examples[first..examples.len().min(first + PORTION)];
        let preprocessor = self.preprocessor.as_ref().ok_or_else(no_body)?;
        let read = next.par_iter().map(|(path, _)| read(preprocessor, Path::new(path)));
        let read: Vec<Picture> = read.collect::<Result<_, UserError>>()?;
        for picture in read {
            let bytes = picture.rgb.len();
            let is_kept = self.kept + bytes <= MOST_KEPT;
            self.kept += if is_kept { bytes } else { 0 };
            self.seen.push(is_kept.then_some(picture));
        }
        Ok(self.seen.len() == self.examples.data.examples.len())
    }

    /// Pictures as the network reads them, `[B, 3, H, W]`.
    fn pixels(&self, places: &[usize], device: &Device) -> Tensor<4> {
        let preprocessor = self.preprocessor.as_ref().expect("it is there before the first step");
        let (seen, examples) = (&self.seen, &self.examples.data.examples);
        let of = |place: &usize| match &seen[*place] {
            Some(picture) => preprocessor.pixels(picture),
            None => {
                let again = read(preprocessor, Path::new(&examples[*place].0));
                preprocessor.pixels(&again.unwrap_or_else(|error| panic!("{error}")))
            }
        };
        let pixels: Vec<Vec<f32>> = places.par_iter().map(of).collect();
        let [height, width] = preprocessor.size();
        Tensor::from_data(TensorData::new(pixels.concat(), [places.len(), 3, height, width]), device)
    }

    /// Scores of some examples, `[B, L]`. `net` is without autodiff, `learning` the same or the one that learns.
    fn scores(&self, learning: &Vit, net: &Vit, places: &[usize], device: &Device) -> Tensor<2> {
        let hooks = &mut Hooks::off();
        let scores = if self.examples.task.learns == Learns::Head {
            let make = |places: &[usize]| net.special_vectors(self.pixels(places, &net.device())).flatten(1, 2);
            let vectors = self.examples.remembered(places, device, make); // [B, S·D]
            let ([b, width], [special, d]) = (vectors.dims(), learning.special.dims());
            debug_assert_eq!(width, special * d);
            learning.scores(vectors.reshape([b, special, d]), hooks)
        } else {
            learning.forward(self.pixels(places, device), hooks)
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
        if self.preprocessor.is_none() {
            let opened = self.start_model(setup, tell)?;
            self.take(opened.as_ref().or(setup.open).ok_or_else(no_body)?)?;
            self.opened = opened;
            return Ok(Preparation::More);
        }
        let is_read = self.take_in()?;
        let (done, total) = (self.seen.len() as u64, self.examples.data.examples.len() as u64);
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

/// A picture at the size the model reads.
fn read(preprocessor: &load::Preprocessor, path: &Path) -> Result<Picture, UserError> {
    Ok(preprocessor.seen(&load::read_picture(path)?))
}

fn no_body() -> UserError {
    UserError::new(
        "A classifier of pictures is trained on a pre-trained body.",
        "The data is a folder of pictures, and the run does not start from a vision transformer.",
        "Start from the folder of a ViT or DeiT.",
    )
}

//! Learning to read digits.

use crate::load::digit::idx;
use crate::load::digit::idx::DigitSet;
use crate::load::{self, DigitModel};
use crate::nn::{DigitConfig, DigitNet, Hooks, Random, cross_entropy};
use crate::train::data::augment::distort;
use crate::train::examples::{Drawn, Example};
use crate::train::objective::{Loss, Objective, Preparation, Progress, Setup, Tally};
use crate::train::stream::{Stream, dropout};
use crate::types::{DIGIT_SIDE, DataPart, DigitNetwork, DigitTask, StartFrom, TrainSpec, UserError};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::path::{Path, PathBuf};

/// What an image can be.
const CLASSES: usize = 10;
/// Images in one slice of a validation.
const SLICE: usize = 250;

/// A digit network and the images it learns from. Files of test images in the folder are left alone: they are for measuring
/// the finished network.
pub(crate) struct Digits {
    task: DigitTask,
    train: DigitSet,
    held_out: DigitSet,
    /// The epoch the order was drawn for.
    epoch: Option<usize>,
    order: Vec<u32>,
    /// The output layer, where it learns alone.
    of_head: Option<OfHead>,
}

/// What an output layer that learns alone reads.
struct OfHead {
    /// What the paths of its parameters begin with.
    path: String,
    /// What the frozen layers make of each image, row-major.
    features: Vec<f32>,
}

impl Digits {
    /// The objective of a task; nothing is read yet.
    pub(crate) fn new(task: DigitTask) -> Self {
        let (train, held_out) = (DigitSet::default(), DigitSet::default());
        Self { task, train, held_out, epoch: None, order: Vec::new(), of_head: None }
    }

    /// The objective of images that are at hand, learned as they are. Given what the other layers make of each, row-major, the output layer
    /// learns alone.
    pub(crate) fn given(train: DigitSet, model: &DigitModel, features: Option<Vec<f32>>) -> Self {
        let network = match &model.config {
            DigitConfig::Mlp(_) => DigitNetwork::Mlp,
            DigitConfig::Cnn(_) => DigitNetwork::Cnn,
        };
        let task = DigitTask { data: PathBuf::new(), network, layers: None, augment: false };
        let of_head = features.map(|features| OfHead { path: model.config.output_path(), features });
        Self { train, of_head, ..Self::new(task) }
    }

    /// Indices of the images of a batch: every image once an epoch, in an order drawn anew each epoch.
    fn batch(&mut self, spec: &TrainSpec, number: usize) -> &[u32] {
        let batch = self.batch_size(spec);
        let batches = self.train.len() / batch;
        let (epoch, place) = ((number - 1) / batches, (number - 1) % batches);
        if self.epoch != Some(epoch) {
            self.order = Random::new(spec.seed, Stream::ImageOrder.at(epoch as u64)).permutation(self.train.len());
            self.epoch = Some(epoch);
        }
        &self.order[place * batch..(place + 1) * batch]
    }

    fn batch_size(&self, spec: &TrainSpec) -> usize {
        spec.batch_size.min(self.train.len()).max(1)
    }

    fn read_data(&mut self, spec: &TrainSpec) -> Result<(), UserError> {
        let folder = idx::read(&self.task.data)?;
        let all = folder.train.ok_or_else(|| {
            UserError::new(
                format!("{} has no training images.", self.task.data.display()),
                "It holds test images only, and a network must not be measured on what it learned from.",
                "Add train-images-idx3-ubyte and train-labels-idx1-ubyte, or choose another folder.",
            )
        })?;
        let held_out = (all.len() as f64 * spec.validation_share).round() as usize;
        if held_out >= all.len() {
            return Err(UserError::new(
                format!("{} has too few images.", self.task.data.display()),
                format!("Of {} images, {held_out} would be held out and none left to learn from.", all.len()),
                "Lower the validation share, or use more images.",
            ));
        }
        let order = Random::new(spec.seed, Stream::Split.at(0)).permutation(all.len());
        let (held_out, rest) = order.split_at(held_out);
        let learned = ((rest.len() as f64 * spec.learn_from).round() as usize).max(1);
        (self.held_out, self.train) = (all.select(held_out), all.select(&rest[..learned]));
        Ok(())
    }

    /// At most `most` images of a part, as they lie in their files; of the test those that the run left alone.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn examples(mut self, spec: &TrainSpec, part: DataPart, most: usize) -> Result<Drawn, UserError> {
        let set = if part == DataPart::Test {
            idx::read(&self.task.data)?.test.unwrap_or_default()
        } else {
            self.read_data(spec)?;
            if part == DataPart::Train { self.train } else { self.held_out }
        };
        let example = |place| Example::Digit { pixels: set.pixels(place).to_vec(), label: set.label(place) };
        Ok(Drawn::spread(set.len(), most, example))
    }

    fn start_model(&self, spec: &TrainSpec, device: &Device) -> Result<DigitModel, UserError> {
        if let StartFrom::Folder { path } = &spec.start {
            return Ok(load::open_digit_model(path, device)?);
        }
        let config = match &self.task.layers {
            Some(layers) => DigitConfig::perceptron(layers.clone()),
            None => DigitConfig::of(self.task.network),
        };
        let net = config.init(spec.seed, device);
        let name = spec.out.as_deref().and_then(Path::file_name).map_or_else(
            || match self.task.network {
                DigitNetwork::Mlp => "new-digits-mlp".to_owned(),
                DigitNetwork::Cnn => "new-digits-cnn".to_owned(),
            },
            |name| name.to_string_lossy().into_owned(),
        );
        Ok(DigitModel::new(&name, config, net))
    }
}

impl Objective for Digits {
    type Model = DigitModel;
    type Net = DigitNet;

    fn beta_2(&self) -> f32 {
        0.999
    }

    fn prepare(
        &mut self,
        setup: &Setup<'_, DigitModel>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Preparation<DigitModel>, UserError> {
        let label = format!("Reading {}", self.task.data.display());
        tell(Progress { label, done: 0, total: 0, unit: "images" });
        self.read_data(setup.spec)?;
        match setup.open {
            Some(_) => Ok(Preparation::ReadyForOpen),
            None => Ok(Preparation::Ready(self.start_model(setup.spec, setup.device)?)),
        }
    }

    fn net(model: &DigitModel) -> DigitNet {
        model.net.clone()
    }

    fn freezes(&self, path: &str) -> bool {
        self.of_head.as_ref().is_some_and(|of_head| !path.starts_with(of_head.path.as_str()))
    }

    fn loss(&mut self, spec: &TrainSpec, net: &DigitNet, batch: usize, device: &Device) -> Loss {
        let mut random = Random::new(spec.seed, Stream::Distortion.at(batch as u64));
        let number = batch;
        let batch = self.batch(spec, number).to_vec();
        if let Some(OfHead { features, .. }) = &self.of_head {
            let width = features.len() / self.train.len();
            let rows =
                batch.iter().flat_map(|i| &features[*i as usize * width..][..width]).copied().collect::<Vec<_>>();
            let labels: Vec<i64> = batch.iter().map(|i| i64::from(self.train.label(*i as usize))).collect();
            let rows = Tensor::from_data(TensorData::new(rows, [batch.len(), width]), device);
            let labels = Tensor::from_data(TensorData::new(labels, [batch.len()]), device);
            let mean = cross_entropy(net.decide(rows), labels);
            return Loss { mean, tokens: Vec::new(), predicted: batch.len() };
        }
        let mut pixels = Vec::with_capacity(batch.len() * DIGIT_SIDE * DIGIT_SIDE);
        let mut labels = Vec::with_capacity(batch.len());
        for &i in &batch {
            let image = self.train.pixels(i as usize);
            if self.task.augment {
                distort(image, &mut random, &mut pixels);
            } else {
                pixels.extend(image.iter().map(|&v| f32::from(v) / 255.0));
            }
            labels.push(i64::from(self.train.label(i as usize)));
        }
        let (images, labels) = tensors(pixels, labels, device);
        let hooks = &mut Hooks::off().learning(dropout(spec.seed, number));
        let mean = cross_entropy(net.forward(images, hooks), labels);
        Loss { mean, tokens: Vec::new(), predicted: batch.len() }
    }

    fn examples_per_step(&self, spec: &TrainSpec) -> u64 {
        self.batch_size(spec) as u64
    }

    fn examples_per_epoch(&self) -> Option<u64> {
        Some(self.train.len() as u64)
    }

    fn validation_slices(&self) -> usize {
        self.held_out.len().div_ceil(SLICE)
    }

    fn validate(&self, net: &DigitNet, slice: usize, device: &Device) -> Tally {
        let images = slice * SLICE..((slice + 1) * SLICE).min(self.held_out.len());
        measure(net, &self.held_out, images, device).0
    }

    fn validate_each(&self, net: &DigitNet, slice: usize, device: &Device) -> (Tally, Vec<[usize; 2]>) {
        let images = slice * SLICE..((slice + 1) * SLICE).min(self.held_out.len());
        let (tally, answers) = measure(net, &self.held_out, images.clone(), device);
        (tally, images.zip(answers).map(|(image, answer)| [usize::from(self.held_out.label(image)), answer]).collect())
    }

    fn classes(&self) -> Vec<String> {
        (0..CLASSES).map(|digit| digit.to_string()).collect()
    }
}

/// Cross-entropy and predicted classes of some images of a set.
pub(crate) fn measure(
    net: &DigitNet,
    set: &DigitSet,
    images: std::ops::Range<usize>,
    device: &Device,
) -> (Tally, Vec<usize>) {
    let count = images.len();
    let pixels = images.clone().flat_map(|i| set.pixels(i)).map(|&v| f32::from(v) / 255.0).collect();
    let labels: Vec<i64> = images.clone().map(|i| i64::from(set.label(i))).collect();
    let (input, targets) = tensors(pixels, labels.clone(), device);
    let logits = net.forward(input, &mut Hooks::off());
    let loss = f64::from(cross_entropy(logits.clone(), targets).into_scalar::<f32>()) * count as f64;
    let scores = logits.try_to_vec_as::<f32>().expect("the device gives back what it holds");
    let predictions: Vec<usize> = scores.chunks_exact(scores.len() / count).map(most_likely).collect();
    let correct = predictions.iter().zip(&labels).filter(|(p, label)| **p as i64 == **label).count();
    (Tally { loss, count, correct: Some((correct, count)) }, predictions)
}

fn most_likely(scores: &[f32]) -> usize {
    scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(class, _)| class)
}

/// `[B, 784]` and `[B]`.
fn tensors(pixels: Vec<f32>, labels: Vec<i64>, device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
    let batch = labels.len();
    let images = Tensor::from_data(TensorData::new(pixels, [batch, DIGIT_SIDE * DIGIT_SIDE]), device);
    (images, Tensor::from_data(TensorData::new(labels, [batch]), device))
}

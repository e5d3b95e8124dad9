//! Training with an objective that goes wrong at a chosen step.

use super::train::trainer;
use super::{LoadedModel, ModelStore, TaskContext};
use crate::engine::Event;
use crate::load::{self, DigitModel};
use crate::nn::DigitNet;
use crate::train::objective::{Loss, Tally};
use crate::train::objectives::Digits;
use crate::train::{Objective, Preparation, Progress, Setup};
use crate::types::{DigitNetwork, DigitTask, JobId, ModelId, TrainPoint, TrainSpec, TrainTask, UserError};
use burn::tensor::Device;
use std::path::Path;

/// Learns digits, but from one step on the loss is no number.
struct Spoiled {
    digits: Digits,
    from: usize,
}

impl Objective for Spoiled {
    type Model = DigitModel;
    type Net = DigitNet;

    fn beta_2(&self) -> f32 {
        self.digits.beta_2()
    }

    fn prepare(
        &mut self,
        setup: &Setup<'_, DigitModel>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Preparation<DigitModel>, UserError> {
        self.digits.prepare(setup, tell)
    }

    fn net(model: &DigitModel) -> DigitNet {
        Digits::net(model)
    }

    fn loss(&mut self, spec: &TrainSpec, net: &DigitNet, step: usize, device: &Device) -> Loss {
        let loss = self.digits.loss(spec, net, step, device);
        if step >= self.from { Loss { mean: loss.mean * f32::NAN, ..loss } } else { loss }
    }

    fn examples_per_step(&self, spec: &TrainSpec) -> u64 {
        self.digits.examples_per_step(spec)
    }

    fn validation_slices(&self) -> usize {
        self.digits.validation_slices()
    }

    fn validate(&self, net: &DigitNet, slice: usize, device: &Device) -> Tally {
        self.digits.validate(net, slice, device)
    }
}

/// 40 images, a bright row each.
pub(super) fn data() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let idx = |axes: &[u32], elements: Vec<u8>| {
        let mut bytes = vec![0, 0, 8, axes.len() as u8];
        bytes.extend(axes.iter().flat_map(|n| n.to_be_bytes()));
        bytes.extend(elements);
        bytes
    };
    let pixels = (0..40 * 784).map(|i| if i % 784 / 28 == i / 784 % 10 * 2 { 250 } else { 0 }).collect();
    std::fs::write(dir.path().join("train-images-idx3-ubyte"), idx(&[40, 28, 28], pixels)).unwrap();
    let labels = (0..40).map(|i| i % 10).collect();
    std::fs::write(dir.path().join("train-labels-idx1-ubyte"), idx(&[40], labels)).unwrap();
    dir
}

/// Trains until the loss fails at step `from`; gives the error, the store and every point that was reported.
fn spoiled(from: usize, out: &Path) -> (UserError, ModelStore, ModelId, Vec<TrainPoint>) {
    let data = data();
    let task = DigitTask { data: data.path().to_owned(), network: DigitNetwork::Mlp, augment: false };
    let spec = TrainSpec {
        task: TrainTask::Digits(task.clone()),
        out: Some(out.to_owned()),
        validation_share: 0.25,
        seed: 2,
        ..toml::from_str(
            "learning_rate = 0.01\nbatch_size = 8\nsteps = 50\neval_every = 3\n\
             [task]\nkind = \"digits\"\ndata = \"none\"\nnetwork = \"mlp\"",
        )
        .unwrap()
    };
    let (model, device) = (ModelId::next(), Device::flex());
    let mut trainer = trainer(Spoiled { digits: Digits::new(task), from }, model, spec);
    let (mut models, mut points) = (ModelStore::default(), Vec::new());
    loop {
        let mut emit = |event| {
            if let Event::Trained { points: new, .. } = event {
                points.extend(new);
            }
        };
        let mut cx = TaskContext { job: JobId::next(), device: &device, models: &mut models, emit: &mut emit };
        if let Err(error) = trainer.step(&mut cx) {
            return (error, models, model, points);
        }
    }
}

#[test]
fn a_loss_that_is_no_number_leaves_the_best_weights_in_memory_and_on_disk() {
    let out = tempfile::tempdir().unwrap();
    let (error, models, model, points) = spoiled(11, out.path());
    assert!(error.what.contains("step 11") && error.what.contains("NaN"), "{error}");
    assert_eq!(points.len(), 10);
    let measured = points.iter().filter_map(|p| p.validation_loss.map(|loss| (loss, p.step)));
    let best = measured.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
    assert!(error.next.contains(&format!("step {}", best.1)), "{error} should name step {}", best.1);
    let LoadedModel::Digits(kept) = models.get(model).unwrap() else { panic!("not a digit network") };
    let saved = load::open_digit_model(out.path(), &Device::flex()).unwrap();
    assert_eq!(saved.net.layer_weights(), kept.net.layer_weights());
    let log = std::fs::read_to_string(out.path().join("training-log.csv")).unwrap();
    assert_eq!(log.lines().count(), 11);
}

#[test]
fn before_any_validation_the_weights_go_back_to_the_start() {
    let out = tempfile::tempdir().unwrap();
    let (error, models, model, _) = spoiled(2, out.path());
    assert!(error.next.contains("back where the run began"), "{error}");
    let LoadedModel::Digits(kept) = models.get(model).unwrap() else { panic!("not a digit network") };
    assert_eq!(kept.net.layer_weights(), kept.config.init(2, &Device::flex()).layer_weights());
    assert!(!out.path().join("model.safetensors").exists(), "untrained weights are not worth a file");
}

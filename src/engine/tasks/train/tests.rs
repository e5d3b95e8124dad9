//! The training loop with a lesson that goes wrong at a chosen step.

use super::digits::DigitLesson;
use super::*;
use crate::engine::tasks::ModelStore;
use crate::nn::DigitNet;
use crate::types::{DigitNetwork, DigitTask, JobId};
use burn::tensor::{Device, Tensor};

/// Learns digits, but from one step on the loss is no number.
struct Spoiled {
    lesson: DigitLesson,
    from: usize,
}

impl Lesson for Spoiled {
    type Net = DigitNet;

    fn beta_2(&self) -> f32 {
        self.lesson.beta_2()
    }

    fn prepare(
        &mut self,
        spec: &TrainSpec,
        model: ModelId,
        checkpoint: Option<&Path>,
        cx: &mut TaskContext<'_>,
    ) -> Result<bool, UserError> {
        self.lesson.prepare(spec, model, checkpoint, cx)
    }

    fn net(&self, models: &ModelStore, model: ModelId) -> Result<DigitNet, UserError> {
        self.lesson.net(models, model)
    }

    fn put(&self, models: &mut ModelStore, model: ModelId, net: DigitNet) -> Result<(), UserError> {
        self.lesson.put(models, model, net)
    }

    fn loss(&mut self, spec: &TrainSpec, net: &DigitNet, step: usize, device: &Device) -> Tensor<1> {
        let loss = self.lesson.loss(spec, net, step, device);
        if step >= self.from { loss * f32::NAN } else { loss }
    }

    fn examples_per_step(&self, spec: &TrainSpec) -> u64 {
        self.lesson.examples_per_step(spec)
    }

    fn validation_slices(&self) -> usize {
        self.lesson.validation_slices()
    }

    fn validate(&self, net: &DigitNet, slice: usize, device: &Device) -> Score {
        self.lesson.validate(net, slice, device)
    }

    fn sample(&mut self, net: &DigitNet, device: &Device) -> SampleStep {
        self.lesson.sample(net, device)
    }

    fn write_extra(&self, folder: &Path) -> Result<(), UserError> {
        self.lesson.write_extra(folder)
    }
}

/// 40 images, a bright row each.
fn data() -> tempfile::TempDir {
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
        start: crate::types::StartFrom::Scratch,
        out: Some(out.to_owned()),
        precision: Precision::F32,
        embedding_rate: 1.0,
        lazy_embeddings: false,
        fixed_codes: 0,
        learning_rate: 0.01,
        schedule: crate::types::LrSchedule::Constant,
        warmup_steps: 0,
        weight_decay: 0.0,
        clip_norm: 0.0,
        batch_size: 8,
        steps: 50,
        validation_share: 0.25,
        eval_every: 3,
        seed: 2,
    };
    let (model, device) = (ModelId::next(), Device::flex());
    let lesson = Spoiled { lesson: DigitLesson::new(task), from };
    let mut trainer = Trainer { spec, model, lesson, stage: Stage::New };
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
